"""When a run that has only some minutes saves, and when it must stop."""

import collections
import time

import jax

WARM_UP = 2  # steps that may compile, with and without regularisation
FIRST_SAVE = 10.0  # seconds that a save may take while none has been measured; less in short runs


class Clock:
    """Wall time of a run, in seconds."""

    def __init__(self, began: float, limit: float, every: float):
        """Starts the clock.

        Args:
          began: time.monotonic() when the run began, imports included.
          limit: The run must be over this long after it began.
          every: Time between two saves.
        """
        self.over = False  # whether only time for the last save is left
        self._began, self._limit, self._every = began, limit, every
        self._pending: dict[str, jax.Array] = {}
        self._count, self._steps = 0, collections.deque[float](maxlen=32)
        self._saving, self._saves = min(FIRST_SAVE, limit / 10), False
        self._last = self._saved = time.monotonic()

    def due(self, metrics: dict[str, jax.Array]) -> bool:
        """Whether to save after the step with these metrics.

        To be asked after each step. It waits for the step before, so that no more than one is queued.
        """
        jax.block_until_ready(self._pending)
        self._pending = metrics
        now = time.monotonic()
        took, self._last, self._count = now - self._last, now, self._count + 1
        if self._count > WARM_UP:  # steps that compile say nothing about those to come
            if self._saves:
                self._saving = took
            else:
                self._steps.append(took)
        left = self._limit - (now - self._began)
        self.over = left < 2 * max(self._steps, default=0.0) + 1.5 * self._saving + 1.0
        self._saves = self.over or now - self._saved >= self._every
        if self._saves:
            self._saved = now
        return self._saves
