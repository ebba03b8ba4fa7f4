"""The reading of one study out of several sources, each instance once (W-131).

Contract: own objects first, then those of the PACS that is fetched from, then what only others
have.  What was known when it began is in `Union.warnings`; a source that fails later ends it with
`FetchFailed`, and so does an instance that nobody could give.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from waystation.flows.fetch import FetchFailed, Path, Reading
from waystation.flows.listing import listing
from waystation.flows.upstream import Upstream
from waystation.model.delivery import Delivery
from waystation.model.upstream import UpstreamFailed

Listing = tuple[Upstream, "asyncio.Task[dict[str, str] | None]"]


@dataclass(frozen=True, slots=True)
class Besides:
    """What may come on top.  listings: what PACS have that were asked beside the first.

    fetched: yields instances, given with their series by UID, from the one that has them.
    no_more: hears that nobody had more than the archive, what was to be said, and whether
    somebody did not answer.
    """

    listings: Sequence[Listing]
    fetched: Callable[[Upstream, Mapping[str, str]], AsyncIterator[Delivery]]
    no_more: Callable[[Sequence[str], bool], None]


class Union:
    """A `Reading` of several sources.

    own: of our archive.  first: of the PACS with most of it.
    """

    def __init__(
        self,
        own: Sequence[Delivery] = (),
        warnings: Sequence[str] = (),
        besides: Besides | None = None,
        first: Reading | None = None,
    ) -> None:
        self._own = own
        self._warnings = tuple(warnings)
        self._besides = besides
        self._asked = besides.listings if besides else ()
        self._first = first
        self._seen: set[str] = set()

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
        return (*self._warnings, *(self._first.warnings if self._first else ()))

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
        self._judge(broken)

    async def _more(self) -> AsyncIterator[Delivery]:
        """Yield what others have besides."""
        fetched = 0
        told = list(self._warnings)
        failed = bool(told)
        if self._besides is None:
            return
        for upstream, task in self._asked:
            try:
                listed = await task
            except UpstreamFailed as error:
                failed = True
                if warning(error) not in told:
                    told.append(warning(error))
                continue
            lacking = {uid: at for uid, at in (listed or {}).items() if uid not in self._seen}
            fetched += len(lacking)
            async for one in self._besides.fetched(upstream, lacking):
                if one.sop_instance_uid in lacking and one.sop_instance_uid not in self._seen:
                    self._seen.add(one.sop_instance_uid)
                    yield one
        if self._own and self._asked and not fetched:
            self._besides.no_more(told, failed)
        if len(told) > len(self._warnings):
            raise FetchFailed(502, "A source did not answer", told[-1], retry_after_s=1.0)

    def _judge(self, broken: FetchFailed | None) -> None:
        """Raise what the first PACS lacked, unless the others had it."""
        first = self._first
        if first is None or not self._asked:
            return
        whole = first.expected is not None and len(self._seen) >= first.expected
        if whole:
            return
        if broken is not None:
            raise broken
        if first.missing:
            text = f"{first.missing} instances cannot be had"
            raise FetchFailed(502, "Something is missing", text, missing=first.missing)

    async def close(self) -> None:
        """The reader has gone, or has everything."""
        await end(self._asked)
        if self._first is not None:
            await self._first.close()


def listings(upstreams: Iterable[Upstream], path: Path) -> list[Listing]:
    """Begin to ask what PACS have."""
    return [(one, asyncio.create_task(_listing(one, path))) for one in upstreams]


async def _listing(upstream: Upstream, path: Path) -> dict[str, str] | None:
    if upstream.down is not None:
        raise upstream.down
    return await listing(upstream, path)


async def end(asked: Sequence[Listing]) -> None:
    """End what is still being asked."""
    for _, task in asked:
        task.cancel()
    await asyncio.gather(*(task for _, task in asked), return_exceptions=True)


def warning(error: FetchFailed | UpstreamFailed) -> str:
    """Return how to say that a source failed while others did not (W-129)."""
    return f"source {error.source} did not answer ({error.text})"
