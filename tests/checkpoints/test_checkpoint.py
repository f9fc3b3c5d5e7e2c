"""Checkpoints: what was written comes back, damage is found and named, and an older checkpoint takes the place."""

import errno
import os
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.checkpoints import Checkpoints, load
from jaxgan.checkpoints import training as checkpoint
from jaxgan.configs import preset
from jaxgan.errors import CheckpointError, DamagedError
from jaxgan.training import parallel, stylegan

CONFIG = preset("tiny", "stylegan")
STEPS = (3, 5)


def state_of(step):
    return stylegan.init_state(CONFIG).replace(step=jnp.int32(step))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A working folder with checkpoints of two steps."""
    workdir = tmp_path_factory.mktemp("saved")
    checkpoints = Checkpoints(workdir, keep=2)
    for step in STEPS:
        state = state_of(step)
        checkpoints.save(step, CONFIG, state, stylegan.export(state))
    return workdir


@pytest.fixture
def workdir(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "run")


def files_of(workdir, step=STEPS[1]):
    return sorted(
        path
        for path in (workdir / checkpoint.FOLDER / str(step)).rglob("*")
        if path.is_file() and path.name != checkpoint.LISTED
    )


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_what_was_saved_comes_back(saved):
    state = state_of(5)
    assert_equal(Checkpoints(saved).restore_state(5, state), state)
    loaded = load(saved)
    assert (loaded.step, loaded.stage, loaded.config) == (5, "stylegan", CONFIG)
    assert_equal(loaded.networks, stylegan.export(state))


def test_a_flipped_bit_anywhere_is_named(workdir):
    checkpoints = Checkpoints(workdir)
    for path in files_of(workdir):
        whole = path.read_bytes()
        flip_a_bit(path)
        for read in (checkpoints.networks, checkpoints.config, lambda step: checkpoints.restore_state(step, state_of(5))):
            with pytest.raises(DamagedError, match="checkpoints/5 is damaged: .*") as raised:
                read(5)
            assert path.name in str(raised.value)
        path.write_bytes(whole)
    assert load(workdir, 5).step == 5


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_cut_off_file_gives_way_to_the_checkpoint_before(workdir, share, capsys):
    largest = max(files_of(workdir), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: int(share * largest.stat().st_size)])
    loaded = load(workdir)
    assert loaded.step == 3
    assert_equal(loaded.networks, stylegan.export(state_of(3)))
    assert f"{workdir}/checkpoints/5 is damaged" in capsys.readouterr().err
    with pytest.raises(DamagedError, match="checkpoints/5 is damaged"):
        load(workdir, step=5)


def test_a_missing_file_is_damage(workdir):
    max(files_of(workdir), key=lambda path: path.stat().st_size).unlink()
    assert load(workdir).step == 3


def test_where_every_checkpoint_is_damaged_nothing_is_loaded(workdir):
    for step in STEPS:
        for path in files_of(workdir, step):
            path.write_bytes(b"")
    with pytest.raises(DamagedError, match=r"all checkpoints are damaged \(5, 3\)"):
        load(workdir)


def test_an_interrupted_save_hides_nothing(workdir):
    whole = workdir / checkpoint.FOLDER / "5"
    whole.rename(whole.with_name("5.orbax-checkpoint-tmp-0"))
    assert load(workdir).step == 3


def test_a_save_interrupted_before_its_list_hides_nothing(workdir):
    (workdir / checkpoint.FOLDER / "5" / checkpoint.LISTED).unlink()
    assert load(workdir).step == 3


def test_damaged_checkpoints_are_kept_aside_when_training_goes_on(workdir):
    checkpoints = Checkpoints(workdir)
    checkpoints.set_aside_after(3)
    assert checkpoints.latest_step() == 3
    assert (workdir / "damaged" / "5").is_dir()
    checkpoints.save(5, CONFIG, state_of(5), None)
    assert checkpoints.latest_step() == 5


@pytest.mark.parametrize("devices", [(4, 1), (1, 4)])
def test_saved_on_some_devices_it_loads_on_others(tmp_path, devices):
    before, after = (jax.local_devices()[:count] for count in devices)
    state = state_of(7)
    Checkpoints(tmp_path).save(7, CONFIG, parallel.replicate(state, before), None)
    restored = parallel.replicate(Checkpoints(tmp_path).restore_state(7, state), after)
    assert_equal(jax.device_get(restored), jax.device_get(state))
    assert {len(leaf.sharding.device_set) for leaf in jax.tree.leaves(restored)} == {devices[1]}


def test_a_state_of_other_shapes_is_named(saved):
    wider = jax.tree.map(lambda leaf: jnp.zeros((*leaf.shape, 1), leaf.dtype), state_of(5))
    with pytest.raises(CheckpointError, match=r"/5: state \S+ is .* there, .* by the configuration"):
        Checkpoints(saved).restore_state(5, wider)


def test_no_pickles_are_written(saved):
    for path in files_of(saved):
        assert not path.read_bytes().startswith(b"\x80")  # the first byte of a pickle of protocol 2 and later
        assert path.suffix not in (".pkl", ".pickle")


def test_a_full_disk_is_named_and_hides_nothing(workdir, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "atomic_write", full)
        with pytest.raises(CheckpointError, match="checkpoints/7 could not be written, .*: .*No space left on device"):
            Checkpoints(workdir).save(7, CONFIG, state_of(7), None)
    assert load(workdir).step == 5


def test_a_disk_without_room_is_known_before_anything_is_written(workdir, monkeypatch):
    usage = shutil.disk_usage(workdir)
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda folder: usage._replace(free=500_000))
    with pytest.raises(CheckpointError, match=r"checkpoints/7 .*No space left on device, 1\.\d MB are needed and 0\.5 MB free"):
        Checkpoints(workdir).save(7, CONFIG, state_of(7), None)
    assert not (workdir / "checkpoints" / "7").exists() and load(workdir).step == 5


@pytest.mark.parametrize("name", ["config", "networks"])
def test_a_checkpoint_that_is_replaced_while_it_is_read_gives_way_to_the_new_one(workdir, name, monkeypatch, capsys):
    """As a run does that keeps only so many: the newest of the list is gone when it is read, and a newer one is there."""
    reader, restore = Checkpoints(workdir), Checkpoints._reading

    def replaced(self, step):
        if step == STEPS[1] and (self.folder / "5").exists():
            (self.folder / "5").rename(self.folder / "7")
            shutil.rmtree(self.folder / "3")
        return restore(self, step)

    monkeypatch.setattr(Checkpoints, "_reading", replaced)
    assert reader.newest(lambda step: (step, getattr(reader, name)(step)))[0] == 7
    assert capsys.readouterr().err == ""


def test_a_checkpoint_that_is_removed_while_it_is_read_is_named(workdir):
    reader = Checkpoints(workdir)
    shutil.rmtree(workdir / checkpoint.FOLDER / "5")
    for read in (reader.config, reader.networks, lambda step: reader.restore_state(step, state_of(5))):
        with pytest.raises(DamagedError, match="5 (is not complete|was removed while it was read)"):
            read(5)
