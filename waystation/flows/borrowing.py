"""C-MOVE and C-GET asked of us, answered from PACS too: objects leave as they land.

Contract: what the archive has comes first, each object once.  While a PACS lets us wait, the
requester hears a pending answer each second.  What a PACS fails to give counts as failed, without
its UID where nobody knows it; nothing of it makes a success.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from itertools import product
from typing import Final, Protocol, TypeVar

from waystation.flows.fetch import FetchFailed, Path, Reading
from waystation.flows.suboperations import PENDING_EVERY_S, Progress, Way
from waystation.flows.together import together
from waystation.matching.unique import Wanted
from waystation.model.delivery import Delivery
from waystation.wire.status import PENDING

# Objects that leave over one association before it is looked for more.
TOGETHER: Final = 64
NOT_FOUND: Final = 404
T = TypeVar("T")


class Lender(Protocol):
    """`waystation.flows.holders.Holders`."""

    async def want(self, source: str, path: Path) -> Reading:
        """Attach a reader.  Raises `FetchFailed`."""


class Borrowed:
    """What a request wants of all sources."""

    def __init__(self, lender: Lender, paths: Sequence[Path]) -> None:
        self._lender = lender
        self._paths = paths
        self._before = 0
        self._now: Reading | None = None

    @property
    def expected(self) -> int:
        """How many objects there are, as far as it is known."""
        return self._before + ((self._now.expected or 0) if self._now else 0)

    async def each(self) -> AsyncGenerator[Delivery, None]:
        """Yield the objects.  Raises the first `FetchFailed` when all that can be had was given."""
        failure: FetchFailed | None = None
        for path in self._paths:
            n = 0
            try:
                self._now = await self._lender.want("", path)
                async for one in self._now:
                    n += 1
                    yield one
            except FetchFailed as error:
                # What is not there behind what was there is lacking.
                if error.status != NOT_FOUND or self._now is not None:
                    failure = failure or error
            finally:
                if self._now is not None:
                    await self._now.close()
                    self._now = None
            self._before += n
        if failure is not None:
            raise failure


def paths_of(wanted: Wanted) -> Iterator[Path]:
    """Yield what to ask PACS for; nothing where it takes the index of the archive to know."""
    if wanted.instances and not wanted.series:
        return
    levels = [
        [(name, uid) for uid in uids]
        for name, uids in (
            ("study", wanted.studies),
            ("series", wanted.series),
            ("instance", wanted.instances),
        )
        if uids
    ]
    if wanted.studies:
        yield from (dict(path) for path in product(*levels))


async def follow(borrowed: Borrowed, way: Way, progress: Progress) -> None:
    """Send what comes, until all has come or nobody wants it any more."""
    seen = 0
    async with (
        aclosing(borrowed.each()) as each,
        aclosing(together(each, TOGETHER)) as landed,
    ):
        try:
            while (some := await _next(landed, progress)) is not None:
                seen += len(some)
                progress.total = max(seen, borrowed.expected)
                await way.send(some, progress)
                if progress.over:
                    break
        except FetchFailed as error:
            progress.problem = progress.problem or error.text
            progress.lacking = max(1, error.missing)
        # Who leaves early leaves something, also where nobody knows yet how much.
        left = max(seen + 1, borrowed.expected)
        progress.total = left if progress.over else seen + progress.lacking


async def _next(landed: AsyncIterator[T], progress: Progress) -> T | None:
    """Return what comes next, None if that is nothing."""
    task = asyncio.ensure_future(_one(landed))
    try:
        while not task.done():
            await asyncio.wait((task,), timeout=PENDING_EVERY_S)
            if progress.over:
                return None
            if not task.done():
                await progress.asked.answer(PENDING, counts=progress.counts)
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _one(landed: AsyncIterator[T]) -> T | None:
    return await anext(landed, None)
