"""Head pose: exact projections, OpenCV's solver, SciPy's rotations and the poses of procedural portraits."""

import itertools

import jax
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from jaxgan.data.landmarks import MIRROR_INDEX
from jaxgan.evaluation.metrics.pose import FOCAL_LENGTH, RIGID, head_rotations, pose_errors, rigid_points, yaw_pitch_roll
from jaxgan.faces import model as face_model
from jaxgan.faces.parameters import Identity, Pose, sample_identities, sample_poses

RESOLUTION = 256
TOWARDS_VIEWER = np.diag([1.0, 1.0, -1.0])  # from OpenCV's axes, where z points away, and back


def head(yaw, pitch, roll) -> np.ndarray:
    """Rotations [N, 3, 3] of angles [N] in degrees: about y first, then x, then z."""
    return Rotation.from_euler("yxz", np.stack([yaw, pitch, roll], axis=1), degrees=True).as_matrix()


def random_heads(count: int, seed: int) -> np.ndarray:
    angles = np.random.default_rng(seed).uniform(-1, 1, (3, count)) * np.array([[60], [40], [40]])
    return head(*angles)


def project(rotations: np.ndarray, distance, shift=(0.0, 0.0), seed: int = 0) -> np.ndarray:
    """Landmarks [N, 68, 2] in pixels of the mean face at `distance` and `shift` in head units; random except the rigid ones."""
    keypoints = np.random.default_rng(seed).uniform(0, RESOLUTION, (len(rotations), 68, 2))
    points = rigid_points() @ np.swapaxes(rotations, 1, 2)
    depth = np.reshape(distance, (-1, 1, 1)) - points[..., 2:]
    plane = (points[..., :2] + np.reshape(shift, (-1, 1, 2))) / depth
    keypoints[:, RIGID] = (FOCAL_LENGTH * plane + 0.5) * RESOLUTION
    return keypoints


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees((Rotation.from_matrix(a) * Rotation.from_matrix(b).inv()).magnitude())


def test_the_model_is_a_face():
    whole = np.full((68, 3), np.nan)
    whole[RIGID] = rigid_points()
    np.testing.assert_allclose(whole[MIRROR_INDEX] * np.array([-1, 1, 1]), whole, atol=1e-6)
    assert np.nanargmax(whole[:, 2]) == 30 and rigid_points().dtype == np.float64  # the tip of the nose
    assert whole[39, 0] < 0 < whole[42, 0] and whole[33, 1] > whole[27, 1]  # right eye, left eye; nose below its root


@pytest.mark.parametrize(("size", "shift"), [(1.0, (0, 0)), (1.3, (0.4, -0.6)), (0.3, (4, 3)), (0.1, (-12, 15))])
def test_exact_projections_give_exact_poses(size, shift):
    angles = np.array(list(itertools.product((-60, -25, 0, 10, 60), (-40, 0, 15, 40), (-40, -5, 0, 40))), np.float64)
    rotations = head(*angles.T)
    keypoints = project(rotations, distance=FOCAL_LENGTH * face_model.UNITS_PER_IMAGE / size, shift=shift)
    found = head_rotations(keypoints, RESOLUTION)
    np.testing.assert_allclose(found, rotations, atol=1e-9)
    np.testing.assert_allclose(yaw_pitch_roll(found), angles, atol=1e-6)
    np.testing.assert_allclose(head_rotations(4 * keypoints, 4 * RESOLUTION), rotations, atol=1e-9)


@pytest.mark.parametrize("noise", [0.1, 0.5, 2.0])
def test_noisy_landmarks_agree_with_opencv(noise):
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(1)
    rotations = random_heads(100, 2)
    distance, shift = rng.uniform(13, 25, 100), rng.uniform(-1.5, 1.5, (100, 2))
    keypoints = project(rotations, distance, shift) + noise * rng.standard_normal((100, 68, 2))
    focal = FOCAL_LENGTH * RESOLUTION
    camera = np.array([[focal, 0, RESOLUTION / 2], [0, focal, RESOLUTION / 2], [0, 0, 1]])
    model = rigid_points() @ TOWARDS_VIEWER
    until = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 1000, 1e-12)
    references = []
    for points, rotation, z, xy in zip(keypoints[:, RIGID].copy(), rotations, distance, shift, strict=True):
        # a start a little off the truth: without one OpenCV's linear solution is at times behind the camera
        start = cv2.Rodrigues(TOWARDS_VIEWER @ rotation @ TOWARDS_VIEWER)[0] + 0.1, np.array([*xy, 1.1 * z])[:, None].copy()
        flags = cv2.SOLVEPNP_ITERATIVE
        _, *pose = cv2.solvePnP(model, points, camera, None, *start, useExtrinsicGuess=True, flags=flags)
        turn, _ = cv2.solvePnPRefineLM(model, points, camera, None, *pose, criteria=until)
        references.append(TOWARDS_VIEWER @ cv2.Rodrigues(turn)[0] @ TOWARDS_VIEWER)
    found = head_rotations(keypoints, RESOLUTION)
    assert degrees_between(found, np.stack(references)).max() < 0.01
    assert degrees_between(found, rotations).min() > 0.1 * noise  # the noise did turn the faces


def test_faces_do_not_influence_each_other():
    keypoints = project(random_heads(20, 3), distance=20.0) + np.random.default_rng(3).normal(0, 3, (20, 68, 2))
    alone = np.concatenate([head_rotations(each[None], RESOLUTION) for each in keypoints])
    np.testing.assert_allclose(head_rotations(keypoints, RESOLUTION), alone, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 1e-6, 0.01, 1.0, 60.0, 90.0])
def test_pose_errors_are_the_angles_between_poses(angle):
    wanted = head(*np.zeros((3, 8)))
    axes = np.random.default_rng(4).normal(size=(8, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    half = Rotation.from_rotvec(axes * angle / 2, degrees=True).as_matrix()
    turned, back = half @ wanted, np.swapaxes(half, 1, 2) @ wanted
    pairs = project(turned, distance=16.0), project(back, distance=20.0, shift=(1.0, -1.0))
    for found, other in (pairs, pairs[::-1]):
        np.testing.assert_allclose(pose_errors(found, other, RESOLUTION), angle, atol=1e-8)


def test_half_turns_are_180_degrees():
    upright = project(head(*np.zeros((3, 1))), distance=16.0)
    assert pose_errors(upright, RESOLUTION - upright, RESOLUTION) == pytest.approx(180, abs=1e-6)


def test_angles_follow_scipy():
    rotations = Rotation.random(50, random_state=5)
    expected = rotations.as_euler("yxz", degrees=True)
    np.testing.assert_allclose(yaw_pitch_roll(rotations.as_matrix()), expected, atol=1e-9)


@jax.jit
@jax.vmap
def _draw(person, pose):
    points = face_model.landmarks(face_model.shape_face(person, pose), pose)
    return face_model.rotation(pose), face_model.project(pose, points)


def rotations_and_landmarks(people: Identity, poses: Pose) -> tuple[np.ndarray, np.ndarray]:
    """True rotations [N, 3, 3] and landmarks [N, 68, 2] of procedural portraits."""
    rotations, points = _draw(people, poses)
    return np.asarray(rotations, np.float64), np.asarray(points) * RESOLUTION


def test_procedural_portraits_of_anyone_with_any_expression():
    people, poses = sample_identities(8, range(200)), sample_poses(8, range(200))
    rotations, keypoints = rotations_and_landmarks(people, poses)
    errors = degrees_between(head_rotations(keypoints, RESOLUTION), rotations)
    assert errors.mean() < 3 and errors.max() < 10  # their faces are not the mean one, nor is the camera
    true = np.degrees(np.stack([poses.yaw, poses.pitch, poses.roll], axis=1))
    angles = yaw_pitch_roll(head_rotations(keypoints, RESOLUTION))
    for column, bound in enumerate((2, 2, 0.5)):
        assert np.abs(angles - true)[:, column].mean() < bound


def test_pose_errors_of_the_mean_person_who_turns():
    everyone = sample_identities(9, range(500))
    people = Identity(*(np.broadcast_to(field.mean(axis=0), (40, *field.shape[1:])) for field in everyone))
    first = sample_poses(9, range(40))._replace(**dict.fromkeys(("pitch", "roll"), np.zeros(40, np.float32)))
    second = first._replace(yaw=first.yaw[::-1])
    (_, before), (_, after) = (rotations_and_landmarks(people, poses) for poses in (first, second))
    turn = np.abs(np.degrees(first.yaw - second.yaw))
    assert turn.max() > 50
    errors = pose_errors(before, after, RESOLUTION)
    assert (errors < turn + 0.1).all() and (errors > 0.9 * turn - 0.1).all()  # the lens is not theirs


def test_expressions_do_not_turn_the_head():
    people, poses = sample_identities(10, range(50)), sample_poses(10, range(50))
    other = sample_poses(11, range(50))
    looks = {name: getattr(other, name) for name in ("jaw", "smile", "brow_raise", "brow_frown", "blink")}
    (_, before), (_, after) = (rotations_and_landmarks(people, p) for p in (poses, poses._replace(**looks)))
    assert np.abs(before - after).max() > 5  # pixels
    assert pose_errors(before, after, RESOLUTION).max() < 1


def test_faces_without_landmarks_have_no_pose():
    keypoints = project(random_heads(5, 6), distance=16.0)
    whole = head_rotations(keypoints, RESOLUTION)
    broken = keypoints.copy()
    broken[0], broken[1, 3, 0], broken[2, 30, 1], broken[3, RIGID] = np.nan, np.nan, np.inf, 100.0
    found = head_rotations(broken, RESOLUTION)
    assert np.isnan(found[:4]).all() and np.isnan(yaw_pitch_roll(found)[:4]).all()
    np.testing.assert_array_equal(found[4], whole[4])
    for pair in ((broken, keypoints), (keypoints, broken)):
        np.testing.assert_array_equal(np.isnan(pose_errors(*pair, RESOLUTION)), [1, 1, 1, 1, 0])
    assert np.isnan(head_rotations(np.full((2, 68, 2), np.nan), RESOLUTION)).all()


def test_landmarks_of_no_face_are_no_error():
    scatter = np.random.default_rng(7).uniform(-50, 300, (50, 68, 2))
    scatter[0, :, 1], scatter[1, :, 0] = 100, scatter[1, :, 1]  # lines
    found = head_rotations(scatter, RESOLUTION)
    np.testing.assert_allclose(found @ np.swapaxes(found, 1, 2), np.broadcast_to(np.eye(3), found.shape), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-9)


def test_an_empty_batch_is_empty():
    nobody = np.zeros((0, 68, 2), np.float32)
    assert head_rotations(nobody, RESOLUTION).shape == (0, 3, 3)
    assert pose_errors(nobody, nobody, RESOLUTION).shape == (0,)
    assert yaw_pitch_roll(np.zeros((0, 3, 3))).shape == (0, 3)


def test_wrong_shapes_are_errors():
    face = np.zeros((1, 68, 2))
    with pytest.raises(ValueError, match=r"\[68, 2\]"):
        head_rotations(face[0], RESOLUTION)
    with pytest.raises(ValueError, match="resolution must be positive, got 0"):
        head_rotations(face, 0)
    with pytest.raises(ValueError, match="shapes must be equal"):
        pose_errors(face, np.zeros((2, 68, 2)), RESOLUTION)
