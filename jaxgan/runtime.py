"""What a program asks of the machine it runs on: whole files, the cache folder, other hosts, notice of its end."""

import argparse
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import BinaryIO

import jax
from jax.experimental import multihost_utils

from jaxgan.errors import InputError

AXIS = "batch"  # the device axis that training steps are mapped over
EXIT_PREEMPTED = 75  # EX_TEMPFAIL of sysexits.h: not done, run the command again


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Opens a binary file that gets the name `path` only once the block has ended without an exception.

    Missing parent folders are created. After an exception, `path` still holds what it held before, and nothing else is left.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def cache_folder() -> Path:
    """$JAXGAN_CACHE, or ~/.cache/jaxgan."""
    return Path(os.environ.get("JAXGAN_CACHE") or Path.home() / ".cache" / "jaxgan")


def keep_compiled() -> None:
    """Makes JAX keep compiled functions in `compiled` of the cache folder and reuse them in the next run.

    A folder that JAX was given already (JAX_COMPILATION_CACHE_DIR) stays; JAX_ENABLE_COMPILATION_CACHE=false turns it off.
    """
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))


def add_host_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that `join_hosts` takes."""
    group = parser.add_argument_group("several hosts", "run the same command on each, with the same --workdir on a shared disk")
    group.add_argument("--coordinator", help="HOST:PORT of the first process, or auto on TPU pods and clusters that JAX knows")
    group.add_argument("--processes", type=int, help="number of processes (not with auto)")
    group.add_argument("--process", type=int, help="index of this process, from 0 (not with auto)")


def join_hosts(coordinator: str | None, processes: int | None, process: int | None) -> None:
    """Joins the processes of a training run; without a coordinator this process trains alone.

    Raises:
      InputError: The flags do not fit together.
    """
    alone = coordinator is None
    if (alone or coordinator == "auto") and (processes, process) != (None, None):
        raise InputError("--processes and --process go with --coordinator HOST:PORT")
    if alone or jax.distributed.is_initialized():
        return
    if coordinator == "auto":
        jax.distributed.initialize()
        return
    if processes is None or process is None or not 0 <= process < processes:
        raise InputError(f"--coordinator {coordinator} needs --processes N and --process from 0 to N - 1")
    jax.distributed.initialize(coordinator, processes, process)


class Preemption:
    """Context in which SIGTERM, the notice before a machine is taken away, is noted instead of ending the process."""

    def __init__(self) -> None:
        self.signal = ""  # name of the signal received

    def __enter__(self) -> "Preemption":
        # Several processes must all stop at the same step: there jax.distributed listens for SIGTERM, and agrees on one.
        self._alone = jax.process_count() == 1
        if self._alone:
            self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._alone:
            signal.signal(signal.SIGTERM, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number).name

    def reached(self, step: int) -> bool:
        """Whether to stop after this step."""
        if not self._alone and multihost_utils.reached_preemption_sync_point(step):
            self.signal = signal.SIGTERM.name
        return bool(self.signal)
