"""Faces of pictures that the edit command reads: cropped sources, and targets."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxgan.data.crops import largest_square
from jaxgan.data.detection import Face
from jaxgan.data.framing import Framing, framed
from jaxgan.data.images import read_image
from jaxgan.data.shape import check_face
from jaxgan.errors import InputError
from jaxgan.photos.finding import remarks_on

Find = Callable[[np.ndarray], list[Face]]  # image uint8 [H, W, 3] to its faces, the one to edit first


def align(
    image: np.ndarray, resolution: int, find: Find, framing: Framing | None, landmarks: bool = True
) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """The portrait uint8 [resolution, resolution, 3] of a picture's first face, its landmarks there, and remarks.

    With a framing the face lies in it as in the training portraits, levelled if it is tilted. Without one the largest square is
    taken, moved where it takes that to hold the landmarks of a face, if one is found; if none is, they are None. Without
    `landmarks` a square picture is not searched for a face.

    Raises:
      InputError: There is a framing and no face is found, or what is found is none.
    """
    height, width = image.shape[:2]
    faces = find(image) if landmarks or framing or height != width else []
    if framing and not faces:
        raise InputError("no face found")
    keypoints = faces[0].keypoints if faces else None
    crop = largest_square(width, height) if keypoints is None else framed(width, height, keypoints, framing)
    remarks = remarks_on(faces, faces[0] if faces else None, framing)
    return crop.apply(image, resolution), None if keypoints is None else crop.move(keypoints, resolution), remarks


def target_keypoints(path: str | Path, resolution: int, find: Find, framing: Framing | None) -> tuple[np.ndarray, list[str]]:
    """Landmarks float32 [68, 2] found in a target picture, in pixels of its crop of side `resolution`, and remarks.

    Raises:
      InputError: No face is found in it.
      ImageError, OSError: It cannot be read.
    """
    image = read_image(path)
    faces = find(image)
    if not faces:
        raise InputError(f"{path}: no face found in the target picture")
    found: list[Face] = faces
    try:
        check_face(faces[0].keypoints, image.shape[1], image.shape[0])
        _, keypoints, remarks = align(image, resolution, lambda _: found, framing)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return keypoints, remarks
