"""QIDO-RS over our own archive (PS3.18 section 10.6, W-20 to W-55).

Contract: six resources, one core: the parameters become a `Query`, the index searches, `matching`
decides, and what comes back waits in a bounded spool until the outcome is known, so that no status
says more than is true (W-52).  A search that takes too long is 413.
"""

import asyncio
import secrets
import sys
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.responses import Response, StreamingResponse

from waystation.dicom.tags import (
    PATIENT_ID,
    SERIES_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    keyword_of,
)
from waystation.dicomweb import matches, paths
from waystation.dicomweb.accept import DICOM_JSON, DICOM_XML, JSON, MULTIPART, Offer
from waystation.dicomweb.json_model import dumped
from waystation.dicomweb.query import (
    PARAMETERS,
    BadParameter,
    SearchAsked,
    Wanted,
    merged,
    read_search,
    wanted_keys,
)
from waystation.dicomweb.xml_model import to_xml
from waystation.index import levels
from waystation.index.search import Found, Search
from waystation.matching.keys import first_fault
from waystation.matching.match import Matcher
from waystation.matching.spans import offset_minutes
from waystation.model.query import IMAGE, LEVELS, SERIES, STUDY, Key, Query, Record
from waystation.web.asked import Asked, Refusal
from waystation.web.dicomweb import Handler, Resource
from waystation.web.spool import Spool

OFFERS: Final = (Offer(DICOM_JSON, aliases=(JSON,)), Offer(DICOM_XML, MULTIPART))
SEARCH_S: Final = 60.0
# So long, at most, what lies beyond the page is counted.
COUNT_S: Final = 0.25
LOOK_EVERY: Final = 128
NOT_UNDERSTOOD: Final = "The request is not understood"
TOO_LONG: Final = "The search takes too long"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTerms:
    """What the settings say.  most: answers to one request."""

    most: int = 5000
    tolerant: bool = False
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What can be searched.  search: gives one that is not begun.  folder: for long answers."""

    search: Callable[[Query], Search]
    terms: Callable[[], SearchTerms]
    folder: Path


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the six resources.  defaults: what comes back unasked."""

    template: str
    level: str
    defaults: Wanted
    summary: str


_STUDY_SERIES: Final = {**matches.STUDY, **matches.SERIES}
KINDS: Final = (
    _Kind("/studies", STUDY, matches.STUDY, "Search for studies"),
    _Kind(paths.STUDY + "/series", SERIES, matches.SERIES, "Search for series of a study"),
    _Kind(
        paths.SERIES + "/instances",
        IMAGE,
        matches.INSTANCE,
        "Search for instances of a series",
    ),
    _Kind(
        paths.STUDY + "/instances",
        IMAGE,
        {**matches.SERIES, **matches.INSTANCE},
        "Search for instances of a study",
    ),
    _Kind("/series", SERIES, _STUDY_SERIES, "Search for series"),
    _Kind("/instances", IMAGE, {**_STUDY_SERIES, **matches.INSTANCE}, "Search for instances"),
)


def search_resources(holdings: Holdings) -> list[Resource]:
    """Return the resources."""
    return [
        Resource(
            method="GET",
            template=kind.template,
            handler=_handler(holdings, kind),
            summary=kind.summary,
            right="search",
            offers=OFFERS,
            params=("{attribute}", *PARAMETERS),
        )
        for kind in KINDS
    ]


def _handler(holdings: Holdings, kind: _Kind) -> Handler:
    async def search(asked: Asked) -> Response:
        media = asked.choices(OFFERS)[0].offer.media
        terms = holdings.terms()
        if asked.params or media == DICOM_XML:
            await _dictionary()
        read = _read(asked, terms)
        query = _query(kind, read)
        _say_left_out(asked, read)
        page = _Page(asked, kind, read, query, media, holdings.folder)
        searching = holdings.search(query)
        limit = terms.most if read.limit is None else min(read.limit, terms.most)
        try:
            async with asyncio.timeout(SEARCH_S):
                await _collect(page, searching, read.offset, limit)
            _check_whole(page, searching)
            return page.response()
        except TimeoutError:
            page.close()
            raise Refusal(413, TOO_LONG, "Narrow it, for example by PatientID or dates") from None
        except BaseException:
            page.close()
            raise

    return search


async def _dictionary() -> None:
    """Have the dictionary of all attributes read, which takes a moment, beside the event loop."""
    if "pydicom.datadict" not in sys.modules:
        await asyncio.to_thread(keyword_of, PATIENT_ID)


def _check_whole(page: "_Page", searching: Search) -> None:
    """Say that objects were left out; nothing found is no answer then (W-52)."""
    if not searching.unreadable:
        return
    page.asked.warn(f"{searching.unreadable} objects could not be read and are left out")
    if not page.n:
        raise Refusal(500, "Objects could not be read", retryable=False)


def _read(asked: Asked, terms: SearchTerms) -> SearchAsked:
    uids = {
        tag: asked.path[name]
        for name, tag in (("study", STUDY_INSTANCE_UID), ("series", SERIES_INSTANCE_UID))
        if name in asked.path
    }
    try:
        return read_search(asked.params, uids, tolerant=terms.tolerant, ignored=terms.ignored)
    except BadParameter as error:
        raise Refusal(400, NOT_UNDERSTOOD, str(error), parameter=error.name) from None


def _say_left_out(asked: Asked, read: SearchAsked) -> None:
    for name in read.left_out:
        asked.warn(f"The parameter or field {name} means nothing here and was left out")


def _query(kind: _Kind, read: SearchAsked) -> Query:
    """Return the query; of images with a universal key for whatever is to come back."""
    fault = first_fault(read.keys, read.options)
    if fault is not None:
        raise Refusal(400, NOT_UNDERSTOOD, fault.comment)
    zone = offset_minutes(read.zone) if read.zone else None
    if read.zone and zone is None:
        raise Refusal(400, NOT_UNDERSTOOD, "TimezoneOffsetFromUTC: write an offset as +0100")
    query = Query(level=kind.level, options=read.options, charset="ISO_IR 192", zone=zone)
    if kind.level != IMAGE:
        return query.with_keys(read.keys)
    # By its keys the index knows whether it has to read heads.
    asked = {key.tag for key in read.keys}
    back = (key for key in wanted_keys(_wanted(kind, read)) if key.tag not in asked)
    return query.with_keys((*read.keys, *back, *_everything(read)))


def _everything(read: SearchAsked) -> list[Key]:
    """Return a key that lets the index read heads, where all of an image is wanted."""
    return [Key(levels.INSTANCE_NUMBER, "IS")] if read.everything else []


def _wanted(kind: _Kind, read: SearchAsked) -> Wanted:
    """Return what comes back: nothing of a lower level (W-29)."""
    own = LEVELS.index(kind.level)
    both = merged(kind.defaults, read.wanted)
    if read.everything and kind.level != IMAGE:
        for name in LEVELS[: own + 1]:
            if name == kind.level or name == "PATIENT" or kind.template.count("/") == 1:
                both |= {tag: None for tag in levels.TABLES[name] if tag not in both}
        both |= {tag: None for tag, name in levels.COMPUTED.items() if name == kind.level}
    return {tag: below for tag, below in both.items() if LEVELS.index(levels.level_of(tag)) <= own}


async def _collect(page: "_Page", searching: Search, offset: int, limit: int) -> None:
    """Put a page of the answers into the spool; count what lies beyond, for a while."""
    loop = asyncio.get_running_loop()
    place, beyond, counting = 0, 0, 0.0
    complete = True
    async with aclosing(searching.run()) as answers:
        async for found in answers:
            place += 1
            if place % LOOK_EVERY == 0:
                await page.look()
            if place <= offset:
                continue
            if page.n < limit:
                page.add(found)
                continue
            beyond += 1
            counting = counting or loop.time()
            if loop.time() - counting > COUNT_S:
                complete = False
                break
    if beyond:
        least = "" if complete else "at least "
        page.asked.warn(f"There are {least}{beyond} additional results that can be requested")


class _Page:
    """The answers to one request, as they will be sent."""

    def __init__(
        self,
        asked: Asked,
        kind: _Kind,
        read: SearchAsked,
        query: Query,
        media: str,
        folder: Path,
    ) -> None:
        self.asked = asked
        self.n = 0
        self._kind = kind
        self._everything = read.everything
        self._wanted = _wanted(kind, read)
        named = {tag for tag in read.wanted if tag in self._wanted}
        self._optional = matches.IF_KNOWN - named
        if read.everything:
            self._optional |= self._wanted.keys() - kind.defaults.keys() - named
        self._keys = {key.tag: key for key in query.keys if key.vr == "SQ"}
        self._matcher = Matcher(query) if self._keys else None
        self._is_xml = media == DICOM_XML
        self._boundary = secrets.token_hex(16)
        self._spool = Spool(folder)

    def close(self) -> None:
        """Forget what was found."""
        self._spool.close()

    async def look(self) -> None:
        """End the search if nobody waits for it any more; give others their turn."""
        await asyncio.sleep(0)
        if await self.asked.request.is_disconnected():
            raise Refusal(499, "The caller has gone")

    def add(self, found: Found) -> None:
        """Add one answer."""
        shown = matches.row(
            found.record,
            self._fields(found),
            self._optional,
            url=self._url(found),
            items=self._items,
        )
        if self._is_xml:
            head = f"--{self._boundary}\r\nContent-Type: {DICOM_XML}\r\n"
            document = to_xml(shown)
            self._spool.write(f"{head}Content-Length: {len(document)}\r\n\r\n".encode())
            self._spool.write(document + b"\r\n")
        else:
            text = dumped(shown)
            if "\ufffd" in text:
                self.asked.warn("Some characters could not be read in their character set")
            self._spool.write((b"," if self.n else b"[") + text.encode())
        self.n += 1

    def _fields(self, found: Found) -> Wanted:
        if not self._everything or self._kind.level != IMAGE:
            return self._wanted
        return {**{tag: None for tag, _ in found.record.elements()}, **self._wanted}

    def _items(self, record: Record, tag: int) -> list[Record]:
        """Return the items that match, where items were asked for (T-10)."""
        key = self._keys.get(tag)
        if key is None or self._matcher is None:
            return list(record.items(tag))
        return self._matcher.matching_items(key, record)

    def _url(self, found: Found) -> str:
        url = f"{self.asked.base}/studies/{found.study_uid}"
        if found.series_uid:
            url += f"/series/{found.series_uid}"
        if found.image is not None:
            url += f"/instances/{found.image.sop_instance_uid}"
        return url

    def response(self) -> Response:
        """Return the whole answer."""
        if self._is_xml:
            self._spool.write(f"--{self._boundary}--\r\n".encode() if self.n else b"")
        else:
            self._spool.write(b"]" if self.n else b"[]")
        headers = {"content-length": str(self._spool.size), "content-type": self._type()}
        if self._spool.is_on_disk:
            return StreamingResponse(self._spool.pieces(), headers=headers)
        return Response(self._spool.whole(), headers=headers)

    def _type(self) -> str:
        if not self._is_xml:
            return DICOM_JSON
        return f'{MULTIPART}; type="{DICOM_XML}"; boundary={self._boundary}'
