"""Building blocks of StyleGAN: equalised layers, blur, rescaling convolutions, AdaIN.

Activations are NHWC, in the `dtype` of the module; parameters are float32.

References:
  Karras et al., Progressive growing of GANs for improved quality, stability, and variation, 2017.
  Karras et al., A style-based generator architecture for generative adversarial networks, 2018.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.models.strided import conv2d, strided_conv2d, sum_of_shifts, upscale_conv2d

SQRT2 = float(np.sqrt(2.0))


def block(remat: bool, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function (module, arrays) of a network, made such that gradients keep its arguments and results alone if `remat`."""
    return nn.remat(function) if remat else function


def leaky_relu(x: jax.Array) -> jax.Array:
    """Leaky ReLU with slope 0.2."""
    return jax.nn.leaky_relu(x, 0.2)


def pixel_norm(x: jax.Array) -> jax.Array:
    """Scales the last axis to unit mean square (Karras et al. 2017, section 4.2)."""
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-8)


class EqualizedDense(nn.Module):
    """Dense layer with weights ~ N(0, 1), scaled at run time by gain / sqrt(fan_in) (Karras et al. 2017, section 4.1).

    Maps [..., in] to [..., features]. `lr_multiplier` scales the effective learning rate. The bias starts as `bias_init`.
    """

    features: int
    gain: float = SQRT2
    lr_multiplier: float = 1.0
    use_bias: bool = True
    bias_init: float = 0.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(1.0 / self.lr_multiplier), shape)
        kernel = kernel * (self.gain * self.lr_multiplier / np.sqrt(shape[0]))
        y = jnp.dot(x.astype(self.dtype), kernel.astype(self.dtype))
        if self.use_bias:
            init = nn.initializers.constant(self.bias_init / self.lr_multiplier)
            y = add_bias(y, self.param("bias", init, (self.features,)) * self.lr_multiplier)
        return y


class LayerwiseDense(nn.Module):
    """An equalised dense layer without bias for each style layer: [B, L, in] to [B, L, features]."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        _, layers, width = x.shape
        kernel = self.param("kernel", nn.initializers.normal(1.0), (layers, width, self.features))
        return jnp.einsum("blw,lwf->blf", x, kernel * (1.0 / np.sqrt(width)))


class EqualizedConv(nn.Module):
    """Equalised square convolution without bias that optionally doubles or halves the resolution.

    With rescale "up", nearest-neighbour doubling precedes the convolution; with "down", a 2x2 mean follows it. Either is
    computed as an equivalent 4x4 convolution with fewer multiplications (Karras et al. 2018, fused scaling).
    Maps [B, H, W, in] to [B, H', W', features].
    """

    features: int
    kernel_size: int = 3
    gain: float = SQRT2
    rescale: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape)
        kernel = kernel * (self.gain / np.sqrt(np.prod(shape[:3])))
        if self.kernel_size == 1:
            return jnp.dot(x.astype(self.dtype), kernel[0, 0].astype(self.dtype))
        convolve = {None: conv2d, "up": upscale_conv2d, "down": downscale_conv2d}[self.rescale]
        return convolve(x.astype(self.dtype), kernel.astype(self.dtype))


def add_bias(x: jax.Array, bias: jax.Array) -> jax.Array:
    """Adds a per-channel bias [C] to [..., C]."""
    return x + jnp.broadcast_to(bias.astype(x.dtype), x.shape)


def downscale_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """3x3 convolution followed by a 2x2 mean, computed as an equivalent 4x4 convolution of stride 2."""
    return strided_conv2d(x, sum_of_shifts(0.25 * kernel), pad=1)


def blur(x: jax.Array) -> jax.Array:
    """Low-pass filter [1, 2, 1] x [1, 2, 1] / 16 of [B, H, W, C], with zeros outside."""
    for axis in (1, 2):
        pad = [(0, 0)] * 4
        pad[axis] = (1, 1)
        padded = jnp.pad(x, pad)
        size = x.shape[axis]
        before, centre, after = (jax.lax.slice_in_dim(padded, k, k + size, axis=axis) for k in range(3))
        x = 0.25 * (before + after) + 0.5 * centre
    return x


def downscale2d(x: jax.Array) -> jax.Array:
    """2x2 mean of [B, H, W, C]."""
    batch, height, width, channels = x.shape
    return x.reshape(batch, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))


def upscale2d(x: jax.Array, factor: int = 2) -> jax.Array:
    """Nearest-neighbour enlargement of [B, H, W, C]."""
    batch, height, width, channels = x.shape
    repeated = jnp.broadcast_to(x[:, :, None, :, None, :], (batch, height, factor, width, factor, channels))
    return repeated.reshape(batch, height * factor, width * factor, channels)


def crossfade(old: jax.Array, new: jax.Array, alpha: jax.Array) -> jax.Array:
    """(1 - alpha) old + alpha new for a scalar alpha; exactly old at 0 and new at 1."""
    return (1.0 - alpha).astype(old.dtype) * old + alpha.astype(new.dtype) * new


def instance_norm(x: jax.Array) -> jax.Array:
    """Zero mean and unit variance over height and width, with float32 statistics and epsilon 1e-8."""
    full = x.astype(jnp.float32)
    full = full - full.mean(axis=(1, 2), keepdims=True)
    full = full * jax.lax.rsqrt(jnp.mean(jnp.square(full), axis=(1, 2), keepdims=True) + 1e-8)
    return full.astype(x.dtype)


def modulate(x: jax.Array, style: jax.Array) -> jax.Array:
    """AdaIN's modulation x * (1 + scale) + shift of x [B, H, W, C]; style [B, 2C] holds scale, then shift."""
    scale, shift = jnp.split(style[:, None, None, :].astype(x.dtype), 2, axis=-1)
    return x * (1.0 + scale) + shift


def minibatch_stddev(x: jax.Array, group: int, strided: bool = False) -> jax.Array:
    """Appends a feature map with the mean standard deviation within groups of images (Karras et al. 2017, section 3).

    Groups consist of neighbours in the batch, so they do not depend on the number of devices; `strided` ones, as published,
    of images N / group apart.

    Raises:
      ValueError: the batch is larger than the group and not a multiple of it.
    """
    batch, height, width, channels = x.shape
    group = min(group, batch)
    if batch % group:
        raise ValueError(f"a batch of {batch} images per device is not a multiple of the minibatch-stddev group of {group}")
    groups = batch // group
    shape = (group, groups) if strided else (groups, group)
    grouped = x.astype(jnp.float32).reshape(*shape, height, width, channels)
    deviation = jnp.sqrt(jnp.var(grouped, axis=0 if strided else 1) + 1e-8).mean(axis=(1, 2, 3))
    each = jnp.tile(deviation, group) if strided else jnp.repeat(deviation, group)
    feature = jnp.broadcast_to(each[:, None, None, None], (batch, height, width, 1))
    return jnp.concatenate([x, feature.astype(x.dtype)], axis=-1)
