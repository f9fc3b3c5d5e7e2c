"""Trainings that are killed, preempted or shared by two processes end as those that are not.

JAXGAN_KILLS=20 kills each stage twenty times, and has two processes train every stage. Once, the StyleGAN is killed and the
inverter trained by two: checkpoints/test_export.py has every stage resume to the last bit, from both kinds of folders.
"""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxgan.checkpoints import Checkpoints, load
from jaxgan.commands import prepare
from jaxgan.commands import train as train_command
from jaxgan.configs import override, preset
from jaxgan.runtime import EXIT_INTERRUPTED, EXIT_PREEMPTED, lock_folder
from jaxgan.training.stages import STAGES

ROOT = Path(__file__).parents[2]
DATASET = "procedural"
EARLIER = {"stylegan": (), "inverter": ("stylegan",), "editor": ("inverter",)}
IMAGES = 96  # 12 steps, with a checkpoint every second one
# The StyleGAN keeps more than networks: the strength of its augmentation, adjusted every third step, and a mean path length.
ADAPTIVE = ["augment.kind=adaptive", "augment.color=false", "augment.translation=0", "augment.cutout=0"]
ADAPTIVE += ["augment.target=0.05", "augment.interval=3", "augment.ramp_images=48", "path_weight=2", "path_interval=2"]
# One rate, so that runs of all lengths share their compiled steps.
CHOSEN = {"stylegan": ADAPTIVE, "inverter": ["adam.decay=1", "r1_interval=1"], "editor": ["adam.decay=1"]}
LONG = [f"run.{name}_images=800000" for name in ("total", "checkpoint", "sample")]
KILLS = int(os.environ.get("JAXGAN_KILLS", "1"))
KILLED, SHARED = (tuple(EARLIER), tuple(EARLIER)) if KILLS > 1 else (("stylegan",), ("inverter",))


def flags(home, stage, workdir, *more):
    earlier = [part for name in EARLIER[stage] for part in (f"--{name}", str(home / name))]
    data = ["--data_dir", str(home / "data"), "--dataset", DATASET]
    return ["--config", "tiny", "--workdir", str(workdir), *data, *earlier, f"run.total_images={IMAGES}", *CHOSEN[stage], *more]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with data and an uninterrupted training of each stage that is looked at."""
    home = tmp_path_factory.mktemp("home")
    drawn = ["--synthetic", "64", "--name", DATASET, "--data_dir", str(home / "data"), "--resolution", "8"]
    assert prepare.main([*drawn, "--test_fraction", "0.25"]) == 0
    for stage in dict.fromkeys(("stylegan", *KILLED, *SHARED)):
        assert train_command.main([stage, *flags(home, stage, home / stage)]) == 0
    assert len({line["augment_p"] for line in lines_of(home / "stylegan")}) > 1
    # compiled once; in a folder of their own, since a kill may leave an entry cut off
    shutil.copytree(os.environ["JAX_COMPILATION_CACHE_DIR"], home / "compiled")
    return home


def start(home, stage, workdir, *more, devices=4):
    command = [sys.executable, str(ROOT / f"train_{stage}.py"), *flags(home, stage, workdir, *more)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    env["JAX_COMPILATION_CACHE_DIR"] = str(home / "compiled")
    env["XLA_FLAGS"] = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"  # the last one counts
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process, images):
    """Reads what a training prints until it has seen so many images; False where it ended before."""
    for line in process.stdout:
        found = re.match(r"\w+ ([\d,]+)/[\d,]+ images", line)
        if found and int(found[1].replace(",", "")) >= images:
            return True
    return False


def lines_of(workdir):
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line["images_per_second"]
    return lines


def assert_same_run(home, stage, found):
    """Every metric, every grid and every array of the last state and of the model are equal to the last bit."""
    expected = home / stage
    assert lines_of(found) == lines_of(expected)
    grids = sorted(os.listdir(expected / "samples"))
    assert sorted(os.listdir(found / "samples")) == grids
    for name in grids:
        assert (found / "samples" / name).read_bytes() == (expected / "samples" / name).read_bytes()
    earlier = load(home / EARLIER[stage][0]).networks if EARLIER[stage] else {}
    config = override(preset("tiny", stage), CHOSEN[stage])
    like = jax.eval_shape(lambda: STAGES[stage].init(config, earlier))
    last = IMAGES // 8
    states = [Checkpoints(each).restore_state(last, like) for each in (found, expected)]
    jax.tree.map(np.testing.assert_array_equal, *states)
    jax.tree.map(np.testing.assert_array_equal, *(load(each).networks for each in (found, expected)))


@pytest.mark.parametrize("stage", KILLED)
def test_killed_at_any_moment_it_ends_as_if_nothing_had_happened(home, tmp_path, stage):
    dice, kills, number = random.Random(stage), 0, 0
    while kills < KILLS:
        workdir, number = tmp_path / str(number), number + 1
        through = False
        while kills < KILLS and not through:
            process = start(home, stage, workdir)
            seen = 8 * max([int(path.name) for path in workdir.glob("checkpoints/*") if path.name.isdigit()], default=0)
            if wait_for(process, dice.uniform(seen, IMAGES)):
                try:
                    process.wait(dice.uniform(0, 0.3))  # in the middle of a step, a save or a grid
                except subprocess.TimeoutExpired:
                    process.kill()
            _, errors = process.communicate()
            assert process.returncode in (0, -signal.SIGKILL), errors
            through = process.returncode == 0
            kills += not through
        if not through:  # the same command again
            assert train_command.main([stage, *flags(home, stage, workdir)]) == 0
        assert_same_run(home, stage, workdir)


def test_an_interrupt_saves_and_says_so(home, tmp_path, capsys):
    """SIGTERM is in the test below and, of a process alone, in checkpoints/test_export.py."""
    process = start(home, "stylegan", tmp_path, *LONG)
    assert wait_for(process, 80)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_INTERRUPTED
    step = Checkpoints(tmp_path).latest_step()
    assert f"SIGINT at step {step}: saved; the same command resumes" in errors
    assert 10 <= step == lines_of(tmp_path)[-1]["step"]
    assert train_command.main(["stylegan", *flags(home, "stylegan", tmp_path, f"run.total_images={step * 8 + 8}")]) == 0
    assert Checkpoints(tmp_path).latest_step() == step + 1
    with lock_folder(tmp_path):  # as a second run would find it
        assert train_command.main(["stylegan", *flags(home, "stylegan", tmp_path)]) == 1
    assert f"process {os.getpid()} on" in capsys.readouterr().err


def start_two(home, stage, workdir, port, *more):
    """Two processes of two devices each, on one training."""
    hosts = ["--coordinator", f"localhost:{port}", "--processes", "2"]
    return [start(home, stage, workdir, *more, *hosts, "--process", str(each), devices=2) for each in range(2)]


@pytest.fixture
def port():
    import socket

    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("stage", SHARED)
def test_two_processes_train_as_one_with_all_devices_and_stop_at_the_same_step(home, tmp_path, stage, port):
    often = ["run.checkpoint_images=16", "run.sample_images=16"]
    processes = start_two(home, stage, tmp_path, port, "run.total_images=800000", *often)
    assert wait_for(processes[0], 80)
    processes[1].send_signal(signal.SIGTERM)
    results = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [EXIT_PREEMPTED] * 2, results
    assert "images" not in results[1][0]  # the second one is silent
    step = Checkpoints(tmp_path).latest_step()
    for _, errors in results:
        assert f"SIGTERM at step {step}: saved" in errors
    found, expected = lines_of(tmp_path), lines_of(home / stage)
    assert [line["images"] for line in found] == list(range(8, 8 * step + 8, 8))
    for one, other in zip(found[:6], expected[:6], strict=True):
        for name in one:  # sums in another order: Adam makes of the last bits a thousandth of a loss
            assert one[name] == pytest.approx(other[name], rel=5e-3, abs=5e-3), (name, one["step"])
    # what two processes have saved, one goes on from
    assert train_command.main([stage, *flags(home, stage, tmp_path, f"run.total_images={8 * step + 16}")]) == 0
    assert lines_of(tmp_path)[-1]["images"] == 8 * step + 16
