"""Finding the face to edit in a photograph of any size."""

from collections.abc import Callable, Sequence

import numpy as np

from jaxgan.data.arrays import as_count, as_real
from jaxgan.data.detection import Detector, Face, search
from jaxgan.data.framing import MAX_ROLL, Framing
from jaxgan.data.images import resample
from jaxgan.data.shape import fit_mean_face
from jaxgan.errors import InputError

SEARCHED_SIDE = 1600  # px: larger photographs are reduced to this first, and small faces are then looked for in
LARGEST_SIDE = 4096  # px


def find_faces(detect: Detector, photo: np.ndarray) -> list[Face]:
    """Faces of a photograph uint8 [H, W, 3], upright or rotated, in its pixels: those that are sure first, then by size."""
    faces = find_reduced(lambda image: search(detect, image, rotated=True), photo, SEARCHED_SIDE)
    if faces or max(photo.shape[:2]) <= SEARCHED_SIDE:
        return faces
    return find_reduced(lambda image: search(detect, image), photo, LARGEST_SIDE)


def find_reduced(find: Callable[[np.ndarray], list[Face]], photo: np.ndarray, side: int) -> list[Face]:
    """Faces, in pixels of a photograph, that are found once its longer side is reduced to `side` pixels."""
    height, width = photo.shape[:2]
    scale = min(1.0, side / max(height, width))
    reduced = resample(photo, max(1, round(width * scale)), max(1, round(height * scale)), "bilinear")
    back = np.array([width / reduced.shape[1], height / reduced.shape[0]])
    return [Face((face.keypoints * back).astype(np.float32), face.score) for face in find(reduced)]


def choose(faces: list[Face], face: int | tuple[float, float] | None) -> Face:
    """The face that was asked for: its number, from 0, or a point in it; None for the first.

    Raises:
      InputError: there is none, or none of that number.
    """
    if not faces:
        raise InputError("no face found")
    if face is not None and np.shape(face) == (2,):
        face = as_real(face, "face")
        if not np.isfinite(face).all():
            raise InputError("face must be finite")
        return min(faces, key=lambda each: float(np.hypot(*(each.keypoints.mean(axis=0) - face))))
    if face is not None and not as_count(face, "face") < len(faces):
        raise InputError(f"face {face} was asked for; {len(faces)} found, numbered from 0, the largest first")
    return faces[face or 0]


def remarks_on(faces: Sequence[Face], chosen: Face | None, framing: Framing | None) -> list[str]:
    """What a user should know of how a face was found and cropped.

    Args:
      faces: those among which it was chosen without being asked; fewer than two if there was no choice.
      chosen: the face; None if none was found.
      framing: by which it is cropped.
    """
    remarks = [f"{len(faces)} faces found, the largest is taken"] if len(faces) > 1 else []
    if chosen and chosen.weak:
        remarks.append("the detector is hardly sure that it found a face")
    if chosen and framing and (roll := abs(fit_mean_face(chosen.keypoints)[0])) > MAX_ROLL:
        remarks.append(f"the head is tilted by {roll:.0f} degrees; levelled")
    return remarks
