"""Affine transforms of images, resampled as in ADA (Karras et al. 2020, appendix B): reflected borders, twice the resolution.

Images are upsampled by the low-pass filter of the wavelet sym6, read bilinearly, and downsampled by the same filter, flipped.
The filter is orthogonal, so that an identity or a shift by whole pixels changes nothing but the last bits.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

# Daubechies 1992, table 6.3; the sum is sqrt(2).
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
CENTRE = 5  # the tap that lies on a pixel


def warp(images: jax.Array, inverse: jax.Array) -> jax.Array:
    """Transforms images about their centres; linear in the images.

    The border is reflected, its own pixels not repeated, as often as needed; NVlabs' code is grey beyond the first reflection.

    Args:
      images: float32 [B, R, R, C].
      inverse: float32 [B, 2, 3], maps output positions (x, y, 1) to input positions (x, y), in pixels right and down of the
        centre.

    Returns:
      float32 [B, R, R, C].
    """
    size = images.shape[1]
    up, down = _up(size), _down(size)
    return _resample(down, _sample(_resample(up, images), inverse, size))


def _resample(matrix: np.ndarray, x: jax.Array) -> jax.Array:
    """Both axes of [B, n, n, C] times a matrix [m, n]. Filters as shifted copies have gradients five times slower on CPUs."""
    x = jnp.einsum("vi,bijc->bvjc", matrix, x, precision=jax.lax.Precision.HIGHEST)
    return jnp.einsum("vj,bijc->bivc", matrix, x, precision=jax.lax.Precision.HIGHEST)


@cache
def _up(size: int) -> np.ndarray:
    """One period, 4 size - 4 samples, of `size` pixels reflected for ever and upsampled; even samples lie on pixels."""
    period = 2 * size - 2
    matrix = np.zeros((2 * period, size), np.float32)
    for sample in range(2 * period):
        for tap in range((sample + CENTRE) % 2, len(SYM6), 2):
            pixel = (sample + CENTRE - tap) // 2 % period
            matrix[sample, min(pixel, period - pixel)] += 2**0.5 * SYM6[tap]
    return matrix


@cache
def _down(size: int) -> np.ndarray:
    """`size` pixels of 2 size + 10 samples, of which the one at CENTRE lies on the first pixel."""
    matrix = np.zeros((size, 2 * size + len(SYM6) - 2), np.float32)
    for pixel in range(size):
        matrix[pixel, 2 * pixel : 2 * pixel + len(SYM6)] = np.multiply(SYM6, 0.5**0.5)
    return matrix


def _sample(x: jax.Array, inverse: jax.Array, size: int) -> jax.Array:
    """Bilinear samples [B, 2 size + 10, 2 size + 10, C] of periodic images at twice the resolution."""
    middle = size - 1.0  # between the samples on the first and the last pixel
    offsets = jnp.arange(2 * size + len(SYM6) - 2, dtype=jnp.float32) - (CENTRE + middle)

    def position(row: int) -> jax.Array:
        a, b, c = (inverse[:, row, i, None, None] for i in range(3))
        return a * offsets[None, None, :] + b * offsets[None, :, None] + (2.0 * c + middle)

    x_position, y_position = position(0), position(1)
    left, top = jnp.floor(x_position), jnp.floor(y_position)
    starts = jnp.stack([top, left], axis=-1).astype(jnp.int32) % x.shape[1]
    padded = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)), mode="wrap")

    def square(image: jax.Array, start: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(image, (start[0], start[1], 0), (2, 2, image.shape[2]))

    squares = jax.vmap(jax.vmap(jax.vmap(square, (None, 0)), (None, 0)))(padded, starts)  # [B, H, W, 2, 2, C]
    right, below = (x_position - left)[..., None, None], (y_position - top)[..., None]
    columns = (1.0 - right) * squares[..., 0, :] + right * squares[..., 1, :]
    return (1.0 - below) * columns[..., 0, :] + below * columns[..., 1, :]
