"""Blocking jobs in order: one after the other in the threads of a pool.

Contract: a job begins when the one before it has ended, whether or not the event loop has heard
of that: a loop that is busy with what comes in must not keep the disk waiting.  Strands take turns
in the pool, a job each.  A job that raises stops no other; what a pool that was shut down does
not take is done at once.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Strand:
    """Made in the event loop that is to hear of the ends."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._jobs: deque[_Job] = deque()
        self._at_work = False

    def run(self, job: Callable[[], T]) -> "asyncio.Future[T]":
        """Take a job; the future has its result."""
        future: asyncio.Future[T] = self._loop.create_future()
        with self._lock:
            self._jobs.append((job, future))
            idle, self._at_work = not self._at_work, True
        if idle:
            self._next()
        return future

    def _next(self) -> None:
        try:
            self._pool.submit(self._work)
        except RuntimeError:
            self._work()

    def _work(self) -> None:
        job, future = self._jobs.popleft()
        result, error = None, None
        try:
            result = job()
        except BaseException as raised:  # noqa: BLE001 - handed to whoever asked for the job
            error = raised
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_ended, future, result, error)
        with self._lock:
            more = self._at_work = bool(self._jobs)
        if more:
            self._next()


def _ended(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
