"""A training in slices ends as one that was never interrupted; the compact state says what it lost, and what is damaged."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.without_tensorflow import WITHOUT_TENSORFLOW

from jaxgan import Editor
from jaxgan.checkpoints import compact, parts
from jaxgan.checkpoints import training as checkpoint
from jaxgan.checkpoints.compact import Compact
from jaxgan.checkpoints.training import Checkpoints
from jaxgan.commands import slices
from jaxgan.commands.slices import Clock
from jaxgan.configs.presets import preset
from jaxgan.data import prepare
from jaxgan.data.packed import Packed, pack
from jaxgan.errors import CheckpointError, DamagedError
from jaxgan.runtime import EXIT_PREEMPTED
from jaxgan.training.loop import WARM_UP
from jaxgan.training.run import init_state

ROOT = Path(__file__).parents[2]
DATASET = "procedural"
EARLIER = {"stylegan": None, "inverter": "stylegan", "editor": "inverter"}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A folder with a packed dataset."""
    home = tmp_path_factory.mktemp("home")
    flags = ["--synthetic", "32", "--name", DATASET, "--data_dir", str(home / "data"), "--resolution", "8"]
    assert prepare.main([*flags, "--test_fraction", "0.25"]) == 0
    pack(home / "data", DATASET, home / "packed.npz")
    return home


@pytest.fixture(scope="module")
def home(packed):
    """The same folder, with the three stages in folders of their names, each trained in one slice."""
    for stage in EARLIER:
        assert train(packed, stage) == 0
    return packed


def flags_of(home, stage, *more, state=None, earlier=True):
    named = ["--earlier", str(home / EARLIER[stage])] if EARLIER[stage] and earlier else []
    where = ["--packed", str(home / "packed.npz"), "--state", str(state or home / stage)]
    return [stage, "--config", "tiny", *where, "--minutes", "5", *named, *more]


def train(home, stage, *more, **options):
    return slices.main(flags_of(home, stage, *more, **options))


def parts_of(folder, kind="state"):
    return sorted(folder.glob(f"{kind}-*.npz"))


def assert_equal(ours, theirs):
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_a_slice_leaves_a_small_folder(home):
    for stage in EARLIER:
        folder = home / stage
        listed = json.loads((folder / "state.json").read_text())
        assert (listed["stage"], listed["step"], listed["images"]) == (stage, 4, 32)
        assert listed["stored"] == {} and listed["config"]["run"]["dataset"] == DATASET
        assert (
            [path.name for path in parts_of(folder)]
            == [f"state-1-of-1-{listed['sequence']}.npz"]
            == [*listed["state"]["parts"]]
        )
        assert [path.name for path in parts_of(folder, "frozen")] == (["frozen-1-of-1.npz"] if EARLIER[stage] else [])
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert [line["images"] for line in lines] == [8, 16, 24, 32]
        assert sorted(os.listdir(folder / "samples")) == ["000000000.png", "000000032.png"]  # by time, not by images


@pytest.mark.parametrize("stage", EARLIER)
def test_stopped_and_resumed_equals_one_uninterrupted_run(home, tmp_path, stage, monkeypatch, capsys):
    class Short(Clock):
        def due(self, metrics):
            super().due(metrics)
            self.over = self._count == 3
            return self.over

    with monkeypatch.context() as patched:
        patched.setattr(slices, "Clock", Short)
        assert train(home, stage, state=tmp_path / "first") == 0
    assert "24 of 32 images" in capsys.readouterr().out
    assert sorted(os.listdir(tmp_path / "first" / "samples")) == ["000000000.png", "000000024.png"]
    moved = tmp_path / "moved"
    (tmp_path / "first").rename(moved)
    assert train(home, stage, state=moved, earlier=False) == 0  # what it needs of the stage before is in the folder
    assert "going on from 24 images" in capsys.readouterr().out
    ours, whole = compact.read(moved), compact.read(home / stage)
    assert_equal(ours.state, whole.state)
    assert jax.tree.structure(ours.state) == jax.tree.structure(whole.state)
    assert [leaf.dtype for leaf in jax.tree.leaves(ours.state)] == [leaf.dtype for leaf in jax.tree.leaves(whole.state)]
    assert (moved / "samples" / "000000032.png").read_bytes() == (home / stage / "samples" / "000000032.png").read_bytes()
    assert ours.listed["sequence"] == 2 and len(parts_of(moved)) == 1


def test_slices_and_training_commands_agree(home, tmp_path):
    """An export is a checkpoint of the same state, and an inverter starts from either."""
    assert slices.main(["export", "--state", str(home / "stylegan"), "--workdir", str(tmp_path)]) == 0
    checkpoints = Checkpoints(tmp_path)
    found = compact.read(home / "stylegan")
    assert_equal(checkpoints.restore_state(4, found.state), found.state)
    assert checkpoints.config(4) == found.config
    assert_equal(compact.load(tmp_path).model, compact.load(home / "stylegan").model)
    inverter = tmp_path / "inverter"
    assert slices.main([*flags_of(home, "inverter", state=inverter, earlier=False), "--earlier", str(tmp_path)]) == 0
    assert_equal(compact.read(inverter).state, compact.read(home / "inverter").state)
    assert slices.main(["export", "--state", str(home / "stylegan"), "--workdir", str(tmp_path)]) == 1  # it is there already


def test_an_exported_editor_edits(home, tmp_path):
    assert slices.main(["export", "--state", str(home / "editor"), "--workdir", str(tmp_path)]) == 0
    assert_equal(checkpoint.load(tmp_path).frozen, compact.load(home / "editor").frozen)
    editor = Editor.load(tmp_path)
    images, keypoints = Packed(home / "packed.npz", 8).load("test", 2)
    assert editor.edit(images, keypoints[::-1]).shape == (2, 8, 8, 3)


@pytest.mark.parametrize(
    ("stage", "flags", "options", "message"),
    [
        ("stylegan", ["r1_gamma=3"], {}, "r1_gamma is 10.0 there and 3.0 here"),
        ("stylegan", ["--minutes", "0"], {}, "--minutes must be positive"),
        ("inverter", [], {"state": "new", "earlier": False}, "give the folder of the stylegan as --earlier"),
        ("inverter", [], {"state": "stylegan"}, "is a stylegan run; choose another --state for the inverter"),
        ("editor", ["--earlier", "stylegan"], {"state": "new"}, "is a stylegan run; training the editor starts from inverter"),
        ("inverter", ["--earlier", "other"], {}, "was trained from another stylegan (its step 4)"),
        ("stylegan", ["generator.resolution=16"], {"state": "new"}, "has 8 px, not 16 px"),
        ("stylegan", ["--packed", "new"], {}, "no such file"),
    ],
)
def test_bad_flags_are_one_line_and_exit_status_1(home, capsys, stage, flags, options, message):
    if "other" in flags:
        other = Compact(home / "other", preset("tiny", "stylegan"), None, None)
        other.save(init_state("stylegan", other.config, None), usable=True)
    flags = [str(home / flag) if flag in ("stylegan", "other", "new") else flag for flag in flags]
    options = {**options, **({"state": home / options["state"]} if "state" in options else {})}
    assert train(home, stage, *flags, **options) == 1
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error
    assert not (home / "new").exists()


def test_damage_names_the_file(home, tmp_path):
    found = compact.read(home / "inverter")
    saved = Compact(tmp_path, found.config, compact.load(home / "stylegan"), None)
    saved.save(found.state, usable=True)
    compact.read(tmp_path)
    for path in (*parts_of(tmp_path), *parts_of(tmp_path, "frozen")):
        content = path.read_bytes()
        for place in (len(content) // 2, len(content) - 1):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(DamagedError, match=f"{path.name} is damaged"):
                compact.read(tmp_path)
        path.unlink()
        with pytest.raises(DamagedError, match=f"{path.name} is missing"):
            compact.load(tmp_path)
        path.write_bytes(content)
    (tmp_path / "state.json").write_text('{"stage"')
    with pytest.raises(DamagedError, match=r"state.json is damaged"):
        compact.read(tmp_path)
    with pytest.raises(CheckpointError, match=r"holds no state.json"):
        compact.read(home)


def test_a_save_that_is_cut_loses_nothing(home, tmp_path, monkeypatch):
    found = compact.read(home / "stylegan")
    saved = Compact(tmp_path, found.config, None, None)
    saved.save(found.state, usable=True)
    later = found.state.replace(step=found.state.step + 1)

    def cut(*_):
        raise KeyboardInterrupt

    for place in ("compact.json.dumps", "parts.write"):  # after the new parts, and before them
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(f"jaxgan.{place}", cut)
            saved.save(later, usable=True)
        assert_equal(compact.read(tmp_path).state, found.state)
    Compact(tmp_path, found.config, None, compact.read(tmp_path)).save(later, usable=True)
    assert int(compact.read(tmp_path).state.step) == 5
    assert [path.name for path in parts_of(tmp_path)] == ["state-1-of-1-2.npz"]


def shapes(moments, averages, frozen=0):
    """A state by its megabytes, of which the moments are twice the parameters; and frozen variables."""

    def array(size):
        return jax.ShapeDtypeStruct((int(size * 1e6 / 4),), jnp.float32)

    adam, schedule = {"mu": array(moments / 2), "nu": array(moments / 2)}, {"count": jax.ShapeDtypeStruct((), jnp.int32)}
    state = {"params": {"g": array(moments / 2)}, "opt_state": {"g": {"0": adam, "1": schedule}}, "ema": {"g": array(averages)}}
    return state, {"generator": array(frozen)}


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
    assert compact.choose_plan(*shapes(*sizes)) == compact.PLANS[number]


def test_a_state_that_cannot_fit_is_refused():
    with pytest.raises(CheckpointError, match="smallest form, more than"):
        compact.choose_plan(*shapes(240, 30))


@pytest.mark.parametrize("plan", compact.PLANS, ids=str)
def test_each_group_is_stored_as_the_plan_says(home, tmp_path, monkeypatch, plan):
    monkeypatch.setattr(compact, "PLANS", (plan,))
    monkeypatch.setattr(parts, "PART_BYTES", 5_000)  # arrays go on from one part to the next
    found, before = compact.read(home / "inverter"), compact.load(home / "stylegan")
    saved = Compact(tmp_path, found.config, before, None)
    saved.save(found.state, usable=True)
    assert len(parts_of(tmp_path)) > 2 < len(parts_of(tmp_path, "frozen"))
    again = compact.read(tmp_path)
    assert again.listed["stored"] == plan

    def rounded(tree, group):
        kind = plan.get(group)
        return jax.tree.map(lambda x: x.astype(kind).astype(x.dtype) if x.dtype == jnp.float32 else x, tree) if kind else tree

    assert_equal(again.state.params, rounded(found.state.params, "parameters"))
    assert_equal(again.state.extra, found.state.extra)
    ema, was = again.state.ema["inverter"], found.state.ema["inverter"]
    assert_equal(ema, {**was, "params": rounded(was["params"], "averages")})
    assert_equal(again.earlier.model, rounded(before.model, "frozen"))
    for name, (adam, schedule) in again.state.opt_state.items():
        adam_was, schedule_was = found.state.opt_state[name]
        assert_equal(schedule, schedule_was)  # the rate goes on
        if plan.get("moments") == compact.DROPPED:
            assert not any(np.any(leaf) for leaf in jax.tree.leaves(adam))  # with its count, that corrects their bias
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
from jaxgan.commands import slices
sys.exit(slices.main(sys.argv[1:]))
"""
)


def test_without_tensorflow_a_slice_ends_in_time_and_sigterm_saves(packed, tmp_path):
    def start(*more):
        simple = ["r1_interval=1", "augment.color=false", "augment.translation=0", "augment.cutout=0"]  # compiles sooner
        flags = flags_of(packed, "stylegan", "run.total_images=8000000", *simple, *more, state=tmp_path)
        command = [sys.executable, "-c", COMMAND_WITHOUT_TENSORFLOW, *flags]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    process = start("--minutes", "0.2", "--every", "0.02")
    printed, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "No TensorBoard summaries" in errors and "the same command goes on" in printed
    images = compact.read(tmp_path).listed["images"]
    assert images > 0
    process = start()
    for line in process.stdout:
        if "/8,000,000 images" in line:
            break
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_PREEMPTED
    assert compact.read(tmp_path).listed["images"] > images
    assert "SIGTERM at" in errors and "the same command goes on" in errors
