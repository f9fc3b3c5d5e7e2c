"""How well pictures preserve the source's identity: cosine similarity (CSIM) of face embeddings.

Embeddings are those of dlib's network and, given its weights, those of FaceNet, as in the report.
"""

import numpy as np

from jaxgan.evaluation.edits import Edits, undetected_column
from jaxgan.evaluation.measurement import Column, Measurement, mean_column
from jaxgan.evaluation.metrics.descriptors import dlib_descriptors
from jaxgan.evaluation.pairs import COPY_SOURCE, COPY_TARGET
from jaxgan.models.features.facenet import FACENET_SIZE

LEGACY_PAD = 150 / 128  # the report pads its 128-pixel pictures with zeros to 150


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine similarity [N] of vectors [N, D]."""
    return np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def zero_padded(images: np.ndarray) -> np.ndarray:
    """Images uint8 [N, R, R, 3] centred in black ones of side 150/128 R, rounded to whole pixels."""
    side = images.shape[1]
    total = round(side * LEGACY_PAD) - side
    pad = (total // 2, total - total // 2)
    return np.pad(images, ((0, 0), pad, pad, (0, 0)))


def _to_sources(name: str, description: str, embeddings: dict[str, np.ndarray], centre: bool = False) -> Column:
    sources = embeddings[COPY_SOURCE]
    mean = sources.mean(axis=0, keepdims=True) if centre else np.zeros((1, 1))
    samples = {row: cosine(sources - mean, each - mean) for row, each in embeddings.items()}
    return mean_column(name, description, "higher", samples)


def measure(edits: Edits) -> Measurement:
    """Similarity of each picture to its source. For reference, copy-source scores 1 and copy-target is a random pair."""
    rows = edits.asked()
    dlib = {row: dlib_descriptors(edits, row) for row in rows}
    columns = [
        _to_sources("csim_dlib", "cosine of dlib's face descriptors, minus the sources' mean descriptor", dlib, centre=True),
        _to_sources("csim_dlib_raw", "the same without subtracting the mean, which inflates it", dlib),
    ]
    notes = [
        f"csim: {COPY_TARGET} is the level of random pairs. A face that is not found is cropped where the source's is.",
        "csim_dlib: network, alignment and centring differ from the report's CSIM (FaceNet), so the two are not comparable.",
    ]
    if facenet := edits.instruments.facenet:
        aligned = {row: edits.aligned(row, "facenet", FACENET_SIZE, facenet) for row in rows}
        legacy = {row: edits.rows[row].once("facenet, padded", lambda row: facenet(zero_padded(row.images))) for row in rows}
        columns.append(_to_sources("csim", "cosine of FaceNet's embeddings of aligned faces", aligned))
        columns.append(
            _to_sources("csim_legacy", "the same for whole pictures, zero-padded and not aligned, as in the report", legacy)
        )
    return Measurement("Identity (CSIM)", (*columns, undetected_column(edits)), tuple(notes))
