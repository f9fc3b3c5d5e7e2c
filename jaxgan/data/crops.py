"""Square crops of pictures with their landmarks: the largest square, or one in which the face lies as in training portraits.

Networks trained on faces that fill the frame know no others, so a photograph has to be cropped as their portraits were.
"""

import dataclasses
import math

import numpy as np

from jaxgan.data.images import resample
from jaxgan.errors import InputError


@dataclasses.dataclass(frozen=True)
class Crop:
    """A square of a picture in whole pixels; it may reach beyond the picture."""

    left: int
    top: int
    side: int

    def apply(self, image: np.ndarray, resolution: int, filter: str = "lanczos") -> np.ndarray:
        """The square of uint8 [H, W, 3] as uint8 [resolution, resolution, 3]; beyond the picture its edge is repeated.

        Args:
          filter: A key of images.FILTERS.
        """
        height, width = image.shape[:2]
        right, bottom = self.left + self.side, self.top + self.side
        crop = image[max(self.top, 0) : max(bottom, 0), max(self.left, 0) : max(right, 0)]
        border = [(max(-self.top, 0), max(bottom - height, 0)), (max(-self.left, 0), max(right - width, 0))]
        return resample(np.pad(crop, (*border, (0, 0)), mode="edge"), resolution, resolution, filter)

    def move(self, keypoints: np.ndarray, resolution: int) -> np.ndarray:
        """Keypoints [..., 2] in pixels of the picture as float32 in pixels of what `apply` returns."""
        return ((keypoints - np.array([self.left, self.top])) * (resolution / self.side)).astype(np.float32)


def largest_square(width: int, height: int, keypoints: np.ndarray | None = None) -> Crop:
    """The largest square of a picture.

    It lies in the centre, moved along the longer side as far as it takes to hold all keypoints [N, 2]. If they span more than
    the square, they are centred in it as far as the picture reaches.
    """
    side = min(width, height)
    corner = []
    for axis, length in enumerate((width, height)):
        start = (length - side) // 2
        if keypoints is not None:
            low, high = float(keypoints[:, axis].min()), float(keypoints[:, axis].max())
            if high - low <= side:
                start = min(max(start, math.ceil(high - side)), math.floor(low))
            else:
                start = round((low + high - side) / 2)
        corner.append(min(max(start, 0), length - side))
    return Crop(*corner, side)


@dataclasses.dataclass(frozen=True)
class Framing:
    """Where the face lies in a portrait, as shares of its side: means over a dataset."""

    x: float  # mean of the 68 landmarks
    y: float
    spread: float  # root mean square distance of the landmarks to their mean


def measure_framing(keypoints: np.ndarray, resolution: int) -> Framing:
    """The framing of portraits with keypoints [N, 68, 2], in pixels of `resolution`."""
    centre, spread = _place(keypoints / resolution)
    x, y = centre.mean(axis=0)
    return Framing(float(x), float(y), float(spread.mean()))


def framed(width: int, height: int, keypoints: np.ndarray, framing: Framing) -> Crop:
    """The square of a picture in which its face, with keypoints [68, 2], lies as in the framing.

    Raises:
      InputError: All landmarks lie at one point, or the square lies outside the picture or is more than thrice as large.
    """
    centre, spread = _place(keypoints)
    if not spread > 0:
        raise InputError("the landmarks lie at one point")
    side = max(round(float(spread) / framing.spread), 1)
    left, top = (round(float(at) - share * side) for at, share in zip(centre, (framing.x, framing.y), strict=True))
    empty = left >= width or top >= height or left + side <= 0 or top + side <= 0
    if empty or side > 3 * max(height, width):
        raise InputError("the landmarks lie outside of the picture")
    return Crop(left, top, side)


def _place(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [..., 2] of keypoints [..., 68, 2], and their root mean square distance to it [...]."""
    centre = keypoints.mean(axis=-2)
    return centre, np.sqrt(((keypoints - centre[..., None, :]) ** 2).sum(axis=-1).mean(axis=-1))
