"""How close the distribution of a row's pictures is to the sources': Fréchet and kernel distances, precision and recall."""

from collections.abc import Callable

import numpy as np

from jaxgan.evaluation.edits import Edits
from jaxgan.evaluation.measurement import Column, Measurement, NotApplicable
from jaxgan.evaluation.metrics import frechet
from jaxgan.evaluation.metrics.descriptors import dlib_descriptors
from jaxgan.evaluation.metrics.features import cached
from jaxgan.evaluation.metrics.kid import kernel_distance
from jaxgan.evaluation.metrics.precision_recall import precision_recall
from jaxgan.evaluation.pairs import COPY_SOURCE, REAL

ENOUGH = 2_048  # pictures; with fewer pictures than features, bias dominates FID
FEWEST = 4  # pictures, for the third nearest neighbour
KNOWN = (COPY_SOURCE, REAL)  # rows of real pictures, whose features the next evaluation needs again


def small_sample(count: int) -> str:
    """A caveat about distances between sets of `count` pictures; empty if there are enough."""
    return f"N = {count} is below {ENOUGH:,}: biased upwards, comparable only at this N" if count < ENOUGH else ""


def _measure(edits: Edits, name: str, suffix: str, network: str, features: Callable[[str], np.ndarray]) -> Measurement:
    """Distances of every row to the sources; `features` maps the name of a row to its features [N, D]."""
    real = features(COPY_SOURCE)
    if len(real) < FEWEST:
        raise NotApplicable(f"needs {FEWEST} pictures, got {len(real)}")
    # copy-source and copy-target consist of the sources themselves
    rows = [row for row in edits.rows if row != COPY_SOURCE and not edits.rows[row].origin]
    gaussian = frechet.fit(real)
    frechets, kernels, precisions, recalls = {}, {}, {}, {}
    for row in rows:
        made = features(row)
        frechets[row] = frechet.distance(gaussian, frechet.fit(made))
        kernels[row] = 1e3 * kernel_distance(real, made)[0]
        precisions[row], recalls[row] = precision_recall(real, made)
    count, title = len(real), f"Distribution, by {network}"
    if few := small_sample(count):
        title += f" ({few})"
    return Measurement(
        title,
        (
            Column(name, f"Fréchet distance to the {count} sources", "lower", frechets),
            Column(f"kid{suffix}", "kernel distance to the sources, times 1,000 (Bińkowski et al. 2018)", "lower", kernels),
            Column(
                f"precision{suffix}",
                "share of pictures that lie among the sources (Kynkäänniemi et al. 2019)",
                "higher",
                precisions,
            ),
            Column(
                f"recall{suffix}", "share of sources that lie among the pictures (Kynkäänniemi et al. 2019)", "higher", recalls
            ),
        ),
    )


def measure_inception(edits: Edits) -> Measurement:
    """FID, KID, precision and recall on Inception's pool3 features.

    Raises:
      NotApplicable: there are no Inception weights; no other network stands in.
    """
    inception = edits.instruments.inception
    if inception is None:
        raise NotApplicable("needs Inception's weights: --inception FILE, written by `jaxgan convert inception`")

    def features(row: str) -> np.ndarray:
        folder = edits.instruments.cache if row in KNOWN else None
        return edits.rows[row].once("inception", lambda row: cached(folder, row.images, inception))

    return _measure(edits, "fid", "", "Inception's pool3 features", features)


def measure_dlib(edits: Edits) -> Measurement:
    """The same on dlib's descriptors of aligned faces, called FD-dlib because it is no FID: it ignores the background."""
    return _measure(edits, "fd_dlib", "_dlib", "dlib's descriptors of aligned faces", lambda row: dlib_descriptors(edits, row))
