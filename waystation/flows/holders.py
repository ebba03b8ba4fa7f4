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
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from waystation.flows.fetch import FetchFailed, Path, Reading, Whole
from waystation.flows.union import Besides, Listing, Union, end, listings, warning
from waystation.flows.upstream import Upstream
from waystation.flows.upstreams import Upstreams
from waystation.model.delivery import Delivery
from waystation.model.upstream import UpstreamFailed

log = structlog.get_logger()
# So long an answer out of the archive waits for PACS to say that they have no more.
HEAD_START_S: Final = 0.25
# So long a PACS that did not answer is not asked again whether it has more than the archive.
FAILED_S: Final = 60.0
# Up to so many instances of a series are fetched one by one.
ONE_BY_ONE: Final = 16
REMEMBERED: Final = 10_000
NOWHERE: Final = "Nothing of this kind is here"

Scope = tuple[str, str, str]


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
        self._seen_at: OrderedDict[str, str] = OrderedDict()
        self._begun: dict[Scope, list[Listing]] = {}

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
            asked = self._by_last_sight(path["study"])
            return await self._fetches.whole(asked[0].name, path) if len(asked) == 1 else None
        known = self._known(path) or await self._ask(path, own)
        if known is None:
            return None
        return Whole(objects=own, reading=Union(own, known.warnings))

    async def exists(self, source: str, path: Path) -> int | None:
        """Return how many instances there are at the source that has most."""
        if source:
            return await self._fetches.exists(source, path)
        own = await self._archived(path)
        await self._drop(path)
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
        asked = self._by_last_sight(path["study"])
        if len(asked) == 1:
            try:
                return await self._fetches.want(asked[0].name, path, filed=filed)
            except FetchFailed as error:
                self._seen_at.pop(path["study"], None)
                if error.status != 404:
                    raise
                if len(self.federated) == 1:
                    raise await self._nobody(path, ()) from error
        counts, failures = await self._count(path)
        if not counts:
            raise await self._nobody(path, failures)
        warnings = tuple(map(warning, failures))
        best, others = counts[0][0], [one for one, _ in counts[1:]]
        self._saw(path["study"], best.name)
        first = await self._fetches.want(best.name, path, filed=filed)
        more = self._besides(path, listings(others, path), filed=filed)
        return Union((), warnings, more, first)

    def _besides(self, path: Path, asked: Sequence[Listing], *, filed: bool) -> Besides:
        return Besides(
            asked,
            lambda upstream, lacking: self._fetched(upstream, path, lacking, filed=filed),
            lambda warnings, failed: self._note(path, warnings, failed=failed),
        )

    async def _with_own(self, path: Path, own: Sequence[Delivery], *, filed: bool) -> Reading:
        known = self._known(path) or await self._ask(path, own)
        if known is not None:
            return Union(own, known.warnings)
        asked = self._begun.pop(_scope(path))
        warnings = [
            warning(error)
            for _, task in asked
            if task.done() and isinstance(error := task.exception(), UpstreamFailed)
        ]
        return Union(own, warnings, self._besides(path, asked, filed=filed))

    async def _ask(self, path: Path, own: Sequence[Delivery]) -> _Asked | None:
        """Ask whether anybody has more; None if somebody does, or does not say at once.

        What has been begun then is in `_begun`.
        """
        asked = self._begun.pop(_scope(path), None) or listings(self.federated, path)
        here = {one.sop_instance_uid for one in own}
        _, slow = await asyncio.wait([task for _, task in asked], timeout=HEAD_START_S)
        failed = [task.exception() for _, task in asked if task not in slow]
        warnings = [warning(one) for one in failed if isinstance(one, UpstreamFailed)]
        told = [task.result() for _, task in asked if task not in slow and not task.exception()]
        if slow or any((one or {}).keys() - here for one in told):
            self._begun[_scope(path)] = asked
            return None
        self._note(path, warnings, failed=bool(warnings))
        return self._no_more[_scope(path)]

    async def _drop(self, path: Path) -> None:
        """End what `_ask` has begun and nobody needs."""
        await end(self._begun.pop(_scope(path), ()))

    def _by_last_sight(self, study_uid: str) -> list[Upstream]:
        """Return who is asked: all, or the one alone that had a study when it was last seen."""
        federated = self.federated
        last = self._seen_at.get(study_uid)
        return [one for one in federated if one.name == last and one.down is None] or federated

    def _saw(self, study_uid: str, source: str) -> None:
        self._seen_at[study_uid] = source
        self._seen_at.move_to_end(study_uid)
        while len(self._seen_at) > REMEMBERED:
            self._seen_at.popitem(last=False)

    async def _count(
        self, path: Path
    ) -> tuple[list[tuple[Upstream, int | None]], list[FetchFailed]]:
        """Return who has something, the one with most first, and who did not answer."""
        asked = await asyncio.gather(*(self._count_of(one, path) for one in self.federated))
        counts = [(one, n) for one, n in asked if not isinstance(n, FetchFailed) and n != 0]
        counts.sort(key=lambda each: (-(each[1] or 0), each[0].terms.priority, each[0].name))
        failures = [n for _, n in asked if isinstance(n, FetchFailed) and n.status != 404]
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
        return FetchFailed(404, NOWHERE, "")

    # whether the PACS have more than the archive

    def _known(self, path: Path) -> _Asked | None:
        """Return what the PACS said of a scope not long ago, None if they are to be asked."""
        if not self.federated or "instance" in path:
            return _Asked(0.0, ())
        found = self._no_more.get(_scope(path))
        return found if found is not None and found.until > time.monotonic() else None

    def _note(self, path: Path, warnings: Sequence[str], *, failed: bool) -> None:
        """Remember that nobody has more than the archive; or that somebody did not answer."""
        valid = min((one.terms.revalidate_s for one in self.federated), default=0.0)
        until = time.monotonic() + (min(valid, FAILED_S) if failed else valid)
        scope = _scope(path)
        self._no_more[scope] = _Asked(until, tuple(warnings))
        self._no_more.move_to_end(scope)
        while len(self._no_more) > REMEMBERED:
            self._no_more.popitem(last=False)

    async def _fetched(
        self, upstream: Upstream, path: Path, lacking: Mapping[str, str], *, filed: bool
    ) -> AsyncIterator[Delivery]:
        """Yield instances that only this PACS has.  Raises `FetchFailed`."""
        for series in dict.fromkeys(lacking.values()):
            uids = [uid for uid, where in lacking.items() if where == series]
            base = {"study": path["study"], "series": series}
            paths = [{**base, "instance": uid} for uid in uids]
            readings: list[Reading] = []
            try:
                for one in paths if len(uids) <= ONE_BY_ONE else [base]:
                    reading = await self._fetches.want(upstream.name, one, filed=filed)
                    readings.append(reading)
                for reading in readings:
                    async for delivery in reading:
                        yield delivery
            finally:
                for reading in readings:
                    await reading.close()


def _scope(path: Path) -> Scope:
    return path["study"], path.get("series", ""), path.get("instance", "")
