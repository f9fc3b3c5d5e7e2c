"""Convolutions, those of stride 2 and their transposes in the form that the platform has fast code for.

XLA's CPU compiler takes gradients of strided and dilated convolutions, and second gradients (R1) of 2x2 ones, tens of times
slower than matrix products over shifted or folded images. GPUs and TPUs have kernels for them, and pay for what is stacked,
folded and summed in memory instead. This is the only file of networks that asks for the platform.

Activations are NHWC, kernels HWIO.
"""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.runtime import platform

DIMENSIONS = ("NHWC", "HWIO", "NHWC")
Form = Callable[[jax.Array, jax.Array], jax.Array]


def conv2d(x: jax.Array, kernel: jax.Array, padding: str | Sequence = "SAME", stride: int = 1) -> jax.Array:
    """Cross-correlation of [B, H, W, in] with [k, k, in, out]."""
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=DIMENSIONS)


def strided_conv2d(x: jax.Array, kernel: jax.Array, pad: int) -> jax.Array:
    """4x4 convolution of stride 2 of [B, H, W, in] with [4, 4, in, out]: [B, H / 2 + pad - 1, W / 2 + pad - 1, out].

    `pad` zeros surround the image; sides are even.
    """
    return _by_platform(x, kernel, cpu=partial(_folded, pad=pad), other=partial(_strided, pad=pad))


def transposed_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Pixel 2 i + k sums x[i] kernel[k] along each axis, for kernels [3, 3, in, out].

    Returns: [B, 2 H + 2, 2 W + 2, out], with zeros in the last row and column.
    """
    return _by_platform(x, kernel, cpu=_taps, other=partial(_dilated, pad=(2, 3)))


def upscale_conv2d(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Nearest-neighbour doubling of [B, H, W, in] followed by a convolution with [3, 3, in, out]: [B, 2 H, 2 W, out]."""
    return _by_platform(x, kernel, cpu=_phases, other=_doubled)


def sum_of_shifts(kernel: jax.Array) -> jax.Array:
    """The sum [4, 4, in, out] of a kernel [3, 3, in, out] shifted by 0 or 1 along each axis: convolved with 2x2 ones."""
    padded = jnp.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0)))
    return padded[1:, 1:] + padded[1:, :-1] + padded[:-1, 1:] + padded[:-1, :-1]


def _by_platform(x: jax.Array, kernel: jax.Array, cpu: Form, other: Form) -> jax.Array:
    return (cpu if platform() == "cpu" else other)(x, kernel)  # jax.lax.platform_dependent would trace both


def _strided(x: jax.Array, kernel: jax.Array, pad: int) -> jax.Array:
    return conv2d(x, kernel, [(pad, pad)] * 2, stride=2)


def _dilated(x: jax.Array, kernel: jax.Array, pad: tuple[int, int]) -> jax.Array:
    """The transpose of a strided convolution: zeros between pixels, a margin, then the kernel turned by 180 degrees.

    XLA hands it to a GPU's kernels for gradients of strided convolutions if the turn is the last that befalls the kernel;
    otherwise it stores the zeros and multiplies with them.
    """
    turned = kernel[::-1, ::-1]
    return jax.lax.conv_general_dilated(x, turned, (1, 1), (pad, pad), lhs_dilation=(2, 2), dimension_numbers=DIMENSIONS)


def _doubled(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return _dilated(x, sum_of_shifts(kernel[::-1, ::-1]), (2, 2))


def _folded(x: jax.Array, kernel: jax.Array, pad: int) -> jax.Array:
    """`strided_conv2d` with each 2x2 block of pixels folded into channels, and the 2x2 taps over blocks as matrix products."""
    x = jnp.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    batch, height, width, channels = x.shape
    rows, columns = height // 2 - 1, width // 2 - 1
    blocks = x.reshape(batch, rows + 1, 2, columns + 1, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    blocks = blocks.reshape(batch, rows + 1, columns + 1, 4 * channels)
    taps = kernel.reshape(2, 2, 2, 2, channels, -1).transpose(0, 2, 1, 3, 4, 5)
    taps = taps.reshape(2, 2, 4 * channels, -1)
    return sum(jnp.dot(blocks[:, i : i + rows, j : j + columns], taps[i, j]) for i in (0, 1) for j in (0, 1))


def _taps(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`transposed_conv2d` with a matrix product for each tap: even pixels read x[i] and x[i - 1], odd ones x[i] alone."""
    batch, height, width, _ = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    even, odd = ((1, 0), (0, 2)), ((1, 1),)  # (offset of the pixel read, place in the kernel) of each tap

    def pixels(vertical: tuple, horizontal: tuple) -> jax.Array:
        taps = [(i, j, kernel[row, column]) for i, row in vertical for j, column in horizontal]
        return sum(jnp.dot(padded[:, i : i + height + 1, j : j + width + 1], tap) for i, j, tap in taps)

    rows = [jnp.stack([pixels(vertical, horizontal) for horizontal in (even, odd)], axis=3) for vertical in (even, odd)]
    return jnp.stack(rows, axis=2).reshape(batch, 2 * height + 2, 2 * width + 2, -1)


def _phases(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`upscale_conv2d` as a 2x2 convolution for each of four output phases.

    Output pixel 2i + p depends only on input pixels i - 1 + p and i + p, so the doubled pixels become sums of kernel rows.
    """
    fold = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], np.float32)  # [phase, tap, kernel row]
    phases = jnp.einsum("ptk,qul,klio->tuiopq", fold.astype(kernel.dtype), fold.astype(kernel.dtype), kernel)
    batch, height, width, _ = x.shape
    rows = []
    for p in range(2):
        columns = [conv2d(x, phases[..., p, q], padding=((1 - p, p), (1 - q, q))) for q in range(2)]
        rows.append(jnp.stack(columns, axis=3))  # [B, H, W, 2, out]
    return jnp.stack(rows, axis=2).reshape(batch, 2 * height, 2 * width, kernel.shape[-1])
