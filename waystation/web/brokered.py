"""Objects of a PACS on their way to a reader over HTTP (W-17, W-80, W-89, W-90, W-109, W-119).

Contract: `Broker.opened` returns what is wanted as it lands, its first instance at hand, or all of
it where the cache has it already; `Broker.all` waits for all of it.  What goes wrong before that
is a `Refusal` with the status of the spec.  A reader that leaves while it waits is gone at once:
what nobody waits for any more is cancelled.  What is held for the answer is let go with it.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from starlette.responses import Response

from waystation.flows.fetch import FetchFailed, Path, Reading, Whole
from waystation.model.delivery import Delivery
from waystation.web.asked import Answered, Asked, Refusal

LEVELS: Final = ("study", "series", "instance")
GONE: Final = 499
T = TypeVar("T")


class Origin(Protocol):
    """Where objects come from that are not all here: one PACS, or everything that is federated.

    As `waystation.flows.fetch.Fetches` has it; source "" is the federation.
    """

    async def want(self, source: str, path: Path, *, filed: bool = False) -> Reading:
        """Attach a reader.  Raises `FetchFailed`."""

    async def whole(self, source: str, path: Path) -> Whole | None:
        """Return what is wanted if nothing has to be fetched for it."""

    async def exists(self, source: str, path: Path) -> int | None:
        """Return how many instances there are; starts nothing.  Raises `FetchFailed`."""


@dataclass(slots=True)
class Live:
    """Instances as they land; the first is there."""

    first: Delivery
    reading: Reading
    rest: AsyncIterator[Delivery]

    async def each(self) -> AsyncGenerator[Delivery, None]:
        """Yield all of them.  Raises `FetchFailed` where one is lacking at the end."""
        yield self.first
        async for one in self.rest:
            yield one


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """What is not in the archive.

    origin: of a source, None where the archive alone is asked.  partial_status: of an answer that
    is known to lack instances (W-90).  longest_s: the longest wait that is ever told (W-89).
    """

    origin: Callable[[str], Origin | None]
    partial_status: Callable[[], int] = lambda: 206
    longest_s: Callable[[], float] = lambda: 60.0

    def serves(self, asked: Asked) -> bool:
        """Tell whether a request may need what is not in the archive."""
        return self.origin(asked.source) is not None

    async def opened(self, asked: Asked, *, filed: bool = False) -> Sequence[Delivery] | Live:
        """Return what is wanted, all of it or as it lands.  Raises `Refusal`.

        filed: the database must know each instance by then.
        """
        origin, path = self._origin(asked), path_of(asked)
        try:
            whole = await origin.whole(asked.source, path)
            if whole is not None:
                _hold(asked, whole.reading)
                return whole.objects
            if asked.is_head:
                raise Answered(await self._known(asked, origin))
            return await while_there(asked, self._first(asked, origin, path, filed))
        except FetchFailed as error:
            raise self.refusal(error) from error

    async def all(self, asked: Asked, *, filed: bool = True) -> Sequence[Delivery]:
        """Return everything that is wanted.  Raises `Refusal`."""
        found = await self.opened(asked, filed=filed)
        if not isinstance(found, Live):
            return found
        try:
            every = await while_there(asked, _all(found))
        except FetchFailed as error:
            raise self.refusal(error) from error
        self._tell(asked, found.reading)
        return every

    async def others(self, asked: Asked, path: Mapping[str, str]) -> Sequence[Delivery]:
        """Return what a source has at another path, [] if that is nothing.  Raises `Refusal`."""
        origin = self._origin(asked)
        try:
            reading = await origin.want(asked.source, path, filed=True)
        except FetchFailed as error:
            if error.status == 404:
                return []
            raise self.refusal(error) from error
        asked.besides.endings.append(reading.close)
        try:
            return await while_there(asked, _read(aiter(reading)))
        except FetchFailed as error:
            raise self.refusal(error) from error

    def refusal(self, error: FetchFailed) -> Refusal:
        """Return how to say what went wrong, to who asks again too."""
        more: dict[str, object] = {"source": error.source, "retryable": error.retryable}
        headers: dict[str, str] = {}
        if error.dimse_status is not None:
            more["dimse_status"] = f"{error.dimse_status:04X}"
        if error.fetch:
            more["fetch"] = error.fetch
        if error.missing:
            more["missing"] = error.missing
            headers["X-Missing-Instances"] = str(error.missing)
        if error.retry_after_s is not None:
            wait = max(1, min(math.ceil(error.retry_after_s), int(self.longest_s())))
            headers["Retry-After"] = str(wait)
        return Refusal(error.status, error.title, error.text, headers=headers, **more)

    def _origin(self, asked: Asked) -> Origin:
        found = self.origin(asked.source)
        if found is None:
            raise Refusal(404, "There is no such source")
        return found

    async def _first(self, asked: Asked, origin: Origin, path: Path, filed: bool) -> Live:
        reading = await origin.want(asked.source, path, filed=filed)
        _hold(asked, reading)
        rest = aiter(reading)
        try:
            first = await anext(rest)
        except StopAsyncIteration:
            raise Refusal(404, "Nothing of this kind is here") from None
        self._tell(asked, reading)
        return Live(first, reading, rest)

    def _tell(self, asked: Asked, reading: Reading) -> None:
        """Say what is known of a reading now."""
        for text in reading.warnings:
            asked.warn(text)
        if not reading.missing:
            return
        if not reading.warnings:
            total = f" of {reading.expected}" if reading.expected is not None else ""
            asked.warn(f"{reading.missing}{total} instances cannot be had")
        asked.besides.fields["x-missing-instances"] = str(reading.missing)
        asked.besides.status = self.partial_status()

    async def _known(self, asked: Asked, origin: Origin) -> Response:
        """Answer whether something is there, without moving it (W-17)."""
        n = await origin.exists(asked.source, path_of(asked))
        if n == 0:
            raise Refusal(404, "Nothing of this kind is here")
        return Response()


def path_of(asked: Asked) -> dict[str, str]:
    """Return study, series and instance of a request."""
    return {name: asked.path[name] for name in LEVELS if name in asked.path}


def _hold(asked: Asked, reading: Reading) -> None:
    """Keep what is read for as long as the answer lasts."""
    asked.besides.endings.append(reading.close)
    if reading.link:
        asked.besides.fields["link"] = f'<{reading.link}>; rel="status"'
    for text in reading.warnings:
        asked.warn(text)


async def _all(live: Live) -> list[Delivery]:
    return [one async for one in live.each()]


async def _read(reading: AsyncIterator[Delivery]) -> list[Delivery]:
    return [one async for one in reading]


async def while_there(asked: Asked, work: Awaitable[T]) -> T:
    """Return what ``work`` gives; it is cancelled when the caller leaves before that."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(asked))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Refusal(GONE, "The caller has gone")
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(asked: Asked) -> None:
    while (await asked.request.receive())["type"] != "http.disconnect":
        pass
