"""The error of an edit with respect to its true picture: another frame of the source's clip, or a procedural portrait."""

import numpy as np

from jaxgan.evaluation.edits import Edits
from jaxgan.evaluation.measurement import Column, Measurement, NotApplicable, mean_column
from jaxgan.evaluation.metrics.reconstruction import pixel_mse, similarities
from jaxgan.evaluation.pairs import (
    COPY_SOURCE,
    COPY_TARGET,
    INVERSION,
    MANIPULATED,
    PASTED,
    PERSONAL,
    TRUE_PICTURE,
    is_procedural,
)
from jaxgan.faces.portraits import poses

MEASURED = (MANIPULATED, PERSONAL, PASTED, INVERSION, COPY_SOURCE, COPY_TARGET)
YAW = (10.0, 25.0)  # degrees; bounds between small, medium and large changes
EXPRESSION = ("jaw", "smile", "brow_raise", "brow_frown", "blink")
CHANGE = (0.25, 0.4)  # the same bounds for the root mean square change of EXPRESSION's fields


def changes(edits: Edits) -> tuple[np.ndarray, np.ndarray]:
    """Changes [N] from source to target: of yaw in degrees, and of the expression as a root mean square."""
    before, after = poses(edits.pairs.files), poses(edits.pairs.target_files)
    yaw = np.degrees(np.abs(after.yaw - before.yaw))
    squares = [np.square(getattr(after, name) - getattr(before, name)) for name in EXPRESSION]
    return yaw, np.sqrt(np.mean(squares, axis=0))


def measure(edits: Edits) -> Measurement:
    """Differences to the source's person in the target's pose; of procedural portraits also by how much has to change.

    Raises:
      NotApplicable: there are no true pictures.
    """
    if TRUE_PICTURE not in edits.rows:
        raise NotApplicable("only procedural portraits and pairs of the same person have a true picture of every edit")
    true = edits.rows[TRUE_PICTURE].images
    measured = [row for row in MEASURED if row in edits.rows]
    errors = {row: pixel_mse(edits.rows[row].images, true) for row in measured}
    what = "mean squared error to the true picture (source's person, target's pose), pixels in [-1, 1]"
    columns = [mean_column("truth_mse", what, "lower", errors)]
    similar, notes = similarities(edits, measured, true, "truth_", "the true picture")
    columns += similar
    if all(map(is_procedural, edits.pairs.files)):
        columns += _by_change(edits, errors)
    return Measurement("Error to the true picture", tuple(columns), notes)


def _by_change(edits: Edits, errors: dict[str, np.ndarray]) -> list[Column]:
    """The errors [N] of each row for small, medium and large changes of yaw and of expression."""
    yaw, expression = changes(edits)
    columns = []
    for name, change, unit, (low, high) in (("yaw", yaw, " degrees", YAW), ("expression", expression, "", CHANGE)):
        for size, least, most, span in (
            ("small", -1.0, low, f"up to {low:g}{unit}"),
            ("medium", low, high, f"more than {low:g} and up to {high:g}{unit}"),
            ("large", high, np.inf, f"more than {high:g}{unit}"),
        ):
            chosen = (change > least) & (change <= most)
            about = f"truth_mse for the {chosen.sum()} pairs whose {name} changes by {span}"
            samples = {row: np.where(chosen, each, np.nan) for row, each in errors.items()}
            columns.append(mean_column(f"truth_{size}_{name}", about, "lower", samples))
    return columns
