"""The broker's retrievals of one node: single flight, cache hits, failures, progress.

Contract (W-104 to W-119): `waystation.flows.fetch.Fetches`.  There is one Fetch for a source and
study at any time; whoever wants some of it attaches.  A failure is told again for a short while and
then forgotten.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from waystation.flows import fetch_failures as failures
from waystation.flows.fetch import FetchFailed, Progress, Reading, Whole
from waystation.flows.fetch_making import BrokerParts, Maker
from waystation.flows.fetch_manifest import Aim, aim_of
from waystation.flows.fetch_memory import Memory
from waystation.flows.fetch_progress import progress_of
from waystation.flows.fetch_reading import Following, Shelf, chosen, doubts
from waystation.flows.fetch_stock import Stock
from waystation.flows.fetch_survey import Survey
from waystation.flows.fetching import Fetch
from waystation.flows.upstream import Upstream
from waystation.index.cache_reading import Book
from waystation.journal.shelved import outgoing
from waystation.model.arrival import Arrival
from waystation.model.errors import StorageError
from waystation.model.upstream import UpstreamFailed

# How many Fetches that ended are remembered for the progress resource, and how long.
REMEMBERED = 200
# So often at most a follower hears, seconds.
TICK_S = 0.25
# So often it is looked whether the tables have what a Fetch that ended has brought.
FILING_S = 10.0
# More waiting retrievals than this at one PACS: come again later.
MOST_WAITING = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerTerms:
    """What holds for every source.

    partial: "serve" for what is known to be incomplete, marked as such (W-90), else "refuse".
    memory_s: how long a failure is told again.  leave_s: how long after its last reader a Fetch
    is cancelled.  linger_s: how long stragglers are claimed.  retry_after_s: no wait is longer.
    """

    partial: str = "refuse"
    memory_s: float = 10.0
    leave_s: float = 5.0
    linger_s: float = 60.0
    retry_after_s: float = 60.0


class Broker:
    """`waystation.flows.fetch.Fetches`."""

    def __init__(self, terms: BrokerTerms, parts: BrokerParts) -> None:
        self.terms = terms
        self._parts = parts
        self._open: dict[tuple[str, str], Fetch] = {}
        self._holds: dict[str, Callable[[], None]] = {}
        self._readers: dict[str, set[Following]] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._ended: OrderedDict[str, Progress] = OrderedDict()
        self._memory = Memory()
        self._maker = Maker(parts, self._stocks)
        self._lingering: dict[str, tuple[Fetch, asyncio.TimerHandle]] = {}
        self._forgetting: set[asyncio.Task[int]] = set()
        self._stopped = False

    # what readers call

    async def want(
        self,
        source: str,
        path: Mapping[str, str],
        *,
        filed: bool = False,
        prefetch: bool = False,
    ) -> Reading:
        """Attach a reader; see `waystation.flows.fetch.Fetches.want`."""
        upstream = self._upstream(source)
        aim, study = aim_of(path), path["study"]
        while True:
            whole = None if prefetch else await self.whole(source, path)
            if whole is not None:
                return whole.reading
            if (told := self._memory.told((source, study, aim))) is not None:
                if prefetch:
                    raise told
                return await self._partial(source, study, aim, told)
            fetch = self._fetch(upstream, study)
            if fetch.accepting:
                return await self._attach(fetch, aim, filed=filed, prefetch=prefetch)
            await fetch.over.wait()

    async def _attach(self, fetch: Fetch, aim: Aim, *, filed: bool, prefetch: bool) -> Reading:
        visitors = self._readers[fetch.id]
        waiting = Following(fetch, fetch.visit(aim), filed=filed, gone=self._gone)
        visitors.add(waiting)
        self._stay(fetch)
        admitted = False
        try:
            waiting.goal = await fetch.admit(aim, prefetch=prefetch)
            admitted = True
        except FetchFailed as failure:
            self._remember(fetch, aim, failure)
            raise
        finally:
            if not admitted:
                await waiting.close()
        return waiting

    async def whole(self, source: str, path: Mapping[str, str]) -> Whole | None:
        """Return what is wanted if the cache has it complete and checked not long ago."""
        upstream = self._upstream(source)
        aim, study = aim_of(path), path["study"]
        release = self._parts.cache.hold(source, study)
        kept = False
        try:
            book = await self._parts.cache.book(source, study, aim.series, aim.instance)
            verified = self._fresh(book, aim, upstream.terms.revalidate_s)
            objects = chosen([outgoing(row) for row in book.objects], aim) if verified else []
            if not objects:
                return None
            kept = True
        finally:
            if not kept:
                release()
        warnings = doubts(source, verified)
        reading = Shelf(objects, gone=release, verified=verified, warnings=warnings)
        return Whole(objects=objects, reading=reading)

    def _fresh(self, book: Book, aim: Aim, revalidate_s: float) -> str:
        """Return against what an aim was found complete, "" if it was not, or long ago."""
        if aim.instance:
            # An instance is all there or not there at all.
            return "uids"
        scope = book.covering(aim.series)
        young = scope is not None and self._parts.clock() - scope.checked_at <= revalidate_s
        return scope.verified if scope is not None and young else ""

    async def exists(self, source: str, path: Mapping[str, str]) -> int | None:
        """Return how many instances there are, None if nobody said; starts nothing (W-17)."""
        whole = await self.whole(source, path)
        if whole is not None:
            await whole.reading.close()
            return len(whole.objects)
        aim = aim_of(path)
        survey = Survey(self._upstream(source), path["study"], lambda: None)
        try:
            n = await survey.exists(aim)
        except UpstreamFailed as error:
            raise failures.of_upstream(error, "") from error
        if n == -1:
            raise failures.not_there(source, aim)
        return n

    async def prefetch(self, source: str, path: Mapping[str, str]) -> Progress:
        """Begin to fetch without a reader.  Raises `FetchFailed`."""
        reading = await self.want(source, path, prefetch=True)
        assert isinstance(reading, Following)
        fetch = reading.fetch
        # It holds the Fetch until that is over.
        fetch.keep(reading)
        return self._progress(fetch)

    async def cancel(self, fetch: str) -> bool:
        """End a Fetch and its readers; False if there is none under way."""
        found = next((one for one in self._open.values() if one.id == fetch), None)
        if found is None or not found.accepting:
            return False
        found.cancel()
        return True

    async def forget(self, source: str, path: Mapping[str, str]) -> int:
        """Drop what the cache holds of a study; return how many objects.  In use: 0."""
        return await self._parts.cache.forget(source, path["study"])

    # progress

    def progress(self, fetch: str = "") -> Sequence[Progress]:
        """Return the Fetches under way and those that ended lately, or the one with that id."""
        known = dict(self._ended)
        known |= {one.id: self._progress(one) for one in self._open.values()}
        if not fetch:
            return sorted(known.values(), key=lambda one: one.began_at, reverse=True)
        return [known[fetch]] if fetch in known else []

    async def follow(self, fetch: str) -> AsyncIterator[Progress]:
        """Yield how far a Fetch is whenever that changes, its end last."""
        last: Progress | None = None
        while True:
            found = next((one for one in self._open.values() if one.id == fetch), None)
            now = self._progress(found) if found is not None else self._ended.get(fetch)
            if now is None:
                return
            if now != last:
                last = now
                yield now
            if found is None:
                return
            await asyncio.sleep(TICK_S)
            if self._progress(found) == last and not found.over.is_set():
                await found.stock.wait()

    def _progress(self, fetch: Fetch) -> Progress:
        return progress_of(fetch, len(self._readers.get(fetch.id, ())), self._parts.clock())

    # the Fetches

    def _upstream(self, source: str) -> Upstream:
        found = self._parts.upstream(source)
        if found is None:
            raise failures.unknown(source)
        return found

    def _fetch(self, upstream: Upstream, study: str) -> Fetch:
        """Return the one Fetch of a study.  Raises `FetchFailed` if none can begin."""
        key = (upstream.name, study)
        found = self._open.get(key)
        if found is not None:
            return found
        why = self._parts.cache.no_room() or self._parts.full()
        if self._stopped or why:
            raise failures.no_room(upstream.name, why or "the node stops")
        if self._maker.places(upstream).waiting >= MOST_WAITING:
            raise failures.too_many(upstream.name, self.terms.retry_after_s)
        made = self._maker.parts(upstream)
        fetch = Fetch(made, secrets.token_hex(8), study, self._over)
        self._open[key] = fetch
        self._readers[fetch.id] = set()
        self._holds[fetch.id] = self._parts.cache.hold(*key)
        self._parts.claims.open(fetch.stock)
        return fetch

    # readers come and go

    def _stay(self, fetch: Fetch) -> None:
        timer = self._leaving.pop(fetch.id, None)
        if timer is not None:
            timer.cancel()

    def _gone(self, reader: Following) -> None:
        fetch = reader.fetch
        readers = self._readers.get(fetch.id)
        if readers is None:
            return
        readers.discard(reader)
        if not readers and fetch.accepting:
            loop = asyncio.get_running_loop()
            self._stay(fetch)
            self._leaving[fetch.id] = loop.call_later(self.terms.leave_s, self._left, fetch)

    def _left(self, fetch: Fetch) -> None:
        if not self._readers.get(fetch.id) and fetch.accepting:
            fetch.cancel()

    def _over(self, fetch: Fetch) -> None:
        """A Fetch has ended; stragglers are claimed for a while."""
        source, study = fetch.terms.name, fetch.study
        self._ended[fetch.id] = self._progress(fetch)
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        self._open.pop((source, study), None)
        self._readers.pop(fetch.id, None)
        self._stay(fetch)
        for goal in fetch.goals.values():
            if goal.failure is not None and not fetch.cancelled:
                self._remember(fetch, goal.aim, goal.failure)
        self._holds.pop(fetch.id)()
        if fetch.vanished and not self._stopped:
            task = asyncio.create_task(self._parts.cache.forget(source, study))
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)
        if self._stopped:
            self._parts.claims.close(fetch.stock)
            return
        self._linger(fetch, self.terms.linger_s)

    def _linger(self, fetch: Fetch, seconds: float) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, self._forget_claims, fetch)
        self._lingering[fetch.id] = (fetch, timer)

    def _forget_claims(self, fetch: Fetch) -> None:
        self._parts.claims.close(fetch.stock)
        if fetch.stock.awaits_filing:
            # Its readers, and the books of the cache, still have to hear of it.
            self._linger(fetch, FILING_S)
        else:
            del self._lingering[fetch.id]

    def filed(self, arrivals: Sequence[Arrival]) -> None:
        """Hear which fetched objects are in the tables."""
        stocks = self._stocks()
        for arrival in arrivals:
            any(one.has_filed(arrival.id) for one in stocks)

    def _stocks(self) -> list[Stock]:
        """Return those of what is open, and of what still claims stragglers."""
        lingering = [one.stock for one, _ in self._lingering.values()]
        return [*(one.stock for one in self._open.values()), *lingering]

    # failures

    def _remember(self, fetch: Fetch, aim: Aim, failure: FetchFailed) -> None:
        if not fetch.cancelled:
            key = (fetch.terms.name, fetch.study, aim)
            self._memory.note(key, failure, self.terms.memory_s)

    async def _partial(self, source: str, study: str, aim: Aim, told: FetchFailed) -> Reading:
        """Return what there is of something incomplete, where that is served; else raise."""
        if self.terms.partial != "serve" or not told.missing:
            raise told
        release = self._parts.cache.hold(source, study)
        try:
            book = await self._parts.cache.book(source, study)
        except StorageError:
            release()
            raise
        objects = chosen([outgoing(row) for row in book.objects], aim)
        if not objects:
            release()
            raise told
        whole = len(objects) + told.missing
        listed = [uid for uid, one in book.manifest.items() if aim.holds(one.series, uid)]
        return Shelf(
            objects,
            gone=release,
            missing=told.missing,
            warnings=[f"{told.missing} of {whole} instances cannot be had: {told.text}"],
            uids=listed if len(listed) == whole else None,
        )

    # the end

    def change(self, terms: BrokerTerms) -> None:
        """Go by other terms."""
        self.terms = terms
        self._maker.change()

    async def stop(self) -> None:
        """End every Fetch; what arrived stays as incomplete entries (W-117)."""
        self._stopped = True
        for timer in self._leaving.values():
            timer.cancel()
        for fetch, timer in self._lingering.values():
            timer.cancel()
            await fetch.stock.stop()
        await asyncio.gather(*(one.stop() for one in list(self._open.values())))
        await asyncio.gather(*self._forgetting, return_exceptions=True)
        await self._maker.close()
