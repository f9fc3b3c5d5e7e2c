"""Compiling, before the first page asks, all that pages ask for."""

import numpy as np

from jaxgan.app.messages import Edit
from jaxgan.app.photo import Found, LivePhoto
from jaxgan.data.detection import DEFAULT_DETECTOR, Face, load_detector
from jaxgan.data.shape import MEAN_FACE
from jaxgan.editor import Editor
from jaxgan.photos.writing import encode

SIDE = 256  # px


def warm_up(editor: Editor) -> None:
    """Edits a grey picture as if it held the mean face, and personalises the editor to it for a step.

    Raises:
      InputError: the checkpoint has no encoder.
      DetectorError: the detector cannot be loaded.
    """
    load_detector(DEFAULT_DETECTOR)
    pixels, points = np.full((SIDE, SIDE, 3), 128, np.uint8), SIDE * (0.25 * MEAN_FACE + np.float32(0.5))
    photo = LivePhoto(editor, Found(encode(pixels), pixels, [Face(points)]))
    photo.edit(Edit({"yaw": 10.0}, np.ones((68, 2), np.float32), points))
    editor.personalise(pixels, steps=1)
