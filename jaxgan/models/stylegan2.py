"""StyleGAN2's generator (Karras et al. 2019), with the interface of StyleGAN's.

References:
  Karras et al., Analyzing and improving the image quality of StyleGAN, 2019.
  Karras et al., Training generative adversarial networks with limited data, 2020.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.configs import GeneratorConfig, style_layers
from jaxgan.models import stylegan
from jaxgan.models.convolutions import Conv, ModulatedConv, activate, clamp
from jaxgan.models.layers import add_bias, block
from jaxgan.models.resampling import upsample2d
from jaxgan.models.stylegan import Mapping, feature_maps, layer_keys

HALF = 0.5**0.5  # gain of each branch of a residual block, which keeps the variance of their sum


class StyledLayer(nn.Module):
    """A modulated 3x3 convolution, then noise of one strength for all channels, bias, leaky ReLU and clamp."""

    features: int
    dtype: jnp.dtype
    noise: bool
    up: bool = False
    gain: float = 1.0
    limit: float | None = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array, noise_keys: jax.Array | None) -> jax.Array:
        x = ModulatedConv(self.features, up=self.up, dtype=self.dtype, name="conv")(x, w)
        if self.noise:
            x = x + self._noise(x.shape, noise_keys).astype(x.dtype)
        return activate(x, self.param("bias", nn.initializers.zeros, (self.features,)), self.gain, self.limit)

    def _noise(self, shape: tuple[int, ...], noise_keys: jax.Array | None) -> jax.Array:
        """A map for each image [B, H, W, 1], or the fixed one for all [1, H, W, 1], times the strength, a scalar."""
        side = (*shape[1:3], 1)
        fixed = self.variable("noise", "map", lambda: jax.random.normal(self.make_rng("params"), (1, *side), jnp.float32))
        strength = self.param("noise_strength", nn.initializers.zeros, ())
        if noise_keys is None:
            return fixed.value * strength
        return jax.vmap(lambda key: jax.random.normal(key, side, jnp.float32))(noise_keys) * strength


class ToRGB(nn.Module):
    """A modulated 1x1 convolution to RGB that is not demodulated: [B, H, W, C] to float32 [B, H, W, 3]."""

    dtype: jnp.dtype
    limit: float | None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array) -> jax.Array:
        x = ModulatedConv(3, kernel_size=1, demodulate=False, dtype=self.dtype, name="conv")(x, w)
        return clamp(add_bias(x, self.param("bias", nn.initializers.zeros, (3,))), self.limit).astype(jnp.float32)


class Synthesis(nn.Module):
    """Maps w [B, L, latent] to images [B, R, R, 3], in [-1, 1] for the most part.

    Layers 0 to L - 2 of w steer the convolutions in turn. The image of a resolution is read with the next one, which is also
    the first of the following resolution. Noise is as in stylegan.Synthesis. This family does not grow: `resolution` is R or
    None, and `alpha` None.
    """

    config: GeneratorConfig
    remat: bool = False

    @nn.compact
    def __call__(
        self,
        w: jax.Array,
        noise_keys: jax.Array | None = None,
        resolution: int | None = None,
        alpha: jax.Array | None = None,
    ) -> jax.Array:
        cfg = self.config
        if alpha is not None or resolution not in (None, cfg.resolution):
            raise ValueError(f"a StyleGAN2 has one resolution, {cfg.resolution}")
        dtype = jnp.dtype(cfg.dtype)
        residual = cfg.architecture == "resnet"

        def styled(
            x: jax.Array, w: jax.Array, noise_keys: jax.Array | None, layer: int, up: bool, gain: float = 1.0
        ) -> jax.Array:
            features = feature_maps(cfg, (2 if up else 1) * x.shape[1])
            made = StyledLayer(features, dtype, cfg.noise, up, gain, cfg.conv_clamp, name=f"layer_{layer}")
            return made(x, w[:, layer], layer_keys(noise_keys, layer))

        def read(module: nn.Module, x: jax.Array, w: jax.Array, image: jax.Array | None) -> jax.Array:
            side = x.shape[1]
            rgb = ToRGB(dtype, cfg.conv_clamp, name=f"rgb_{side}")(x, w[:, style_layers(side) - 1])
            return rgb if image is None else upsample2d(image) + rgb

        def double(module: nn.Module, before: jax.Array, w: jax.Array, noise_keys: jax.Array | None) -> jax.Array:
            side = before.shape[1]
            layer = style_layers(side) - 1
            x = styled(before, w, noise_keys, layer, up=True)
            x = styled(x, w, noise_keys, layer + 1, up=False, gain=HALF if residual else 1.0)
            if residual:
                features, name = feature_maps(cfg, 2 * side), f"skip_{2 * side}"
                x = x + Conv(features, 1, "up", activation=False, gain=HALF, dtype=dtype, name=name)(before)
            return x

        read, double = block(self.remat, read), block(self.remat, double)
        constant = self.param("constant", nn.initializers.normal(1.0), (1, 4, 4, feature_maps(cfg, 4)))
        x = jnp.broadcast_to(constant.astype(dtype), (w.shape[0], *constant.shape[1:]))
        x, image = styled(x, w, noise_keys, 0, up=False), None
        while x.shape[1] < cfg.resolution:
            if cfg.architecture == "skip":
                image = read(self, x, w, image)
            x = double(self, x, w, noise_keys)
        image = read(self, x, w, image)
        return jnp.tanh(image) if cfg.tanh else image


class Generator(stylegan.Generator):
    """Mapping followed by synthesis; `method="map"` and `method="synthesize"` apply either alone."""

    def setup(self) -> None:
        self.mapping = Mapping(self.config, gain_after=True)
        self.synthesis = Synthesis(self.config, self.remat)
