"""Finding the face to edit in a photograph of any size."""

import numpy as np

from jaxgan.data.detection import Detector, Face, search
from jaxgan.data.images import resample
from jaxgan.errors import InputError

SEARCHED_SIDE = 1600  # px: larger photographs are reduced to this first, and small faces are then looked for in
LARGEST_SIDE = 4096  # px


def find_faces(detect: Detector, photo: np.ndarray) -> list[Face]:
    """Faces of a photograph uint8 [H, W, 3], upright or rotated, in its pixels: those that are sure first, then by size."""
    for side in (SEARCHED_SIDE, LARGEST_SIDE):
        height, width = photo.shape[:2]
        scale = min(1.0, side / max(height, width))
        reduced = resample(photo, max(1, round(width * scale)), max(1, round(height * scale)), "bilinear")
        faces = search(detect, reduced, rotated=side == SEARCHED_SIDE)
        if faces or scale == 1.0:
            break
    back = np.array([width / reduced.shape[1], height / reduced.shape[0]])
    return [Face((face.keypoints * back).astype(np.float32), face.score) for face in faces]


def choose(faces: list[Face], face: int | tuple[float, float] | None) -> Face:
    """The face that was asked for: its number, from 0, or a point in it; None for the first.

    Raises:
      InputError: there is none, or none of that number.
    """
    if not faces:
        raise InputError("no face found")
    if isinstance(face, tuple):
        return min(faces, key=lambda each: float(np.hypot(*(each.keypoints.mean(axis=0) - face))))
    if face is not None and not 0 <= face < len(faces):
        raise InputError(f"face {face} was asked for; {len(faces)} found, numbered from 0, the largest first")
    return faces[face or 0]
