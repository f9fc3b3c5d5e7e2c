"""Procedural portraits: determinism, geometry against naive references, and an independent landmark detector."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgan.faces import model as face_model
from jaxgan.faces import renderer as face_renderer
from jaxgan.faces.portraits import (
    Identity,
    Pose,
    parse_record_name,
    portraits,
    record_name,
    render,
    sample_identities,
    sample_poses,
    truth,
)

MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)  # fmt: skip


def neutral_poses(count: int, **changes: float) -> Pose:
    rest = dict.fromkeys(Pose._fields, 0.0) | {"scale": 1.0} | changes
    return Pose(*(np.full(count, rest[name], np.float32) for name in Pose._fields))


def symmetric_identities(count: int) -> Identity:
    people = sample_identities(1, range(count))
    light = np.tile(np.float32([0, -0.6, 0.8]), (count, 1))
    upright = np.full(count, np.pi / 2, np.float32)
    return people._replace(light=light, hair_part=np.zeros(count, np.float32), background_angle=upright)


def item(batch, index: int):
    return jax.tree.map(lambda field: field[index], batch)


def test_an_item_depends_on_its_seed_and_index_alone():
    images, keypoints = portraits(3, range(11), 32)
    for index in (0, 7, 10):
        alone, points = portraits(3, [index], 32)
        np.testing.assert_array_equal(alone[0], images[index])
        np.testing.assert_array_equal(points[0], keypoints[index])
    other, _ = portraits(4, range(11), 32)
    assert all((a != b).any() for a, b in zip(images, other, strict=True))
    assert all((a != b).any() for a, b in zip(images, images[1:], strict=False))


def test_an_empty_batch_is_empty():
    images, keypoints = portraits(0, [], 16)
    assert images.shape == (0, 16, 16, 3) and keypoints.shape == (0, 68, 2)
    assert truth([], [], 16).shape == (0, 16, 16, 3)


def test_resolution_changes_neither_picture_nor_landmarks():
    small, points = portraits(0, range(8), 64)
    large, large_points = portraits(0, range(8), 128)
    np.testing.assert_array_equal(2 * points, large_points)
    box = large.reshape(8, 64, 2, 64, 2, 3).astype(np.float32).mean(axis=(2, 4))
    difference = np.abs(box - small).mean(axis=(1, 2, 3))
    assert difference.max() < 1.5  # of 255
    shifted = np.abs(np.roll(box, 1, axis=2) - small).mean(axis=(1, 2, 3))
    assert (difference < 0.35 * shifted).all()


@pytest.mark.parametrize("resolution", [8, 16, 256])
def test_any_power_of_two(resolution):
    images, _ = portraits(0, [0], resolution)
    assert images.shape == (1, resolution, resolution, 3) and images.dtype == np.uint8 and images.std() > 10


def test_the_mirrored_pose_gives_the_mirrored_picture():
    people = symmetric_identities(4)
    left = neutral_poses(4, yaw=0.4, roll=0.1, pitch=0.1, smile=0.5, shift_x=0.05)
    right = left._replace(yaw=-left.yaw, roll=-left.roll, shift_x=-left.shift_x)
    (images, points), (others, other_points) = render(people, left, 32), render(people, right, 32)
    assert np.abs(images[:, :, ::-1].astype(int) - others).max() <= 2
    np.testing.assert_allclose((32 - other_points[..., 0])[:, MIRROR], points[..., 0], atol=1e-3)
    np.testing.assert_allclose(other_points[:, MIRROR, 1], points[..., 1], atol=1e-3)


def test_every_part_of_the_pose_moves_landmarks():
    person = sample_identities(0, [0])
    rest = render(person, neutral_poses(1), 128)[1]
    for name in Pose._fields:
        change = {name: 1.05 if name == "scale" else 0.25}
        moved = np.abs(render(person, neutral_poses(1, **change), 128)[1] - rest).max()
        assert moved > 0.5, name


def test_colours_and_surroundings_belong_to_the_person():
    people, poses = sample_identities(0, range(6)), sample_poses(0, range(6))
    recoloured = people._replace(skin=people.skin[::-1], hair=people.hair[::-1], background=people.background[::-1])
    images, points = render(people, poses, 32)
    others, other_points = render(recoloured, poses, 32)
    np.testing.assert_array_equal(points, other_points)
    assert (np.abs(images.astype(int) - others).mean(axis=(1, 2, 3)) > 3).all()
    turned, turned_points = render(people, item(poses, np.arange(5, -1, -1)), 32)
    assert (np.abs(points - turned_points).max(axis=(1, 2)) > 0.5).all()
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        np.testing.assert_array_equal(images[:, *corner], turned[:, *corner])


def test_truth_combines_one_person_with_another_pose():
    names = [record_name(seed, index) for seed, index in ((2, 0), (2, 5), (7, 1))]
    own = truth(names, names, 32)
    np.testing.assert_array_equal(own[:2], portraits(2, [0, 5], 32)[0])
    np.testing.assert_array_equal(own[2:], portraits(7, [1], 32)[0])
    crossed = truth(names[:1], names[2:], 32)
    np.testing.assert_array_equal(crossed, render(sample_identities(2, [0]), sample_poses(7, [1]), 32)[0])


def test_landmarks_lie_inside_the_picture():
    _, points = portraits(0, range(500), 8)
    assert points.min() > 0.5 and points.max() < 7.9


def test_landmarks_lie_on_the_surface():
    @jax.jit
    @jax.vmap
    def levels(person, pose):
        face = face_model.shape_face(person, pose)
        return face_model.head_level(face, *face_model.landmarks(face, pose).T)

    assert np.abs(levels(sample_identities(0, range(64)), sample_poses(0, range(64)))).max() < 2e-3


def levels_along_rays(face, pose, x, y, steps=3000):
    """Naive reference: the level of the head at many depths on the rays through (x, y): (t [S], level [S, T])."""
    rays = face_renderer._to_head(pose, x, y)
    t = np.linspace(0.6, 3.5, steps, dtype=np.float32)
    places = (np.asarray(o)[None] - t[:, None] * np.asarray(v) for o, v in zip(rays[:3], rays.viewer, strict=True))
    return t, np.asarray(face_model.head_level(face, *places))


@pytest.mark.parametrize("yaw", [0.0, 0.3, 0.6])
def test_the_jaw_line_is_the_outline_where_the_face_turns_away(yaw):
    pose = item(neutral_poses(1, yaw=yaw), 0)
    face = face_model.shape_face(item(sample_identities(0, [0]), 0), pose)
    points = jax.jit(lambda face, pose: face_model.to_camera(pose, face_model.landmarks(face, pose)))(face, pose)
    camera = np.asarray(points)[10:15]  # the far side
    for outwards, covered in ((0.04, False), (-0.04, True)):
        _, level = levels_along_rays(face, pose, camera[:, 0] + np.float32(outwards), camera[:, 1])
        np.testing.assert_array_equal((level < 0).any(axis=0), covered)


def test_rays_stop_where_they_first_meet_the_head():
    people, poses = sample_identities(0, range(4)), sample_poses(0, range(4))
    axis = np.linspace(-1.2, 1.2, 40, dtype=np.float32)
    x, y = (grid.ravel() for grid in np.meshgrid(axis, axis + np.float32(0.3)))
    march = jax.jit(face_renderer._head)
    for index in range(4):
        person, pose = item(people, index), item(poses, index)
        face = face_model.shape_face(person, pose)
        t, level = levels_along_rays(face, pose, x, y, steps=1500)
        inside = level < 0
        expected = t[inside.argmax(axis=0)]
        found, found_level, _ = march(face, person, face_renderer._to_head(pose, x, y), person.light, np.float32(0.02))
        solid = level.min(axis=0) < -0.02
        agrees = (np.abs(found - expected) < 0.03) & (np.asarray(found_level) < face_renderer._HIT)
        assert agrees[solid].mean() > 0.99
        assert (np.asarray(found_level) > face_renderer._HIT)[level.min(axis=0) > 0.03].all()


def brightness_at(images, points):
    column, row = np.floor(points).astype(int).T
    return images[np.arange(len(images)), row, column].astype(np.float32).mean(axis=-1)


def test_features_are_drawn_at_their_landmarks():
    people = sample_identities(0, range(12))
    poses = sample_poses(0, range(12))._replace(**neutral_poses(12, jaw=0.9)._asdict())
    images, points = render(people, poses, 128)
    cheek = brightness_at(images, 0.5 * (points[:, 31] + points[:, 3]))
    assert (brightness_at(images, points[:, 36:42].mean(axis=1)) < 0.75 * cheek).all()  # pupils
    assert (brightness_at(images, points[:, 42:48].mean(axis=1)) < 0.75 * cheek).all()
    mouth = 0.4 * points[:, 62] + 0.6 * points[:, 66]
    assert (brightness_at(images, mouth) < 0.75 * cheek).all()
    lips = images[np.arange(12), *np.floor(0.5 * (points[:, 57] + points[:, 66])).astype(int).T[::-1]].astype(float)
    skin = images[np.arange(12), *np.floor(0.5 * (points[:, 31] + points[:, 3])).astype(int).T[::-1]].astype(float)
    assert (lips[:, 0] / lips[:, 1] > 1.1 * skin[:, 0] / skin[:, 1]).all()  # redder than the cheek


def test_an_open_jaw_parts_the_lips_and_a_blink_closes_the_eyes():
    person = sample_identities(0, [0])
    gap = lambda pose, upper, lower: np.subtract(*render(person, pose, 128)[1][0, [lower, upper], 1])  # noqa: E731
    assert gap(neutral_poses(1), 62, 66) == pytest.approx(0, abs=1e-3)
    assert gap(neutral_poses(1, jaw=1.0), 62, 66) > 8
    assert gap(neutral_poses(1, blink=1.0), 37, 41) < 0.3 * gap(neutral_poses(1), 37, 41)


@pytest.mark.parametrize(("yaw", "resolution", "rate", "error"), [(15, 128, 0.95, 0.08), (35, 64, 0.9, 0.11)])
def test_an_independent_detector_agrees(yaw, resolution, rate, error):
    dlib = pytest.importorskip("dlib")
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None:
        pytest.skip("face_recognition_models is not installed")
    models = Path(spec.submodule_search_locations[0]) / "models"
    detect = dlib.get_frontal_face_detector()
    predict = dlib.shape_predictor(str(models / "shape_predictor_68_face_landmarks.dat"))

    indices = np.flatnonzero(np.abs(sample_poses(9, range(120)).yaw) < np.radians(yaw))[:60]
    images, points = portraits(9, indices, resolution)
    errors = []
    for image, own in zip(images, points * (256 / resolution), strict=True):
        enlarged = np.asarray(Image.fromarray(image).resize((256, 256), Image.Resampling.BICUBIC))
        found = detect(enlarged, 0)
        if found:
            shape = predict(enlarged, max(found, key=lambda box: box.area()))
            detected = np.array([(shape.part(i).x + 0.5, shape.part(i).y + 0.5) for i in range(68)])
            pupils = np.linalg.norm(own[36:42].mean(axis=0) - own[42:48].mean(axis=0))
            errors.append(np.linalg.norm(detected - own, axis=1).mean() / pupils)
    assert len(errors) >= rate * len(indices)
    assert np.mean(errors) < error


def test_record_names_round_trip():
    assert parse_record_name(record_name(12, 345)) == (12, 345)


@pytest.mark.parametrize(
    "name",
    ["00001.png", "procedural/1", "procedural/1/2/3", "procedural/-1/2", "procedural/01/2", "procedural/1/2\n", ""],
)
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="procedural/SEED/INDEX"):
        parse_record_name(name)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="power of two"):
        portraits(0, [0], 48)
    with pytest.raises(ValueError, match="negative"):
        portraits(0, [-1], 8)
    with pytest.raises(ValueError, match="negative"):
        portraits(-1, [0], 8)
    with pytest.raises(ValueError, match="skull_width has 1 entries"):
        render(sample_identities(0, [0]), sample_poses(0, [0, 1]), 8)
    with pytest.raises(ValueError, match="2 source but 1 target"):
        truth([record_name(0, 0)] * 2, [record_name(0, 0)], 8)
