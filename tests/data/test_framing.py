"""MeanFraming: where faces lie in a dataset, and cropping pictures so that they lie there."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates

from jaxgan.data.crops import Crop
from jaxgan.data.framing import FRAMINGS, MAX_ROLL, MeanFraming, framed, is_framed, measure_framing, reframe
from jaxgan.data.shape import MEAN_FACE, fit_mean_face, turned
from jaxgan.errors import InputError
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
    framing = MeanFraming(0.5, 0.55, 0.3)
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
    shown, moved = crop_face(image, face(20, 4, 12), MeanFraming(0.5, 0.5, 0.3), 40)
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
        crop_face(np.zeros((R, R, 3), np.uint8), keypoints, MeanFraming(0.5, 0.5, 0.3), R)


@pytest.mark.parametrize("degrees", [30.0, -75.0, 170.0])
def test_a_tilted_head_is_levelled(degrees):
    """Turning a picture and cropping it gives the crop of the picture as it was, the head at most MAX_ROLL from upright."""
    y, x = np.mgrid[:160, :160]
    image = np.stack([x, y, (x + y) // 2], axis=-1).astype(np.uint8)  # smooth, so that resampling changes little
    keypoints, framing = face(80, 80, 15), MeanFraming(0.5, 0.55, 0.3)
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
    framing = MeanFraming(0.5, 0.55, 0.3)
    small = np.stack([face(30, 30, 8), face(34, 28, 9)])
    assert not is_framed(small, 64, framing) and is_framed(small, 64, measure_framing(small, 64))
    images, keypoints, sides = reframe(np.zeros((2, 64, 64, 3), np.uint8), small, framing, R)
    assert images.shape == (2, R, R, 3) and is_framed(keypoints, R, framing)
    np.testing.assert_allclose(sides, [8 / 0.3, 9 / 0.3], atol=0.5)


# ---- FFHQ's published alignment ----

FFHQ = FRAMINGS["ffhq"]


def published_quad(landmarks):
    """Corners [4, 2] of FFHQ's square (top left, bottom left, bottom right, top right), of landmarks that number pixels.

    Written anew after the dataset's published recipe, one statement a step.
    """
    eye_left, eye_right = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    eye_avg, eye_to_eye = (eye_left + eye_right) / 2, eye_right - eye_left
    eye_to_mouth = (landmarks[48] + landmarks[54]) / 2 - eye_avg
    x = eye_to_eye - np.array([-eye_to_mouth[1], eye_to_mouth[0]])
    x = x / np.linalg.norm(x) * max(2.0 * np.linalg.norm(eye_to_eye), 1.8 * np.linalg.norm(eye_to_mouth))
    y = np.array([-x[1], x[0]])
    c = eye_avg + 0.1 * eye_to_mouth
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])


def rolled(keypoints, degrees):
    """Keypoints of a head turned clockwise about its middle."""
    return (turned(keypoints - keypoints.mean(axis=0), np.radians(degrees)) + keypoints.mean(axis=0)).astype(np.float32)


def odd_face(degrees=0.0):
    """A rolled face in a picture of 900x800 px whose eyes and mouth are not straight below each other, as of a turned head."""
    points = face(430, 420, 90).astype(np.float64)
    points[:, 0] += 0.15 * (points[:, 1] - 420)
    points[48:] += [6, -9]
    return rolled(points, degrees)


def scenery():
    """A large picture of waves of 30 px and more, uint8 [800, 900, 3]."""
    y, x = np.mgrid[:800, :900]
    waves = [np.sin(x / 5 + y / 31), np.sin(y / 6 - x / 40), np.cos((x + y) / 9)]
    return np.round(127.5 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


@pytest.mark.parametrize("degrees", [0.0, 60.0, -60.0, 150.0])
def test_pixels_are_those_of_the_published_alignment(degrees):
    """Up to resampling: ours is bicubic, then Lanczos; the published one bilinear at four times the size, then averaged here.

    Bilinear sampling lowers waves of 30 px by (2 pi / 30)^2 / 8, half a level of 100, and Pillow cuts fractions off each time.
    """
    keypoints, side = odd_face(degrees), 128
    crop = framed(900, 800, keypoints, FFHQ)
    quad = published_quad(keypoints.astype(np.float64) - 0.5)  # the recipe numbers pixels, and adds half a pixel at the end
    theirs = Image.fromarray(scenery()).transform(
        (4 * side, 4 * side), Image.Transform.QUAD, tuple((quad + 0.5).ravel()), Image.Resampling.BILINEAR
    )
    theirs = np.asarray(theirs, np.float64).reshape(side, 4, side, 4, 3).mean(axis=(1, 3))
    ours = crop.apply(scenery(), side).astype(np.float64)
    inside = crop.restore(np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1) + 0.5, side)
    seen = ((inside > 4) & (inside < [896, 796])).all(axis=-1)
    assert seen.mean() > 0.9
    difference = np.abs(ours - theirs)[seen]
    assert difference.mean() < 1.5 and difference.max() < 6
    shifted = np.abs(np.roll(ours, 1, axis=1) - theirs)[seen]  # what a pixel beside it would be
    assert shifted.mean() > 15


@pytest.mark.parametrize("degrees", [0.0, 60.0, -60.0, 150.0])
def test_landmarks_go_through_the_published_square_and_back(degrees):
    keypoints, side = odd_face(degrees), 256
    crop = framed(900, 800, keypoints, FFHQ)
    quad = published_quad(keypoints.astype(np.float64))
    np.testing.assert_allclose(crop.restore(np.array([[0, 0], [0, side], [side, side], [side, 0]]), side), quad, atol=1e-3)
    moved = crop.move(keypoints, side)
    along, down = (quad[3] - quad[0]) / side**2, (quad[1] - quad[0]) / side**2
    scale = side**2 / np.square(np.linalg.norm(quad[3] - quad[0]) / side)
    wanted = np.stack([(keypoints - quad[0]) @ along, (keypoints - quad[0]) @ down], axis=-1) * scale / side
    np.testing.assert_allclose(moved, wanted, atol=1e-3)
    np.testing.assert_allclose(crop.restore(moved, side), keypoints, atol=1e-3)
    np.testing.assert_allclose(FFHQ.place(keypoints, side), moved, atol=1e-3)
    np.testing.assert_allclose(
        moved, framed(900, 800, odd_face(), FFHQ).move(odd_face(), side), atol=0.01
    )  # level, whatever the roll
    np.testing.assert_allclose(FFHQ.place(np.stack([moved, keypoints]), side), np.stack([moved, moved]), atol=1e-3)


@pytest.mark.parametrize(("stretch", "of"), [((1.0, 0.6), "eyes"), ((0.6, 1.0), "mouth")])
def test_the_larger_of_two_distances_decides_the_scale(stretch, of):
    keypoints = (face(0, 0, 90) * np.array(stretch) + [430, 420]).astype(np.float32)
    eyes = np.linalg.norm(keypoints[42:48].mean(axis=0) - keypoints[36:42].mean(axis=0))
    mouth = np.linalg.norm(keypoints[[48, 54]].mean(axis=0) - keypoints[36:48].mean(axis=0))
    assert framed(900, 800, keypoints, FFHQ).side == pytest.approx(4 * eyes if of == "eyes" else 3.6 * mouth, rel=1e-5)


def test_large_squares_are_reduced_before_they_are_turned():
    """A picture of 3600x3200 px gives what the same one of 900x800 gives."""
    large = scenery().repeat(4, axis=0).repeat(4, axis=1)
    made = framed(3600, 3200, 4 * odd_face(25), FFHQ).apply(large, 64).astype(int)
    wanted = framed(900, 800, odd_face(25), FFHQ).apply(scenery(), 64)
    assert np.abs(made - wanted).mean() < 1.5


def test_a_square_within_a_square():
    crop, inner = framed(900, 800, odd_face(40), FFHQ), Crop(10.0, -5.0, 30.0, 20.0)
    points = np.random.default_rng(0).uniform(0, 900, (20, 2))
    wanted = inner.move(crop.move(points, 64), 100)
    np.testing.assert_allclose(crop.within(inner, 64).move(points, 100), wanted, atol=1e-3)
    own = crop.within(FFHQ.square(crop.move(odd_face(40), 64)), 64)  # a face lies where its own square has it
    np.testing.assert_allclose(
        [own.left, own.top, own.side, own.angle], [crop.left, crop.top, crop.side, crop.angle], atol=1e-2
    )


def test_the_mean_face_lies_as_in_ffhq():
    """Eyes at 0.47 of the height, a quarter of the side apart or a little less, as every aligned portrait has them."""
    points = FFHQ.mean_face(256)
    right, left = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    assert right[1] == pytest.approx(left[1], abs=0.1) and 0.44 < right[1] / 256 < 0.5
    assert 0.2 < (left - right)[0] / 256 <= 0.25 and (left + right)[0] / 2 == pytest.approx(128, abs=0.1)
    assert is_framed(np.stack([points, points + 3]), 256, FFHQ)
    assert not is_framed(np.stack([rolled(points, 15), rolled(points, -15)]), 256, FFHQ)  # right on average alone
    assert is_framed(points[None], 256, FFHQ) and not is_framed(np.stack([face(128, 128, 85)] * 2), 256, FFHQ)


def test_networks_without_faces_refuse():
    for call in (FRAMINGS["faceless"].place, lambda points, side: framed(900, 800, points, FRAMINGS["faceless"])):
        with pytest.raises(InputError, match="draw no people's faces"):
            call(odd_face(), 64)
