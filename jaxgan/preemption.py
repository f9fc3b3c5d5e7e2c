"""SIGTERM, the notice that a machine is about to be taken away: noted, for a training to save and stop at its next step."""

import signal
from types import FrameType, TracebackType

import jax
from jax.experimental import multihost_utils

EXIT_STATUS = 75  # EX_TEMPFAIL of sysexits.h: not done, run it again


class Preemption:
    """Context in which SIGTERM and SIGINT do not end the process at once."""

    def __init__(self) -> None:
        self.signal = ""  # name of the signal that has come
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "Preemption":
        # Of several processes each must stop at the same step; jax.distributed listens for SIGTERM and agrees on one.
        kinds = [signal.SIGTERM] if jax.process_count() == 1 else []
        self._before = {kind: signal.signal(kind, self._note) for kind in kinds}
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number).name

    def reached(self, step: int) -> bool:
        """Whether to stop after this step."""
        if jax.process_count() > 1 and multihost_utils.reached_preemption_sync_point(step):
            self.signal = signal.SIGTERM.name
        return bool(self.signal)
