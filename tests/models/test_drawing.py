"""Landmark images: colours, parts, coverage, and a slow reference."""

import numpy as np
import pytest

from jaxgan.models.landmarks import draw_landmarks, landmarks_from_keypoints

GREEN, ORANGE, BLUE, RED, PINK, BLACK = (
    (0, 128, 0),
    (255, 165, 0),
    (0, 0, 255),
    (255, 0, 0),
    (255, 192, 203),
    (0, 0, 0),
)
# (first point, last point, closed, colour) of the specification, painted in this order
PARTS = [
    (0, 16, False, GREEN),
    (17, 21, False, ORANGE),
    (22, 26, False, ORANGE),
    (27, 30, False, BLUE),
    (31, 35, False, BLUE),
    (36, 41, True, RED),
    (42, 47, True, RED),
    (60, 67, True, PINK),
]
R = 48
AWAY = -100.0  # pixels, far outside


def only(points: dict[int, tuple[float, float]], rest: float = AWAY) -> np.ndarray:
    """Keypoints [1, 68, 2] with the given points, and all others outside the image."""
    keypoints = np.full((1, 68, 2), rest, np.float32)
    for index, point in points.items():
        keypoints[0, index] = point
    return keypoints


def spread(first: int, last: int) -> dict[int, tuple[float, float]]:
    """Points of a part, at pixel centres on an ellipse and several pixels apart."""
    turn = np.arange(last - first + 1) * 2 * np.pi / (last - first + 1)
    places = np.stack([24 + 20 * np.cos(turn), 24 + 16 * np.sin(turn)], axis=1)
    return {first + i: tuple(np.floor(place) + 0.5) for i, place in enumerate(places)}


def colour_at(image: np.ndarray, point: tuple[float, float]) -> tuple[int, ...]:
    x, y = (int(coordinate) for coordinate in point)
    return tuple(np.rint(np.asarray(image)[y, x] * 255).astype(int))


def midpoint(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


def face(batch: int, resolution: int, seed: int = 0) -> np.ndarray:
    """Random keypoints [B, 68, 2], some outside the image."""
    return np.random.default_rng(seed).uniform(-4, resolution + 4, (batch, 68, 2)).astype(np.float32)


def reference(keypoints: np.ndarray, resolution: int) -> np.ndarray:
    """One landmark image [R, R, 3], pixel by pixel and segment by segment in float64."""
    points = keypoints.astype(np.float64)
    image = np.zeros((resolution, resolution, 3))
    for first, last, closed, colour in PARTS:
        segments = [(i, i + 1) for i in range(first, last)] + ([(last, first)] if closed else [])
        for row, column in np.ndindex(resolution, resolution):
            centre = np.array([column + 0.5, row + 0.5])
            nearest = np.inf
            for a, b in segments:
                start, along = points[a], points[b] - points[a]
                t = np.clip((centre - start) @ along / (along @ along), 0, 1)
                nearest = min(nearest, np.linalg.norm(centre - start - t * along))
            cover = max(0.0, 1 - nearest)
            image[row, column] = (1 - cover) * image[row, column] + cover * np.array(colour) / 255
    return image


def covered(image, point, colour):
    """Whether a line passes through a point: the centre of its pixel is at most sqrt(1/2) away, a coverage of at least 0.29."""
    x, y = (int(coordinate) for coordinate in point)
    return bool(image[y, x].max() >= (1 - np.sqrt(0.5)) * max(colour) / 255 - 1e-5)


@pytest.mark.parametrize("first, last, closed, colour", PARTS)
def test_each_part_is_drawn_in_its_colour(first, last, closed, colour):
    points = spread(first, last)
    # the other parts lie on one point outside, so that nothing else is drawn
    image = np.asarray(draw_landmarks(only(points), R)[0])
    assert {colour_at(image, point) for point in points.values()} == {colour}
    for a, b in zip(range(first, last), range(first + 1, last + 1), strict=True):
        middle = midpoint(points[a], points[b])
        assert covered(image, middle, colour), f"segment {a}-{b} is missing"
    assert covered(image, midpoint(points[last], points[first]), colour) == closed
    inks = image.reshape(-1, 3)[image.reshape(-1, 3).max(axis=1) > 0]
    np.testing.assert_allclose(inks / inks.max(axis=1, keepdims=True), np.tile(colour, (len(inks), 1)) / max(colour), atol=1e-5)


def test_outer_lips_are_not_drawn():
    assert not np.any(draw_landmarks(only(spread(48, 59)), R))


def test_parts_are_not_joined():
    ends = {16: (4.5, 4.5), 17: (40.5, 4.5), 21: (4.5, 40.5), 22: (40.5, 40.5)}
    keypoints = only(ends)
    for index in range(16):
        keypoints[0, index] = ends[16]
    keypoints[0, 18:22] = ends[21]
    keypoints[0, 17] = ends[21]
    keypoints[0, 22:27] = ends[22]
    image = draw_landmarks(keypoints, R)[0]
    assert colour_at(image, ends[16]) == GREEN and colour_at(image, ends[21]) == ORANGE
    assert np.count_nonzero(np.asarray(image).max(axis=-1)) == 3, "only three points"


def horizontal(y: float) -> np.ndarray:
    keypoints = only({})
    keypoints[0, :17, 0] = np.linspace(8.5, 40.5, 17)
    keypoints[0, :17, 1] = y
    return keypoints


@pytest.mark.parametrize("y, rows", [(20.5, {20: 1.0}), (21.0, {20: 0.5, 21: 0.5}), (20.75, {20: 0.75, 21: 0.25})])
def test_coverage_of_a_horizontal_line(y, rows):
    image = draw_landmarks(horizontal(y), R)[0]
    expected = np.zeros((R, R, 3))
    for row, cover in rows.items():
        expected[row, 8:41, 1] = cover * 128 / 255
    np.testing.assert_allclose(image[:, 8:41], expected[:, 8:41], atol=1e-5)


def test_coverage_falls_off_with_the_distance_to_an_end():
    keypoints = only({})
    keypoints[0, :17] = (20.5, 20.5)  # a curve that is one point
    image = np.asarray(draw_landmarks(keypoints, R)[0])
    assert np.count_nonzero(image) == 1 and image[20, 20, 1] == pytest.approx(128 / 255)
    keypoints[0, :17] = (20.75, 20.5)
    image = np.asarray(draw_landmarks(keypoints, R)[0])
    np.testing.assert_allclose(image[20, 20:22, 1], [0.75 * 128 / 255, 0.25 * 128 / 255], rtol=1e-5)


def test_later_parts_are_painted_over_earlier_ones():
    keypoints = horizontal(20.5)
    keypoints[0, 60:68] = (24.5, 20.5)
    image = draw_landmarks(keypoints, R)[0]
    assert colour_at(image, (24.5, 20.5)) == PINK and colour_at(image, (22.5, 20.5)) == GREEN


@pytest.mark.parametrize("shift", [(3, 0), (0, -5), (-2, 4)])
def test_whole_pixel_translation_translates_the_image(shift):
    keypoints = 14 + face(1, 20, seed=3) * 0.8
    image = np.asarray(draw_landmarks(keypoints, R)[0])
    moved = np.asarray(draw_landmarks(keypoints + np.array(shift, np.float32), R)[0])
    np.testing.assert_allclose(moved, np.roll(image, shift[::-1], axis=(0, 1)), atol=1e-4)


def test_mirrored_keypoints_give_the_mirrored_jaw():
    keypoints = only(spread(0, 16), rest=-1000.0)
    mirrored = keypoints * np.array([-1, 1], np.float32) + np.array([R, 0], np.float32)
    image = np.asarray(draw_landmarks(keypoints, R))
    np.testing.assert_allclose(draw_landmarks(mirrored, R), image[:, :, ::-1], atol=1e-5)


@pytest.mark.parametrize("place", [-1e4, 1e4])
def test_landmarks_outside_leave_the_image_black(place):
    assert not np.any(draw_landmarks(only({}, rest=place), R))


def test_a_line_that_leaves_the_image_is_cut_at_its_border():
    keypoints = only({})
    keypoints[0, :17, 0] = np.linspace(-500, 500, 17)
    keypoints[0, :17, 1] = 20.5
    image = np.asarray(draw_landmarks(keypoints, R)[0])
    np.testing.assert_allclose(image[20], np.tile(np.array(GREEN) / 255, (R, 1)), atol=1e-5)


def test_agrees_with_the_slow_reference():
    for resolution in (12, 20):
        keypoints = face(2, resolution, seed=resolution)
        images = draw_landmarks(keypoints, resolution)
        assert images.shape == (2, resolution, resolution, 3) and images.dtype == np.float32
        for image, points in zip(images, keypoints, strict=True):
            np.testing.assert_allclose(image, reference(points, resolution), atol=1e-4)


def test_a_batch_equals_one_at_a_time():
    keypoints = face(3, R)
    one = np.concatenate([draw_landmarks(keypoints[i : i + 1], R) for i in range(3)])
    np.testing.assert_allclose(draw_landmarks(keypoints, R), one, atol=1e-5)


@pytest.mark.parametrize("shape", [(68, 2), (1, 67, 2), (1, 68, 3), (1, 136)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"keypoints must be \[B, 68, 2\], got \[.*" + f"{shape[-1]}]"):
        draw_landmarks(np.zeros(shape, np.float32), R)


def test_networks_read_coordinates_and_images_in_unit_range():
    keypoints = face(2, R)
    keypoints[0, :2] = [[0, 0], [R, R / 2]]
    landmarks = landmarks_from_keypoints(keypoints, R)
    np.testing.assert_allclose(landmarks.keypoints[0, :2], [[-1, -1], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(landmarks.image, 2 * np.asarray(draw_landmarks(keypoints, R)) - 1, atol=1e-6)
