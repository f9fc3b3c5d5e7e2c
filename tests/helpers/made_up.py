"""A fake editor, its portraits and their edits, for tests of metrics."""

import numpy as np

from jaxgan.evaluation.edits import Edits, Instruments, make_edits
from jaxgan.evaluation.measurement import Column, Measurement
from jaxgan.evaluation.pairs import Portraits, make_pairs, make_same_pairs

R = 32


def face(scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Plausible landmarks float32 [68, 2] of a face that fills an image of R pixels."""
    t = np.linspace(0, np.pi, 17)
    points = np.empty((68, 2))
    points[:17] = np.stack([-np.cos(t) * 0.4, np.sin(t) * 0.45], axis=1)  # jaw
    for first, x in ((17, -0.2), (22, 0.2)):
        points[first : first + 5] = np.stack([x + np.linspace(-0.13, 0.13, 5), np.full(5, -0.25)], axis=1)
    points[27:31] = np.stack([np.zeros(4), np.linspace(-0.12, 0.08, 4)], axis=1)
    points[31:36] = np.stack([np.linspace(-0.08, 0.08, 5), np.full(5, 0.12)], axis=1)
    for first, count, x, y, width, height in (
        (36, 6, -0.2, -0.1, 0.09, 0.04),
        (42, 6, 0.2, -0.1, 0.09, 0.04),
        (48, 12, 0.0, 0.27, 0.16, 0.09),
        (60, 8, 0.0, 0.27, 0.11, 0.04),
    ):
        t = np.arange(count) * 2 * np.pi / count
        points[first : first + count] = np.stack([x - np.cos(t) * width, y - np.sin(t) * height], axis=1)
    return ((points * scale + 0.5) * R + np.array(shift)[None]).astype(np.float32)


class FakeEditor:
    """An editor whose latents are pixels: inversions are brighter, and edits fill the last row with the first landmark's x."""

    stage = "editor"
    resolution = R
    w_avg = np.zeros((1, R * R * 3), np.float32)

    def invert(self, images):
        return images.reshape(len(images), 1, -1).astype(np.float32) + 10

    def render(self, latents):
        return latents.reshape(-1, R, R, 3).astype(np.uint8)

    def edit_latents(self, images, keypoints, latents=None):
        edited = (self.invert(images) if latents is None else latents).reshape(-1, R, R, 3).copy()
        edited[:, -1] = np.rint(keypoints[:, 0, 0])[:, None, None]
        return edited.reshape(len(images), 1, -1)

    def generate(self, seeds, truncation):
        assert truncation == 1.0
        return np.stack([np.full((R, R, 3), 100 + seed, np.uint8) for seed in seeds])


def dataset(count: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Portraits that are filled with their index, and landmarks that move to the right with it."""
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, R, R, 3)).copy()
    keypoints = np.stack([face(0.7, (0.5 * i, 0)) for i in range(count)])
    return images, keypoints, [f"{i:03d}.png" for i in range(count)]


def nothing_found(images):
    return [None] * len(images)


def edits_of(
    count: int = 4, detect=nothing_found, files=None, training=None, editor=None, labels=None, same=False, **networks
) -> Edits:
    """Edits of `dataset`, whose portraits also serve as training portraits unless others are given."""
    images, keypoints, names = dataset(count)
    portraits = Portraits(images, keypoints, files or names, labels)
    pairs = (make_same_pairs if same else make_pairs)(portraits, training or (images, keypoints), seed=0)
    return make_edits(editor or FakeEditor(), pairs, Instruments(detect, **networks))


def column(measurement: Measurement, name: str) -> Column:
    return next(c for c in measurement.columns if c.name == name)
