"""QIDO-RS (PS3.18 section 10.6, W-20 to W-55).

Contract: six resources, one core: the parameters become a `Query`, the index searches, `matching`
decides, and what comes back waits in a bounded spool until the outcome is known, so that no status
says more than is true (W-52).  A search that takes too long is 413.  Where PACS are asked,
`waystation.web.qido_sources` answers.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.responses import Response

from waystation.dicom.tags import (
    PATIENT_ID,
    SERIES_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    keyword_of,
)
from waystation.dicomweb import matches, paths
from waystation.dicomweb.accept import DICOM_JSON, DICOM_XML, JSON, MULTIPART, Offer
from waystation.dicomweb.query import (
    PARAMETERS,
    BadParameter,
    SearchAsked,
    read_search,
    wanted_keys,
)
from waystation.index import levels
from waystation.index.search import Search
from waystation.matching.keys import first_fault
from waystation.matching.spans import offset_minutes
from waystation.model.query import IMAGE, SERIES, STUDY, Key, Query
from waystation.web.asked import Asked, Refusal
from waystation.web.dicomweb import Handler, Resource
from waystation.web.qido_page import Kind, Page, Rows, wanted_of
from waystation.web.qido_sources import SourceSearch

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


_STUDY_SERIES: Final = {**matches.STUDY, **matches.SERIES}
KINDS: Final = (
    Kind("/studies", STUDY, matches.STUDY, "Search for studies"),
    Kind(paths.STUDY + "/series", SERIES, matches.SERIES, "Search for series of a study"),
    Kind(
        paths.SERIES + "/instances",
        IMAGE,
        matches.INSTANCE,
        "Search for instances of a series",
    ),
    Kind(
        paths.STUDY + "/instances",
        IMAGE,
        {**matches.SERIES, **matches.INSTANCE},
        "Search for instances of a study",
    ),
    Kind("/series", SERIES, _STUDY_SERIES, "Search for series"),
    Kind("/instances", IMAGE, {**_STUDY_SERIES, **matches.INSTANCE}, "Search for instances"),
)


def search_resources(holdings: Holdings, elsewhere: SourceSearch | None = None) -> list[Resource]:
    """Return the resources.  elsewhere: what answers where PACS are asked."""
    return [
        Resource(
            method="GET",
            template=kind.template,
            handler=_handler(holdings, elsewhere, kind),
            summary=kind.summary,
            right="search",
            offers=OFFERS,
            params=("{attribute}", *PARAMETERS),
            pacs=True,
        )
        for kind in KINDS
    ]


def _handler(holdings: Holdings, elsewhere: SourceSearch | None, kind: Kind) -> Handler:
    async def search(asked: Asked) -> Response:
        media = asked.choices(OFFERS)[0].offer.media
        terms = holdings.terms()
        if asked.params or media == DICOM_XML:
            await _dictionary()
        read = _read(asked, terms)
        query = _query(kind, read)
        _say_left_out(asked, read)
        if elsewhere is not None and elsewhere.serves(asked.source):
            return await elsewhere.answer(asked, kind, read, query, media, terms.most)
        page = Page(asked, media, holdings.folder)
        rows = Rows(asked.base, kind, read, query)
        searching = holdings.search(query)
        limit = terms.most if read.limit is None else min(read.limit, terms.most)
        try:
            async with asyncio.timeout(SEARCH_S):
                await _collect(page, rows, searching, read.offset, limit)
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


def _check_whole(page: Page, searching: Search) -> None:
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


def _query(kind: Kind, read: SearchAsked) -> Query:
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
    back = (key for key in wanted_keys(wanted_of(kind, read)) if key.tag not in asked)
    return query.with_keys((*read.keys, *back, *_everything(read)))


def _everything(read: SearchAsked) -> list[Key]:
    """Return a key that lets the index read heads, where all of an image is wanted."""
    return [Key(levels.INSTANCE_NUMBER, "IS")] if read.everything else []


async def _collect(page: Page, rows: Rows, searching: Search, offset: int, limit: int) -> None:
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
                image = found.image.sop_instance_uid if found.image is not None else ""
                page.add(rows.row((found.study_uid, found.series_uid, image), found.record))
                continue
            beyond += 1
            counting = counting or loop.time()
            if loop.time() - counting > COUNT_S:
                complete = False
                break
    if beyond:
        least = "" if complete else "at least "
        page.asked.warn(f"There are {least}{beyond} additional results that can be requested")
