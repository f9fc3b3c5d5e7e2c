"""Hausdorff distance and normalised mean error of landmarks, against closed forms and naive references."""

import numpy as np
import pytest
from helpers.made_up import R, column, edits_of, face

from jaxgan.evaluation.metrics import hausdorff, nme
from jaxgan.evaluation.pairs import COPY_SOURCE, INVERSION, MANIPULATED, NEAREST, RANDOM, RECONSTRUCTION
from jaxgan.models.landmarks import draw_landmarks


def naive_hausdorff(a, b):
    distances = [[float(np.hypot(*(p - q))) for q in b] for p in a]
    return max(max(min(line) for line in distances), max(min(line) for line in zip(*distances, strict=True)))


def test_hausdorff_distance_matches_the_definition():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.normal(size=(rng.integers(1, 9), 2)), rng.normal(size=(rng.integers(1, 9), 2))
        assert hausdorff.hausdorff_distance(a, b) == pytest.approx(naive_hausdorff(a, b), rel=1e-12)
        assert hausdorff.hausdorff_distance(a, b) == hausdorff.hausdorff_distance(b, a)


def test_parts_are_the_five_of_the_drawing():
    assert list(hausdorff.PARTS.values()) == [
        [*range(17)],
        [*range(17, 27)],
        [*range(27, 36)],
        [*range(36, 48)],
        [*range(60, 68)],
    ]


def test_landmark_hausdorff_sums_the_parts():
    """Parts that are points, moved by 1, 2, 3, 4 and 5 pixels, sum to 15 / R."""
    wanted = face()
    for points in hausdorff.PARTS.values():
        wanted[points] = wanted[points].mean(axis=0)
    found = wanted.copy()
    for distance, points in enumerate(hausdorff.PARTS.values(), start=1):
        found[points] += distance * np.array([0.6, 0.8], np.float32)
    found[48:60] += 100  # the outer lips do not count
    assert hausdorff.landmark_hausdorff(found, wanted, R) == pytest.approx(15 / R, rel=1e-5)


def test_colours_give_the_parts_back():
    points = face()
    groups = hausdorff.group_by_colour(np.asarray(draw_landmarks(points[None], R))[0])
    for own, pixels in zip(hausdorff.PARTS.values(), groups, strict=True):
        distances = np.linalg.norm(pixels[:, None] + 0.5 - points[own][None], axis=-1)
        assert distances.min(axis=0).max() <= 1.0  # a pixel of the part's colour at each of its points
        assert distances.min(axis=1).max() <= 2.5  # and none far from all of them
    assert not any(len(pixels) for pixels in hausdorff.group_by_colour(np.zeros((R, R, 3))))


def test_half_covered_lines_are_kept_in_their_colour():
    """A line on the border of two pixel rows covers half of each, the minimum coverage of a line's nearest pixel."""
    points = face()
    points[17:27, 1] = 4.0
    brows = hausdorff.group_by_colour(np.asarray(draw_landmarks(points[None], R))[0])[1]
    assert {3, 4} == set(brows[:, 1])


def test_drawn_hausdorff_follows_a_whole_shift():
    """A face moved by whole pixels moves every drawn pixel equally, so the distance is that of the sets of pixels."""
    wanted, found = (np.asarray(draw_landmarks(face(0.7, (dx, 0))[None], R))[0] for dx in (0, 3))
    assert hausdorff.drawn_hausdorff(wanted, wanted) == 0
    groups = hausdorff.group_by_colour(wanted)
    expected = sum(naive_hausdorff(g, g + np.array([[3, 0]])) for g in groups) / R
    assert hausdorff.drawn_hausdorff(found, wanted) == pytest.approx(expected, rel=1e-6)


def test_drawn_hausdorff_of_a_missing_part_is_nan():
    outside = face()
    outside[60:68] += 10 * R
    drawn = np.asarray(draw_landmarks(np.stack([face(), outside]), R))
    assert np.isnan(hausdorff.drawn_hausdorff(drawn[1], drawn[0]))


def test_normalised_errors():
    """The eyes' centres are 0.4 R apart; every point is off by 5."""
    wanted = face()[None]
    found = wanted + np.array([3, 4], np.float32)
    np.testing.assert_allclose(nme.normalised_errors(found, wanted), np.full((1, 68), 5 / (0.4 * R)), rtol=1e-5)


def test_parts_of_the_error_are_those_of_the_face():
    assert sorted(np.r_[tuple(s for slices in nme.PARTS.values() for s in slices)]) == [*range(68)]
    edits = edits_of(3, lambda images: [face()] * len(images))
    edits.rows[MANIPULATED].keypoints = np.stack([face()] * 3)
    edits.rows[MANIPULATED].keypoints[:, 48:] += 5  # the lips
    measurement = nme.measure(edits)
    assert column(measurement, "nme_lips").values[MANIPULATED] == pytest.approx(50**0.5 / (0.4 * R), rel=1e-5)
    assert column(measurement, "nme_jaw").values[MANIPULATED] == 0
    assert column(measurement, "nme").values[MANIPULATED] == pytest.approx(20 / 68 * 50**0.5 / (0.4 * R), rel=1e-5)


def test_quantiles_of_the_error():
    found = [face(0.7, (0, dy)) for dy in (0, 1, 2, 3, 9)]
    edits = edits_of(5, lambda images: found)
    edits.rows[MANIPULATED].keypoints = np.stack([face(0.7)] * 5)
    measurement = nme.measure(edits)
    unit = 0.4 * 0.7 * R
    assert column(measurement, "nme").values[MANIPULATED] == pytest.approx(3 / unit, rel=1e-5)
    assert column(measurement, "nme_median").values[MANIPULATED] == pytest.approx(2 / unit, rel=1e-5)
    assert column(measurement, "nme_p95").values[MANIPULATED] == pytest.approx((3 + 0.8 * 6) / unit, rel=1e-5)


def test_undetected_pictures_score_as_unedited_ones():
    """The detector finds every landmark in its place, but no face in the second and third picture of each row."""
    edits = edits_of(4)
    keypoints, wanted = edits.pairs.source_keypoints, edits.pairs.wanted
    for name in edits.asked():
        found = edits.rows[name].keypoints.copy()
        found[1:3] = np.nan
        edits.rows[name]._known["landmarks"] = found
    measured = hausdorff.measure(edits), nme.measure(edits)
    failed = [hausdorff.landmark_hausdorff(keypoints[i], wanted[i], R) for i in (1, 2)]
    for row in (MANIPULATED, RECONSTRUCTION, INVERSION, COPY_SOURCE, NEAREST):
        assert column(measured[0], "hausdorff").values[row] == pytest.approx(sum(failed) / 4) and min(failed) > 0
        expected = nme.normalised_errors(keypoints, wanted)[1:3].mean(axis=1).sum() / 4
        assert column(measured[1], "nme").values[row] == pytest.approx(expected)
        assert column(measured[0], "hausdorff_legacy").values[row] == 0  # the failures are left out
        assert column(measured[0], "undetected").values[row] == 0.5
    assert RANDOM not in column(measured[0], "hausdorff").values


def test_no_detection_at_all_is_no_error():
    measurement = hausdorff.measure(edits_of(3))
    assert column(measurement, "undetected").values[MANIPULATED] == 1
    assert np.isnan(column(measurement, "hausdorff_legacy").values[MANIPULATED])
    assert column(measurement, "hausdorff").values[MANIPULATED] == column(measurement, "hausdorff").values[COPY_SOURCE]
