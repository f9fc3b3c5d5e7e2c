"""What an edit does in latent space: its size, what remains after the edit back, and its distance from the mean."""

import numpy as np

from jaxgan.evaluation.edits import Edits
from jaxgan.evaluation.measurement import Measurement, mean_column
from jaxgan.evaluation.pairs import CYCLE, INVERSION, MANIPULATED


def squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean squared difference [N] of latents [N, L, latent] over layers and coordinates."""
    return np.square(a.astype(np.float64) - b.astype(np.float64)).mean(axis=(1, 2))


def measure(edits: Edits) -> Measurement:
    """Distances between latents, as root mean squares over layers and coordinates.

    Only the error of the cycle is a mean square, as in training. The latents of the naive encoder are compared with the
    inverter's w too, although it does not start from it.
    """
    latents = edits.latents
    stages = {MANIPULATED: latents.edited, CYCLE: latents.cycle, INVERSION: latents.inverted}
    stages = {row: each for row, each in stages.items() if each is not None}
    average = latents.average[None]
    from_w = {row: squared(each, latents.inverted) for row, each in stages.items()}
    return Measurement(
        "Latents",
        (
            mean_column(
                "latent_cycle",
                "mean squared error between the cycle's latent and the inverter's w, which the latent cycle term minimises",
                "lower",
                {row: each for row, each in from_w.items() if row == CYCLE},
            ),
            mean_column(
                "shift",
                "root mean square of the latent shift from the inverter's w",
                "",
                {row: np.sqrt(each) for row, each in from_w.items() if row == MANIPULATED},
            ),
            mean_column(
                "from_w_avg",
                "root mean square of the latent's distance from the generator's mean w",
                "",
                {row: np.sqrt(squared(each, average)) for row, each in stages.items()},
            ),
        ),
    )
