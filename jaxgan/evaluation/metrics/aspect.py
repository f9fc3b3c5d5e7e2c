"""How far eyes and mouth are open, from 68 landmarks: ratios of distances, which no shift, turn in the image or zoom alters."""

import numpy as np

from jaxgan.data.landmarks import INNER_LIPS, LEFT_EYE, NUM_LANDMARKS, RIGHT_EYE


def eye_aspect_ratios(keypoints: np.ndarray) -> np.ndarray:
    """Openness float64 [..., 2] of the right and the left eye in landmarks [..., 68, 2]; about 0.3 open, near 0 closed.

    Equation 1 of Soukupova and Cech, "Real-time eye blink detection using facial landmarks" (2016): the mean of the two
    distances between the lids over the distance of the corners. NaN where the corners meet or a landmark is NaN;
    ValueError for another shape.
    """
    _check(keypoints)
    ratios = [_openness(keypoints[..., eye, :], corners=(0, 3), gaps=((1, 5), (2, 4))) for eye in (RIGHT_EYE, LEFT_EYE)]
    return np.stack(ratios, axis=-1)


def mouth_aspect_ratio(keypoints: np.ndarray) -> np.ndarray:
    """Openness float64 [...] of the mouth in landmarks [..., 68, 2]; 0 closed, about 1 wide open.

    The same ratio for the inner lips: the mean of the three gaps between them (61-67, 62-66, 63-65) over the distance of
    their corners (60-64). NaN where the corners meet or a landmark is NaN; ValueError for another shape.
    """
    _check(keypoints)
    return _openness(keypoints[..., INNER_LIPS, :], corners=(0, 4), gaps=((1, 7), (2, 6), (3, 5)))


def eye_aspect_errors(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Absolute difference float64 [N] of the eyes' aspect ratios in landmarks [N, 68, 2], mean of both eyes."""
    return np.abs(eye_aspect_ratios(found) - eye_aspect_ratios(wanted)).mean(axis=-1)


def mouth_aspect_errors(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Absolute difference float64 [N] of the mouth's aspect ratio in landmarks [N, 68, 2]."""
    return np.abs(mouth_aspect_ratio(found) - mouth_aspect_ratio(wanted))


def _check(keypoints: np.ndarray) -> None:
    if keypoints.shape[-2:] != (NUM_LANDMARKS, 2):
        raise ValueError(f"keypoints must be [..., {NUM_LANDMARKS}, 2], got {list(keypoints.shape)}")


def _openness(points: np.ndarray, corners: tuple[int, int], gaps: tuple[tuple[int, int], ...]) -> np.ndarray:
    """Mean distance [...] of the pairs `gaps` of points [..., P, 2] over that of the pair `corners`."""
    points = np.asarray(points, np.float64)
    height = np.mean([_distance(points, *gap) for gap in gaps], axis=0)
    width = _distance(points, *corners)
    return height / np.where(width > 0, width, np.nan)


def _distance(points: np.ndarray, first: int, second: int) -> np.ndarray:
    return np.linalg.norm(points[..., first, :] - points[..., second, :], axis=-1)
