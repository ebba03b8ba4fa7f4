"""Many files through the same work, in this process or in several.

Contract: `results` yields one result for each file, in the order of the files.  Several processes
are used where that pays: each is a fresh interpreter that makes its own worker.  A worker whose
process dies ends the batch with `WaystationError`; what was yielded until then is done.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, Protocol, TypeVar

from waystation.model.errors import WaystationError

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
File = tuple[Path, bool]  # and whether it was named itself
PAYS = 400  # files: starting another interpreter takes as long as many of them
MOST_PROCESSES = 16
WINDOW = 2000


class Worker(Protocol[R_co]):
    """What does the work in one process."""

    def work(self, path: Path, *, named: bool) -> R_co:
        """Do one file; raises nothing for what can be wrong with it."""

    def close(self) -> None:
        """Let go of what it holds."""


class _Here:
    """The worker of this process, once one was made."""

    worker: Worker[Any] | None = None


def processes(files: int, asked: int) -> int:
    """Return how many processes are worth it; asked: 0 if nobody said."""
    if asked:
        return asked
    return min(len(os.sched_getaffinity(0)), MOST_PROCESSES) if files >= PAYS else 1


def results(files: Sequence[File], make: Callable[[], Worker[R]], count: int) -> Iterator[R]:
    """Yield what became of each file.  make: a worker, callable in another process."""
    if count <= 1:
        worker = make()
        try:
            for path, named in files:
                yield worker.work(path, named=named)
        finally:
            worker.close()
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _begin, (make,)) as pool:
        try:
            for at in range(0, len(files), WINDOW):
                yield from pool.map(_work, files[at : at + WINDOW], chunksize=4)
        except BrokenProcessPool as error:
            raise WaystationError("a process that worked on the files has ended") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(make: Callable[[], Worker[Any]]) -> None:
    _Here.worker = worker = make()
    Finalize(None, worker.close, exitpriority=1)


def _work(file: File) -> Any:
    assert _Here.worker is not None
    path, named = file
    return _Here.worker.work(path, named=named)
