"""Structural similarity of images."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.evaluation.edits import in_chunks

WINDOW, SIGMA = 11, 1.5  # pixels: side and standard deviation of the Gaussian window
K1, K2 = 0.01, 0.03
PEAK = 255.0


def ssim(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Structural similarity, the mean over channels and over the pixels around which a whole window fits.

    Covariances are those of equation 16, divided by the sum of the weights rather than by one less. This agrees with
    scikit-image's structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False) to within 1e-4, the
    rounding of float32.

    Args:
      a: uint8 [N, H, W, 3].
      b: uint8, the same shape.

    Returns:
      float64 [N] in [-1, 1]; 1 for equal images.

    Raises:
      ValueError: the types or shapes differ from these, or the images are smaller than the window.

    References:
      Wang et al., Image quality assessment: from error visibility to structural similarity, 2004, equations 13 to 17.
    """
    if a.dtype != np.uint8 or b.dtype != np.uint8 or a.shape != b.shape or a.ndim != 4 or a.shape[3] != 3:
        found = ", ".join(f"{x.dtype} {list(x.shape)}" for x in (a, b))
        raise ValueError(f"SSIM compares uint8 [N, H, W, 3] with the same shape, got {found}")
    if min(a.shape[1:3]) < WINDOW:
        raise ValueError(f"SSIM needs images of at least {WINDOW}x{WINDOW} pixels, got {a.shape[1]}x{a.shape[2]}")
    return in_chunks(_similarities, "ssim", a, b, pad=True).astype(np.float64)


@jax.jit
def _similarities(a: jax.Array, b: jax.Array) -> jax.Array:
    """`ssim` of one chunk, float32 [B].

    With d = a - b, both factors (2 x y + c) / (x^2 + y^2 + c) of equation 13 equal 1 - d^2 / (x^2 + y^2 + c). This form
    rounds the small difference between similar images as a small number, and yields exactly 1 for equal ones.
    """
    c1, c2 = (K1 * PEAK) ** 2, (K2 * PEAK) ** 2
    a, b = a.astype(jnp.float32), b.astype(jnp.float32)
    # Centred, because variances then lose the fewest digits; the shifts are integers, so the values stay exact.
    shift_a, shift_b = (jnp.round(jnp.mean(x, axis=(1, 2), keepdims=True)) for x in (a, b))
    a, b = a - shift_a, b - shift_b
    mean_a, mean_b, mean_d = _window_means(a), _window_means(b), _window_means(a - b)
    variances = _window_means(a**2 + b**2) - mean_a**2 - mean_b**2
    variance_d = _window_means((a - b) ** 2) - mean_d**2
    mean_a, mean_b, mean_d = mean_a + shift_a, mean_b + shift_b, mean_d + (shift_a - shift_b)
    luminance = 1 - mean_d**2 / (mean_a**2 + mean_b**2 + c1)
    return jnp.mean(luminance * (1 - variance_d / (variances + c2)), axis=(1, 2, 3))


def _window_means(x: jax.Array) -> jax.Array:
    """Gaussian means [B, H - 10, W - 10, C] around the pixels of x [B, H, W, C] at least 5 away from the border.

    Products with band matrices take a tenth of the time of a depthwise convolution at the usual sizes. They need full
    float32, because variances are small differences of large numbers.
    """
    rows, columns = (jnp.asarray(_band(size)) for size in x.shape[1:3])
    return jnp.einsum("ih,bhwc,jw->bijc", rows, x, columns, precision=jax.lax.Precision.HIGHEST)


def _band(size: int) -> np.ndarray:
    """Weights float32 [size - 10, size] of a line's pixels in the means around those for which a whole window fits."""
    weights = np.exp(-0.5 * (np.arange(WINDOW) - WINDOW // 2) ** 2 / SIGMA**2)
    band = np.zeros((size - WINDOW + 1, size), np.float32)
    for row in range(len(band)):
        band[row, row : row + WINDOW] = weights / weights.sum()
    return band
