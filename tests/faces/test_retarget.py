"""The fit of the face model, retargeted landmarks and controls."""

import warnings

import jax
import numpy as np
import pytest

from jaxgan.data.landmarks import MIRROR_INDEX
from jaxgan.data.shape import MEAN_FACE, place
from jaxgan.errors import InputError
from jaxgan.faces import model
from jaxgan.faces.controls import CONTROLS, fit
from jaxgan.faces.fit import ANGLES, BATCH, BONES, EXPRESSION, Fit, fit_model, project
from jaxgan.faces.parameters import Identity, Pose
from jaxgan.faces.portraits import render, sample_identities, sample_poses
from jaxgan.faces.retarget import retarget

SIDE = 200


def landmarks(people, poses):
    return render(sample_identities(0, people), sample_poses(0, poses), 8)[1] * (SIDE / 8)


@pytest.fixture(scope="module")
def pairs():
    """Landmarks [40, 68, 2] of sources, of targets, and of the sources' people in the targets' poses."""
    sources, targets = np.arange(40), np.arange(100, 140)
    return landmarks(sources, sources), landmarks(targets, targets), landmarks(sources, targets)


@pytest.fixture(scope="module")
def faces():
    """Landmarks [40, 68, 2] of faces as photographs show them: drawn from the model's prior."""
    rng = np.random.default_rng(0)
    bones, expression, angles = (
        np.float32([[rng.normal(mean, 0.7 * deviation) for mean, deviation in group.values()] for _ in range(40)])
        for group in (BONES, EXPRESSION, ANGLES)
    )
    return project(Fit(bones, expression, angles, np.full(40, 60, np.float32), np.full((40, 2), 100, np.float32)))


def distance(a, b):
    """Mean distance of landmarks without their mean and their spread."""
    a, b = ((each - place(each)[0][:, None]) / place(each)[1][:, None, None] for each in (a, b))
    return np.linalg.norm(a - b, axis=2).mean()


def test_the_mean_face_is_the_models():
    found = fit_model(100 * MEAN_FACE[None] + 7)
    np.testing.assert_allclose(project(found)[0], 100 * MEAN_FACE + 7, atol=0.01)
    np.testing.assert_allclose(found.bones[0], [mean for mean, _ in BONES.values()], atol=1e-3)
    np.testing.assert_allclose(found.angles[0], 0, atol=1e-3)


def test_poses_are_found_from_landmarks():
    indices = np.arange(80)
    poses, found = sample_poses(0, indices), fit_model(landmarks(indices, indices))
    for index, name in enumerate(ANGLES):
        true, ours = getattr(poses, name), found.angles[:, index]
        assert np.corrcoef(true, ours)[0, 1] > (0.8 if name == "pitch" else 0.99)
    assert np.corrcoef(poses.jaw, found.expression[:, 0])[0, 1] > 0.95
    assert np.corrcoef(poses.smile, found.expression[:, 1])[0, 1] > 0.85


def test_a_fit_does_not_depend_on_size_place_or_its_batch():
    points = landmarks(np.arange(BATCH + 1), np.arange(BATCH + 1))
    together, alone = fit_model(points), fit_model(3 * points[-1:] - 50)
    for name in ("bones", "expression", "angles"):
        np.testing.assert_allclose(getattr(together, name)[-1], getattr(alone, name)[0], atol=2e-3)
    assert alone.scale[0] == pytest.approx(3 * together.scale[-1], rel=1e-4)


def test_retargeting_keeps_the_bones(pairs):
    sources, targets, true = pairs
    made = retarget(sources, targets)
    assert made.dtype == np.float32 and made.shape == sources.shape
    assert distance(made, true) < 0.75 * distance(targets, true)
    jaw = [np.linalg.norm(each[:, 4] - each[:, 12], axis=1) for each in (made, targets, true)]
    assert np.abs(jaw[0] / jaw[2] - 1).mean() < 0.75 * np.abs(jaw[1] / jaw[2] - 1).mean()


def test_own_landmarks_come_back_and_so_do_those_of_a_round_trip(pairs):
    sources, targets, _ = pairs
    np.testing.assert_allclose(retarget(sources, sources), sources, atol=1e-3)
    assert distance(retarget(retarget(sources, targets), sources), sources) < 0.02
    again = 2 * sources + 30  # another size and place of the target do not matter
    np.testing.assert_allclose(retarget(sources, again), sources, atol=0.02)


def test_parts_move_what_they_name(pairs):
    sources, targets, _ = pairs
    np.testing.assert_allclose(retarget(sources, targets, parts=()), sources, atol=1e-3)
    mouth = retarget(sources, targets, parts=("mouth",))
    np.testing.assert_allclose(mouth[:, 17:48], sources[:, 17:48], atol=4.0)  # brows, nose and eyes: smiles lift the lids
    assert np.abs(mouth - sources)[:, 48:68].mean() > 5 * np.abs(mouth - sources)[:, 17:48].mean()
    found, own, theirs = fit_model(retarget(sources, targets, parts=("pose",))), fit_model(sources), fit_model(targets)
    np.testing.assert_allclose(found.angles, theirs.angles, atol=0.1)
    assert np.abs(found.expression - own.expression)[:, :2].mean() < 0.06
    with pytest.raises(ValueError, match="unknown part 'nose'; known: pose, mouth, eyes, brows"):
        retarget(sources, targets, parts=("nose",))


def test_a_reference_leaves_the_source_as_it_is(pairs):
    sources, targets, _ = pairs
    np.testing.assert_allclose(retarget(sources, targets, reference=targets), sources, atol=1e-3)
    towards = retarget(sources, targets, reference=retarget(targets, sources))
    assert distance(towards, retarget(sources, targets)) < 0.03


def test_one_face_is_as_many(pairs):
    sources, targets, _ = pairs
    np.testing.assert_allclose(retarget(sources[0], targets[0]), retarget(sources, targets)[0], atol=0.05)
    np.testing.assert_allclose(retarget(sources[:2], targets[0])[1], retarget(sources[1], targets[0]), atol=0.05)
    assert retarget(sources[:0], targets[:0]).shape == (0, 68, 2)
    with pytest.raises(ValueError, match=r"keypoints must be \[2, 68, 2\] or \[68, 2\], got \[3, 68, 2\]"):
        retarget(sources[:2], targets[:3])


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_do_what_they_say(name, faces):
    faces = fit(faces)
    change = 8.0 if name in ANGLES else 0.3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some faces are at an end of the range
        moved = fit(faces.adjust(**{name: change}))
    changes = {each: moved.values[each] - faces.values[each] for each in CONTROLS}
    # the prior holds back what little landmarks tell of lids and brows
    assert (0.3 if name in ("eyes", "brows") else 0.7) * change < np.median(changes[name]) < 1.2 * change
    for other, found in changes.items():
        if other != name:
            assert abs(np.median(found)) < (2.0 if other in ("yaw", "pitch", "roll") else 0.2)


def test_no_change_is_no_change(pairs):
    face = fit(pairs[0][0])
    assert set(face.values) == set(CONTROLS) and all(np.ndim(value) == 0 for value in face.values.values())
    np.testing.assert_array_equal(face.adjust(), face.keypoints)
    np.testing.assert_allclose(face.adjust(yaw=0, smile=0), face.keypoints, atol=1e-3)


def test_controls_end_where_networks_know_no_more():
    face = fit(100 * MEAN_FACE)
    with pytest.warns(UserWarning, match=r"yaw=50, from its own .* leaves the range that is known; moved to 35"):
        far = face.adjust(yaw=50)
    np.testing.assert_allclose(far, face.adjust(yaw=35), atol=1e-3)
    with pytest.warns(UserWarning, match="eyes=-3, from its own .* leaves"):
        face.adjust(eyes=-3)
    for changes, message in (({"nose": 1}, "unknown control 'nose'"), ({"yaw": np.nan}, "yaw must be a finite number")):
        with pytest.raises(ValueError, match=message):
            face.adjust(**changes)


def test_a_mirrored_face_is_fitted_as_its_mirror_image(pairs):
    mirrored = pairs[0][:, MIRROR_INDEX] * [-1, 1]
    straight, other = fit_model(pairs[0]), fit_model(mirrored)
    np.testing.assert_allclose(other.bones, straight.bones, atol=0.01)
    np.testing.assert_allclose(other.angles * [-1, 1, -1], straight.angles, atol=1e-3)
    sides = [name.endswith("_side") for name in EXPRESSION]
    np.testing.assert_allclose(other.expression, np.where(sides, -1, 1) * straight.expression, atol=0.01)


def test_the_models_derivatives_are_finite():
    identity, pose = (type(each)(*(field[0] for field in each)) for each in (sample_identities(0, [0]), sample_poses(0, [0])))
    derivative = jax.jit(jax.jacfwd(lambda each: model.landmarks(model.shape_face(identity, each), each)))(pose)
    assert isinstance(identity, Identity) and isinstance(derivative, Pose)
    assert all(np.isfinite(each).all() for each in derivative)


def test_emphasis_asks_for_more_of_what_is_allowed():
    face = fit(100 * MEAN_FACE)
    np.testing.assert_allclose(face.adjust(emphasise=True, smile=0.2), face.adjust(smile=0.5), atol=1e-3)
    np.testing.assert_array_equal(face.adjust(emphasise=True, yaw=10), face.adjust(yaw=10))
    for change in (3, 4):  # both end at the limit
        with pytest.warns(UserWarning, match=f"smile={change}, from its own .* leaves the range that is known; moved to 1"):
            far = face.adjust(emphasise=True, smile=change)
    np.testing.assert_allclose(far, face.adjust(emphasise=True, smile=1.07), rtol=1e-3, atol=0.5)


def test_landmarks_at_one_point_are_refused():
    with pytest.raises(InputError, match="keypoints 1: all landmarks lie at one point"):
        fit_model(np.stack([MEAN_FACE, 0 * MEAN_FACE]))
