"""Folders that are written to, who writes to them, where JAX computes, and the wish to end a process."""

import os
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from jaxgan.errors import InputError
from jaxgan.runtime import Preemption, lock_folder, make_folder, on_cpu

HOLD = """
import sys, time
from jaxgan.runtime import lock_folder
with lock_folder(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_file_in_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("precious")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=f"{path}: is a file, or lies in one; a folder is needed"):
            make_folder(path)
    assert make_folder(tmp_path / "a" / "b").is_dir()


def test_a_folder_is_locked_while_a_process_lives_and_no_longer(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline()
        with pytest.raises(InputError, match=f"process {holder.pid} on .* is writing there; wait for it, or choose another"):
            with lock_folder(tmp_path):
                raise AssertionError
    finally:
        holder.kill()
        holder.communicate()
    assert list(tmp_path.iterdir())  # left behind, and stale
    with lock_folder(tmp_path):
        with pytest.raises(InputError, match=f"process {os.getpid()} on"):
            with lock_folder(tmp_path):
                raise AssertionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_signals_are_noted_and_handlers_put_back(name, capsys):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with Preemption() as preemption:
        assert not preemption.reached(1)
        os.kill(os.getpid(), number)
        assert preemption.reached(2) and preemption.signal == name
        if name == "SIGINT":
            assert "Saving after this step; Ctrl-C again stops at once" in capsys.readouterr().err
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Preemption() as preemption:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not preemption.reached(1)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_processor_computes_unless_jax_was_told_not_to_use_it(monkeypatch):
    first, other = jax.local_devices()[:2]
    with jax.default_device(other), on_cpu():
        assert jnp.zeros(()).devices() == {first}

    def none_there(*, backend):
        raise RuntimeError(f"Unknown backend {backend}")

    monkeypatch.setattr(jax, "local_devices", none_there)
    with jax.default_device(other), on_cpu():
        assert jnp.zeros(()).devices() == {other}
