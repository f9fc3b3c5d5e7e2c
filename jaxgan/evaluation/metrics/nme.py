"""How well pictures match the requested landmarks: normalised mean error of the whole face and of its parts."""

import numpy as np

from jaxgan.data.landmarks import (
    INNER_LIPS,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    NOSE_BASE,
    NOSE_BRIDGE,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
)
from jaxgan.evaluation.edits import FAILURES, Edits
from jaxgan.evaluation.measurement import Measurement, mean_column, quantile_column

PARTS = {
    "jaw": [JAW],
    "brows": [RIGHT_BROW, LEFT_BROW],
    "nose": [NOSE_BRIDGE, NOSE_BASE],
    "eyes": [RIGHT_EYE, LEFT_EYE],
    "lips": [OUTER_LIPS, INNER_LIPS],
}


def normalised_errors(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Errors [N, 68] of landmarks [N, 68, 2], in units of the distance between the centres of the eyes in `wanted`."""
    found, wanted = found.astype(np.float64), wanted.astype(np.float64)
    right, left = (wanted[:, eye].mean(axis=1) for eye in (RIGHT_EYE, LEFT_EYE))
    return np.linalg.norm(found - wanted, axis=2) / np.linalg.norm(right - left, axis=1)[:, None]


def measure(edits: Edits) -> Measurement:
    """Mean landmark error of each picture: mean, median and 95th percentile over pictures, and the mean of each part."""
    errors = {row: normalised_errors(*edits.scored(row)) for row in edits.asked()}
    whole = {row: each.mean(axis=1) for row, each in errors.items()}
    what = "landmark error / distance between the centres of the eyes"
    columns = [
        mean_column("nme", f"mean {what}", "lower", whole),
        quantile_column("nme_median", "median over pictures of the mean error", "lower", whole, 0.5),
        quantile_column("nme_p95", "95th percentile over pictures of the mean error", "lower", whole, 0.95),
    ]
    for part, slices in PARTS.items():
        points = np.r_[tuple(slices)]
        samples = {row: each[:, points].mean(axis=1) for row, each in errors.items()}
        columns.append(mean_column(f"nme_{part}", f"nme of the {part} alone", "lower", samples))
    return Measurement("Normalised mean error of landmarks", tuple(columns), (f"nme: {FAILURES}",))
