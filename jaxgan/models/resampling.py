"""StyleGAN2's resampling with the low-pass filter [1, 3, 3, 1] x [1, 3, 3, 1] / 64 (Karras et al. 2019, appendix B).

The filter is separable: four shifted copies an axis, which XLA fuses; as a depthwise convolution it is slow on CPUs.
Activations are NHWC.
"""

import jax
import jax.numpy as jnp

from jaxgan.models.strided import strided_conv2d, transposed_conv2d

TAPS = (0.125, 0.375, 0.375, 0.125)


def low_pass(x: jax.Array, before: int, after: int, stride: int = 1, gain: float = 1.0) -> jax.Array:
    """Filters [B, H, W, C] padded by zeros, and keeps every `stride`-th pixel; `gain` acts on each axis.

    A side of n pixels becomes one of (before + n + after - 4) // stride + 1.
    """
    for axis in (1, 2):
        pad = [(0, 0)] * 4
        pad[axis] = (before, after)
        padded = jnp.pad(x, pad)
        last = padded.shape[axis] - len(TAPS) + 1
        x = sum(gain * tap * jax.lax.slice_in_dim(padded, k, k + last, stride=stride, axis=axis) for k, tap in enumerate(TAPS))
    return x


def downsample2d(x: jax.Array) -> jax.Array:
    """Half of the resolution: filter, then every second pixel."""
    return low_pass(x, 1, 1, stride=2)


def upsample2d(x: jax.Array) -> jax.Array:
    """Twice the resolution: zeros between pixels, then the filter with gain 4, so that a pixel weighs its neighbours 3 to 1."""
    for axis in (1, 2):
        pad = [(0, 0)] * 4
        pad[axis] = (1, 1)
        padded = jnp.pad(x, pad)
        size = x.shape[axis]
        before, after = (0.25 * jax.lax.slice_in_dim(padded, k, k + size, axis=axis) for k in (0, 2))
        shape = list(x.shape)
        shape[axis] *= 2
        x = jnp.stack([before + 0.75 * x, 0.75 * x + after], axis=axis + 1).reshape(shape)
    return x


def conv2d_down(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The filter, then a convolution [3, 3, in, out] of stride 2."""
    filtered = low_pass(x, 2, 3)  # one row and column more than are read, for whole blocks
    return strided_conv2d(filtered, jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0))), pad=0)


def conv2d_up(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """A transposed convolution [3, 3, in, out] of stride 2, then the filter with gain 4."""
    return low_pass(transposed_conv2d(x, kernel), 1, 0, gain=2.0)
