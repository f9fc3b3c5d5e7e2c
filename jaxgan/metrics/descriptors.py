"""dlib's face descriptors of pictures: identity without weights to download, and the features of FD-dlib."""

import functools
import importlib.util
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from jaxgan.metrics.edits import Edits
from jaxgan.metrics.measurement import NotApplicable
from jaxgan.metrics.pairs import COPY_SOURCE

WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"
CHIP = 150  # pixels; side of the aligned face that the network reads


def load_dlib() -> Callable[[np.ndarray], np.ndarray]:
    """dlib's face recognition network: an aligned face uint8 [150, 150, 3] to its descriptor [128].

    Raises NotApplicable when dlib or the package that brings the weights is not installed.
    """
    # found without an import: the package's own __init__ needs pkg_resources, which setuptools no longer has
    package = importlib.util.find_spec("face_recognition_models")
    if package is None or importlib.util.find_spec("dlib") is None:
        raise NotApplicable("needs the packages dlib-bin and face-recognition-models")
    return _recogniser(str(Path(package.submodule_search_locations[0]) / "models" / WEIGHTS)).compute_face_descriptor


@functools.cache
def _recogniser(weights: str):
    import dlib

    return dlib.face_recognition_model_v1(weights)


def aligned_face(image: np.ndarray, keypoints: np.ndarray, size: int) -> np.ndarray:
    """The face uint8 [size, size, 3], upright and centred by its landmarks [68, 2] as dlib's networks were trained."""
    import dlib

    # dlib counts pixel centres as integers and takes whole ones only
    points = [dlib.point(int(x), int(y)) for x, y in np.rint(keypoints - 0.5)]
    height, width = image.shape[:2]
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, width - 1, height - 1), points)
    return dlib.get_face_chip(np.ascontiguousarray(image), shape, size=size)


def aligned_faces(edits: Edits, row: str, size: int) -> np.ndarray:
    """Faces uint8 [N, size, size, 3] of a row, aligned by their landmarks; one not found is cut out by its source's."""
    found = edits.detected(row)
    landmarks = np.where(np.isnan(found), edits.pairs.source_keypoints, found)
    return np.stack([aligned_face(*each, size) for each in zip(edits.rows[row].images, landmarks, strict=True)])


def of_row(edits: Edits, row: str, network: str, size: int, describe: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What a network says [N, D] of the aligned faces of a row, worked out once."""
    if row != COPY_SOURCE and edits.rows[row].origin:  # the sources in another order, so cut out by their own landmarks
        of_row(edits, COPY_SOURCE, network, size, describe)
    return edits.rows[row].once(network, lambda _: describe(aligned_faces(edits, row, size)))


def dlib_descriptors(edits: Edits, row: str) -> np.ndarray:
    """dlib's 128-d face descriptors float64 [N, 128] of a row."""
    network = load_dlib()

    def describe(faces: np.ndarray) -> np.ndarray:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.array(list(tqdm(pool.map(network, faces), f"dlib {row}", len(faces), unit="face")))

    return of_row(edits, row, "dlib", CHIP, describe)
