"""How well pictures preserve the source's identity: cosine similarity (CSIM) of face embeddings.

Embeddings are those of dlib's network and, given its weights, those of FaceNet, as in the report.
"""

import numpy as np
from scipy.stats import rankdata

from jaxgan.evaluation.edits import Edits, undetected_column
from jaxgan.evaluation.measurement import Column, Measurement, mean_column
from jaxgan.evaluation.metrics.descriptors import dlib_descriptors
from jaxgan.evaluation.pairs import COPY_SOURCE, COPY_TARGET, OTHER_PEOPLE, SAME_PERSON, TRUE_PICTURE
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


def verification_auc(similarity: np.ndarray, same: np.ndarray) -> float:
    """Probability that a pair of one person is more similar than one of two: the area under the ROC curve.

    Args:
      similarity: [P] of pairs.
      same: bool [P], whether they are of one person; both kinds must occur.
    """
    ranks, positive = rankdata(similarity), np.count_nonzero(same)
    wins = ranks[same].sum() - positive * (positive + 1) / 2
    return float(wins / (positive * (len(same) - positive)))


def _columns(edits: Edits, name: str, network: str, embeddings: dict[str, np.ndarray], centre: bool = False) -> list[Column]:
    """Similarity of each row's embeddings [N, D] to the sources' and, where there are any, to the true pictures'."""
    sources = embeddings[COPY_SOURCE]
    mean = sources.mean(axis=0, keepdims=True) if centre else np.zeros((1, 1))
    samples = {row: cosine(sources - mean, each - mean) for row, each in embeddings.items()}
    scale, auc = _scale(edits, {row: each - mean for row, each in embeddings.items()})
    columns = [mean_column(name, f"cosine of {network}", "higher", samples | scale)]
    if TRUE_PICTURE in embeddings:
        true = embeddings[TRUE_PICTURE] - mean
        to_truth = {row: cosine(true, each - mean) for row, each in embeddings.items()}
        columns.append(mean_column(f"{name}_truth", "the same, to the true picture", "higher", to_truth))
    if not np.isnan(auc):
        about = "probability that the same tells real pictures of one person from those of two"
        columns.append(Column(f"{name}_auc", about, "higher", {COPY_SOURCE: auc}))
    return columns


def _scale(edits: Edits, embeddings: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], float]:
    """Mean similarities [N] of each source to other real pictures, of its person and of others, and the verification AUC.

    The other pictures are all other sources, or, where pairs are of the same person, all true pictures.
    """
    pairs = edits.pairs
    if pairs.people is None:
        return {}, np.nan
    unit = {row: each / np.linalg.norm(each, axis=1, keepdims=True) for row, each in embeddings.items()}
    frames = TRUE_PICTURE in unit
    similarity = unit[COPY_SOURCE] @ unit[TRUE_PICTURE if frames else COPY_SOURCE].T
    people = np.array(pairs.people)
    known = (people != "")[:, None] & (people != "")[None]
    same = people[:, None] == people[None]
    if not frames:
        known &= ~np.eye(len(people), dtype=bool)
    samples = {}
    for row, chosen in ((SAME_PERSON, known & same), (OTHER_PEOPLE, known & ~same)):
        count = chosen.sum(axis=1)
        total = np.where(chosen, similarity, 0).sum(axis=1)
        samples[row] = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    both = (known & same).any() and (known & ~same).any()
    return samples, verification_auc(similarity[known], same[known]) if both else np.nan


def measure(edits: Edits) -> Measurement:
    """Similarity of each picture to its source. For reference, copy-source scores 1 and copy-target is a random pair."""
    rows = edits.asked()
    dlib = {row: dlib_descriptors(edits, row) for row in rows}
    about = "dlib's face descriptors, minus the sources' mean descriptor"
    raw = "dlib's face descriptors as they are, which inflates it"
    columns = _columns(edits, "csim_dlib", about, dlib, centre=True) + _columns(edits, "csim_dlib_raw", raw, dlib)
    notes = [
        f"csim: {OTHER_PEOPLE if edits.pairs.people else COPY_TARGET} is the level of random pairs."
        " A face that is not found is cropped where the source's is.",
        "csim_dlib: network, alignment and centring differ from the report's CSIM (FaceNet), so the two are not comparable.",
    ]
    if facenet := edits.instruments.facenet:
        aligned = {row: edits.aligned(row, "facenet", FACENET_SIZE, facenet) for row in rows}
        legacy = {row: edits.rows[row].once("facenet, padded", lambda row: facenet(zero_padded(row.images))) for row in rows}
        columns += _columns(edits, "csim", "FaceNet's embeddings of aligned faces", aligned)
        about = "FaceNet's embeddings of whole pictures, zero-padded and not aligned, as in the report"
        columns += _columns(edits, "csim_legacy", about, legacy)
    return Measurement("Identity (CSIM)", (*columns, undetected_column(edits)), tuple(notes))
