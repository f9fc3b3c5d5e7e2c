"""Framing: where faces lie in a dataset, and cropping pictures so that they lie there."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates

from jaxgan.data.crops import MAX_ROLL, Framing, framed, is_framed, measure_framing, reframe
from jaxgan.data.shape import MEAN_FACE, fit_mean_face
from jaxgan.faces.portraits import portraits

R = 32


def crop_face(image, keypoints, framing, resolution):
    crop = framed(image.shape[1], image.shape[0], keypoints, framing)
    return crop.apply(image, resolution), crop.move(keypoints, resolution)


def face(x: float, y: float, radius: float) -> np.ndarray:
    """A face, float32 [68, 2], whose mean is (x, y) and whose spread is the radius."""
    centred = MEAN_FACE - MEAN_FACE.mean(axis=0)
    unit = centred / np.sqrt((centred**2).sum(axis=1).mean())
    return (unit * radius + np.array([x, y])).astype(np.float32)


def test_measured_as_shares_of_the_side():
    framing = measure_framing(np.stack([face(15, 17, 8), face(17, 19, 12)]), R)
    np.testing.assert_allclose([framing.x, framing.y, framing.spread], [16 / R, 18 / R, 10 / R], rtol=1e-6)


def test_the_face_of_a_photograph_lies_as_asked():
    image = np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)
    framing = Framing(0.5, 0.55, 0.3)
    keypoints = face(90, 60, 12)
    shown, moved = crop_face(image, keypoints, framing, R)
    assert shown.shape == (R, R, 3) and shown.dtype == np.uint8
    np.testing.assert_allclose(moved, face(0.5 * R, 0.55 * R, 0.3 * R), atol=0.5)  # the crop lies on whole pixels
    # at its own size nothing is resampled: the crop is a part of the picture, where the keypoints say
    same, moved = crop_face(image, keypoints, framing, 40)
    left, top = np.rint((keypoints - moved)[0]).astype(int)
    np.testing.assert_array_equal(same, image[top : top + 40, left : left + 40])


def test_beyond_the_border_the_edge_is_repeated():
    image = np.zeros((40, 40, 3), np.uint8)
    image[0] = 200
    shown, moved = crop_face(image, face(20, 4, 12), Framing(0.5, 0.5, 0.3), 40)
    assert (shown[:10] == 200).all() and (shown[25:] == 0).all()
    np.testing.assert_allclose(moved, face(20, 20, 12), atol=0.5)


def test_portraits_framed_as_they_are_stay_as_they_are():
    images, keypoints = portraits(3, range(12), R)
    upright = np.abs(fit_mean_face(keypoints)[0]) < MAX_ROLL
    images, keypoints = images[upright], keypoints[upright]
    assert len(images) > 4
    for image, points in zip(images, keypoints, strict=True):
        shown, moved = crop_face(image, points, measure_framing(points[None], R), R)
        np.testing.assert_array_equal(shown, image)
        np.testing.assert_allclose(moved, points, atol=1e-4)


@pytest.mark.parametrize(
    ("keypoints", "message"), [(face(5, 5, 0), "at one point"), (face(500, 5, 5), "outside of the picture")]
)
def test_landmarks_that_make_no_sense_are_refused(keypoints, message):
    with pytest.raises(ValueError, match=message):
        crop_face(np.zeros((R, R, 3), np.uint8), keypoints, Framing(0.5, 0.5, 0.3), R)


@pytest.mark.parametrize("degrees", [30.0, -75.0, 170.0])
def test_a_tilted_head_is_levelled(degrees):
    """Turning a picture and cropping it gives the crop of the picture as it was, with the head at most MAX_ROLL from upright."""
    y, x = np.mgrid[:160, :160]
    image = np.stack([x, y, (x + y) // 2], axis=-1).astype(np.uint8)  # smooth, so that resampling changes little
    keypoints, framing = face(80, 80, 15), Framing(0.5, 0.55, 0.3)
    turned = np.asarray(Image.fromarray(image).rotate(degrees, Image.Resampling.BICUBIC))
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    moved = ((keypoints - 80) @ np.array([[cos, -sin], [sin, cos]]) + 80).astype(np.float32)
    crop = framed(160, 160, moved, framing)
    points = crop.move(moved, R)
    roll = fit_mean_face(points)[0]
    assert roll == pytest.approx(-np.sign(degrees) * MAX_ROLL, abs=0.1)
    assert is_framed(points[None], R, framing)
    # each landmark shows in the crop what it showed before; pixel centres lie at +0.5
    shown = crop.apply(turned, R).astype(float)
    inside = ((points > 1) & (points < R - 1)).all(axis=1)
    assert inside.sum() > 50
    x, y = keypoints[inside].T - 0.5
    found = [map_coordinates(shown[..., channel], points[inside].T[::-1] - 0.5, order=1) for channel in range(3)]
    lost = 1.0  # Pillow cuts fractions off, half a level on average, and there are two turns
    np.testing.assert_allclose(np.array(found) + lost, [x, y, (x + y) / 2 - 0.25], atol=1.2)


def test_datasets_framed_otherwise_are_told_and_cropped_anew():
    framing = Framing(0.5, 0.55, 0.3)
    small = np.stack([face(30, 30, 8), face(34, 28, 9)])
    assert not is_framed(small, 64, framing) and is_framed(small, 64, measure_framing(small, 64))
    images, keypoints, sides = reframe(np.zeros((2, 64, 64, 3), np.uint8), small, framing, R)
    assert images.shape == (2, R, R, 3) and is_framed(keypoints, R, framing)
    np.testing.assert_allclose(sides, [8 / 0.3, 9 / 0.3], atol=0.5)
