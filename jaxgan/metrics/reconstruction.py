"""How much of a portrait survives inversion and an edit that asks for nothing new."""

import numpy as np

from jaxgan.metrics.edits import INVERSION, RECONSTRUCTION, Edits
from jaxgan.metrics.measurement import Measurement, mean_column


def pixel_mse(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean squared error [N] of images uint8 [N, R, R, 3], of pixel values scaled to [-1, 1]."""
    pairs = zip(a, b, strict=True)  # one at a time: all of them in float would need eight times the memory
    return np.array([np.mean(np.square(x.astype(np.float64) - y.astype(np.float64))) for x, y in pairs]) / 127.5**2


def psnr(mse: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio [N] in dB of errors from `pixel_mse`, whose signal spans 2; infinite for no error."""
    with np.errstate(divide="ignore"):
        return 10 * np.log10(4 / np.asarray(mse, np.float64))


def measure(edits: Edits) -> Measurement:
    """Pixel error of the inversion and of the edit to the source's own landmarks, against the source."""
    errors = {row: pixel_mse(edits.rows[row].images, edits.sources) for row in (RECONSTRUCTION, INVERSION)}
    return Measurement(
        columns=(
            mean_column("mse", "mean squared error to the source, pixels in [-1, 1]; lower is better", errors),
            mean_column(
                "psnr",
                "peak signal-to-noise ratio to the source, dB; higher is better",
                {row: psnr(error) for row, error in errors.items()},
            ),
        )
    )
