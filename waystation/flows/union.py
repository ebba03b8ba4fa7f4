"""The reading of one study out of several sources, each instance once (W-131).

Contract: own objects first, then those of the PACS that is fetched from, then what only others
have.  What was known when it began is in `Union.warnings`; a source that fails later ends it with
`FetchFailed`, and so does an instance that nobody could give.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from waystation.flows.fetch import FetchFailed, Path, Reading
from waystation.flows.fetch_work import heard
from waystation.flows.listing import listing
from waystation.flows.upstream import Upstream
from waystation.model.delivery import Delivery
from waystation.model.upstream import UpstreamFailed

NOT_FOUND = 404
# Returns how many instances a source has at a path, None if it does not say.
Count = Callable[[str, Path], Awaitable[int | None]]


@dataclass(frozen=True, slots=True)
class Has:
    """What a PACS says that it has.

    listed: series by SOP Instance UID, None where it does not list instances.  n: how many it
    counts then, None if it does not say.
    """

    listed: Mapping[str, str] | None
    n: int | None = None

    def besides(self, seen: AbstractSet[str]) -> Mapping[str, str] | None:
        """Return what it has that was not seen, None if only all that it has can tell."""
        if self.listed is not None:
            return {uid: series for uid, series in self.listed.items() if uid not in seen}
        return {} if self.n is None or self.n <= len(seen) else None

    def doubt(self, source: str) -> str:
        """Return what is to be said where it cannot be known whether it has more, else ""."""
        if self.listed is not None:
            return ""
        how = "it may have more" if self.n is None else "it is compared by its count only"
        return f"source {source} does not list its instances; {how}"


Listing = tuple[Upstream, "asyncio.Task[Has]"]


@dataclass(frozen=True, slots=True)
class Besides:
    """What may come on top.  listings: what PACS have that were asked beside the first.

    fetched: yields instances, given with their series by UID, from the one that has them, or all
    that it has for None.  no_more: hears that nobody had more, and what was to be said.
    """

    listings: Sequence[Listing]
    fetched: Callable[[Upstream, Mapping[str, str] | None], AsyncIterator[Delivery]]
    no_more: Callable[[Sequence[str]], None]


class Union:
    """A `Reading` of several sources.

    own: of our archive.  first: of the PACS with most of it.
    """

    uids = None

    def __init__(
        self,
        own: Sequence[Delivery] = (),
        warnings: Sequence[str] = (),
        besides: Besides | None = None,
        first: Reading | None = None,
    ) -> None:
        self._own = own
        self._told = list(warnings)
        self._besides = besides
        self._asked = besides.listings if besides else ()
        self._first = first
        self._seen: set[str] = set()
        self._has_more = False
        self._late = ""

    @property
    def link(self) -> str:
        """URL path of the progress of the first Fetch."""
        return self._first.link if self._first else ""

    @property
    def expected(self) -> int | None:
        """Unknown where several may have something."""
        if self._first is not None:
            return None if self._asked else self._first.expected
        return None if self._asked else len(self._own)

    @property
    def missing(self) -> int:
        """Known only where one source alone has all of it."""
        return self._first.missing if self._first is not None and not self._asked else 0

    @property
    def verified(self) -> str:
        """Against what completeness is judged."""
        return self._first.verified if self._first else "uids"

    @property
    def complete(self) -> bool:
        """Whether all of it is here."""
        return self._first is None and not self._asked

    @property
    def warnings(self) -> Sequence[str]:
        """What should be said besides."""
        return (*self._told, *(self._first.warnings if self._first else ()))

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        """Yield each instance once.  Raises `FetchFailed`."""
        for one in self._own:
            self._seen.add(one.sop_instance_uid)
            yield one
        broken: FetchFailed | None = None
        if self._first is not None:
            try:
                async for one in self._first:
                    self._seen.add(one.sop_instance_uid)
                    yield one
            except FetchFailed as error:
                if not self._asked:
                    raise
                broken = error
        async for one in self._more():
            yield one
        if self._besides is not None and broken is None and not self._has_more:
            self._besides.no_more(self._told)
        self._judge(broken)

    async def _more(self) -> AsyncIterator[Delivery]:
        """Yield what others have besides."""
        if self._besides is None:
            return
        for upstream, task in self._asked:
            try:
                has = await task
            except (FetchFailed, UpstreamFailed) as error:
                self._late = self._tell(warning(error)) or self._late
                continue
            self._tell(has.doubt(upstream.name))
            lacking = has.besides(self._seen)
            if lacking is not None and not lacking:
                continue
            self._has_more = True
            async for one in self._besides.fetched(upstream, lacking):
                uid = one.sop_instance_uid
                if uid not in self._seen and (lacking is None or uid in lacking):
                    self._seen.add(uid)
                    yield one

    def _tell(self, text: str) -> str:
        """Note what is to be said; return it if it is new."""
        if not text or text in self._told:
            return ""
        self._told.append(text)
        return text

    def _judge(self, broken: FetchFailed | None) -> None:
        """Raise what the first PACS lacked, unless the others had it; or that one failed late."""
        first = self._first
        if first is not None and self._asked and (broken is not None or first.missing):
            uids = first.uids
            if uids is None or not self._seen.issuperset(uids):
                text = f"{first.missing} instances cannot be had"
                raise broken or FetchFailed(
                    502, "Something is missing", text, missing=first.missing
                )
        if self._late:
            raise FetchFailed(502, "A source did not answer", self._late, retry_after_s=1.0)

    async def close(self) -> None:
        """The reader has gone, or has everything."""
        await end(self._asked)
        if self._first is not None:
            await self._first.close()


def listings(upstreams: Iterable[Upstream], path: Path, count: Count) -> list[Listing]:
    """Begin to ask what PACS have; count: for those that do not list it."""
    asked = [(one, asyncio.create_task(_listing(one, path, count))) for one in upstreams]
    for _, task in asked:
        task.add_done_callback(heard)
    return asked


async def _listing(upstream: Upstream, path: Path, count: Count) -> Has:
    if upstream.down is not None:
        raise upstream.down
    listed = await listing(upstream, path)
    if listed is None and "instance" in path:
        # An instance is what it is, whoever gives it.
        listed = {path["instance"]: path.get("series", "")}
    if listed is not None:
        return Has(listed)
    try:
        return Has(None, await count(upstream.name, path))
    except FetchFailed as error:
        if error.status != NOT_FOUND:
            raise
        return Has({})


def said(asked: Sequence[Listing]) -> list[str]:
    """Return what is to be said of those that have answered, or failed, by now."""
    found: list[str] = []
    for upstream, task in asked:
        if not task.done():
            continue
        failure = task.exception()
        if isinstance(failure, FetchFailed | UpstreamFailed):
            found.append(warning(failure))
        elif failure is None:
            found.append(task.result().doubt(upstream.name))
    return list(filter(None, found))


def leave(asked: Sequence[Listing]) -> None:
    """Wait no longer for what is being asked."""
    for _, task in asked:
        task.cancel()


async def end(asked: Sequence[Listing]) -> None:
    """End what is still being asked."""
    leave(asked)
    await asyncio.gather(*(task for _, task in asked), return_exceptions=True)


def warning(error: FetchFailed | UpstreamFailed) -> str:
    """Return how to say that a source failed while others did not (W-129)."""
    return f"source {error.source} did not answer ({error.text})"
