"""The error of an edit against the true picture, which only procedural portraits have."""

from jaxgan.metrics.edits import COPY_SOURCE, COPY_TARGET, INVERSION, MANIPULATED, TRUE_PICTURE, Edits
from jaxgan.metrics.measurement import Measurement, NotApplicable, mean_column
from jaxgan.metrics.reconstruction import pixel_mse


def measure(edits: Edits) -> Measurement:
    """Pixel error against the portrait of the source's person in the target's pose.

    Raises NotApplicable for portraits that are not procedural.
    """
    if TRUE_PICTURE not in edits.rows:
        raise NotApplicable("only procedural portraits have a true picture of every edit")
    true = edits.rows[TRUE_PICTURE].images
    rows = (MANIPULATED, INVERSION, COPY_SOURCE, COPY_TARGET)
    samples = {row: pixel_mse(edits.rows[row].images, true) for row in rows}
    description = "mean squared error to the true picture (source's person, target's pose), pixels in [-1, 1]"
    return Measurement(columns=(mean_column("truth_mse", f"{description}; lower is better", samples),))
