"""One study out of several sources: our archive first, then the PACS that have more of it (W-131).

Contract: `Holders` offers what `waystation.flows.fetch.Fetches` offers, for the plain root: each
instance comes once, by SOP Instance UID, from whoever has it.  What the archive holds leaves at
once; PACS are asked beside it whether they have more, at most every ``revalidate``.  Where several
PACS have a study, the one with most of it is fetched from, and only what it lacks from the others.
A PACS that does not answer is a warning where others have the study; where nobody has it, its
failure is the answer: never 404.  What could not be asked before the first byte and fails behind it
ends the reading with `FetchFailed`; the repeated request says so in a warning.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from waystation.flows.fetch import FetchFailed, Path, Reading, Whole
from waystation.flows.sightings import REMEMBERED, Scope, Sightings, scope_of
from waystation.flows.union import (
    NOT_FOUND,
    Besides,
    Listing,
    Union,
    end,
    leave,
    listings,
    said,
    warning,
)
from waystation.flows.upstream import Upstream
from waystation.flows.upstreams import Upstreams
from waystation.model.delivery import Delivery

log = structlog.get_logger()
# So long an answer out of the archive waits for PACS to say that they have no more.
HEAD_START_S: Final = 0.25
# So long a PACS that did not answer is not asked again whether it has more than the archive.
FAILED_S: Final = 60.0
# Up to so many instances of a series are fetched one by one.
ONE_BY_ONE: Final = 16
# So long what was asked for a reader waits for it.
COLLECTED_S: Final = 5.0
NOWHERE: Final = "Nothing of this kind is here"


class Source(Protocol):
    """What is needed of `waystation.flows.fetch.Fetches`."""

    async def want(self, source: str, path: Path, *, filed: bool = False) -> Reading:
        """Attach a reader."""

    async def whole(self, source: str, path: Path) -> Whole | None:
        """Return what the cache has complete."""

    async def exists(self, source: str, path: Path) -> int | None:
        """Return how many instances there are."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the PACS said of a scope.  until: monotonic seconds."""

    until: float
    warnings: tuple[str, ...]


class Holders:
    """The sources of a node as one.

    archived: the objects of our archive at a path.  deleted: whether some of it was deleted there.
    """

    def __init__(
        self,
        fetches: Source,
        upstreams: Callable[[], Upstreams],
        archived: Callable[[Path], Awaitable[Sequence[Delivery]]],
        deleted: Callable[[Path], Awaitable[bool]],
    ) -> None:
        self._fetches = fetches
        self._upstreams = upstreams
        self._archived = archived
        self._deleted = deleted
        self._no_more: OrderedDict[Scope, _Asked] = OrderedDict()
        self._sightings = Sightings()
        self._begun: dict[Scope, list[Sequence[Listing]]] = {}

    @property
    def federated(self) -> list[Upstream]:
        """The PACS that are asked."""
        return self._upstreams().federated

    async def whole(self, source: str, path: Path) -> Whole | None:
        """Return what is wanted if nothing has to be fetched, and nobody asked, for it."""
        if source:
            return await self._fetches.whole(source, path)
        own = await self._archived(path)
        if not own:
            return await self._cached(path)
        known = self._known(path)
        if known is None:
            asked = self._ask(path)
            known = await self._heard(path, own, asked, HEAD_START_S)
            if known is None:
                self._lay_by(path, asked)
                return None
        return Whole(objects=own, reading=Union(own, known.warnings))

    async def _cached(self, path: Path) -> Whole | None:
        """Return what the cache has complete where nobody else need be asked."""
        asked = self._by_last_sight(path)
        # An instance is the same from wherever it was fetched.
        for one in asked if len(asked) == 1 or "instance" in path else ():
            if (found := await self._fetches.whole(one.name, path)) is not None:
                return found
        return None

    async def exists(self, source: str, path: Path) -> int | None:
        """Return how many instances there are at the source that has most."""
        if source:
            return await self._fetches.exists(source, path)
        own = await self._archived(path)
        await end(self._collect(path) or ())
        counts, failures = await self._count(path)
        if own or counts:
            return max(len(own), *(n or 0 for _, n in counts), 1)
        raise await self._nobody(path, failures)

    async def want(self, source: str, path: Path, *, filed: bool = False) -> Reading:
        """Attach a reader to everybody who has something.  Raises `FetchFailed`."""
        if source:
            return await self._fetches.want(source, path, filed=filed)
        own = await self._archived(path)
        if own:
            return await self._with_own(path, own, filed=filed)
        asked = self._by_last_sight(path)
        if len(asked) == 1:
            try:
                return await self._fetches.want(asked[0].name, path, filed=filed)
            except FetchFailed as error:
                self._sightings.forget(path)
                if error.status != NOT_FOUND:
                    raise
                if len(self.federated) == 1:
                    raise await self._nobody(path, ()) from error
        counts, failures = await self._count(path)
        if not counts:
            raise await self._nobody(path, failures)
        warnings = tuple(map(warning, failures))
        best, others = counts[0][0], [one for one, _ in counts[1:]]
        self._sightings.some(path, best.name)
        first = await self._fetches.want(best.name, path, filed=filed)
        more = self._besides(
            path,
            self._listings(others, path),
            lambda told: None if told else self._saw(path, best.name),
            filed=filed,
        )
        return Union((), warnings, more, first)

    def _saw(self, path: Path, source: str) -> None:
        self._sightings.whole(path, source, self._valid_s)

    def _listings(self, upstreams: Sequence[Upstream], path: Path) -> list[Listing]:
        return listings(upstreams, path, self._fetches.exists)

    def _besides(
        self,
        path: Path,
        asked: Sequence[Listing],
        no_more: Callable[[Sequence[str]], None],
        *,
        filed: bool,
    ) -> Besides:
        return Besides(
            asked,
            lambda upstream, lacking: self._fetched(upstream, path, lacking, filed=filed),
            no_more,
        )

    async def _with_own(self, path: Path, own: Sequence[Delivery], *, filed: bool) -> Reading:
        known = self._known(path)
        if known is not None:
            return Union(own, known.warnings)
        before = self._collect(path)
        asked = before or self._ask(path)
        known = await self._heard(path, own, asked, 0.0 if before else HEAD_START_S)
        if known is not None:
            return Union(own, known.warnings)
        more = self._besides(path, asked, lambda told: self._note(path, told), filed=filed)
        return Union(own, said(asked), more)

    # what PACS have, asked beside the archive

    def _ask(self, path: Path) -> Sequence[Listing]:
        return self._listings(self.federated, path)

    async def _heard(
        self,
        path: Path,
        own: Sequence[Delivery],
        asked: Sequence[Listing],
        seconds: float,
    ) -> _Asked | None:
        """Return what is known if nobody has more; None if somebody does, or does not say yet."""
        try:
            _, slow = await asyncio.wait([task for _, task in asked], timeout=seconds)
        except BaseException:
            leave(asked)
            raise
        here = {one.sop_instance_uid for one in own}
        told = [task.result() for _, task in asked if task not in slow and not task.exception()]
        if slow or any(one.besides(here) != {} for one in told):
            return None
        self._note(path, said(asked))
        return self._no_more[scope_of(path)]

    def _lay_by(self, path: Path, asked: Sequence[Listing]) -> None:
        """Keep what was asked for the reader that comes next; what nobody collects is ended."""
        waiting = self._begun.setdefault(scope_of(path), [])
        waiting.append(asked)
        asyncio.get_running_loop().call_later(COLLECTED_S, self._let_go, scope_of(path), asked)

    def _collect(self, path: Path) -> Sequence[Listing] | None:
        """Return what was asked of a scope a moment ago and nobody has taken."""
        waiting = self._begun.get(scope_of(path))
        if not waiting:
            return None
        asked = waiting.pop()
        if not waiting:
            del self._begun[scope_of(path)]
        return asked

    def _let_go(self, scope: Scope, asked: Sequence[Listing]) -> None:
        waiting = self._begun.get(scope, [])
        left = [one for one in waiting if one is not asked]
        if len(left) == len(waiting):
            return
        leave(asked)
        if left:
            self._begun[scope] = left
        else:
            del self._begun[scope]

    # who has it

    def _by_last_sight(self, path: Path) -> list[Upstream]:
        """Return who is asked: all, or the one alone that had it when it was last seen."""
        federated = self.federated
        last = self._sightings.of(path)
        return [one for one in federated if one.name == last and one.down is None] or federated

    async def _count(
        self, path: Path
    ) -> tuple[list[tuple[Upstream, int | None]], list[FetchFailed]]:
        """Return who has something, the one with most first, and who did not answer."""
        asked = await asyncio.gather(*(self._count_of(one, path) for one in self.federated))
        counts = [(one, n) for one, n in asked if not isinstance(n, FetchFailed) and n != 0]
        counts.sort(key=lambda each: (-(each[1] or 0), each[0].terms.priority, each[0].name))
        failures = [n for _, n in asked if isinstance(n, FetchFailed) and n.status != NOT_FOUND]
        return counts, failures

    async def _count_of(
        self, upstream: Upstream, path: Path
    ) -> tuple[Upstream, int | FetchFailed | None]:
        if upstream.down is not None:
            down = upstream.down
            return upstream, FetchFailed(
                down.status, "A source does not answer", down.text, source=down.source
            )
        try:
            return upstream, await self._fetches.exists(upstream.name, path)
        except FetchFailed as error:
            return upstream, error

    async def _nobody(self, path: Path, failures: Sequence[FetchFailed]) -> FetchFailed:
        """Return why nobody has it."""
        if failures:
            return failures[0]
        if await self._deleted(path):
            return FetchFailed(410, "This was deleted here", "")
        return FetchFailed(NOT_FOUND, NOWHERE, "")

    # whether the PACS have more than the archive

    def _known(self, path: Path) -> _Asked | None:
        """Return what the PACS said of a scope not long ago, None if they are to be asked."""
        if not self.federated or "instance" in path:
            return _Asked(0.0, ())
        found = self._no_more.get(scope_of(path))
        return found if found is not None and found.until > time.monotonic() else None

    @property
    def _valid_s(self) -> float:
        """How long what all PACS said is believed."""
        return min((one.terms.revalidate_s for one in self.federated), default=0.0)

    def _note(self, path: Path, told: Sequence[str]) -> None:
        """Remember that nobody has more than the archive, or what is to be said about that."""
        valid_s = min(self._valid_s, FAILED_S) if told else self._valid_s
        scope = scope_of(path)
        self._no_more[scope] = _Asked(time.monotonic() + valid_s, tuple(told))
        self._no_more.move_to_end(scope)
        while len(self._no_more) > REMEMBERED:
            self._no_more.popitem(last=False)

    async def _fetched(
        self, upstream: Upstream, path: Path, lacking: Mapping[str, str] | None, *, filed: bool
    ) -> AsyncIterator[Delivery]:
        """Yield instances that only this PACS has, or all that it has.  Raises `FetchFailed`."""
        if lacking is None:
            async with aclosing(self._read(upstream, [path], filed=filed)) as every:
                async for delivery in every:
                    yield delivery
            return
        for series in dict.fromkeys(lacking.values()):
            uids = [uid for uid, where in lacking.items() if where == series]
            base = {"study": path["study"], "series": series}
            paths = [{**base, "instance": uid} for uid in uids]
            wanted = paths if len(uids) <= ONE_BY_ONE else [base]
            async with aclosing(self._read(upstream, wanted, filed=filed)) as some:
                async for delivery in some:
                    yield delivery

    async def _read(
        self, upstream: Upstream, paths: Sequence[Path], *, filed: bool
    ) -> AsyncGenerator[Delivery, None]:
        readings: list[Reading] = []
        try:
            for path in paths:
                try:
                    reading = await self._fetches.want(upstream.name, path, filed=filed)
                except FetchFailed as error:
                    raise _not_given(upstream.name, error) from error
                readings.append(reading)
            for reading in readings:
                async for delivery in reading:
                    yield delivery
        finally:
            for reading in readings:
                await reading.close()


def _not_given(source: str, error: FetchFailed) -> FetchFailed:
    """Return why there is no instance that a PACS lists: "it is not there" is no answer then."""
    if error.status != NOT_FOUND:
        return error
    text = f"source {source} lists instances and then does not have them"
    return FetchFailed(502, "Something is missing", text, source=source, retry_after_s=1.0)
