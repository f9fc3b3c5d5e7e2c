"""The one thread in which networks run, shared by all pages."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from jaxgan.errors import JaxganError

WAITING = 256  # short jobs at most; each page has one at a time


class BusyError(JaxganError, RuntimeError):
    """More is asked for than the server takes."""


class Stopped(Exception):
    """What a long job raises in `give_way` once nobody waits for it."""


class Worker:
    """Runs jobs one after the other in a thread of its own, in the order in which they came.

    A long job calls `give_way` now and then, which runs the short jobs that wait, so that edits go on during it.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "jaxgan-networks")
        self._jobs: deque[tuple[Future, Callable[[], Any]]] = deque()
        self._stopping = False

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Runs a short job and returns what it returns.

        Raises:
          BusyError: too many wait already.
        """
        if len(self._jobs) >= WAITING:
            raise BusyError("the server is busy; try again")
        future: Future = Future()
        self._jobs.append((future, partial(function, *args)))
        self._pool.submit(self._next)
        return await asyncio.wrap_future(future)

    async def run_long(self, function: Callable[..., Any], *args: Any) -> Any:
        """Runs a job that gives way, and returns what it returns."""
        return await asyncio.wrap_future(self._pool.submit(function, *args))

    def give_way(self) -> None:
        """Runs the short jobs that wait now; to be called in the worker's thread.

        Raises:
          Stopped: the server stops.
        """
        for _ in range(len(self._jobs)):
            self._next()
        if self._stopping:
            raise Stopped

    def stop(self) -> None:
        """Ends the thread after the job it is at."""
        self._stopping = True
        while self._jobs:
            self._jobs.popleft()[0].cancel()
        self._pool.shutdown(cancel_futures=True)

    def _next(self) -> None:
        try:
            future, job = self._jobs.popleft()
        except IndexError:  # a long job has given way to it
            return
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(job())
        except BaseException as error:  # whoever waits gets it
            future.set_exception(error)
