"""Head pose from 68 landmarks: the perspective-n-point problem for the nose and the corners of the eyes.

Rotations follow `face_model.rotation`: they map the axes of the head to those of the camera, in both of which x points to the
right of the image, y down and z towards the viewer. (OpenCV's z points away from the viewer: negate it in both.)
"""

import functools

import jax
import numpy as np

from jaxgan.data.landmarks import NOSE_BASE, NOSE_BRIDGE, NUM_LANDMARKS
from jaxgan.faces import model as face_model
from jaxgan.faces.parameters import Identity, Pose, sample_identities

# Focal length over the image's side. The lens of a photograph is unknown; this is the one that EG3D (Chan et al. 2022)
# assumes for aligned portraits: 13 degrees across, seen from 16 head units or 1.1 m. Procedural portraits are orthographic,
# so their rotations are underestimated by 8 to 9%, for detected and requested landmarks alike. The customary value of 1 puts
# the camera at 0.3 m, closer than portraits are taken, and would be off by a third.
FOCAL_LENGTH = 4.2647

# Fixed by bone and cartilage; the jaw line slides around a turning head, and brows, lids and lips make expressions.
RIGID = np.r_[NOSE_BRIDGE, NOSE_BASE, 36, 39, 42, 45]

_PEOPLE = 256  # whose mean is the model; each measure is then within 4% of its range of the true mean
_MOST_STEPS = 100  # faces need five to fifty, more if their landmarks are far from the mean face's
_CONVERGED = 1e-9  # radians, and fractions of the distance; a negligible step
_NEAREST = 1e-3  # head units; depth assigned to points behind the camera, whose errors then are too large to accept
_SMALLEST = 1e-9  # sides of the image; landmarks that span less show no face


def head_rotations(keypoints: np.ndarray, resolution: int) -> np.ndarray:
    """Rotations that project the mean face onto landmarks with the smallest squared error.

    Args:
      keypoints: [N, 68, 2] iBUG-68 landmarks (x, y) in pixels, with pixel centres at integer + 0.5; only `RIGID` ones matter.
      resolution: height and width of the image in pixels; the optical axis meets its centre.

    Returns:
      float64 [N, 3, 3]; NaN for a face if any of its 68 landmarks is not finite or the rigid ones coincide.

    Raises:
      ValueError: keypoints have another shape, or resolution is not positive.
    """
    if keypoints.ndim != 3 or keypoints.shape[1:] != (NUM_LANDMARKS, 2):
        raise ValueError(f"keypoints must be [N, {NUM_LANDMARKS}, 2], got {list(keypoints.shape)}")
    if resolution <= 0:
        raise ValueError(f"resolution must be positive, got {resolution}")
    plane = np.asarray(keypoints, np.float64) / resolution - 0.5
    known = np.isfinite(plane).all(axis=(1, 2))
    plane = plane[:, RIGID]
    known[known] = np.ptp(plane[known], axis=1).max(axis=1) > _SMALLEST
    rotations = np.full((len(plane), 3, 3), np.nan)
    rotations[known] = _solve(plane[known] / FOCAL_LENGTH)
    return rotations


def pose_errors(found: np.ndarray, wanted: np.ndarray, resolution: int) -> np.ndarray:
    """Angles of the rotations between the poses of two sets of landmarks.

    Args:
      found: [N, 68, 2] landmarks in pixels.
      wanted: the same.
      resolution: height and width of the image in pixels.

    Returns:
      float64 [N] in degrees, 0 to 180; NaN if either face has no pose.

    Raises:
      ValueError: as for `head_rotations`, or the shapes differ.
    """
    if found.shape != wanted.shape:
        raise ValueError(f"found is {list(found.shape)}, wanted {list(wanted.shape)}: their shapes must be equal")
    between = head_rotations(found, resolution) @ np.swapaxes(head_rotations(wanted, resolution), 1, 2)
    axis = between[:, [2, 0, 1], [1, 2, 0]] - between[:, [1, 2, 0], [2, 0, 1]]  # 2 sin(angle) long
    # the arc cosine of the trace alone loses all precision near 0, where errors should be
    return np.degrees(np.arctan2(np.linalg.norm(axis, axis=1), np.trace(between, axis1=1, axis2=2) - 1))


def yaw_pitch_roll(rotations: np.ndarray) -> np.ndarray:
    """Angles [N, 3] in degrees of rotations [N, 3, 3], which are roll @ pitch @ yaw as in `face_model.rotation`.

    Yaw, -180 to 180: positive when the face turns to the right of the image. Pitch, -90 to 90: positive when it looks up.
    Roll, -180 to 180: positive when the head turns clockwise in the image. At a pitch of 90 either way only the sum or
    the difference of yaw and roll is determined. NaN stays NaN.
    """
    r = rotations
    yaw = np.arctan2(-r[:, 2, 0], r[:, 2, 2])
    pitch = np.arctan2(r[:, 2, 1], np.hypot(r[:, 2, 0], r[:, 2, 2]))
    roll = np.arctan2(-r[:, 0, 1], r[:, 1, 1])
    return np.degrees(np.stack([yaw, pitch, roll], axis=1))


@functools.cache
def rigid_points() -> np.ndarray:
    """The `RIGID` landmarks of the mean procedural face at rest: float64 [13, 3], head units, in the axes of the head."""
    mean = Identity(*(field.mean(axis=0) for field in sample_identities(0, range(_PEOPLE))))
    rest = Pose(**dict.fromkeys(Pose._fields, np.float32(0)))._replace(scale=np.float32(1))
    points = jax.jit(lambda: face_model.landmarks(face_model.shape_face(mean, rest), rest))()
    return np.asarray(points, np.float64)[RIGID]


def _rotation_matrices(vectors: np.ndarray) -> np.ndarray:
    """Rotations [N, 3, 3] about vectors [N, 3] by their lengths in radians: Rodrigues' formula."""
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    cross = _cross_matrices(vectors)
    sine, half = np.sinc(angle / np.pi), np.sinc(angle / (2 * np.pi))  # sin(x) / x of the angle and its half
    return np.eye(3) + sine * cross + 0.5 * half**2 * (cross @ cross)


def _cross_matrices(vectors: np.ndarray) -> np.ndarray:
    """Matrices [..., 3, 3] that take a vector to its cross product with `vectors` [..., 3], on the right."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vectors.shape, 3)


def _weak_perspective(plane: np.ndarray, model: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations [N, 3, 3] and positions [N, 3] of the centred model [P, 3] for points [N, P, 2], neglecting its depth.

    This is the POS algorithm, except that the rows of the affine camera are replaced by the nearest orthonormal pair (from its
    singular value decomposition), which favours neither row.

    References:
      DeMenthon and Davis, Model-based object pose in 25 lines of code, 1995.
    """
    centre = plane.mean(axis=1)
    affine = np.swapaxes(np.linalg.pinv(model) @ (plane - centre[:, None]), 1, 2)  # [N, 2, 3]
    u, scales, v = np.linalg.svd(affine, full_matrices=False)
    rows = u @ v
    rotation = np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], axis=1)
    distance = 1 / np.maximum(scales.mean(axis=1), _SMALLEST)[:, None]
    return rotation, np.concatenate([centre * distance, -distance], axis=1)


def _linearise(plane: np.ndarray, model: np.ndarray, rotation: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, ...]:
    """Squared error [N] of a pose, and the normal equations of the next step: J^T J [N, 6, 6] and J^T r [N, 6].

    A step consists of a rotation vector, applied on the left, and a shift in fractions of the distance.
    """
    arms = model @ np.swapaxes(rotation, 1, 2)
    points = arms + position[:, None]
    depth = np.maximum(-points[..., 2:], _NEAREST)
    image = points[..., :2] / depth
    residuals = (image - plane).reshape(len(plane), 2 * len(model), 1)
    by_point = np.concatenate([np.broadcast_to(np.eye(2), (*image.shape, 2)), image[..., None]], axis=-1) / depth[..., None]
    by_turn = -by_point @ _cross_matrices(arms)
    by_shift = by_point * -position[:, None, None, 2:]
    jacobian = np.concatenate([by_turn, by_shift], axis=-1).reshape(len(plane), 2 * len(model), 6)
    transposed = np.swapaxes(jacobian, 1, 2)
    return np.sum(residuals**2, axis=(1, 2)), transposed @ jacobian, (transposed @ residuals)[..., 0]


def _solve(plane: np.ndarray) -> np.ndarray:
    """Rotations [N, 3, 3] for `RIGID` landmarks [N, 13, 2], measured from the optical axis in focal lengths.

    Uses the Levenberg-Marquardt algorithm with Marquardt's scaling and one damping factor per face. A single start suffices:
    the 13 points are far from coplanar, so there is one affine camera rather than the mirrored pair of a plane.

    References:
      Marquardt, An algorithm for least-squares estimation of nonlinear parameters, 1963.
    """
    model = rigid_points() - rigid_points().mean(axis=0)
    pose = _weak_perspective(plane, model)
    state = (*pose, *_linearise(plane, model, *pose))
    damping = np.full(len(plane), 1e-3)
    for _ in range(_MOST_STEPS):
        rotation, position, error, normal, gradient = state
        damped = normal * (1 + damping[:, None, None] * np.eye(6))
        step = -np.linalg.solve(damped, gradient[..., None])[..., 0]
        pose = _rotation_matrices(step[:, :3]) @ rotation, position - step[:, 3:] * position[:, 2:]
        trial = (*pose, *_linearise(plane, model, *pose))
        better = trial[2] < error
        state = tuple(_choose(better, *pair) for pair in zip(trial, state, strict=True))
        damping = np.clip(np.where(better, damping / 10, damping * 10), 1e-12, 1e12)
        if (np.abs(step) < _CONVERGED).all():
            break
    return state[0]


def _choose(first: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Entries of a [N, ...] where `first` [N] is true, of b elsewhere."""
    return np.where(np.expand_dims(first, tuple(range(1, a.ndim))), a, b)
