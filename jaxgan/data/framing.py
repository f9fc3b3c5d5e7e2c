"""How a dataset's portraits are cropped, and cropping any picture in the same way.

Networks trained on faces that fill the frame know no others, so a photograph has to be cropped as their portraits were.
"""

import dataclasses

import numpy as np

from jaxgan.data.images import resample
from jaxgan.errors import InputError


@dataclasses.dataclass(frozen=True)
class Framing:
    """Where the face lies in a portrait, as shares of its side: means over a dataset."""

    x: float  # mean of the 68 landmarks
    y: float
    spread: float  # root mean square distance of the landmarks to their mean


def measure(keypoints: np.ndarray, resolution: int) -> Framing:
    """The framing of portraits with keypoints [N, 68, 2], in pixels of `resolution`."""
    centre, spread = _place(keypoints / resolution)
    x, y = centre.mean(axis=0)
    return Framing(float(x), float(y), float(spread.mean()))


def frame(image: np.ndarray, keypoints: np.ndarray, framing: Framing, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Crops a picture so that its face lies as in the framing; beyond the picture's border its edge is repeated.

    Args:
      image: uint8 [H, W, 3].
      keypoints: float32 [68, 2], in pixels of the image.
      framing: where the face is to lie.
      resolution: side of the result in pixels.

    Returns:
      uint8 [resolution, resolution, 3] and float32 [68, 2], the keypoints in pixels of the result.

    Raises:
      ValueError: all landmarks lie at one point, or the crop lies outside of the picture or is more than thrice as large.
    """
    centre, spread = _place(keypoints)
    if not spread > 0:
        raise InputError("the landmarks lie at one point")
    height, width = image.shape[:2]
    side = max(round(float(spread) / framing.spread), 1)
    left, top = (round(float(at) - share * side) for at, share in zip(centre, (framing.x, framing.y), strict=True))
    crop = image[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    if not crop.size or side > 3 * max(height, width):
        raise InputError("the landmarks lie outside of the picture")
    border = [(max(-top, 0), max(top + side - height, 0)), (max(-left, 0), max(left + side - width, 0))]
    padded = np.pad(crop, (*border, (0, 0)), mode="edge")
    moved = (keypoints - np.array([left, top])) * (resolution / side)
    return resample(padded, resolution, resolution), moved.astype(np.float32)


def _place(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [..., 2] of keypoints [..., 68, 2], and their root mean square distance to it [...]."""
    centre = keypoints.mean(axis=-2)
    return centre, np.sqrt(((keypoints - centre[..., None, :]) ** 2).sum(axis=-1).mean(axis=-1))
