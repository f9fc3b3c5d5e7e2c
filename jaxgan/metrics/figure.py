"""The report's Figure 2: a grid of sources edited to targets."""

import numpy as np

from jaxgan.data.drawing import draw_landmarks
from jaxgan.metrics.edits import Edits, edit_in_chunks
from jaxgan.metrics.measurement import Measurement

FIGURE = "figure.png"
SIDE = 6  # sources along the top and targets down the side, at most
CELL = 128  # pixels; least width of a cell
GAP = 2  # white pixels between cells


def tile(cells: np.ndarray) -> np.ndarray:
    """One picture uint8 of cells uint8 [rows, columns, R, R, 3], enlarged by nearest neighbour to 128 px or more."""
    rows, columns, resolution = cells.shape[:3]
    factor = max(1, -(-CELL // resolution))
    step = resolution * factor + GAP
    picture = np.full((rows * step - GAP, columns * step - GAP, 3), 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            enlarged = cells[row, column].repeat(factor, axis=0).repeat(factor, axis=1)
            picture[row * step :, column * step :][: step - GAP, : step - GAP] = enlarged
    return picture


def measure(edits: Edits) -> Measurement:
    """Grid with source portraits along the top, target landmark images down the side, and the edits between them.

    Targets are other portraits than the sources where there are enough.
    """
    count, resolution = len(edits.sources), edits.sources.shape[1]
    side = min(SIDE, count)
    sources, targets = np.arange(side), np.arange(count)[-side:]
    # cell (t, s) shows source s with the landmarks of target t
    images = edits.sources[np.tile(sources, side)]
    keypoints = edits.source_keypoints[np.repeat(targets, side)]
    cells = np.full((side + 1, side + 1, resolution, resolution, 3), 255, np.uint8)
    cells[0, 1:] = edits.sources[sources]
    drawn = np.asarray(draw_landmarks(edits.source_keypoints[targets], resolution))
    cells[1:, 0] = np.rint(drawn * 255).astype(np.uint8)
    cells[1:, 1:] = edit_in_chunks(edits.editor, images, keypoints, "figure").reshape(cells[1:, 1:].shape)
    return Measurement(pictures={FIGURE: tile(cells)})
