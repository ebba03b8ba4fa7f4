"""An event loop whose clock jumps to the next thing to do: a week passes in seconds.

Contract: time stands still while a thread owes an answer (`owe`, `paid`), and otherwise goes on
to the next timer at once.  Sockets are served too, at their own pace.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from waystation.db.engine import Database, Job
from waystation.journal.intake import IntakeLog

T = TypeVar("T")
MOMENT_S = 0.05


class _Selector(selectors.DefaultSelector):
    """Asks the clock to go on instead of waiting.  skip: told how long nothing will happen."""

    skip: Callable[[float | None], bool]

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if found or (timeout is not None and timeout <= 0) or self.skip(timeout):
            return found
        return super().select(MOMENT_S)


class WarpLoop(asyncio.SelectorEventLoop):
    """The loop.  owed: how many answers are on their way from threads."""

    def __init__(self) -> None:
        self._now = 0.0
        self.owed = 0
        selector = _Selector()
        selector.skip = self._skip
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def _skip(self, seconds: float | None) -> bool:
        if self.owed or seconds is None:
            return False
        self._now += seconds
        return True

    def awaiting(self, future: "asyncio.Future[T]") -> "asyncio.Future[T]":
        """Let no time pass until this future has its result."""
        self.owed += 1
        future.add_done_callback(self._paid)
        return future

    def _paid(self, _future: object) -> None:
        self.owed -= 1


class WarpDatabase(Database):
    """A database whose work takes no time."""

    def _enqueue(self, jobs: Any, job: Job[T], urgent: bool) -> "asyncio.Future[T]":
        return _now(super()._enqueue(jobs, job, urgent))


class WarpIntake(IntakeLog):
    """An intake log whose work takes no time."""

    def append(self, meta: bytes, data: bytes | memoryview) -> "asyncio.Future[int]":
        return _now(super().append(meta, data))


def _now(future: "asyncio.Future[T]") -> "asyncio.Future[T]":
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    return loop.awaiting(future)


def warped(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in such a loop."""
    with asyncio.Runner(loop_factory=WarpLoop) as runner:
        return runner.run(work)
