"""Putting edits back: no edit is no change, nothing changes outside of the face, and no seam shows."""

import numpy as np
import pytest

from jaxgan.data.crops import Crop
from jaxgan.data.shape import MEAN_FACE
from jaxgan.photos.paste import Rendering, paste
from jaxgan.photos.warp import Warp

SIDE = 200
CROP = Crop(20, 10, 180)


@pytest.fixture(scope="module")
def photo():
    """A smooth picture with noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, : SIDE + 40]
    smooth = 120 + 60 * np.sin(rows / 31)[..., None] * np.cos(columns / 23)[..., None] * np.array([1, 0.5, -1])
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def face(x=110.0, y=100.0, radius=35.0):
    return (MEAN_FACE * radius + [x, y]).astype(np.float32)


def rendering(image, keypoints, crop=CROP):
    return Rendering(image, crop, keypoints)


def test_the_same_rendering_changes_nothing(photo):
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    same = rendering(image, face())
    np.testing.assert_array_equal(paste(photo, face(), face(), same, same), photo)


@pytest.mark.parametrize("angle", [0.0, 30.0])
def test_what_changes_is_inside_of_the_crops(photo, angle):
    crop = Crop(20, 10, 180, angle)
    before, after = np.full((64, 64, 3), 90, np.uint8), np.full((64, 64, 3), 200, np.uint8)
    after[:, 32:] = 10
    made = paste(photo, face(), face(), rendering(before, face(), crop), rendering(after, face(), crop))
    changed = np.argwhere((made != photo).any(axis=-1))
    inside = crop.move(changed[:, ::-1] + 0.5, 1)
    assert len(changed) > 1000
    assert inside.min() > 0 and inside.max() < 1


def test_a_brighter_rendering_brightens_no_seam(photo):
    """A drift of colour of the whole rendering is taken out."""
    before, after = np.full((64, 64, 3), 90, np.uint8), np.full((64, 64, 3), 130, np.uint8)
    made = paste(photo, face(), face(), rendering(before, face()), rendering(after, face()))
    assert np.abs(made.astype(int) - photo).max() <= 1


def test_a_crop_that_leaves_the_photograph(photo):
    crop, points = Crop(-60, -70, 200), face(40, 30, 40)
    before, after = np.full((64, 64, 3), 90, np.uint8), np.tile(np.arange(64, dtype=np.uint8)[:, None, None], (1, 64, 3))
    made = paste(photo, points, points + 3, rendering(before, points, crop), rendering(after, points + 2, crop))
    assert made.shape == photo.shape and (made != photo).any()


def test_a_warp_moves_points_and_keeps_the_border():
    """A dot moves with its landmark."""
    image = np.zeros((100, 120, 3), np.uint8)
    image[48:53, 58:63] = 255
    start = np.array([[0.5, 0.505], [0.3, 0.3], [0.7, 0.3], [0.3, 0.7], [0.7, 0.7]])
    end = start + [[0.1, -0.06], [0, 0], [0, 0], [0, 0], [0, 0]]
    made = Warp(start, end).apply(image)
    rows, columns = np.nonzero(made[..., 0] > 128)
    assert abs(columns.mean() + 0.5 - 120 * end[0, 0]) < 1.5 and abs(rows.mean() + 0.5 - 100 * end[0, 1]) < 1.5
    still = Warp(start, start).apply(photo_like(100, 120))
    np.testing.assert_array_equal(still, photo_like(100, 120))


def photo_like(height, width):
    return np.random.default_rng(2).integers(0, 256, (height, width, 3)).astype(np.uint8)
