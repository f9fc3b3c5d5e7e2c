"""The trained editors that come with the package."""

import numpy as np
import pytest
from PIL import Image

from jaxgan import Editor
from jaxgan.checkpoints import DEFAULT, shipped
from jaxgan.commands import edit
from jaxgan.configs import preset, to_dict
from jaxgan.data.detection import detect_landmarks
from jaxgan.data.framing import framed
from jaxgan.errors import CheckpointError
from jaxgan.faces.portraits import portraits

R = 64


@pytest.fixture(scope="module")
def editor():
    return Editor.pretrained()


@pytest.fixture(scope="module")
def people(editor):
    """Four portraits of nobody, and landmarks of others that are framed as these."""
    images = editor.generate([5, 6, 7, 8])
    points = portraits(0, range(4), R)[1]
    return images, np.stack([framed(R, R, each, editor.framing).move(each, R) for each in points])


def test_it_is_small_enough_to_come_along():
    sizes = [path.stat().st_size for path in shipped(DEFAULT).iterdir()]
    assert max(sizes) < 16e6 and sum(sizes) < 45e6


def test_it_is_of_its_preset(editor):
    """But for what the log of its training says: the dataset's name, and a lower learning rate at the end."""
    ours, theirs = to_dict(editor.config), to_dict(preset("portrait64", "editor"))
    ours["run"]["dataset"], ours["adam"]["learning_rate"] = theirs["run"]["dataset"], theirs["adam"]["learning_rate"]
    assert ours == theirs


def test_edits_follow_the_target_and_keep_the_colours(editor, people):
    images, _ = people
    latents = editor.invert(images)
    inversions = editor.render(latents).astype(float)
    assert np.mean((inversions - images) ** 2) < 0.15 * np.mean((images[::-1] - images.astype(float)) ** 2)
    found = detect_landmarks(list(images), "dlib")
    assert all(points is not None for points in found)
    targets = np.stack(found)[[1, 2, 3, 0]]
    edited = editor.edit(images, targets)
    moved = np.stack([points for points in detect_landmarks(list(edited), "dlib")])
    before, after = (np.linalg.norm(points - targets, axis=2).mean() for points in (np.stack(found), moved))
    assert after < 0.5 * before
    means = [pictures.reshape(4, -1, 3).mean(axis=1) for pictures in (inversions, edited)]
    assert np.abs(means[1] - means[0]).max() < 10


def test_only_the_coarse_layers_are_edited(editor, people):
    images, targets = people
    latents = editor.invert(images)
    shift = editor.edit_latents(images, targets, latents) - latents
    edited = editor.config.encoder.edited_layers
    assert 0 < edited < editor.num_layers
    assert np.abs(shift[:, :edited]).max() > 0.01 and not shift[:, edited:].any()


def test_the_command_crops_photographs_and_reports_those_without_a_face(editor, people, tmp_path, capsys):
    images, _ = people
    photograph = np.full((300, 400, 3), 90, np.uint8)
    photograph[60:188, 200:328] = np.asarray(Image.fromarray(images[0]).resize((128, 128), Image.Resampling.BICUBIC))
    Image.fromarray(photograph).save(tmp_path / "photograph.png")
    Image.fromarray(images[1]).save(tmp_path / "target.png")
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(tmp_path / "wall.png")
    sources = ["--source", str(tmp_path / "photograph.png"), str(tmp_path / "wall.png")]
    assert edit.main([*sources, "--crop", "--target", str(tmp_path / "target.png"), "--out", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert "wall.png: no face found" in captured.err and "1 of 2 edited" in captured.out
    made = np.asarray(Image.open(tmp_path / "out" / "photograph.png")).astype(float)
    assert made.shape == (R, R, 3)
    assert np.abs(made.mean(axis=(0, 1)) - images[0].mean(axis=(0, 1))).max() < 40  # of the face, not of the grey around


def test_a_folder_of_one_loads_as_a_working_folder_does(editor, people):
    loaded = Editor.load(shipped("portrait64"))
    assert loaded.framing == editor.framing
    np.testing.assert_array_equal(loaded.edit(*people), editor.edit(*people))
    with pytest.raises(CheckpointError, match="portrait64"):
        Editor.load(shipped("portrait64"), step=3)


def test_an_unknown_name_is_refused():
    with pytest.raises(CheckpointError, match="no pretrained editor 'portrait1024'; there are portrait64"):
        Editor.pretrained("portrait1024")
