"""Whether a row's pictures are distributed as the sources are: Fréchet and kernel distance, precision and recall."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxgan.evaluation.edits import Edits
from jaxgan.evaluation.measurement import Column, Measurement, NotApplicable
from jaxgan.evaluation.metrics import frechet
from jaxgan.evaluation.metrics.descriptors import dlib_descriptors
from jaxgan.evaluation.metrics.kid import kernel_distance
from jaxgan.evaluation.metrics.precision_recall import precision_recall
from jaxgan.evaluation.pairs import COPY_SOURCE, REAL
from jaxgan.runtime import atomic_write

ENOUGH = 2_048  # pictures: with fewer than features, FID is dominated by its bias
KNOWN = (COPY_SOURCE, REAL)  # rows whose features are worth keeping for the next evaluation


def cached(folder: Path | None, images: np.ndarray, features: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """features(images) [N, D], from a file of `folder`, which is one network's, if these images have been measured before.

    The file is named by a digest of the pixels, so by the data, resolution, filter and number.
    """
    if folder is None:
        return features(images)
    digest = hashlib.sha256(repr(images.shape).encode() + np.ascontiguousarray(images).tobytes()).hexdigest()[:32]
    path = folder / f"{digest}.npy"
    if path.exists():
        return np.load(path, allow_pickle=False)
    found = features(images)
    with atomic_write(path) as file:
        np.save(file, found, allow_pickle=False)
    return found


def small_sample(count: int) -> str:
    """What a table has to say of distances between so many pictures; nothing where there are enough."""
    return f"N = {count} is below {ENOUGH:,}: biased upwards, comparable only at this N" if count < ENOUGH else ""


def _measure(edits: Edits, what: str, suffix: str, network: str, features: Callable[[str], np.ndarray]) -> Measurement:
    """features: a row's name to its features [N, D]."""
    real = features(COPY_SOURCE)
    # copy-source and copy-target are the real pictures themselves
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
            Column(what, f"Fréchet distance to the {count} sources", "lower", frechets),
            Column(f"kid{suffix}", "kernel distance to the sources, times 1,000 (Bińkowski et al. 2018)", "lower", kernels),
            Column(
                f"precision{suffix}", "share of pictures among the sources (Kynkäänniemi et al. 2019)", "higher", precisions
            ),
            Column(f"recall{suffix}", "share of sources among the pictures (Kynkäänniemi et al. 2019)", "higher", recalls),
        ),
    )


def measure_inception(edits: Edits) -> Measurement:
    """FID, KID, precision and recall of Inception's pool3 features.

    Raises NotApplicable without its weights: no other network stands in.
    """
    inception = edits.instruments.inception
    if inception is None:
        raise NotApplicable("needs Inception's weights: --inception FILE, written by `jaxgan convert inception`")

    def features(row: str) -> np.ndarray:
        folder = edits.instruments.cache if row in KNOWN else None
        return edits.rows[row].once("inception", lambda row: cached(folder, row.images, inception))

    return _measure(edits, "fid", "", "Inception's pool3 features", features)


def measure_dlib(edits: Edits) -> Measurement:
    """The same of dlib's descriptors of aligned faces, named FD-dlib: it says nothing of backgrounds, and is no FID."""
    return _measure(edits, "fd_dlib", "_dlib", "dlib's descriptors of aligned faces", lambda row: dlib_descriptors(edits, row))
