"""The broker's cache: who holds what, and what has to go (W-120 to W-125).

Contract: an entry that is being read or fetched, or is pinned, is never evicted.  Eviction goes by
the cache book: the least recently read first, when its time is over or there is too much; nothing
is scanned and no file times are asked.  Nothing is emptied at the start.  While everything that
could go is in use, `no_room` says why nothing more may come in.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import structlog

from waystation.blobs.folder import BlobFolder
from waystation.blobs.volume import look
from waystation.db.engine import Database
from waystation.db.statement import Transaction
from waystation.index import cache_book, cache_reading
from waystation.index.cache_reading import Book, Candidate
from waystation.journal import keeping
from waystation.model.errors import StorageError

log = structlog.get_logger()
AT_ONCE = 50
# How long what could not be evicted is left alone, seconds.
AGAIN_S = 5.0
# How often the volume is looked at, in bytes that came in.
LOOK_BYTES = 64 << 20
# How old what was added up may be, seconds.
MEASURE_S = 60.0
SIZE, FREE = "max_size", "min_free"
TEXTS = {
    SIZE: "the cache is full, and all of it is in use",
    FREE: "the volume of the cache has too little free space",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLimits:
    """``[cache]``.  max_bytes: of all that it holds; max_age_s: since it was read last."""

    max_bytes: int = 200 << 30
    min_free_bytes: int = 5 << 30
    max_age_s: float = 86_400.0


Key = tuple[str, str]


class Cache:
    """Of one node."""

    def __init__(
        self,
        limits: CacheLimits,
        database: Database,
        blobs: BlobFolder,
        disk: Executor,
        clock: Callable[[], float],
    ) -> None:
        self.limits = limits
        self.size_bytes = 0
        self.free_bytes: int | None = None
        self._database = database
        self._blobs = blobs
        self._disk = disk
        self._clock = clock
        self._held: Counter[Key] = Counter()
        self._going: dict[Key, asyncio.Event] = {}
        self._wake = asyncio.Event()
        self._tidying = asyncio.Lock()
        self._stuck = ""
        # Something has to go that was in use.
        self._pressed = False
        self._measured_at = 0.0
        self._unseen = 0
        # Sealed, and not in the book yet; and when entries were read that the book does not know.
        self._coming = 0
        self._seen: dict[int, float] = {}

    async def start(self) -> None:
        """Take up what an earlier life left."""
        await self._measure()

    def change(self, limits: CacheLimits) -> None:
        """Go by other limits."""
        self.limits = limits
        self._wake.set()

    # who uses what

    def hold(self, source: str, study: str) -> Callable[[], None]:
        """Keep an entry as long as the function that is returned was not called."""
        key = (source, study)
        self._held[key] += 1
        let_go = False

        def release() -> None:
            nonlocal let_go
            if let_go:
                return
            let_go = True
            self._held[key] -= 1
            if self._held[key] <= 0:
                del self._held[key]
            if self._pressed:
                self._wake.set()

        return release

    async def book(self, source: str, study: str, series: str = "", instance: str = "") -> Book:
        """Read what there is of a study, a series or an instance; `hold` it first.

        Notes that it was read.
        """
        while (going := self._going.get((source, study))) is not None:
            await going.wait()
        job = cache_reading.book_of(source, study, series, instance)
        found = await self._database.read(job)
        if found.id:
            self._seen[found.id] = self._clock()
        return found

    def filed(self, size_bytes: int) -> None:
        """An object that came in is in the book."""
        self._coming -= size_bytes

    def grew(self, size_bytes: int) -> None:
        """An object came in."""
        self._coming += size_bytes
        self.size_bytes += size_bytes
        self._unseen += size_bytes
        if self.size_bytes > self.limits.max_bytes or self._unseen >= LOOK_BYTES:
            self._wake.set()

    def no_room(self) -> str:
        """Return why nothing more can be taken, "" if it can (W-121)."""
        return self._stuck

    # what goes

    async def run(self) -> None:
        """Evict what has to go, until cancelled."""
        while True:
            self._wake.clear()
            try:
                sleep_s = await self.tidy(measure=False)
            except StorageError as error:
                log.error("eviction failed", error=str(error))
                sleep_s = AGAIN_S
            except Exception:
                log.exception("eviction failed")
                sleep_s = AGAIN_S
            try:
                async with asyncio.timeout(sleep_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def tidy(self, *, measure: bool = True) -> float | None:
        """Evict; return when to look again, seconds, None for when something happens.

        measure: add up anew, even if that was done a moment ago.
        """
        async with self._tidying:
            old = asyncio.get_running_loop().time() - self._measured_at > MEASURE_S
            if measure or old or self._over() or self._unseen >= LOOK_BYTES:
                await self._measure()
            return await self._tidy()

    async def _tidy(self) -> float | None:
        busy: set[int] = set()
        while True:
            await self._note_reads()
            found = await self._database.read(cache_reading.oldest(AT_ONCE + len(busy)))
            found = [one for one in found if one.id not in busy]
            if not found:
                break
            for one in found:
                why = self._why(one)
                if not why:
                    self._stuck, self._pressed = "", bool(busy)
                    return AGAIN_S if busy else self._until(one)
                if self._seen:
                    # Somebody has read in between: another one may be the oldest.
                    break
                if not await self._evict(one, why):
                    busy.add(one.id)
        over = self._over()
        self._stuck = TEXTS.get(over, "")
        self._pressed = bool(busy or over)
        return AGAIN_S if self._pressed else None

    async def close(self) -> None:
        """Write down what was read last."""
        await self._note_reads()

    async def _note_reads(self) -> None:
        seen, self._seen = self._seen, {}
        if seen:
            await self._database.write(cache_book.read_at(seen), urgent=False)

    def _until(self, one: Candidate) -> float:
        return max(one.read_at + self.limits.max_age_s - self._clock(), 0.0) + 0.05

    def _why(self, one: Candidate) -> str:
        if one.read_at + self.limits.max_age_s <= self._clock():
            return "age"
        return self._over()

    def _over(self) -> str:
        limits = self.limits
        if self.size_bytes > limits.max_bytes:
            return SIZE
        low = self.free_bytes is not None and self.free_bytes < limits.min_free_bytes
        return FREE if low else ""

    async def _evict(self, one: Candidate, why: str) -> bool:
        key = (one.source, one.study)
        if self._held[key] or key in self._going:
            return False
        # Who comes to read it now waits, and finds nothing.
        self._going[key] = asyncio.Event()
        try:
            await self._take_out(one)
        finally:
            self._going.pop(key).set()
        log.info("evicted", source=one.source, why=why, size_bytes=one.size_bytes)
        await self._measure()
        return True

    async def _take_out(self, one: Candidate) -> None:
        before = self._clock() + 1.0

        def job(transaction: Transaction) -> list[str]:
            return keeping.drop(cache_book.evict(transaction, one.id), before)(transaction)

        names = await self._database.write(job, urgent=False)
        await asyncio.get_running_loop().run_in_executor(self._disk, self._drop_all, names)

    async def forget(self, source: str, study: str) -> int:
        """Drop what there is of a study unless somebody uses it; return how many objects."""
        if self._held[source, study]:
            return 0
        book = await self._database.read(cache_reading.book_of(source, study))
        if not book.id:
            return 0
        gone = Candidate(id=book.id, source=source, study=study, read_at=0.0, size_bytes=0)
        return len(book.objects) if await self._evict(gone, "asked") else 0

    def _drop_all(self, names: list[str]) -> None:
        for name in names:
            try:
                self._blobs.drop(name)
            except OSError as error:
                log.error("blob not removed", blob=name, error=str(error))

    async def _measure(self) -> None:
        """Add up what there is, and look at the volume."""
        self._unseen, self._measured_at = 0, asyncio.get_running_loop().time()
        self.size_bytes = await self._database.read(cache_reading.size()) + self._coming
        space = await asyncio.get_running_loop().run_in_executor(self._disk, look, self._blobs.root)
        self.free_bytes = space.free_bytes
