"""Structural similarity of images (Wang et al. 2004, equations 13 to 17)."""

import jax
import jax.numpy as jnp
import numpy as np

WINDOW, SIGMA = 11, 1.5  # pixels: side and standard deviation of the Gaussian window
K1, K2 = 0.01, 0.03
PEAK = 255.0

CHUNK = 64  # images compared at once


def ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Similarity float64 [N] of images uint8 [N, H, W, 3] to images of the same shape, in [-1, 1]; 1 for equal ones.

    The mean over channels and over the pixels around which a whole window fits, with the covariances of equation 16, which
    divide by the sum of the weights and not by one less. That is scikit-image's structural_similarity with
    gaussian_weights=True, sigma=1.5 and use_sample_covariance=False, up to float32 rounding (below 1e-4).

    Raises:
      ValueError: other types or shapes, or images smaller than the window.
    """
    if a.dtype != np.uint8 or b.dtype != np.uint8 or a.shape != b.shape or a.ndim != 4 or a.shape[3] != 3:
        found = ", ".join(f"{x.dtype} {list(x.shape)}" for x in (a, b))
        raise ValueError(f"SSIM compares uint8 [N, H, W, 3] with the same shape, got {found}")
    if min(a.shape[1:3]) < WINDOW:
        raise ValueError(f"SSIM needs images of at least {WINDOW}x{WINDOW} pixels, got {a.shape[1]}x{a.shape[2]}")
    similarities = np.empty(len(a))
    for start in range(0, len(a), CHUNK):
        rows = slice(start, start + CHUNK)
        pairs = [x[rows] for x in (a, b)]
        count = len(pairs[0])
        if start:  # the last chunk is filled up, so that one program serves all
            pairs = [np.pad(x, ((0, CHUNK - count), (0, 0), (0, 0), (0, 0))) for x in pairs]
        similarities[rows] = _similarities(*pairs)[:count]
    return similarities


@jax.jit
def _similarities(a: jax.Array, b: jax.Array) -> jax.Array:
    """`ssim`, float32 [B], of one chunk.

    With d = a - b, each of the two factors (2 x y + c) / (x^2 + y^2 + c) of equation 13 is 1 - d^2 / (x^2 + y^2 + c). What is
    small for similar images is then rounded as a small number, and the factors of equal images are exactly 1.
    """
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    a, b = a.astype(jnp.float32), b.astype(jnp.float32)
    # Around 0, where variances lose least to rounding; shifted by integers, the values themselves stay exact.
    shift_a, shift_b = (jnp.round(jnp.mean(x, axis=(1, 2), keepdims=True)) for x in (a, b))
    a, b = a - shift_a, b - shift_b
    mean_a, mean_b, mean_d = _window_means(a), _window_means(b), _window_means(a - b)
    variances = _window_means(a**2 + b**2) - mean_a**2 - mean_b**2
    variance_d = _window_means((a - b) ** 2) - mean_d**2
    mean_a, mean_b, mean_d = mean_a + shift_a, mean_b + shift_b, mean_d + (shift_a - shift_b)
    luminance = 1 - mean_d**2 / (mean_a**2 + mean_b**2 + c1)
    return jnp.mean(luminance * (1 - variance_d / (variances + c2)), axis=(1, 2, 3))


def _window_means(x: jax.Array) -> jax.Array:
    """Gaussian means [B, H - 10, W - 10, C] around the pixels of x [B, H, W, C] that are 5 or more away from the border.

    As products with band matrices, which at the usual sizes take a tenth of the time that a convolution of single channels
    takes. Full float32, as variances are small differences of large numbers.
    """
    rows, columns = (jnp.asarray(_band(size)) for size in x.shape[1:3])
    return jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns, precision=jax.lax.Precision.HIGHEST)


def _band(size: int) -> np.ndarray:
    """Weights float32 [size - 10, size] of the pixels of a line in the mean around each that has a whole window."""
    weights = np.exp(-0.5 * (np.arange(WINDOW) - WINDOW // 2) ** 2 / SIGMA**2)
    band = np.zeros((size - WINDOW + 1, size), np.float32)
    for row in range(len(band)):
        band[row, row : row + WINDOW] = weights / weights.sum()
    return band
