"""Whole photographs, with the editor that comes with the package."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxgan import Editor
from jaxgan.data.images import read_image
from jaxgan.data.shape import fit_mean_face
from jaxgan.errors import InputError
from jaxgan.faces.controls import CONTROLS
from jaxgan.faces.target import Target, read_keypoints, write_expression
from jaxgan.photos.finding import choose
from jaxgan.photos.warp import Warp
from jaxgan.photos.writing import NOTE, encode

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture(scope="module")
def editor():
    return Editor.pretrained()


@pytest.fixture(scope="module")
def photo():
    return read_image(EXAMPLES / "source.jpg")


@pytest.fixture(scope="module")
def opened(editor, photo):
    return editor.open_photo(photo)


@pytest.fixture(scope="module")
def turned(opened):
    return opened.edit_to(Target(controls={"yaw": 15, "smile": 0.5}))[0]


def test_controls_at_zero_give_the_photograph(opened, photo):
    made, remarks = opened.edit_to(Target(controls=dict.fromkeys(CONTROLS, 0)))
    assert remarks == []
    np.testing.assert_array_equal(made, photo)
    np.testing.assert_array_equal(opened.edit(opened.own), photo)
    np.testing.assert_array_equal(opened.edit(opened.own + 2, strength=0), photo)


def test_a_small_change_is_a_small_change(opened, photo):
    """There is no step between no edit and the least one."""
    little = opened.edit_to(Target(controls={"smile": 0.02}))[0].astype(int)
    assert np.abs(little - photo).mean() < 0.5


def test_an_edit_changes_the_face_alone(opened, photo, turned):
    assert turned.shape == photo.shape and turned.dtype == np.uint8
    changed = (turned != photo).any(axis=-1)
    rows, columns = np.nonzero(changed)
    inside = opened.crop.move(np.stack([columns, rows], axis=-1) + 0.5, 1)
    assert changed.any() and inside.min() > -0.6 and inside.max() < 1.6


def test_no_seam(opened, photo, turned):
    """Where the change begins, the picture is hardly steeper than it was."""
    changed = np.abs(turned.astype(int) - photo).max(axis=-1) > 0
    edge = changed[1:, 1:] ^ changed[:-1, 1:]
    before, after = (np.abs(np.diff(each.astype(int).mean(axis=-1), axis=0))[:, 1:][edge] for each in (photo, turned))
    assert after.mean() < 1.5 * before.mean() + 1


def test_landmarks_go_where_they_were_asked_to(editor, opened, turned):
    """The edited face, found anew, has turned and kept its size and place."""
    again = editor.open_photo(turned)
    away = opened.crop.move(again.keypoints, 1) - opened.crop.move(opened.keypoints, 1)
    nose, jaw = away[30], away[[0, 16]].mean(axis=0)
    assert nose[0] - jaw[0] > 0.02
    assert np.abs(away.mean(axis=0)).max() < 0.05


def test_the_rendering_alone(opened, editor):
    made = opened.edit(opened.own, paste=False)
    assert made.shape == (editor.resolution, editor.resolution, 3)


def test_transparency_stays(editor, photo):
    alpha = np.full(photo.shape[:2], 255, np.uint8)
    alpha[:, :5] = 40
    made = editor.edit_photo(np.dstack([photo, alpha]), {"yaw": 10}, personal=False)
    np.testing.assert_array_equal(made[..., 3], alpha)
    assert (made[..., :3] != photo).any()


@pytest.mark.parametrize("degrees", [40, 90])
def test_rotated_photographs(editor, photo, degrees):
    """The face is found, edited level, and put back rotated; corners stay."""
    rolled = np.asarray(Image.fromarray(photo).rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=(90, 90, 90)))
    opened = editor.open_photo(rolled)
    assert abs(abs(fit_mean_face(opened.keypoints)[0]) - degrees) < 12
    assert any("tilted" in remark for remark in opened.remarks)
    made = opened.edit_to(Target(controls={"yaw": 10}))[0]
    changed = (made != rolled).any(axis=-1)
    assert changed.any() and not changed[0].any() and not changed[:, 0].any()


def test_exif_orientation(editor, photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise by 90 degrees
    Image.fromarray(np.rot90(photo)).save(tmp_path / "a.png", exif=exif)
    opened = editor.open_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(opened.pixels, photo)


def test_the_face_that_was_asked_for(editor, photo):
    large = np.asarray(Image.fromarray(photo).resize((2 * photo.shape[1], 2 * photo.shape[0])))
    two = np.full((large.shape[0], large.shape[1] + photo.shape[1], 3), 128, np.uint8)
    two[:, : large.shape[1]], two[: photo.shape[0], large.shape[1] :] = large, photo
    first = editor.open_photo(two)
    assert len(first.faces) == 2 and first.remarks == ["2 faces found, the largest is taken"]
    assert first.keypoints[:, 0].max() < large.shape[1] < editor.open_photo(two, face=1).keypoints[:, 0].min()
    point = tuple(first.faces[1].keypoints.mean(axis=0))
    np.testing.assert_array_equal(editor.open_photo(two, face=point).keypoints, first.faces[1].keypoints)
    with pytest.raises(InputError, match="face 2 was asked for; 2 found"):
        editor.open_photo(two, face=2)


def test_a_small_face_in_a_large_photograph(editor, photo):
    """It is found in a second pass, at a larger scale."""
    height, width = photo.shape[:2]
    large = np.full((3000, 4000, 3), 110, np.uint8)
    large[1500 : 1500 + height, 2500 : 2500 + width] = photo
    opened = editor.open_photo(large)
    assert 2500 < opened.keypoints[:, 0].mean() < 2500 + width


def test_no_face_is_said(editor, photo):
    empty = np.full((300, 300, 3), 90, np.uint8)
    with pytest.raises(InputError, match="no face found"):
        editor.open_photo(empty)
    with pytest.raises(InputError, match="^target: no face found"):
        editor.edit_photo(photo, empty)


def test_what_the_command_says_python_warns_of(editor, photo):
    with pytest.warns(UserWarning, match="yaw=1000, from its own .* on, leaves the range that is known; moved to 35"):
        editor.edit_photo(photo, {"yaw": 1000})


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (lambda own: own / 8, r"0.12 times as large as the face's own; they must be in pixels of its portrait of 64x64 px"),
        (lambda own: 3 * own - 64, r"3 times as large"),
        (lambda own: own + 100, "outside of the picture"),
        (lambda own: own[:5], r"keypoints must be \[1, 68, 2\] or \[68, 2\]"),
        (lambda own: own * np.nan, "finite"),
        (lambda own: own[::-1], "do not form a face"),
    ],
)
def test_landmarks_that_cannot_be_the_faces_are_refused(opened, wanted, message):
    with pytest.raises(InputError, match=message):
        opened.edit(wanted(opened.own))


@pytest.mark.parametrize(
    ("face", "message"), [("left", "face must be a whole number"), (-1, "negative"), ((np.nan, 3), "face must be finite")]
)
def test_faces_that_cannot_be_asked_for(opened, face, message):
    with pytest.raises(InputError, match=message):
        choose(list(opened.faces), face)


def test_controls_may_be_a_dictionary(opened):
    np.testing.assert_array_equal(opened.edit_to({"yaw": 0})[0], opened.pixels)


def test_landmarks_may_be_lists(opened):
    np.testing.assert_array_equal(opened.edit(opened.own.tolist()), opened.pixels)
    np.testing.assert_array_equal(opened.edit(opened.own[None]), opened.pixels)


def test_a_warp_leaves_no_part_of_the_picture_empty():
    points = np.stack(np.meshgrid(*2 * [np.linspace(0.3, 0.7, 5)]), axis=-1).reshape(-1, 2)
    for scale in (0.15, 2.2):
        moved = 0.5 + scale * (points - 0.5)
        assert (Warp(points, moved).apply(np.full((120, 160, 3), 200, np.uint8)) == 200).all()


def test_targets_of_all_kinds(editor, opened, tmp_path):
    (tmp_path / "e.json").write_text(write_expression(opened.own))
    np.save(tmp_path / "k.npy", opened.own)
    for given in (tmp_path / "e.json", str(tmp_path / "k.npy"), opened.own):
        np.testing.assert_allclose(editor.as_target(given).keypoints, opened.own, atol=1e-3)
    assert editor.as_target({"yaw": 3}).controls == {"yaw": 3}
    assert editor.as_target(EXAMPLES / "target.jpg").keypoints.shape == (68, 2)


def test_saved_expressions_are_checked(tmp_path):
    bad = {
        "a.json": "{",
        "b.json": json.dumps({"keypoints": [[0, 0]] * 68}),
        "c.json": json.dumps({"format": "jaxgan expression 1", "keypoints": [[0, 0]] * 68}),
        "d.json": json.dumps({"format": "jaxgan expression 1", "keypoints": [[0, 0]] * 3}),
        "e.txt": "1,2",
    }
    for name, text in bad.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=name):
            read_keypoints(tmp_path / name)


def test_edited_files_say_so(photo):
    for format in ("png", "jpeg"):
        for mark in (True, False):
            data = encode(photo, format, mark)
            assert (NOTE.encode() in data) == mark and (b"compositeWithTrainedAlgorithmicMedia" in data) == mark
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode(photo)))), photo)
    assert Image.open(io.BytesIO(encode(np.dstack([photo, photo[..., :1]]), "jpeg"))).mode == "RGB"
