"""What a program asks of the machine it runs on: whole files, folders of its own, its CPU, other hosts, notice of its end."""

import argparse
import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from types import FrameType, TracebackType
from typing import BinaryIO

import jax
from jax.experimental import multihost_utils

from jaxgan.errors import InputError

AXIS = "batch"  # the device axis that training steps are mapped over
EXIT_PREEMPTED = 75  # EX_TEMPFAIL of sysexits.h: not done, run the command again
EXIT_INTERRUPTED = 130  # what shells give for SIGINT
_COMPILING_FOR: ContextVar[str | None] = ContextVar("compiling_for", default=None)


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


def make_folder(path: str | Path) -> Path:
    """Creates a folder to write to, with its parents; to be asked for before work that would be lost without it.

    Raises:
      InputError: Its name or that of a parent is a file's, or nothing can be written there.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{path}: is a file, or lies in one; a folder is needed") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be created: {error.strerror}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise InputError(f"{path}: nothing can be written there")
    return path


@contextlib.contextmanager
def lock_folder(folder: str | Path, name: str = ".lock") -> Iterator[None]:
    """Keeps other processes from writing to a folder, as long as the block lasts. The folder is created.

    The system releases the lock of a process that has died, so that none is ever stale. File systems without locks (some
    network disks) are not protected.

    Raises:
      InputError: Another process has it; the message names its host and number.
    """
    path = make_folder(folder) / name
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    while True:
        file = path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                break
        except FileNotFoundError:  # removed by the process that had it until now
            pass
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                file.seek(0)
                holder = file.read().strip() or "another process"
                file.close()
                raise InputError(f"{folder}: {holder} is writing there; wait for it, or choose another folder") from None
            break  # no locks on this file system
        file.close()
    with file:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def cache_folder() -> Path:
    """$JAXGAN_CACHE, or ~/.cache/jaxgan."""
    return Path(os.environ.get("JAXGAN_CACHE") or Path.home() / ".cache" / "jaxgan")


def keep_compiled() -> None:
    """Makes JAX keep compiled functions in `compiled` of the cache folder and reuse them in the next run.

    A folder that JAX was given already (JAX_COMPILATION_CACHE_DIR) stays; JAX_ENABLE_COMPILATION_CACHE=false turns it off.
    """
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))


def on_cpu() -> contextlib.AbstractContextManager:
    """A context for this thread, in which JAX computes on the host's processor, even where it has an accelerator.

    Where JAX was told not to use the processor (JAX_PLATFORMS=cuda), it computes where it does by default.
    """
    try:
        return jax.default_device(jax.local_devices(backend="cpu")[0])  # jax.devices may name one of another process
    except RuntimeError:
        return contextlib.nullcontext()


def platform() -> str:
    """Of the devices that JAX compiles for in this thread, such as "cpu"."""
    device = jax.config.jax_default_device  # a device, the name of a platform, or none
    return _COMPILING_FOR.get() or getattr(device, "platform", device) or jax.default_backend()


@contextlib.contextmanager
def compiling_for(platform: str) -> Iterator[None]:
    """A context in which functions are traced for devices of another platform than JAX's own, which need not be there."""
    token = _COMPILING_FOR.set(platform)
    try:
        yield
    finally:
        _COMPILING_FOR.reset(token)


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
    """Context in which the wish to end the process is noted, so that it can save first.

    That is SIGTERM, the notice before a machine is taken away, SIGINT of Ctrl-C, and SIGHUP of a closed terminal. A second
    SIGINT interrupts at once.
    """

    def __init__(self) -> None:
        self.signal = ""  # name of the signal received

    def __enter__(self) -> "Preemption":
        # Several processes must all stop at the same step: there jax.distributed listens for SIGTERM, and agrees on one.
        self._alone = jax.process_count() == 1
        self._before = {}
        if self._alone:
            names = (each for each in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, each))
            for number in (getattr(signal, name) for name in names):
                if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            if self.signal == "SIGINT":
                raise KeyboardInterrupt
            print("\nSaving after this step; Ctrl-C again stops at once, without saving.", file=sys.stderr, flush=True)
        self.signal = signal.Signals(number).name

    def reached(self, step: int) -> bool:
        """Whether to stop after this step."""
        if not self._alone and multihost_utils.reached_preemption_sync_point(step):
            self.signal = signal.SIGTERM.name
        return bool(self.signal)
