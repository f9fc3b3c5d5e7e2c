"""Figure 2 of the report: a grid of sources edited to targets, by one editor or several."""

import textwrap
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from jaxgan.evaluation.edits import SupportsEdits, in_chunks
from jaxgan.evaluation.pairs import Pairs
from jaxgan.models.landmarks import draw_landmarks

FIGURE = "figure.png"
SIDE = 6  # maximum number of sources along the top and of targets down the side
CELL = 128  # pixels; minimum width of a cell
GAP = 2  # white pixels between cells
LETTER = 6  # pixels; width of a letter, by which names are wrapped to their cells


def tile(cells: np.ndarray) -> np.ndarray:
    """One uint8 picture of cells uint8 [rows, columns, R, R, 3], enlarged to at least 128 px by nearest neighbour."""
    rows, columns, resolution = cells.shape[:3]
    factor = max(1, -(-CELL // resolution))
    step = resolution * factor + GAP
    picture = np.full((rows * step - GAP, columns * step - GAP, 3), 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            enlarged = cells[row, column].repeat(factor, axis=0).repeat(factor, axis=1)
            picture[row * step :, column * step :][: step - GAP, : step - GAP] = enlarged
    return picture


def grid(editors: Mapping[str, SupportsEdits], pairs: Pairs) -> np.ndarray:
    """Draws sources along the top and, down the side, the landmark image of each target beside a line of edits per editor.

    Args:
      editors: editors by name; the names of several are written to the left of their lines.
      pairs: the first portraits are the sources and the last the targets, so the two are disjoint if there are enough.

    Returns:
      The picture, uint8 [H, W, 3].
    """
    count, resolution = len(pairs.sources), pairs.sources.shape[1]
    side = min(SIDE, count)
    sources, targets = np.arange(side), np.arange(count)[-side:]
    # cell (t, s) shows source s with the landmarks of target t
    images = pairs.sources[np.tile(sources, side)]
    keypoints = pairs.source_keypoints[np.repeat(targets, side)]

    lines = len(editors)
    cells = np.full((1 + side * lines, side + 1, resolution, resolution, 3), 255, np.uint8)
    cells[0, 1:] = pairs.sources[sources]
    drawn = np.asarray(draw_landmarks(pairs.source_keypoints[targets], resolution))
    cells[1::lines, 0] = np.rint(drawn * 255).astype(np.uint8)
    for line, (name, editor) in enumerate(editors.items(), start=1):
        latents = in_chunks(editor.edit_latents, f"figure {name}", images, keypoints)
        made = in_chunks(editor.render, f"figure {name}", latents)
        cells[line::lines, 1:] = made.reshape(side, side, resolution, resolution, 3)
    picture = Image.fromarray(tile(cells))
    step = (picture.height + GAP) // len(cells)
    if lines > 1:
        for line, name in enumerate([*editors] * side, start=1):
            text = textwrap.fill(name, step // LETTER - 1)
            ImageDraw.Draw(picture).text((4, line * step + 2), text, fill=(128, 128, 128))
    return np.asarray(picture)
