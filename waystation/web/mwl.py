"""Worklist search over DICOMweb (PS3.18 section 14, W-101): our own steps, one row each.

Contract: parameters and rules are those of a search for studies (W-27 to W-34, W-38, W-51 to
W-55).  What belongs to the step may be named with or without the sequence it lies in.  Rows come
by start, and hold what an answer to a modality must hold; ``includefield`` adds to it.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from starlette.responses import Response

from waystation.dicom.tags import keyword_of, tag_for
from waystation.dicomweb import matches
from waystation.dicomweb.dicom_json import UTF_8
from waystation.dicomweb.query import (
    PARAMETERS,
    BadParameter,
    SearchAsked,
    Wanted,
    merged,
    read_search,
)
from waystation.index.step_search import StepSearch
from waystation.matching.entry import STEPS, is_code
from waystation.matching.entry_data import STEP_KEYWORDS
from waystation.matching.keys import first_fault
from waystation.matching.spans import offset_minutes
from waystation.model.query import WORKLIST, Key, Query, Record
from waystation.web.asked import Asked, Refusal
from waystation.web.dicomweb import Resource
from waystation.web.qido import NOT_UNDERSTOOD, OFFERS, SearchTerms
from waystation.web.qido_page import Page

TEMPLATE: Final = "/modality-scheduled-procedure-steps"
SEARCH_S: Final = 60.0
LOOK_EVERY: Final = 64
_STEP: Final = (
    *("Modality", "ScheduledStationAETitle", "ScheduledProcedureStepStartDate"),
    *("ScheduledProcedureStepStartTime", "ScheduledPerformingPhysicianName"),
    *("ScheduledProcedureStepDescription", "ScheduledProtocolCodeSequence"),
    *("ScheduledProcedureStepID", "ScheduledStationName", "ScheduledProcedureStepLocation"),
    *("PreMedication", "RequestedContrastAgent", "ScheduledProcedureStepStatus"),
)
_ENTRY: Final = (
    *("AccessionNumber", "ReferringPhysicianName", "ReferencedStudySequence", "AdmissionID"),
    *("ReferencedPatientSequence", "PatientName", "PatientID", "IssuerOfPatientID"),
    *("PatientBirthDate", "PatientSex", "PatientWeight", "MedicalAlerts", "Allergies"),
    *("PregnancyStatus", "StudyInstanceUID", "RequestingPhysician", "PatientState"),
    *("RequestedProcedureDescription", "RequestedProcedureCodeSequence", "SpecialNeeds"),
    *("CurrentPatientLocation", "RequestedProcedureID", "RequestedProcedurePriority"),
    *("PatientTransportArrangements", "ConfidentialityConstraintOnPatientDataDescription"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What can be searched.

    search: gives one that is not begun, None where there is no worklist.  folder: for long answers.
    """

    search: Callable[[Query], StepSearch | None]
    terms: Callable[[], SearchTerms]
    folder: Path


def mwl_resource(schedule: Schedule) -> Resource:
    """Return the resource."""

    async def search(asked: Asked) -> Response:
        media = asked.choices(OFFERS)[0].offer.media
        await asyncio.to_thread(keyword_of, STEPS)
        terms = schedule.terms()
        read = _read(asked, terms)
        query = _query(read)
        for name in read.left_out:
            asked.warn(f"The parameter or field {name} means nothing here and was left out")
        searching = schedule.search(query)
        if searching is None:
            raise Refusal(404, "There is no worklist here")
        page = Page(asked, media, schedule.folder)
        limit = terms.most if read.limit is None else min(read.limit, terms.most)
        try:
            async with asyncio.timeout(SEARCH_S):
                await _collect(page, searching, read, limit)
            return page.response()
        except TimeoutError:
            page.close()
            raise Refusal(413, "The search takes too long", "Narrow it, by a day") from None
        except BaseException:
            page.close()
            raise

    return Resource(
        method="GET",
        template=TEMPLATE,
        handler=search,
        summary="Search for scheduled procedure steps",
        right="search",
        offers=OFFERS,
        params=("{attribute}", *PARAMETERS),
    )


def _read(asked: Asked, terms: SearchTerms) -> SearchAsked:
    try:
        return read_search(asked.params, {}, tolerant=terms.tolerant, ignored=terms.ignored)
    except BadParameter as error:
        raise Refusal(400, NOT_UNDERSTOOD, str(error), parameter=error.name) from None


def _query(read: SearchAsked) -> Query:
    keys = _in_step(read.keys)
    fault = first_fault(keys, read.options)
    if fault is not None:
        raise Refusal(400, NOT_UNDERSTOOD, fault.comment)
    zone = offset_minutes(read.zone) if read.zone else None
    if read.zone and zone is None:
        raise Refusal(400, NOT_UNDERSTOOD, "TimezoneOffsetFromUTC: write an offset as +0100")
    return Query(level=WORKLIST, options=read.options, charset=UTF_8, zone=zone).with_keys(keys)


def _in_step(keys: tuple[Key, ...]) -> tuple[Key, ...]:
    """Return the keys, those of the step within its item."""
    bare = tuple(key for key in keys if _of_step(key.tag))
    if not bare:
        return keys
    step = next((key for key in keys if key.tag == STEPS), Key(STEPS, "SQ"))
    rest = tuple(key for key in keys if key not in bare and key.tag != STEPS)
    named = {key.tag for key in step.keys}
    twice = next((key for key in bare if key.tag in named), None)
    if twice is not None:
        raise Refusal(400, NOT_UNDERSTOOD, f"{keyword_of(twice.tag)}: is given twice")
    inside = tuple(sorted((*step.keys, *bare), key=lambda one: one.tag))
    return (*rest, replace(step, keys=inside))


def _of_step(tag: int) -> bool:
    return keyword_of(tag) in STEP_KEYWORDS


def _wanted(read: SearchAsked) -> Wanted:
    """Return what comes back, what belongs to the step in its item."""
    step: Wanted = {tag_for(word): None for word in _STEP}
    defaults: Wanted = {**{tag_for(word): None for word in _ENTRY}, STEPS: step}
    asked: Wanted = {}
    for tag, below in read.wanted.items():
        if _of_step(tag):
            asked = merged(asked, {STEPS: {tag: below}})
        elif tag == STEPS and below is None:
            asked[STEPS] = None
        else:
            asked = merged(asked, {tag: below})
    return merged(defaults, asked)


async def _collect(page: Page, searching: StepSearch, read: SearchAsked, limit: int) -> None:
    """Put one page of the answers into the spool."""
    wanted, matcher = _wanted(read), searching.matcher
    steps = next((key for key in _in_step(read.keys) if key.tag == STEPS), None)

    def items(record: Record, tag: int) -> Any:
        if tag != STEPS or steps is None or not steps.keys:
            return record.items(tag)
        return matcher.matching_items(steps, record)

    place = 0
    async with aclosing(searching.run()) as entries:
        async for found in entries:
            place += 1
            if place % LOOK_EVERY == 0:
                await page.look()
            if place <= read.offset:
                continue
            if page.n == limit:
                page.asked.warn("There are at least 1 additional results that can be requested")
                return
            page.add(_row(found.record, wanted, items, everything=read.everything))


def _row(
    record: Record, wanted: Wanted, items: matches.Items, *, everything: bool
) -> dict[str, matches.Element]:
    shown = dict(wanted)
    if everything:
        shown = {**{tag: None for tag, _ in record.elements()}, **shown, STEPS: None}
    found: dict[int, matches.Element] = {0x00080005: {"vr": "CS", "Value": [UTF_8]}}
    for tag, below in shown.items():
        one = matches.element(record, tag, below, items=items)
        if one is None or (is_code(tag) and "Value" not in one):
            continue
        found.setdefault(tag, one)
    return {f"{tag:08X}": found[tag] for tag in sorted(found)}
