"""Framing: where faces lie in a dataset, and cropping pictures so that they lie there."""

import numpy as np
import pytest

from jaxgan.data.crops import Framing, framed, measure_framing
from jaxgan.faces.portraits import portraits

R = 32


def crop_face(image, keypoints, framing, resolution):
    crop = framed(image.shape[1], image.shape[0], keypoints, framing)
    return crop.apply(image, resolution), crop.move(keypoints, resolution)


def face(x: float, y: float, radius: float) -> np.ndarray:
    """68 points on a circle, float32 [68, 2]: their mean is (x, y) and their spread the radius."""
    t = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    return np.stack([x + radius * np.cos(t), y + radius * np.sin(t)], axis=1).astype(np.float32)


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
    images, keypoints = portraits(3, range(2), R)
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
