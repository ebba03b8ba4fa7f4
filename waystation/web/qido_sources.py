"""QIDO-RS over PACS: one by its own root, or all that are federated (W-126 to W-132).

Contract: a first page is always asked for anew; its answers are kept for a while per caller, so
that the next pages fit to it.  A page that lies beyond what was asked for asks again, and what came
before keeps its place.  What a source failed to answer is not kept.
What a source cannot do is a warning or a problem (W-62), never an answer with less in it.
"""

import asyncio
import hashlib
import json
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from waystation.dicomweb.accept import JSON
from waystation.dicomweb.json_model import dumped
from waystation.dicomweb.query import SearchAsked, Wanted, wanted_keys
from waystation.flows.federate import ARCHIVE, Federation, Outcome, Row
from waystation.model.query import IMAGE, Key, Query
from waystation.model.upstream import UpstreamFailed
from waystation.web.asked import Asked, Refusal
from waystation.web.capabilities import AS_JSON, OWN
from waystation.web.dicomweb import Resource
from waystation.web.qido_page import Kind, Page, Rows, wanted_of

# What ``includefield=all`` asks of objects, where nobody knows what a PACS has (P3.4 C.6.1.1.5).
OF_OBJECTS: Final = (
    *(0x00080008, 0x00080012, 0x00080013, 0x00080016, 0x0008001A, 0x00080022, 0x00080023),
    *(0x00080032, 0x00080033, 0x00083002, 0x00200012, 0x00200013, 0x00280008, 0x00280010),
    *(0x00280011, 0x00280100, 0x0040A043, 0x0040A491, 0x0040A493),
)
MOST_KEPT, MOST_BYTES = 64, 64 << 20
# After so many rows others have their turn.
LOOK_EVERY: Final = 64

Uids = tuple[str, str, str]
# (source, studies) → those of them that are complete in the cache.
Cached = Callable[[str, Collection[str]], Awaitable[Collection[str]]]


async def nothing_cached(_source: str, _studies: Collection[str]) -> Collection[str]:
    """Say that there is no cache."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is searched besides our archive.  keep_s: how long answers are kept.

    folder: for long answers.  cached: what is complete in the cache.  retry_max_s: no caller is
    told to wait longer.
    """

    federation: Federation
    keep_s: Callable[[], float]
    folder: Path
    cached: Cached = nothing_cached
    retry_max_s: Callable[[], float] = lambda: 60.0


@dataclass(slots=True)
class _Set:
    """The answers to one search so far: rows by UID, compressed.

    asked: matches that one PACS was asked for, 0 for all that it has.  size: bytes of the rows.
    """

    until: float = 0.0
    asked: int = 0
    rows: dict[Uids, bytes] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    capped: bool = False
    size: int = 0

    def put(self, uids: Uids, text: str) -> None:
        self.rows[uids] = packed = zlib.compress(text.encode(), 1)
        self.size += len(packed)

    def covers(self, wanted: int) -> bool:
        return not self.asked or wanted < self.asked or len(self.rows) < self.asked


class SourceSearch:
    """Answers searches of sources."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._kept: OrderedDict[tuple[object, ...], _Set] = OrderedDict()

    def serves(self, source: str) -> bool:
        """Tell whether a search of a source is answered here: not our archive alone."""
        upstreams = self._sources.federation.upstreams
        return source != ARCHIVE and bool(source or upstreams.federated)

    async def answer(
        self, asked: Asked, kind: Kind, read: SearchAsked, query: Query, media: str, most: int
    ) -> Response:
        """Return a page of what the sources have."""
        limit = most if read.limit is None else min(read.limit, most)
        wanted = read.offset + limit
        found = await self._found(asked, kind, read, query, wanted, most)
        for text in found.warnings:
            asked.warn(text)
        page = Page(asked, media, self._sources.folder)
        try:
            rows = list(found.rows.values())
            for place, packed in enumerate(rows[read.offset : wanted], 1):
                if place % LOOK_EVERY == 0:
                    await page.look()
                page.add_text(zlib.decompress(packed).decode())
            beyond = len(rows) - wanted
            if beyond > 0:
                least = "at least " if found.capped or found.asked else ""
                text = f"There are {least}{beyond} additional results that can be requested"
                asked.warn(text)
            return page.response()
        except BaseException:
            page.close()
            raise

    async def _found(
        self, asked: Asked, kind: Kind, read: SearchAsked, query: Query, wanted: int, most: int
    ) -> _Set:
        key = _key(asked, kind, read)
        now = asyncio.get_running_loop().time()
        found = self._kept.pop(key, None)
        if found is None or found.until < now or not read.offset:
            found = _Set(until=now + self._sources.keep_s())
            await self._more(asked, kind, read, query, found, wanted, most)
        elif not found.covers(wanted):
            await self._more(asked, kind, read, query, found, wanted, most)
        self._keep(key, found, now)
        return found

    async def _more(
        self,
        asked: Asked,
        kind: Kind,
        read: SearchAsked,
        query: Query,
        found: _Set,
        wanted: int,
        most: int,
    ) -> None:
        """Ask the sources, and add what is new behind what is known."""
        # One more than is wanted tells whether there is more.
        limit = wanted + 1 if asked.source and read.limit is not None else 0
        full = query.with_keys(_shown(query, kind, read))
        search = self._sources.federation.search(full, asked.source, limit=limit, most=most)
        try:
            outcome = await _heard(asked.request, search)
        except UpstreamFailed as failure:
            raise refusal(failure, self._sources.retry_max_s()) from failure
        rows = Rows(asked.base, kind, read, full)
        online = await self._online(outcome.rows)
        for place, row in enumerate(outcome.rows, 1):
            if place % LOOK_EVERY == 0:
                await asyncio.sleep(0)
            if row.uids not in found.rows:
                availability = "ONLINE" if online(row) else "NEARLINE"
                made = rows.row(row.uids, row.record, row.sources, availability)
                found.put(row.uids, dumped(made))
        found.asked, found.capped = limit, outcome.capped
        found.until = 0.0 if outcome.failures else found.until
        found.warnings = list(dict.fromkeys([*found.warnings, *outcome.warnings]))

    async def _online(self, rows: Sequence[Row]) -> Callable[[Row], bool]:
        """Return what tells whether the images of a row are at hand (W-128)."""
        studies: dict[str, set[str]] = {}
        for row in rows:
            if ARCHIVE not in row.sources:
                for source in row.sources:
                    studies.setdefault(source, set()).add(row.uids[0])
        at_hand = {
            (source, study)
            for source, uids in studies.items()
            for study in await self._sources.cached(source, uids)
        }

        def online(row: Row) -> bool:
            held = ((source, row.uids[0]) in at_hand for source in row.sources)
            return ARCHIVE in row.sources or any(held)

        return online

    def _keep(self, key: tuple[object, ...], found: _Set, now: float) -> None:
        for old in [one for one, kept in self._kept.items() if kept.until < now]:
            del self._kept[old]
        if found.until > now:
            self._kept[key] = found
        while (
            len(self._kept) > MOST_KEPT or sum(one.size for one in self._kept.values()) > MOST_BYTES
        ):
            self._kept.popitem(last=False)


def _key(asked: Asked, kind: Kind, read: SearchAsked) -> tuple[object, ...]:
    """Return what makes two searches the same but for their page."""
    params = tuple(pair for pair in asked.params if pair[0] not in ("limit", "offset"))
    path = tuple(sorted(asked.path.items()))
    # Two people behind one address are two callers; what proves it is not kept.
    shown = "\0".join(asked.headers.get(name, "") for name in ("authorization", "cookie"))
    who = asked.caller, hashlib.sha256(shown.encode()).digest()
    return who, asked.base, kind.template, path, params, read.limit is None


def _shown(query: Query, kind: Kind, read: SearchAsked) -> list[Key]:
    """Return the keys of a search with one, without a value, for whatever is to come back."""
    wanted: Wanted = dict(wanted_of(kind, read))
    if read.everything and kind.level == IMAGE:
        wanted = {**dict.fromkeys(OF_OBJECTS), **wanted}
    return _joined(query.keys, list(wanted_keys(wanted)))


def _joined(keys: Iterable[Key], more: Iterable[Key]) -> list[Key]:
    """Return keys and, where none of them has the tag, further ones; items are joined too."""
    found = {key.tag: key for key in keys}
    for key in more:
        known = found.get(key.tag)
        if known is None:
            found[key.tag] = key
        elif known.keys and key.keys:
            inner = tuple(sorted(_joined(known.keys, key.keys), key=lambda one: one.tag))
            found[key.tag] = Key(key.tag, "SQ", (), inner)
    return list(found.values())


async def _heard(request: Request, search: Awaitable[Outcome]) -> Outcome:
    """Return what a search finds; end it if nobody waits for it any more (W-59)."""
    searching = asyncio.ensure_future(search)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((searching, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not searching.done():
            raise Refusal(499, "The caller has gone")
        return await searching
    finally:
        searching.cancel()
        leaving.cancel()
        await asyncio.gather(searching, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    """Return when the caller has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


def refusal(failure: UpstreamFailed, retry_max_s: float) -> Refusal:
    """Return the answer to a request that a PACS failed (W-12, W-62)."""
    more: dict[str, Any] = {"source": failure.source, "retryable": failure.retryable}
    if failure.dimse_status is not None:
        more["dimse_status"] = f"{failure.dimse_status:04X}"
    headers = {}
    if failure.retry_s is not None:
        headers["Retry-After"] = str(max(1, round(min(failure.retry_s, retry_max_s))))
    titles = {400: "A PACS cannot be asked for this", 413: "The search is too wide"}
    title = titles.get(failure.status, "A source did not answer")
    return Refusal(failure.status, title, str(failure), headers=headers, **more)


def sources_resource(sources: Sources) -> Resource:
    """Return the list of the sources."""

    async def listed(asked: Asked) -> Response:
        asked.choices(AS_JSON)
        own = {**OWN, "federated": True}
        pacs = [
            {
                "name": one.name,
                "kind": "pacs",
                "health": "down" if one.down is not None else "ok" if one.abilities else "unknown",
                "federated": one.terms.federate,
            }
            for one in sources.federation.upstreams
        ]
        text = json.dumps([own, *pacs], ensure_ascii=False)
        return Response(text, media_type=JSON)

    return Resource(
        method="GET",
        template="/sources",
        handler=listed,
        summary="The sources that can be asked by a root of their own",
        right="search",
        offers=AS_JSON,
    )
