"""Where the face lies in the portraits that networks know, and photographs cropped so.

Networks trained on upright faces that fill the frame know no others, so a photograph has to be cropped as their portraits were:
with the face where it was on average in a dataset, or by the published alignment of FFHQ.
"""

import abc
import dataclasses
import math

import numpy as np

from jaxgan.data.crops import Crop, largest_square
from jaxgan.data.landmarks import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE
from jaxgan.data.shape import MEAN_FACE, check_face, fit_mean_face, normalised, place, turned
from jaxgan.errors import InputError

# degrees; portraits of datasets whose mean face is all that is known are rolled by less (99% of UTKFace by 7, of CelebA by 6),
# so heads that are rolled by more are levelled by what is beyond it
MAX_ROLL = 10.0
MISPLACED = 0.03  # of the side; a detector that looks again at an aligned portrait is off by a third of that


class Framing(abc.ABC):
    """How portraits were cropped. Shares are of their side."""

    @property
    @abc.abstractmethod
    def mean(self) -> "MeanFraming":
        """Where faces lie on average."""

    @abc.abstractmethod
    def crop(self, keypoints: np.ndarray) -> Crop:
        """The square of a picture whose face has the keypoints [68, 2], in its pixels."""

    @abc.abstractmethod
    def square(self, keypoints: np.ndarray) -> Crop:
        """The square in which keypoints [68, 2] lie as `place` places them."""

    @abc.abstractmethod
    def place(self, keypoints: np.ndarray, resolution: int) -> np.ndarray:
        """Landmarks float32 [..., 68, 2] moved to where they lie in portraits of `resolution` pixels."""

    def mean_face(self, resolution: int) -> np.ndarray:
        """The mean face float32 [68, 2] where it lies in portraits of `resolution` pixels."""
        return self.place(MEAN_FACE, resolution)


@dataclasses.dataclass(frozen=True)
class MeanFraming(Framing):
    """Faces lie as they do on average in a dataset, as shares of its portraits' side."""

    x: float  # mean of the 68 landmarks
    y: float
    spread: float  # root mean square distance of the landmarks to their mean

    @property
    def mean(self) -> "MeanFraming":
        """Itself."""
        return self

    def crop(self, keypoints: np.ndarray) -> Crop:
        """The square, in whole pixels. A head rolled by more than MAX_ROLL is levelled by the excess."""
        centre, spread = place(keypoints)
        roll = float(fit_mean_face(keypoints)[0])
        excess = roll - min(max(roll, -MAX_ROLL), MAX_ROLL)
        side = max(round(float(spread) / self.spread), 1)
        offset = np.array([0.5 - self.x, 0.5 - self.y]) * side  # of the square's centre to the face's, once level
        shift = turned(offset, math.radians(excess)) - offset
        shares = (self.x, self.y)
        left, top = (round(float(at) - share * side + more) for at, share, more in zip(centre, shares, shift, strict=True))
        return Crop(left, top, side, excess)

    def square(self, keypoints: np.ndarray) -> Crop:
        """The upright square."""
        centre, spread = place(keypoints)
        side = float(spread) / self.spread
        return Crop(float(centre[0]) - self.x * side, float(centre[1]) - self.y * side, side)

    def place(self, keypoints: np.ndarray, resolution: int) -> np.ndarray:
        """Landmarks, moved and scaled; rolled heads stay rolled."""
        level = self.spread * normalised(keypoints) + np.array([self.x, self.y])
        return (resolution * level).astype(np.float32)


class FFHQFraming(Framing):
    """The alignment of CelebA-HQ (Karras et al. 2017, appendix C), FFHQ and MetFaces, by eyes and corners of the mouth.

    With e from the right eye's centre to the left one's, m from their middle to the middle of the mouth's corners, the square
    lies level with e - rot90(m), is max(4 |e|, 3.6 |m|) wide, and has its centre 0.1 m below the eyes' middle. Of a picture
    that is given, its landmarks are where a detector finds them, with pixel centres at integer + 0.5.
    """

    @property
    def mean(self) -> MeanFraming:
        """That of the mean face."""
        return measure_framing(self.mean_face(1)[None], 1)

    def crop(self, keypoints: np.ndarray) -> Crop:
        """The turned square; all heads are level in it."""
        return self.square(keypoints)

    def square(self, keypoints: np.ndarray) -> Crop:
        """The turned square."""
        centre, half = self._axes(keypoints)
        reach = float(abs(half))
        angle = math.degrees(math.atan2(half.imag, half.real))
        return Crop(float(centre.real) - reach, float(centre.imag) - reach, 2 * reach, angle)

    def place(self, keypoints: np.ndarray, resolution: int) -> np.ndarray:
        """Landmarks moved, scaled and levelled."""
        centre, half = self._axes(keypoints)
        unit = (_complex(keypoints) - centre[..., None]) / half[..., None]  # the square is from -1 to 1
        return (resolution * (np.stack([unit.real, unit.imag], axis=-1) + 1) / 2).astype(np.float32)

    @staticmethod
    def _axes(keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The square's centre and half of its upper side, x + iy [...], of keypoints [..., 68, 2]; i is a quarter clockwise."""
        points = _complex(keypoints)
        right, left = points[..., RIGHT_EYE].mean(axis=-1), points[..., LEFT_EYE].mean(axis=-1)
        eyes, mouth = (right + left) / 2, points[..., list(MOUTH_CORNERS)].mean(axis=-1)
        across, down = left - right, mouth - eyes
        along = across - 1j * down
        along = along / np.abs(along) * np.maximum(2.0 * np.abs(across), 1.8 * np.abs(down))
        return eyes + 0.1 * down, along


class Faceless(Framing):
    """Of networks that draw something else than people's faces: whatever needs a face is refused."""

    @property
    def mean(self) -> MeanFraming:
        """Raises InputError, as all of its methods."""
        raise InputError("these networks draw no people's faces (generator.framing=faceless), so there is none to edit")

    def crop(self, keypoints: np.ndarray) -> Crop:
        """Raises InputError."""
        return self.mean.crop(keypoints)

    def square(self, keypoints: np.ndarray) -> Crop:
        """Raises InputError."""
        return self.mean.square(keypoints)

    def place(self, keypoints: np.ndarray, resolution: int) -> np.ndarray:
        """Raises InputError."""
        return self.mean.place(keypoints, resolution)


# Framings by their names in GeneratorConfig.framing; of an unknown one, its mean face may be measured.
FRAMINGS: dict[str, Framing | None] = {"unknown": None, "ffhq": FFHQFraming(), "faceless": Faceless()}


def _complex(points: np.ndarray) -> np.ndarray:
    """Points (x, y) [..., 2] as x + iy [...]."""
    points = np.asarray(points, np.float64)
    return points[..., 0] + 1j * points[..., 1]


def measure_framing(keypoints: np.ndarray, resolution: int) -> MeanFraming:
    """The framing of portraits with keypoints [N, 68, 2], in pixels of `resolution`."""
    centre, spread = place(keypoints / resolution)
    x, y = centre.mean(axis=0)
    return MeanFraming(float(x), float(y), float(spread.mean()))


def framed(width: int, height: int, keypoints: np.ndarray, framing: Framing | None) -> Crop:
    """The square of a picture in which its face, with keypoints [68, 2], lies as in the framing.

    Without a known framing it is the largest square around the landmarks.

    Raises:
      InputError: The landmarks cannot be those of a face in the picture (see shape.check_face), the square would be more than
        thrice as large as the picture, or the framing is that of networks that draw no faces.
    """
    if framing is None:
        return largest_square(width, height, keypoints)
    check_face(keypoints, width, height)
    crop = framing.crop(keypoints)
    if crop.side > 3 * max(height, width):
        raise InputError("the landmarks lie outside of the picture")
    return crop


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

    That is within a tenth of the side of the place and a quarter of the size; or, of a single portrait, within twice that. Of
    several that were aligned one by one, landmarks are within MISPLACED of where the alignment has them, too.
    """
    if isinstance(framing, FFHQFraming) and len(keypoints) > 1:
        if np.abs(framing.place(keypoints, 1) - keypoints / resolution).mean() > MISPLACED:
            return False
    found, known = measure_framing(keypoints, resolution), framing.mean
    loose = 2.0 if len(keypoints) == 1 else 1.0
    away = max(abs(found.x - known.x), abs(found.y - known.y))
    return away <= 0.1 * loose and abs(math.log(found.spread / known.spread)) <= math.log(1.25) * loose
