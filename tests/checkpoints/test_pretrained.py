"""Trained editors that come with the package, and writing them."""

import json
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgan import Editor
from jaxgan.checkpoints import pretrained
from jaxgan.checkpoints import training as checkpoint
from jaxgan.checkpoints.training import Checkpoints, Loaded
from jaxgan.commands import edit
from jaxgan.configs.presets import preset
from jaxgan.configs.schema import to_dict
from jaxgan.data.framing import Framing
from jaxgan.errors import CheckpointError, DamagedError
from jaxgan.faces.portraits import portraits
from jaxgan.training.run import MODULES, frozen_variables, init_state

R = 64
FRAMING = Framing(0.5, 0.5, 0.3)


@pytest.fixture(scope="module")
def editor():
    return Editor.pretrained()


@pytest.fixture(scope="module")
def people(editor):
    """Four portraits of nobody, and their landmarks."""
    images = editor.generate([5, 6, 7, 8])
    return images, portraits(0, range(4), R)[1]


def tiny_editor() -> Loaded:
    """An untrained editor with the networks it needs."""
    earlier = None
    for stage in ("stylegan", "inverter", "editor"):
        config = preset("tiny", stage)
        state = init_state(stage, config, earlier)
        frozen = frozen_variables(stage, earlier)
        earlier = Loaded(7, stage, config, MODULES[stage].inference_variables(state), frozen)
    return earlier


def test_it_is_small_enough_to_come_along():
    for name in pretrained.names():
        sizes = [path.stat().st_size for path in (pretrained.FOLDER / name).iterdir()]
        assert max(sizes) < 16e6 and sum(sizes) < 45e6
    assert pretrained.DEFAULT in pretrained.names()


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
    found = edit.detect_landmarks(list(images), "dlib")
    assert all(points is not None for points in found)
    targets = np.stack(found)[[1, 2, 3, 0]]
    edited = editor.edit(images, targets)
    moved = np.stack([points for points in edit.detect_landmarks(list(edited), "dlib")])
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
    assert edit.main([*sources, "--target", str(tmp_path / "target.png"), "--out", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert "wall.png: no face found" in captured.err and "1 of 2 edited" in captured.out
    made = np.asarray(Image.open(tmp_path / "out" / "photograph.png")).astype(float)
    assert made.shape == (R, R, 3)
    assert np.abs(made.mean(axis=(0, 1)) - images[0].mean(axis=(0, 1))).max() < 40  # of the face, not of the grey around


def test_what_is_written_is_read(tmp_path):
    loaded = tiny_editor()
    pretrained.write(tmp_path, loaded, FRAMING)
    found, framing = pretrained.read(tmp_path)
    assert framing == FRAMING
    assert (found.step, found.stage, found.config) == (loaded.step, loaded.stage, loaded.config)
    ours, theirs = ({"model": each.model, "frozen": each.frozen} for each in (found, loaded))
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for our, their in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert our.dtype == their.dtype
        np.testing.assert_allclose(our, their, rtol=2**-11, atol=1e-7)  # half precision


def test_the_command_writes_a_trained_editor(tmp_path, monkeypatch, capsys):
    loaded = tiny_editor()
    Checkpoints(tmp_path / "run").save(loaded.step, loaded.config, None, loaded.model, loaded.frozen)
    images, keypoints = portraits(0, range(4), 8)
    monkeypatch.setattr(pretrained, "load_split", lambda *_: (images, keypoints, []))
    flags = ["--workdir", str(tmp_path / "run"), "--data_dir", "data", "--dataset", "faces", "--out", str(tmp_path / "out")]
    assert pretrained.main(flags) == 0
    assert "editor of step 7, 1 files, " in capsys.readouterr().out
    assert pretrained.read(tmp_path / "out")[0].config == checkpoint.load(tmp_path / "run").config
    flags[1] = str(tmp_path / "nowhere")
    assert pretrained.main(flags) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_of_one_loads_as_a_working_folder_does(editor, people):
    loaded = Editor.load(pretrained.FOLDER / "portrait64")
    assert loaded.framing == editor.framing
    np.testing.assert_array_equal(loaded.edit(*people), editor.edit(*people))
    with pytest.raises(CheckpointError, match="portrait64"):
        Editor.load(pretrained.FOLDER / "portrait64", step=3)


def test_an_unknown_name_is_refused():
    with pytest.raises(CheckpointError, match="no pretrained editor 'portrait1024'; there are portrait64"):
        Editor.pretrained("portrait1024")


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_damage_names_the_file(tmp_path, damage):
    pretrained.write(tmp_path, tiny_editor(), FRAMING)
    (part,) = json.loads((tmp_path / pretrained.LIST).read_text())["networks"]["parts"]
    folder = shutil.copytree(tmp_path, tmp_path / "copy")
    content = bytearray((folder / part).read_bytes())
    content[-200] ^= 1
    (folder / part).write_bytes(content) if damage == "changed" else (folder / part).unlink()
    with pytest.raises(DamagedError, match=part):
        pretrained.read(folder)
