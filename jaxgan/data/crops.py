"""Square crops of pictures with their landmarks. Which square a face gets is in framing.py."""

import dataclasses
import math

import numpy as np
from PIL import Image

from jaxgan.data.images import resample
from jaxgan.data.shape import turned


@dataclasses.dataclass(frozen=True)
class Crop:
    """A square of a picture; it may reach beyond the picture, and be turned about its centre."""

    left: float  # px, before it is turned
    top: float
    side: float
    angle: float = 0.0  # degrees by which its content is turned counter-clockwise, to level a head rolled by as much

    def apply(self, image: np.ndarray, resolution: int, filter: str = "lanczos") -> np.ndarray:
        """The square of uint8 [H, W, 3] as uint8 [resolution, resolution, 3]; beyond the picture its edge is repeated.

        Args:
          filter: A key of images.FILTERS.
        """
        if self.angle or not all(isinstance(each, int) for each in (self.left, self.top, self.side)):
            return self._interpolated(image, resolution, filter)
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

    def within(self, inner: "Crop", resolution: int) -> "Crop":
        """The square of the picture that is the square `inner` of what `apply` returns."""
        centre = self.restore(np.array([inner.left + inner.side / 2, inner.top + inner.side / 2]), resolution)
        side = inner.side * self.side / resolution
        return Crop(float(centre[0]) - side / 2, float(centre[1]) - side / 2, side, self.angle + inner.angle)

    def _interpolated(self, image: np.ndarray, resolution: int, filter: str) -> np.ndarray:
        """`apply` where pixels do not fall on pixels."""
        if (factor := int(self.side // (4 * resolution))) > 1:  # large ones cost time and memory, and nothing of it is seen
            reduced = np.asarray(Image.fromarray(image).reduce(factor))
            return Crop(*(each / factor for each in (self.left, self.top, self.side)), self.angle).apply(
                reduced, resolution, filter
            )
        side = max(round(self.side), 1)
        margin = math.ceil(self.side * (math.sqrt(0.5) - 0.5)) + 2  # its corners lie within this of the upright square
        left, top, large = math.floor(self.left) - margin, math.floor(self.top) - margin, math.ceil(self.side) + 2 * margin + 1
        around = Image.fromarray(Crop(left, top, large).apply(image, large))
        origin, right, below = self.restore(np.array([[0, 0], [side, 0], [0, side]]), side).astype(np.float64) - [left, top]
        along, down = (right - origin) / side, (below - origin) / side
        data = (along[0], down[0], origin[0], along[1], down[1], origin[1])
        turned = around.transform((side, side), Image.Transform.AFFINE, data, Image.Resampling.BICUBIC)
        return resample(np.asarray(turned), resolution, resolution, filter)


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
