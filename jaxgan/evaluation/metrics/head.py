"""Whether the head turns and the face opens as requested: pose in degrees, aspect ratios of eyes and mouth."""

import numpy as np

from jaxgan.data.landmarks import INNER_LIPS, LEFT_EYE, NUM_LANDMARKS, RIGHT_EYE
from jaxgan.evaluation.edits import FAILURES, Edits
from jaxgan.evaluation.measurement import Measurement, mean_column
from jaxgan.evaluation.metrics.pose import pose_errors


def eye_aspect_ratios(keypoints: np.ndarray) -> np.ndarray:
    """Openness of the eyes: mean distance between the lids over the distance between the corners.

    Like every ratio of distances, it is invariant to shift, in-plane rotation and scale.

    Args:
      keypoints: [..., 68, 2] landmarks.

    Returns:
      float64 [..., 2] for the right and the left eye, about 0.3 open and near 0 closed; NaN if the corners coincide or a
      landmark is NaN.

    Raises:
      ValueError: keypoints have another shape.

    References:
      Soukupová and Čech, Real-time eye blink detection using facial landmarks, 2016, equation 1.
    """
    _check(keypoints)
    ratios = [_openness(keypoints[..., eye, :], corners=(0, 3), gaps=((1, 5), (2, 4))) for eye in (RIGHT_EYE, LEFT_EYE)]
    return np.stack(ratios, axis=-1)


def mouth_aspect_ratio(keypoints: np.ndarray) -> np.ndarray:
    """Openness of the mouth: mean of the gaps 61-67, 62-66 and 63-65 over the distance between the corners 60 and 64.

    Args:
      keypoints: [..., 68, 2] landmarks.

    Returns:
      float64 [...], 0 closed and about 1 wide open; NaN if the corners coincide or a landmark is NaN.

    Raises:
      ValueError: keypoints have another shape.
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


def measure(edits: Edits) -> Measurement:
    """Errors of pose and expression between the landmarks detected in the pictures and the requested ones."""
    resolution = edits.pairs.sources.shape[1]
    scored = {row: edits.scored(row) for row in edits.asked()}
    poses = {row: pose_errors(*pair, resolution) for row, pair in scored.items()}
    eyes = {row: eye_aspect_errors(*pair) for row, pair in scored.items()}
    mouths = {row: mouth_aspect_errors(*pair) for row, pair in scored.items()}
    return Measurement(
        "Pose and expression",
        (
            mean_column("pose", "angle between the head poses of detected and requested landmarks, degrees", "lower", poses),
            mean_column("eyes", "error of the eyes' aspect ratio (height / width), mean of both", "lower", eyes),
            mean_column("mouth", "error of the inner lips' aspect ratio (height / width)", "lower", mouths),
        ),
        (f"pose, eyes, mouth: {FAILURES}",),
    )
