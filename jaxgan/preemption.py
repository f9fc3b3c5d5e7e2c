"""SIGTERM, the notice that a machine is about to be taken away: noted, for a training to save and stop at its next step."""

import signal
from types import FrameType, TracebackType

import jax
from jax.experimental import multihost_utils

EXIT_STATUS = 75  # EX_TEMPFAIL of sysexits.h: not done, run it again


class Preemption:
    """Context in which SIGTERM does not end the process at once."""

    def __init__(self) -> None:
        self.signal = ""  # name of the signal that has come

    def __enter__(self) -> "Preemption":
        # Of several processes each must stop at the same step: there jax.distributed listens for SIGTERM, and agrees on one.
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
