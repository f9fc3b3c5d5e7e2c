"""The face recognition network in JAX beside dlib's own: how far apart, and how fast, in one run.

    python benchmarks/dlib_face.py --portraits celeba160.zip --num 200

dlib computes one face at a time on one core and holds Python's lock; a process for each core is the fastest it gets.
"""

import argparse
import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from jaxgan.data.detection import load_detector
from jaxgan.data.images import decode_image
from jaxgan.data.sources import open_source
from jaxgan.evaluation.edits import aligned_face
from jaxgan.evaluation.metrics.descriptors import load_dlib
from jaxgan.models.features.dlib_face import DLIB_SIZE, dlib_weights


def describe(faces: np.ndarray) -> np.ndarray:
    """Descriptors [N, 128] by dlib."""
    import dlib

    network = dlib.face_recognition_model_v1(str(dlib_weights()))
    return np.array([network.compute_face_descriptor(face) for face in faces])


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--portraits", required=True, help="folder or ZIP archive of photographs")
    parser.add_argument("--num", type=int, default=200, help="faces; default: %(default)s")
    args = parser.parse_args()
    source, detect, network = open_source(args.portraits), load_detector("dlib"), load_dlib()
    pictures = (decode_image(source.read(file)) for file in source.files)
    found = ((picture, detect(picture)) for picture in pictures)
    chips = (aligned_face(picture, each[0].keypoints, DLIB_SIZE) for picture, each in found if each)
    faces = np.stack([*itertools.islice(chips, args.num)])
    network(faces[:8])  # compiles
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        parts = np.array_split(faces, cores)
        [*pool.map(describe, [part[:1] for part in parts])]  # starts the processes
        theirs, alone = timed(lambda: describe(faces))
        _, several = timed(lambda: np.concatenate([*pool.map(describe, parts)]))
    ours, here = timed(lambda: network(faces))
    apart, deviation = np.abs(ours - theirs).max(), theirs.std(axis=0).mean()
    print(f"{len(faces)} faces: largest difference {apart:.1e}, {apart / deviation:.1e} of the descriptors' deviation")
    print("| | faces/s |\n|---|---|")
    for name, seconds in (("dlib, one process", alone), (f"dlib, {cores} processes", several), ("this project, JAX", here)):
        print(f"| {name} | {len(faces) / seconds:.1f} |")


if __name__ == "__main__":
    main()
