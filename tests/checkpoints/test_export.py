"""Small folders of a run: resumed from, they continue it; they say what precision was given up, and what is damaged."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.without_tensorflow import WITHOUT_TENSORFLOW

from jaxgan import Editor, storage
from jaxgan.checkpoints import Checkpoints, export, load
from jaxgan.commands import export as export_command
from jaxgan.commands import prepare
from jaxgan.commands import train as train_command
from jaxgan.data.packed import Packed, pack
from jaxgan.errors import CheckpointError, DamagedError, InputError
from jaxgan.runtime import EXIT_PREEMPTED
from jaxgan.training.clock import WARM_UP, Clock

ROOT = Path(__file__).parents[2]
DATASET = "procedural"
EARLIER = {"stylegan": None, "inverter": "stylegan", "editor": "inverter"}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A folder with a packed dataset."""
    home = tmp_path_factory.mktemp("home")
    flags = ["--synthetic", "32", "--name", DATASET, "--data_dir", str(home / "data"), "--resolution", "8"]
    assert prepare.main([*flags, "--test_fraction", "0.25"]) == 0
    pack(home / "data", DATASET, home / "packed")
    return home


@pytest.fixture(scope="module")
def home(packed):
    """The same folder, with a run of each stage, and its export, in folders of their names."""
    for stage in EARLIER:
        assert train(packed, stage) == 0
    return packed


def flags_of(home, stage, *more, where=None, earlier=True):
    named = [f"--{EARLIER[stage]}", str(home / "exports" / EARLIER[stage])] if EARLIER[stage] and earlier else []
    workdir, exported = (home / "runs" / stage, home / "exports" / stage) if where is None else (where / "run", where / "small")
    places = ["--packed", str(home / "packed"), "--workdir", str(workdir), "--export", str(exported)]
    return [stage, "--config", "tiny", *places, "--minutes", "1000", *named, *more]


def train(home, stage, *more, **options):
    return train_command.main(flags_of(home, stage, *more, **options))


def assert_equal(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_an_export_is_a_small_folder(home):
    for stage in EARLIER:
        folder = home / "exports" / stage
        about = storage.contents(folder).about
        assert (about["stage"], about["step"], about["images"], about["stored"]) == (stage, 4, 32, {})
        assert about["config"]["run"]["dataset"] == DATASET
        assert len(list(folder.iterdir())) == 2
        lines = [json.loads(line) for line in (home / "runs" / stage / "metrics.jsonl").read_text().splitlines()]
        assert [line["images"] for line in lines] == [8, 16, 24, 32]
        grids = sorted(os.listdir(home / "runs" / stage / "samples"))
        assert grids == ["000000000.png", "000000032.png"]  # by time, not by images


@pytest.mark.parametrize("stage", EARLIER)
def test_resumed_from_an_export_it_equals_one_uninterrupted_run(home, tmp_path, stage, monkeypatch, capsys):
    """First from the export, after two steps, and then from the working folder alone, after a third."""

    def steps(number):
        class Short(Clock):
            def due(self, metrics):
                super().due(metrics)
                self.over = self._count == number
                return self.over

        return Short

    def run(number, **options):
        with monkeypatch.context() as patched:
            patched.setattr(train_command, "Clock", steps(number))
            assert train(home, stage, **options) == 0
        return capsys.readouterr().out

    assert "16 of 32 images" in run(2, where=tmp_path / "first")
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "first" / "small", moved / "small")
    said = run(1, where=moved, earlier=False)  # what it needs of the stage before is in the export
    assert f"resuming from 16 images in {moved / 'small'}" in said and "24 of 32 images" in said
    shutil.rmtree(moved / "small")
    assert train(home, stage, where=moved, earlier=False) == 0
    assert f"resuming from 24 images in {moved / 'run'}" in capsys.readouterr().out
    ours, whole = export.read(moved / "small"), export.read(home / "exports" / stage)
    assert_equal(ours.state, whole.state)
    assert jax.tree.structure(ours.state) == jax.tree.structure(whole.state)
    assert [leaf.dtype for leaf in jax.tree.leaves(ours.state)] == [leaf.dtype for leaf in jax.tree.leaves(whole.state)]
    assert_equal(ours.earlier, whole.earlier)
    grid = Path("samples") / "000000032.png"
    assert (moved / "run" / grid).read_bytes() == (home / "runs" / stage / grid).read_bytes()


def test_a_run_goes_on_from_an_export_that_is_newer_than_its_folder(packed, tmp_path, capsys):
    def run(images):
        assert train(packed, "stylegan", f"run.total_images={images}", where=tmp_path) == 0
        return capsys.readouterr().out

    run(16)
    shutil.copytree(tmp_path / "run", tmp_path / "older")
    run(24)
    shutil.rmtree(tmp_path / "run")
    shutil.move(tmp_path / "older", tmp_path / "run")
    assert f"resuming from 24 images in {tmp_path / 'small'}" in run(32)
    assert storage.contents(tmp_path / "small").about["images"] == 32
    assert load(tmp_path / "run").step == 4


def test_an_export_and_its_run_hold_the_same(home):
    for stage in EARLIER:
        exported, run = export.read(home / "exports" / stage), home / "runs" / stage
        assert_equal(Checkpoints(run).restore_state(4, exported.state), exported.state)
        assert Checkpoints(run).config(4) == exported.config
        assert_equal(load(run).networks, load(home / "exports" / stage).networks)


def test_an_exported_editor_edits(home):
    editor, same = Editor.load(home / "exports" / "editor"), Editor.load(home / "runs" / "editor")
    images, keypoints = Packed(home / "packed", 8).load("test", 2)
    assert editor.edit(images, keypoints[::-1]).shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(editor.edit(images, keypoints[::-1]), same.edit(images, keypoints[::-1]))


def test_the_command_writes_networks_or_the_whole_state(home, tmp_path, capsys):
    where = ["--workdir", str(home / "runs" / "editor"), "--out"]
    assert export_command.main([*where, str(tmp_path / "state"), "--state"]) == 0
    assert_equal(export.read(tmp_path / "state").state, export.read(home / "exports" / "editor").state)
    data = ["--data_dir", str(home / "data"), "--dataset", DATASET]
    assert export_command.main([*where, str(tmp_path / "small"), "--half", "--max_file_mb", "0.1", *data]) == 0
    assert "editor of step 4, half precision" in capsys.readouterr().out
    small, whole = load(tmp_path / "small"), load(home / "runs" / "editor")
    assert (small.step, small.stage, small.config) == (whole.step, whole.stage, whole.config)
    assert 0 < small.framing.spread < 1 and whole.framing is None
    assert jax.tree.structure(small.networks) == jax.tree.structure(whole.networks)
    for our, their in zip(jax.tree.leaves(small.networks), jax.tree.leaves(whole.networks), strict=True):
        assert our.dtype == their.dtype
        np.testing.assert_allclose(our, their, rtol=2**-11, atol=1e-7)
    assert export_command.main(["--workdir", str(tmp_path / "nowhere"), "--out", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("stage", "flags", "options", "message"),
    [
        ("stylegan", ["r1_gamma=3"], {}, "r1_gamma is 10.0 there and 3.0 here"),
        ("inverter", [], {"where": "new", "earlier": False}, "give its folder as --stylegan"),
        ("inverter", ["--export", "STYLEGAN"], {"where": "new"}, "holds no run of the inverter; choose another --export"),
        ("editor", ["--inverter", "STYLEGAN"], {"where": "new"}, "is a stylegan run; training the editor starts from inverter"),
        ("stylegan", ["generator.resolution=16"], {"where": "new"}, "has 8 px, not 16 px"),
    ],
)
def test_bad_flags_are_one_line_and_exit_status_1(home, tmp_path, capsys, stage, flags, options, message):
    flags = [str(home / "exports" / "stylegan") if flag == "STYLEGAN" else flag for flag in flags]
    options = {**options, **({"where": tmp_path / options["where"]} if "where" in options else {})}
    assert train(home, stage, *flags, **options) == 1
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error
    assert not (tmp_path / "new").exists()


def test_a_run_is_not_resumed_from_another_network_than_it_started_from(home, tmp_path, capsys):
    workdir = shutil.copytree(home / "runs" / "inverter", tmp_path / "inverter")
    other = load(home / "runs" / "stylegan")
    other.networks["w_avg"] = other.networks["w_avg"] + 1e-6
    export.write_networks(tmp_path / "other", other.step, other.config, other.networks)
    data = ["--data_dir", str(home / "data"), "--dataset", DATASET]
    command = ["inverter", "--config", "tiny", "--workdir", str(workdir), *data, "--stylegan", str(tmp_path / "other")]
    assert train_command.main(command) == 1
    assert "was started from another stylegan than" in capsys.readouterr().err


def test_damage_names_the_file(home, tmp_path):
    folder = shutil.copytree(home / "exports" / "inverter", tmp_path / "small")
    for path in folder.glob("*.safetensors"):
        content = path.read_bytes()
        for place in (len(content) // 2, len(content) - 1):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(DamagedError, match=f"{path.name} is damaged"):
                load(folder)
        path.unlink()
        with pytest.raises(DamagedError, match=f"{path.name} is missing"):
            load(folder)
        path.write_bytes(content)
    (folder / "arrays.json").write_text('{"kind"')
    with pytest.raises(DamagedError, match=r"arrays.json is damaged"):
        load(folder)
    with pytest.raises(CheckpointError, match="holds no checkpoints"):
        load(home)
    with pytest.raises(CheckpointError, match="holds dataset, not networks"):
        load(home / "packed")


def test_a_save_that_is_cut_loses_nothing(home, tmp_path, monkeypatch):
    found = export.read(home / "exports" / "stylegan")
    export.write_run(tmp_path, found.config, {}, found.state, usable=True)
    later = found.state.replace(step=found.state.step + 1)

    def cut(*_, **__):
        raise KeyboardInterrupt

    for place in ("json.dumps", "safetensors.numpy.save"):  # after the new files, and before them
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(f"jaxgan.storage.{place}", cut)
            export.write_run(tmp_path, found.config, {}, later, usable=True)
        assert_equal(export.read(tmp_path).state, found.state)
    export.write_run(tmp_path, found.config, {}, later, usable=True)
    assert export.read(tmp_path).step == 5
    assert len(list(tmp_path.iterdir())) == 2


def shapes(moments, averages, networks=0):
    """A state by its megabytes, of which the moments are twice the parameters; and networks of earlier stages."""

    def array(size):
        return jax.ShapeDtypeStruct((int(size * 1e6 / 4),), jnp.float32)

    arrays = {"state/opt_state/g/0/mu": array(moments / 2), "state/opt_state/g/0/nu": array(moments / 2)}
    count = jax.ShapeDtypeStruct((), jnp.int32)
    others = {"state/params/g": array(moments / 2), "state/ema/g": array(averages), "networks/generator": array(networks)}
    return {**arrays, **others, "state/opt_state/g/1/count": count}, set(arrays)


@pytest.mark.parametrize(
    ("sizes", "number"),
    [
        ((30, 14), 0),
        ((40, 10), 1),
        ((40, 21), 2),
        ((30, 14, 10), 1),
        ((40, 15, 10), 2),
        ((48, 24), 3),
        ((80, 30), 4),
        ((120, 30), 5),
    ],
)
def test_the_first_plan_that_fits_is_taken(sizes, number):
    assert export.choose_plan(*shapes(*sizes), 59_500_000) == export.PLANS[number]


def test_a_state_that_cannot_fit_is_refused_and_without_a_limit_nothing_is_given_up():
    with pytest.raises(InputError, match="smallest form, more than"):
        export.choose_plan(*shapes(240, 30), 59_500_000)
    assert export.choose_plan(*shapes(240, 30), None) == {}


@pytest.mark.parametrize("plan", export.PLANS, ids=str)
def test_each_group_is_stored_as_the_plan_says(home, tmp_path, monkeypatch, plan):
    monkeypatch.setattr(export, "PLANS", (plan,))
    found = export.read(home / "exports" / "inverter")
    export.write_run(
        tmp_path, found.config, found.earlier, found.state, usable=True, max_file_bytes=storage.HEADER_BYTES + 20_000
    )
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    again = export.read(tmp_path)
    assert again.stored == plan

    def rounded(tree, group):
        kind = plan.get(group)
        return jax.tree.map(lambda x: x.astype(kind).astype(x.dtype) if x.dtype == jnp.float32 else x, tree) if kind else tree

    assert_equal(again.state.params, rounded(found.state.params, "parameters"))
    assert_equal(again.state.extra, found.state.extra)
    ema, was = again.state.ema["inverter"], found.state.ema["inverter"]
    assert_equal(ema, {**was, "params": rounded(was["params"], "averages")})
    assert_equal(again.earlier, rounded(found.earlier, "networks"))
    for name, (adam, schedule) in again.state.opt_state.items():
        adam_was, schedule_was = found.state.opt_state[name]
        assert isinstance(adam, optax.ScaleByAdamState)
        assert_equal(schedule, schedule_was)  # the rate continues
        if plan.get("moments") == export.DROPPED:
            assert not any(np.any(leaf) for leaf in jax.tree.leaves(adam))  # with its count, which corrects their bias
        else:
            assert_equal(adam, rounded(adam_was, "moments"))


def test_the_clock_leaves_time_for_the_last_save(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = Clock(began=90.0, limit=600.0, every=120.0)
    saves, spent = [], 0.0
    for step in range(10_000):
        now += 30.0 if step < WARM_UP else 0.5
        now += spent
        spent = 0.0
        if clock.due({}):
            saves.append(now)
            spent = 8.0
        if clock.over:
            break
    assert clock.over and now + spent < 690.0 and now > 660.0
    assert len(saves) == 5 and all(118 < b - a < 130 for a, b in zip(saves[:-2], saves[1:-1], strict=True))


COMMAND_WITHOUT_TENSORFLOW = (
    WITHOUT_TENSORFLOW
    + """
from jaxgan.commands import train
sys.exit(train.main(sys.argv[1:]))
"""
)


def test_without_tensorflow_a_run_ends_in_time_and_sigterm_saves(packed, tmp_path):
    def start(*more):
        simple = ["r1_interval=1", "augment.color=false", "augment.translation=0", "augment.cutout=0"]  # compiles sooner
        flags = flags_of(packed, "stylegan", "run.total_images=8000000", *simple, *more, where=tmp_path)
        command = [sys.executable, "-c", COMMAND_WITHOUT_TENSORFLOW, *flags]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    process = start("--minutes", "0.15", "--save_minutes", "0.02")
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "No TensorBoard summaries" in errors and "the same command resumes" in printed
    images = storage.contents(tmp_path / "small").about["images"]
    assert images > 0
    process = start()
    for line in process.stdout:
        if "/8,000,000 images" in line:
            break
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_PREEMPTED
    assert storage.contents(tmp_path / "small").about["images"] > images
    assert "SIGTERM at" in errors and "the same command resumes" in errors
