"""The encoders pSp and e4e: a face-recognition trunk, a pyramid of its features, and a block of convolutions for each latent.

References:
  Deng et al., ArcFace, 2018, and Hu et al., Squeeze-and-excitation networks, 2017 (the trunk, IR-SE-50).
  Richardson et al., Encoding in style: a StyleGAN encoder for image-to-image translation, 2021 (pSp).
  Tov et al., Designing an encoder for StyleGAN image manipulation, 2021 (e4e).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.configs import GeneratorConfig, TrunkConfig
from jaxgan.models.inverter import batch_norm
from jaxgan.models.layers import EqualizedDense, add_bias
from jaxgan.models.strided import conv2d

INPUT = 256  # pixels; side of the square that images are resized to
UNITS = (3, 4, 14, 3)  # residual units at a half, a quarter, an eighth and a sixteenth of the resolution
REDUCTION = 16  # of squeeze-and-excitation
COARSE, MIDDLE = 3, 7  # first layers of w that read the middle and the fine features


def convolution(module: nn.Module, name: str, x: jax.Array, features: int, size: int = 3, stride: int = 1) -> jax.Array:
    """A convolution of a module's kernel, padded by half its size, without bias."""
    init = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
    kernel = module.param(name, init, (size, size, x.shape[-1], features))
    pad = (size // 2, size // 2)
    return conv2d(x, kernel.astype(x.dtype), (pad, pad), stride)


def prelu(module: nn.Module, name: str, x: jax.Array) -> jax.Array:
    """Leaky ReLU with a learned slope for each channel."""
    slope = module.param(name, nn.initializers.constant(0.25), (x.shape[-1],)).astype(x.dtype)
    return jnp.where(x >= 0, x, x * jnp.broadcast_to(slope, x.shape))


def normalise(x: jax.Array, train: bool, name: str) -> jax.Array:
    """Batch normalisation with scale, in float32."""
    return batch_norm(train, name, scale_init=1.0)(x.astype(jnp.float32)).astype(x.dtype)


class Unit(nn.Module):
    """A residual unit with squeeze-and-excitation: normalisation, two convolutions, normalisation, channel weights."""

    features: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        if x.shape[-1] == self.features:
            shortcut = x[:, :: self.stride, :: self.stride]
        else:
            shortcut = convolution(self, "shortcut", x, self.features, 1, self.stride)
            shortcut = normalise(shortcut, train, "norm_shortcut")
        x = convolution(self, "conv_0", normalise(x, train, "norm_0"), self.features)
        x = convolution(self, "conv_1", prelu(self, "slope", x), self.features, stride=self.stride)
        x = normalise(x, train, "norm_1")
        hidden = max(self.features // REDUCTION, 1)
        squeezed = nn.relu(convolution(self, "squeeze", x.mean(axis=(1, 2), keepdims=True), hidden, 1))
        return shortcut + x * nn.sigmoid(convolution(self, "excite", squeezed, self.features, 1))


class StyleBlock(nn.Module):
    """Maps features [B, S, S, C] to one w [B, latent]: convolutions of stride 2 down to a pixel, then a dense layer."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        number = 0
        while x.shape[1] > 1:
            x = convolution(self, f"conv_{number}", x, self.features, stride=2)
            x = add_bias(x, self.param(f"bias_{number}", nn.initializers.zeros, (self.features,)))
            x = nn.leaky_relu(x, 0.01)
            number += 1
        return EqualizedDense(self.features, gain=1.0, name="dense")(x[:, 0, 0].astype(jnp.float32))


def enlarge(x: jax.Array) -> jax.Array:
    """Doubles [B, S, S, C] bilinearly, so that corner pixels stay in the corners."""
    side = x.shape[1]
    places = np.linspace(0, side - 1, 2 * side)[:, None]
    weights = np.maximum(1 - np.abs(places - np.arange(side)), 0).astype(x.dtype)  # [2 S, S]
    return jnp.einsum("ip,jq,bpqc->bijc", weights, weights, x)


class PyramidInverter(nn.Module):
    """Maps images [B, R, R, 3] in [-1, 1] to latents [B, L, latent], as inverter.Inverter does.

    pSp adds each layer's w to the average; e4e adds the first layer's w to that of every other layer, too, so that the others
    are small deviations from one w.
    """

    trunk: TrunkConfig
    generator: GeneratorConfig
    remat: bool = False

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        layers, latent, width = self.generator.num_layers, self.generator.latent_size, self.trunk.width
        if images.shape[1] != INPUT:
            images = jax.image.resize(images, (len(images), INPUT, INPUT, images.shape[-1]), "linear")
        x = convolution(self, "stem", images.astype(jnp.dtype(self.trunk.dtype)), width)
        x = prelu(self, "slope", normalise(x, train, "norm"))
        levels, residual = [], nn.remat(Unit, static_argnums=2) if self.remat else Unit
        for level, count in enumerate(UNITS):
            for unit in range(count):
                x = residual(width << level, 1 if unit else 2, name=f"unit_{level}_{unit}")(x, train)
            levels.append(x)
        features, last = [levels[-1]], width << len(UNITS) - 1
        for name, lateral in (("middle", levels[2]), ("fine", levels[1])):
            lateral = convolution(self, name, lateral, last, 1)
            lateral = add_bias(lateral, self.param(f"{name}_bias", nn.initializers.zeros, (last,)))
            features.append(enlarge(features[-1]) + lateral)
        which = [0] * COARSE + [1] * (MIDDLE - COARSE) + [2] * max(layers - MIDDLE, 0)
        styles = [StyleBlock(latent, name=f"style_{i}")(features[which[i]]) for i in range(layers)]
        w = jnp.stack(styles, axis=1)
        if self.trunk.kind == "e4e":
            w = w.at[:, 1:].add(w[:, :1])
        return w + self.param("average", nn.initializers.zeros, (layers, latent))[None]
