"""dlib's face descriptors of pictures: the embeddings of CSIM-dlib and the features of FD-dlib, without a download."""

import contextlib
import functools
import importlib.util
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from jaxgan.evaluation.edits import Edits
from jaxgan.evaluation.measurement import NotApplicable

WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"
CHIP = 150  # pixels; side of the aligned faces that the network reads
DIMENSIONS = 128
WORTH_A_PROCESS = 32  # faces, which take a core a few seconds

Network = Callable[[np.ndarray], np.ndarray]


def load_dlib() -> Network:
    """dlib's face recognition network, which maps an aligned face uint8 [150, 150, 3] to its descriptor [128].

    Raises:
      NotApplicable: dlib or the package with the weights is not installed.
    """
    return _recogniser(_weights()).compute_face_descriptor


def _weights() -> str:
    # located without an import, because its __init__ needs pkg_resources, which setuptools no longer provides
    package = importlib.util.find_spec("face_recognition_models")
    if package is None or importlib.util.find_spec("dlib") is None:
        raise NotApplicable("needs the packages dlib-bin and face-recognition-models")
    return str(Path(package.submodule_search_locations[0]) / "models" / WEIGHTS)


@functools.cache
def _recogniser(weights: str):
    import dlib

    return dlib.face_recognition_model_v1(weights)


@contextlib.contextmanager
def _processes(count: int) -> Iterator[Network]:
    """The network in `count` processes, to be called from as many threads at once."""
    command = [sys.executable, str(Path(__file__).with_name("dlib_worker.py")), _weights(), str(CHIP)]
    idle: queue.SimpleQueue[subprocess.Popen] = queue.SimpleQueue()

    def describe(face: np.ndarray) -> np.ndarray:
        process = idle.get()
        try:
            process.stdin.write(face.tobytes())
            process.stdin.flush()
            return np.frombuffer(process.stdout.read(DIMENSIONS * 8), np.float64).reshape(DIMENSIONS)
        finally:
            idle.put(process)

    with contextlib.ExitStack() as running:
        for _ in range(count):
            idle.put(running.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)))
        yield describe


def dlib_descriptors(edits: Edits, row: str) -> np.ndarray:
    """dlib's face descriptors float64 [N, 128] of a row."""
    network = load_dlib()

    def describe(faces: np.ndarray) -> np.ndarray:
        count = max(min(os.cpu_count() or 1, len(faces) // WORTH_A_PROCESS), 1)
        several = _processes(count) if count > 1 else contextlib.nullcontext(network)
        with several as describe_one, ThreadPoolExecutor(count) as pool:
            return np.array(list(tqdm(pool.map(describe_one, faces), f"dlib {row}", len(faces), unit="face")))

    return edits.aligned(row, "dlib", CHIP, describe)
