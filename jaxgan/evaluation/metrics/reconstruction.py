"""How much of a portrait survives inversion, an edit to its own landmarks, and an edit there and back."""

from collections.abc import Sequence

import numpy as np

from jaxgan.evaluation.edits import Edits
from jaxgan.evaluation.measurement import Column, Measurement, mean_column
from jaxgan.evaluation.metrics.ssim import ssim
from jaxgan.evaluation.pairs import COPY_SOURCE, CYCLE, INVERSION, RECONSTRUCTION

MEASURED = (RECONSTRUCTION, CYCLE, INVERSION, COPY_SOURCE)


def pixel_mse(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean squared error [N] of images uint8 [N, R, R, 3], with pixel values scaled to [-1, 1]."""
    pairs = zip(a, b, strict=True)  # one at a time: all at once in float64 would need eight times the memory
    return np.array([np.mean(np.square(x.astype(np.float64) - y.astype(np.float64))) for x, y in pairs]) / 127.5**2


def psnr(mse: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio [N] in dB of errors from `pixel_mse`, whose signal spans 2; infinite if there is no error."""
    with np.errstate(divide="ignore"):
        return 10 * np.log10(4 / np.asarray(mse, np.float64))


def measure(edits: Edits) -> Measurement:
    """Differences between the source and pictures that should equal it."""
    sources, measured = edits.pairs.sources, [row for row in MEASURED if row in edits.rows]
    errors = {row: pixel_mse(edits.rows[row].images, sources) for row in measured}
    columns = [
        mean_column("mse", "mean squared error to the source, pixels in [-1, 1]", "lower", errors),
        mean_column(
            "psnr", "peak signal-to-noise ratio to the source, dB", "higher", {row: psnr(each) for row, each in errors.items()}
        ),
    ]
    similar, notes = similarities(edits, measured, sources, "", "the source")
    return Measurement("Reconstruction of the source", (*columns, *similar), notes)


def similarities(
    edits: Edits, rows: Sequence[str], wanted: np.ndarray, prefix: str, what: str
) -> tuple[list[Column], tuple[str, ...]]:
    """Columns of SSIM and, given its weights, LPIPS of rows to the pictures wanted uint8 [N, R, R, 3]; and notes."""
    columns, notes = [], []
    try:
        similar = {row: ssim(edits.rows[row].images, wanted) for row in rows}
        columns.append(mean_column(f"{prefix}ssim", f"structural similarity to {what} (Wang et al. 2004)", "higher", similar))
    except ValueError as too_small:
        notes.append(f"{prefix}ssim: not taken: {too_small}.")
    if distance := edits.instruments.lpips:
        perceived = {row: distance(edits.rows[row].images, wanted) for row in rows}
        columns.append(mean_column(f"{prefix}lpips", f"LPIPS to {what}, VGG16 (Zhang et al. 2018)", "lower", perceived))
    return columns, tuple(notes)
