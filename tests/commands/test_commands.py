"""The commands from data to edits, at 8x8: prepare, three trainings, resuming, evaluation."""

import json
import os

import jax
import numpy as np
import pytest
from PIL import Image

from jaxgan import Editor
from jaxgan.checkpoints import Checkpoints, load
from jaxgan.commands import evaluate, prepare
from jaxgan.commands import train as train_command
from jaxgan.data.records import load_split
from jaxgan.errors import CheckpointError

DATASET = "procedural"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with prepared procedural portraits and one finished run of each stage."""
    home = tmp_path_factory.mktemp("home")
    flags = ["--synthetic", "64", "--name", DATASET, "--data_dir", str(home / "data"), "--resolution", "8"]
    assert prepare.main([*flags, "--test_fraction", "0.25"]) == 0
    assert train(home, "stylegan") == 0
    assert train(home, "inverter", "--stylegan", str(home / "stylegan")) == 0
    assert train(home, "editor", "--inverter", str(home / "inverter")) == 0
    return home


def train(home, stage, *more, workdir=None):
    where = ["--workdir", str(workdir or home / stage), "--data_dir", str(home / "data"), "--dataset", DATASET]
    return train_command.main([stage, "--config", "tiny", *where, *more])


def metrics_of(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_metrics_grids_checkpoints_and_its_configuration(home):
    for stage, terms in (
        ("stylegan", {"g_loss", "d_loss"}),
        ("inverter", {"pixel", "perceptual"}),
        ("editor", {"latent_cycle"}),
    ):
        lines = metrics_of(home / stage)
        assert [line["images"] for line in lines] == [8, 16, 24, 32]
        assert terms < set(lines[0])
        grids = sorted(os.listdir(home / stage / "samples"))
        assert grids == ["000000000.png", "000000016.png", "000000032.png"]
        assert Checkpoints(home / stage).latest_step() == 4
        assert list((home / stage / "tensorboard").iterdir())
        saved = json.loads((home / stage / "config.json").read_text())
        assert saved["stage"] == stage and saved["config"]["run"]["dataset"] == DATASET


def test_the_editors_grid_has_six_rows_of_the_test_split(home):
    grid = np.asarray(Image.open(home / "editor" / "samples" / "000000032.png"))
    scale, portraits = 64 // 8, 8
    assert grid.shape == (6 * 8 * scale, portraits * 8 * scale, 3)
    images, _, _ = load_split(home / "data", DATASET, "test", limit=portraits)
    sources = grid[8 * scale : 2 * 8 * scale : scale, ::scale].reshape(8, portraits, 8, 3).transpose(1, 0, 2, 3)
    np.testing.assert_array_equal(sources, images)


def test_rerunning_the_command_goes_on_where_it_stopped(home, tmp_path, capsys):
    assert train(home, "stylegan", "run.total_images=16", workdir=tmp_path) == 0
    assert train(home, "stylegan", workdir=tmp_path) == 0
    assert "resuming from 16 images" in capsys.readouterr().out
    whole, resumed = metrics_of(home / "stylegan"), metrics_of(tmp_path)
    for line in [*whole, *resumed]:
        del line["images_per_second"]
    assert resumed == whole  # to the last bit
    ours, theirs = (load(folder).networks for folder in (home / "stylegan", tmp_path))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_resuming_with_another_configuration_is_refused(home, capsys):
    assert train(home, "stylegan", "r1_gamma=3") == 1
    message = capsys.readouterr().err
    assert "r1_gamma is 10.0 there and 3.0 here" in message


def test_dry_run_prints_and_trains_nothing(home, tmp_path, capsys):
    more = ["--stylegan", str(home / "stylegan"), "--dry_run"]
    assert train(home, "inverter", *more, workdir=tmp_path / "new") == 0
    printed = capsys.readouterr().out
    assert json.loads(printed[: printed.index("\n}\n") + 2])["generator"]["resolution"] == 8
    assert "inverter" in printed and "num_train=" in printed and "keypoints between" in printed
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("stage", "flags", "message"),
    [
        ("stylegan", ["nonsense=1"], "unknown field 'nonsense'"),
        ("stylegan", ["generator.resolution=16"], "8 px, not 16 px"),
        ("stylegan", ["run.batch_size=6"], "run.batch_size=6"),
        ("stylegan", ["--config", "huge"], "unknown preset 'huge'"),
        ("inverter", ["--stylegan", "nowhere"], "nowhere"),
        ("editor", ["--inverter", "STYLEGAN"], "is a stylegan run"),
        ("inverter", [], "give its folder as --stylegan"),
        ("editor", ["--inverter", "INVERTER", "generator.latent_size=4"], "generator.* is that of"),
        ("editor", ["--inverter", "INVERTER", "inverter.width=8"], "inverter.* is that of"),
        ("editor", ["--inverter", "INVERTER", "stylegan_discriminator.fmap_base=8"], "stylegan_discriminator.* is that of"),
        ("inverter", ["--stylegan", "STYLEGAN", "discriminator.fmap_base=8"], "discriminator.* is that of"),
    ],
)
def test_bad_flags_are_one_line_and_exit_status_1(home, tmp_path, capsys, stage, flags, message):
    named = {"STYLEGAN": str(home / "stylegan"), "INVERTER": str(home / "inverter")}
    assert train(home, stage, *(named.get(flag, flag) for flag in flags), workdir=tmp_path / "new") == 1
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error
    assert not (tmp_path / "new").exists()


def test_evaluation_of_the_trained_editor(home, tmp_path, capsys):
    flags = ["--workdir", str(home / "editor"), "--data_dir", str(home / "data"), "--dataset", DATASET]
    assert evaluate.main([*flags, "--metrics", "truth,latents", "--num", "8", "--figure", "--out", str(tmp_path)]) == 0
    assert "manipulated" in capsys.readouterr().out
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert {"manipulated", "inversion", "copy-source"} <= set(rows)
    assert (tmp_path / "figure.png").exists()


def test_missing_checkpoints_are_named(home, tmp_path):
    with pytest.raises(CheckpointError, match="holds no checkpoints"):
        load(tmp_path)
    with pytest.raises(CheckpointError, match="no checkpoint of step 3; the newest is 4"):
        load(home / "stylegan", 3)


@pytest.fixture(scope="module")
def editor(home):
    return Editor.load(home / "editor")


@pytest.fixture(scope="module")
def portraits(home):
    return load_split(home / "data", DATASET, "test", limit=5)[:2]


def test_editing_does_not_depend_on_the_batch(editor, portraits):
    images, keypoints = portraits
    together = editor.edit(images, keypoints[::-1])
    assert together.shape == (5, 8, 8, 3) and together.dtype == np.uint8
    alone = np.concatenate([editor.edit(image, points) for image, points in zip(images, keypoints[::-1], strict=True)])
    assert np.abs(together.astype(int) - alone.astype(int)).max() <= 1


def test_strength_goes_from_the_inversion_to_the_edit(editor, portraits):
    images, keypoints = portraits
    np.testing.assert_array_equal(editor.edit(images, keypoints[::-1], strength=0.0), editor.render(editor.invert(images)))
    assert (editor.edit(images, keypoints[::-1]) != editor.edit(images, keypoints[::-1], strength=0.0)).any()


def test_images_of_any_size_and_type(editor, portraits):
    images, keypoints = portraits
    larger = np.repeat(np.repeat(images, 8, axis=1), 8, axis=2)
    wide = np.pad(larger, ((0, 0), (0, 0), (30, 30), (0, 0)))
    moved = keypoints * 8 + np.array([30, 0], np.float32)
    expected = editor.edit(larger, keypoints * 8)
    np.testing.assert_array_equal(editor.edit(list(larger / np.float32(127.5) - 1), keypoints * 8), expected)
    # moving the keypoints there and back rounds their last bits
    assert np.abs(editor.edit(wide, moved).astype(int) - expected.astype(int)).max() <= 1


def test_no_images_give_no_images(editor):
    assert editor.invert(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, editor.num_layers, 8)


def test_generating_depends_on_the_seed_alone(editor):
    first, second = editor.generate([3, 4]), editor.generate([5, 4, 3])
    np.testing.assert_array_equal(first[[1, 0]], second[1:])
    average = editor.generate([3, 4, 5], truncation=0.0)  # all layers of an 8x8 generator are truncated
    np.testing.assert_array_equal(average[0], average[1])


def test_batches_of_any_length_compile_once_and_single_images_once_more(editor, portraits):
    images, keypoints = portraits
    for count in (1, 2):
        editor.edit(images[:count], keypoints[:count])
    compiled = []
    jax.monitoring.register_event_listener(lambda event, **_: compiled.append(event))
    try:
        for count in (1, 3, 5):
            editor.edit(images[:count], keypoints[:count])
        many = np.concatenate([images] * 8)
        editor.edit(many, np.concatenate([keypoints] * 8))
    finally:
        jax.monitoring.clear_event_listeners()
    assert not [event for event in compiled if "compil" in event]


@pytest.mark.parametrize(
    ("images", "keypoints", "message"),
    [
        (np.zeros((2, 8, 8, 4), np.uint8), np.zeros((2, 68, 2)), r"image 0 must be \[H, W, 3\]"),
        (np.zeros((2, 8, 8, 3), np.int64), np.zeros((2, 68, 2)), "uint8 or float, got int64"),
        (np.full((2, 8, 8, 3), 255.0), np.zeros((2, 68, 2)), r"must lie in \[-1, 1\]"),
        (np.full((2, 8, 8, 3), np.nan), np.zeros((2, 68, 2)), r"must lie in \[-1, 1\]"),
        (np.zeros((2, 8, 8, 3), np.uint8), np.zeros((3, 68, 2)), r"keypoints must be \[2, 68, 2\]"),
        (np.zeros((2, 8, 8, 3), np.uint8), np.full((2, 68, 2), np.inf), "keypoints must be finite"),
    ],
)
def test_bad_input_is_named(editor, images, keypoints, message):
    with pytest.raises(ValueError, match=message):
        editor.edit(images, keypoints)


def test_latents_of_another_shape_are_named(editor):
    with pytest.raises(ValueError, match=r"latents must be \[N, 4, 8\]"):
        editor.render(np.zeros((1, 3, 8), np.float32))


def test_earlier_stages_do_what_they_can(home, portraits):
    generator, encoder = Editor.load(home / "stylegan"), Editor.load(home / "inverter")
    assert generator.generate([0]).shape == (1, 8, 8, 3)
    with pytest.raises(ValueError, match="of the stylegan stage and holds no inverter"):
        generator.invert(portraits[0])
    assert encoder.invert(portraits[0]).shape == (5, 4, 8)
    with pytest.raises(ValueError, match="of the inverter stage and holds no encoder"):
        encoder.edit(*portraits)
