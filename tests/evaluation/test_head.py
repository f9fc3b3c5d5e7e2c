"""Aspect ratios of eyes and mouth against closed forms."""

import numpy as np
import pytest

from jaxgan.evaluation.metrics.head import eye_aspect_errors, eye_aspect_ratios, mouth_aspect_errors, mouth_aspect_ratio

# Gaps of 4 and 2 over a width of 10: 0.3; 6 and 4 over 20: 0.25; 3, 6 and 3 over 8: 0.5.
RIGHT_EYE = [(0, 0), (3, -2), (7, -1), (10, 0), (7, 1), (3, 2)]
LEFT_EYE = [(0, 0), (6, -4), (14, -1), (20, 0), (14, 3), (6, 2)]
INNER_LIPS = [(0, 0), (2, -1), (4, -3), (6, -1), (8, 0), (6, 2), (4, 3), (2, 2)]


def face() -> np.ndarray:
    """One face [68, 2] whose ratios are known; all other landmarks are far away."""
    points = np.full((68, 2), 1e4)
    points[36:42], points[42:48], points[60:68] = RIGHT_EYE, LEFT_EYE, INNER_LIPS
    return points


def test_closed_forms():
    np.testing.assert_allclose(eye_aspect_ratios(face()), [0.3, 0.25], rtol=1e-12)
    np.testing.assert_allclose(mouth_aspect_ratio(face()), 0.5, rtol=1e-12)


def test_gaps_are_distances_not_heights():
    slanted = face()
    slanted[37] = slanted[41] + np.array([3, -4])  # a gap of 5 where it was 4
    np.testing.assert_allclose(eye_aspect_ratios(slanted), [0.35, 0.25], rtol=1e-12)
    slanted[61] = slanted[67] + np.array([4.8, -3.6])  # 6 where it was 3
    np.testing.assert_allclose(mouth_aspect_ratio(slanted), 0.625, rtol=1e-12)


def test_similarities_change_nothing():
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    moved = 3.5 * face() @ turn.T + np.array([100.0, -7.0])
    np.testing.assert_allclose(eye_aspect_ratios(moved), eye_aspect_ratios(face()), rtol=1e-9)
    np.testing.assert_allclose(mouth_aspect_ratio(moved), mouth_aspect_ratio(face()), rtol=1e-9)


def test_only_the_lids_and_the_inner_lips_count():
    used = [*range(36, 48), *range(60, 68)]
    for landmark in range(68):
        points = face()
        points[landmark] += np.array([1.0, 2.0])
        before, after = (np.append(eye_aspect_ratios(p), mouth_aspect_ratio(p)) for p in (face(), points))
        assert (before != after).any() == (landmark in used), landmark


def test_closed_eyes_and_mouth_are_zero():
    shut = face()
    shut[[40, 41, 46, 47]], shut[[65, 66, 67]] = shut[[38, 37, 44, 43]], shut[[63, 62, 61]]
    assert eye_aspect_ratios(shut).tolist() == [0, 0] and mouth_aspect_ratio(shut) == 0


def test_leading_axes_and_precision():
    faces = np.stack([face()] * 6).reshape(2, 3, 68, 2).astype(np.float32)
    assert eye_aspect_ratios(faces).shape == (2, 3, 2) and mouth_aspect_ratio(faces).shape == (2, 3)
    assert eye_aspect_ratios(faces).dtype == mouth_aspect_ratio(faces).dtype == np.float64
    assert eye_aspect_ratios(faces[:0]).shape == (0, 3, 2)


def test_errors_are_absolute_and_the_mean_of_both_eyes():
    wider = face()
    wider[[37, 38], 1] -= 2  # right eye 0.3 -> 0.5
    wider[[46, 47], 1] -= 2  # left eye 0.25 -> 0.15
    wider[[61, 62, 63], 1] -= 2  # mouth 0.5 -> 0.75
    found, wanted = np.stack([face(), face(), wider]), np.stack([face(), wider, face()])
    np.testing.assert_allclose(eye_aspect_errors(found, wanted), [0, 0.15, 0.15], atol=1e-12)
    np.testing.assert_allclose(mouth_aspect_errors(found, wanted), [0, 0.25, 0.25], atol=1e-12)


def test_missing_landmarks_and_meeting_corners_are_nan():
    faces = np.stack([face()] * 4)
    faces[0] = np.nan
    faces[1, 36:42], faces[2, 64] = faces[1, 36], faces[2, 60]
    np.testing.assert_array_equal(np.isnan(eye_aspect_ratios(faces)), [[1, 1], [1, 0], [0, 0], [0, 0]])
    np.testing.assert_array_equal(np.isnan(mouth_aspect_ratio(faces)), [1, 0, 1, 0])
    np.testing.assert_array_equal(np.isnan(eye_aspect_errors(faces, faces[::-1])), [1, 1, 1, 1])
    np.testing.assert_array_equal(np.isnan(mouth_aspect_errors(faces, faces[[3, 3, 3, 3]])), [1, 0, 1, 0])


@pytest.mark.parametrize("measure", [eye_aspect_ratios, mouth_aspect_ratio])
def test_another_number_of_landmarks_is_an_error(measure):
    with pytest.raises(ValueError, match=r"\[3, 67, 2\]"):
        measure(np.zeros((3, 67, 2)))
