"""Warping a picture so that its points come to lie elsewhere: thin-plate splines (Bookstein 1989) on a coarse grid."""

import numpy as np
from PIL import Image
from scipy.interpolate import RBFInterpolator

CELLS = 20  # of the grid, along either side; narrow in the middle, where the face is
EXPONENT = 1.6  # of the lines' distance from the middle; 1 for even cells
SMOOTHING = 1e-4  # lets points that contradict each other meet half-way
ANCHORS = 7  # fixed points along each border


class Warp:
    """Moves the content of pictures so that what lies at some points comes to lie at others; the border stays.

    Coordinates are shares of the picture's sides, so that one warp fits a picture at any resolution.
    """

    def __init__(self, points: np.ndarray, moved: np.ndarray):
        """From points [K, 2] in the picture to where they are to lie, [K, 2]; (x, y) from 0 to 1."""
        inside = ((moved > 0) & (moved < 1)).all(axis=1)
        along = np.linspace(0, 1, ANCHORS)
        border = np.unique([(x, y) for x in along for y in along if {x, y} & {0.0, 1.0}], axis=0)
        fixed = np.concatenate([moved[inside], border])
        shift = np.concatenate([(points - moved)[inside], np.zeros_like(border)])
        lines = _lines()
        grid = np.stack(np.meshgrid(lines, lines), axis=-1)
        spline = RBFInterpolator(fixed, shift, kernel="thin_plate_spline", smoothing=SMOOTHING)
        field = spline(grid.reshape(-1, 2)).reshape(grid.shape)
        calm = np.clip(8 * np.minimum(grid, 1 - grid).min(axis=-1, keepdims=True), 0, 1)  # between the anchors, too
        self._shift = calm * field  # [rows + 1, columns + 1, 2]: from each corner to where it is taken from

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The warped picture, uint8 [H, W, 3]; bicubic."""
        height, width = image.shape[:2]
        size = np.array([width, height])
        corners = np.round(_lines()[:, None] * size).astype(int)
        grid = np.stack(np.meshgrid(corners[:, 0], corners[:, 1]), axis=-1)
        sources = np.clip(grid + self._shift * size, 0, size)
        sources[1:-1, 1:-1] = np.minimum(sources[1:-1, 1:-1], size - 0.01)  # Pillow leaves what comes from the very edge black
        mesh = []
        for row in range(CELLS):
            for column in range(CELLS):
                box = (corners[column, 0], corners[row, 1], corners[column + 1, 0], corners[row + 1, 1])
                if box[0] == box[2] or box[1] == box[3]:
                    continue
                quad = [sources[row + down, column + right] for down, right in ((0, 0), (1, 0), (1, 1), (0, 1))]
                mesh.append((tuple(map(int, box)), tuple(float(value) for corner in quad for value in corner)))
        picture = Image.fromarray(image)
        return np.asarray(picture.transform((width, height), Image.Transform.MESH, mesh, Image.Resampling.BICUBIC))


def _lines() -> np.ndarray:
    """Where the grid's lines are, [CELLS + 1], from 0 to 1."""
    even = np.linspace(-1, 1, CELLS + 1)
    return 0.5 + 0.5 * np.sign(even) * np.abs(even) ** EXPONENT
