"""Square crops of pictures with their landmarks: the largest square, or one in which the face lies as in training portraits.

Networks trained on upright faces that fill the frame know no others, so a photograph has to be cropped as their portraits were.
"""

import dataclasses
import math

import numpy as np
from PIL import Image

from jaxgan.data.images import resample
from jaxgan.data.shape import check_face, fit_mean_face, normalised, place, turned
from jaxgan.errors import InputError

# degrees; portraits of aligned datasets are rolled by less (99% of UTKFace by 7, of CelebA by 6), so heads that are rolled by
# more are levelled by what is beyond it
MAX_ROLL = 10.0


@dataclasses.dataclass(frozen=True)
class Crop:
    """A square of a picture in whole pixels; it may reach beyond the picture, and be turned about its centre."""

    left: int
    top: int
    side: int
    angle: float = 0.0  # degrees by which its content is turned counter-clockwise, to level a head rolled by as much

    def apply(self, image: np.ndarray, resolution: int, filter: str = "lanczos") -> np.ndarray:
        """The square of uint8 [H, W, 3] as uint8 [resolution, resolution, 3]; beyond the picture its edge is repeated.

        Args:
          filter: A key of images.FILTERS.
        """
        if self.angle:
            return resample(self._turned(image), resolution, resolution, filter)
        height, width = image.shape[:2]
        right, bottom = self.left + self.side, self.top + self.side
        crop = image[max(self.top, 0) : max(bottom, 0), max(self.left, 0) : max(right, 0)]
        border = [(max(-self.top, 0), max(bottom - height, 0)), (max(-self.left, 0), max(right - width, 0))]
        return resample(np.pad(crop, (*border, (0, 0)), mode="edge"), resolution, resolution, filter)

    def move(self, keypoints: np.ndarray, resolution: int) -> np.ndarray:
        """Keypoints [..., 2] in pixels of the picture as float32 in pixels of what `apply` returns."""
        points = keypoints - np.array([self.left, self.top])
        if self.angle:
            points = turned(points - self.side / 2, math.radians(-self.angle)) + self.side / 2
        return (points * (resolution / self.side)).astype(np.float32)

    def restore(self, keypoints: np.ndarray, resolution: int) -> np.ndarray:
        """The inverse of `move`: keypoints [..., 2] in pixels of what `apply` returns as float32 in pixels of the picture."""
        points = np.asarray(keypoints, np.float64) * (self.side / resolution)
        if self.angle:
            points = turned(points - self.side / 2, math.radians(self.angle)) + self.side / 2
        return (points + np.array([self.left, self.top])).astype(np.float32)

    def _turned(self, image: np.ndarray) -> np.ndarray:
        """The turned square at its own size, uint8 [side, side, 3]."""
        margin = math.ceil(self.side * (math.sqrt(0.5) - 0.5)) + 2  # its corners lie within this of the upright square
        large = self.side + 2 * margin
        around = Crop(self.left - margin, self.top - margin, large).apply(image, large)
        turned = Image.fromarray(around).rotate(self.angle, Image.Resampling.BICUBIC)
        return np.asarray(turned)[margin : margin + self.side, margin : margin + self.side]


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

    def place(self, keypoints: np.ndarray, resolution: int) -> np.ndarray:
        """Landmarks float32 [..., 68, 2], moved and scaled to lie so in portraits of `resolution` pixels."""
        level = self.spread * normalised(keypoints) + np.array([self.x, self.y])
        return (resolution * level).astype(np.float32)


def measure_framing(keypoints: np.ndarray, resolution: int) -> Framing:
    """The framing of portraits with keypoints [N, 68, 2], in pixels of `resolution`."""
    centre, spread = place(keypoints / resolution)
    x, y = centre.mean(axis=0)
    return Framing(float(x), float(y), float(spread.mean()))


def framed(width: int, height: int, keypoints: np.ndarray, framing: Framing) -> Crop:
    """The square of a picture in which its face, with keypoints [68, 2], lies as in the framing.

    A head rolled by more than MAX_ROLL is levelled by the excess.

    Raises:
      InputError: The landmarks cannot be those of a face in the picture (see shape.check_face), or the square would be more
        than thrice as large as the picture.
    """
    check_face(keypoints, width, height)
    centre, spread = place(keypoints)
    roll = float(fit_mean_face(keypoints)[0])
    excess = roll - min(max(roll, -MAX_ROLL), MAX_ROLL)
    side = max(round(float(spread) / framing.spread), 1)
    offset = np.array([0.5 - framing.x, 0.5 - framing.y]) * side  # of the square's centre to the face's, once level
    shift = turned(offset, math.radians(excess)) - offset
    shares = (framing.x, framing.y)
    left, top = (round(float(at) - share * side + more) for at, share, more in zip(centre, shares, shift, strict=True))
    if side > 3 * max(height, width):
        raise InputError("the landmarks lie outside of the picture")
    return Crop(left, top, side, excess)


def reframe(
    images: np.ndarray, keypoints: np.ndarray, framing: Framing, resolution: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Portraits uint8 [N, S, S, 3] with keypoints [N, 68, 2] cropped so that each face lies as in the framing.

    Landmarks that cannot be a face's leave their portrait as it is.

    Returns:
      Images uint8 [N, resolution, resolution, 3], keypoints float32 [N, 68, 2] and the sides [N] of the crops in pixels.
    """
    made = []
    for image, points in zip(images, keypoints, strict=True):
        height, width = image.shape[:2]
        try:
            crop = framed(width, height, points, framing)
        except InputError:
            crop = largest_square(width, height)
        made.append((crop.apply(image, resolution), crop.move(points, resolution), crop.side))
    cropped, moved, sides = zip(*made, strict=True)
    return np.stack(cropped), np.stack(moved), np.array(sides)


def is_framed(keypoints: np.ndarray, resolution: int, framing: Framing) -> bool:
    """Whether the faces of portraits with keypoints [N, 68, 2] lie, on average, about as the framing has them.

    That is within a tenth of the side of the place and a quarter of the size; or, of a single portrait, within twice that.
    """
    found = measure_framing(keypoints, resolution)
    loose = 2.0 if len(keypoints) == 1 else 1.0
    away = max(abs(found.x - framing.x), abs(found.y - framing.y))
    return away <= 0.1 * loose and abs(math.log(found.spread / framing.spread)) <= math.log(1.25) * loose
