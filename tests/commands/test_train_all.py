"""All stages by one command, which goes on from whatever an earlier run has left."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from jaxgan import storage
from jaxgan.checkpoints import load
from jaxgan.commands import prepare, train_all
from jaxgan.configs import override, preset
from jaxgan.data.packed import pack
from jaxgan.evaluation.table1 import VARIANTS, variant

FLAGS = ["--config", "tiny", "run.total_images=16", "editor:adam.learning_rate=0.002"]


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    home = tmp_path_factory.mktemp("packed")
    flags = ["--synthetic", "32", "--name", "faces", "--data_dir", str(home / "data"), "--resolution", "8"]
    assert prepare.main([*flags, "--test_fraction", "0.25"]) == 0
    pack(home / "data", "faces", home / "packed")
    return str(home / "packed")


@pytest.fixture(scope="module")
def killed(packed, tmp_path_factory):
    """What is left of a run that was killed while the inverter trained, on a machine that is gone: the small folders."""
    home = tmp_path_factory.mktemp("slices")
    endless = ["inverter:run.total_images=8000000", "inverter:run.checkpoint_images=8"]
    command = [sys.executable, "-m", "jaxgan", "train_all", *FLAGS, *endless, "--packed", packed]
    with subprocess.Popen([*command, "--out", str(home / "gone"), "--export", str(home / "small")]) as process:
        until = time.monotonic() + 180
        while not storage.is_stored(home / "small" / "inverter") and time.monotonic() < until and process.poll() is None:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    shutil.rmtree(home / "gone")
    return home


def test_another_machine_goes_on_after_a_kill(packed, killed, capsys):
    small = killed / "small"
    begun = storage.contents(small / "inverter").about["images"]
    flags = [*FLAGS, f"inverter:run.total_images={begun + 16}", "--packed", packed, "--export", str(small)]
    for minutes, said in (("0.001", "the same command goes on"), ("1000", "all trained")):
        assert train_all.main([*flags, "--minutes", minutes, "--out", str(killed / "later")]) == 0
        assert said in capsys.readouterr().out
    images = {stage: storage.contents(small / stage).about["images"] for stage in ("stylegan", "inverter", "editor")}
    assert images == {"stylegan": 16, "inverter": begun + 16, "editor": 16}
    assert not (killed / "later" / "stylegan").exists()
    assert load(killed / "later" / "editor").config.adam.learning_rate == 0.002
    before = (small / "editor" / storage.LIST).stat().st_mtime_ns
    assert train_all.main([*flags, "--out", str(killed / "later")]) == 0
    assert (small / "editor" / storage.LIST).stat().st_mtime_ns == before


def test_the_rows_of_table_1_follow(packed, tmp_path):
    args = train_all._parse([*FLAGS, "--packed", packed, "--out", str(tmp_path), "--table1"])
    rows = [each for each in train_all._trainings(args) if each.stage == "editor"]
    configs = [override(preset("tiny", "editor"), each.overrides) for each in rows]
    assert {variant(config) for config in configs} == {*VARIANTS.values()}
    assert all(config.run.total_images == 16 and config.adam.learning_rate == 0.002 for config in configs)


def test_people_are_asked_for_before_anything_is_trained(packed, tmp_path, capsys):
    flags = ["editor:paired_share=0.25", "--config", "tiny", "--packed", packed, "--out", str(tmp_path / "runs")]
    assert train_all.main(flags) == 1
    assert f"{packed}: does not say who is on its portraits" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("text", ["invertor:run.seed=1", ":run.seed=1"])
def test_an_override_of_an_unknown_stage_is_named(text, packed, tmp_path, capsys):
    assert train_all.main([text, "--config", "tiny", "--packed", packed, "--out", str(tmp_path)]) == 1
    assert f"{text}: no stage" in capsys.readouterr().err
