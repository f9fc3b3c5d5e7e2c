"""Portraits and landmarks that users pass, as the networks read them."""

import warnings
from collections.abc import Sequence

import numpy as np

from jaxgan.data.arrays import as_keypoints, as_portraits
from jaxgan.data.crops import Crop, largest_square
from jaxgan.data.framing import Framing, MeanFraming, is_framed, measure_framing
from jaxgan.data.landmarks import NUM_LANDMARKS
from jaxgan.data.shape import check_face
from jaxgan.errors import InputError


def prepare(images: np.ndarray | Sequence[np.ndarray], resolution: int, name: str = "image") -> tuple[np.ndarray, list[Crop]]:
    """The largest squares of images as uint8 [N, R, R, 3], R being the resolution, and how they were cropped.

    Raises:
      InputError: they are no images; the message calls them by `name`.
    """
    made = []
    for image in as_portraits(images, name):
        crop = largest_square(image.shape[1], image.shape[0])
        made.append((crop.apply(image, resolution), crop))
    squares = np.array([square for square, _ in made], np.uint8).reshape(-1, resolution, resolution, 3)
    return squares, [crop for _, crop in made]


def prepare_edit(
    images: np.ndarray | Sequence[np.ndarray], keypoints: np.ndarray, resolution: int, framing: Framing | None
) -> tuple[np.ndarray, np.ndarray]:
    """Images as `prepare` makes them, and keypoints float32 [N, 68, 2] in their pixels.

    Raises:
      InputError: as `prepare`, or landmarks that cannot be a face in their image.

    Warns:
      UserWarning: a face is asked for elsewhere than the framing has it. It points to the caller's caller's caller.
    """
    prepared, crops = prepare(images, resolution)
    moved = []
    for index, (points, crop) in enumerate(zip(as_keypoints(keypoints, len(prepared)), crops, strict=True)):
        points = crop.move(points, resolution)
        try:
            check_face(points * (crop.side / resolution), crop.side, crop.side)
        except InputError as error:
            raise InputError(f"keypoints {index}: {error}") from None
        if framing and not is_framed(points[None], resolution, framing):
            warnings.warn(_misplaced(index, points, resolution, framing.mean), UserWarning, stacklevel=4)
        moved.append(points)
    return prepared, np.array(moved, np.float32).reshape(-1, NUM_LANDMARKS, 2)


def _misplaced(index: int, points: np.ndarray, resolution: int, known: MeanFraming) -> str:
    found = measure_framing(points[None], resolution)
    return (
        f"image {index}: the target's landmarks have their centre at ({found.x:.2f}, {found.y:.2f}) of the square and a "
        f"spread of {found.spread:.2f}; this editor knows faces at ({known.x:.2f}, {known.y:.2f}) with a spread of "
        f"{known.spread:.2f}. Editor.align crops photographs so"
    )
