"""``/worklist``: what should be scanned, by day and station (T-62).

Contract: to look needs ``phi``, to change ``schedule``.  What is shown is as the filters in the
address say, so that a page can be kept and shared; the table of it can be printed, and taken away
as CSV in which no cell is a formula (S-62).
"""

import asyncio
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from waystation.flows.steps import StepFilter
from waystation.matching.entry import flat
from waystation.model.step import LISTED, Step, StepState
from waystation.web.access import Ability, needs
from waystation.web.api_worklist import Board
from waystation.web.pages.frame import page
from waystation.web.pages.worklist_words import (
    STATE_WORDS,
    TONES,
    day_text,
    field_words,
    name_text,
    time_text,
)

LOOK: Final = needs(Ability.PHI)
MOST: Final = 500
TO_DO: Final = "to-do"
ALL_DAYS: Final = "all"
STATES: Final = (
    (TO_DO, "To do"),
    ("", "Every state"),
    *((one.value, STATE_WORDS[one]) for one in StepState),
)
PRIORITIES: Final = (
    ("", "Every priority"),
    *((word, word.capitalize()) for word in ("STAT", "HIGH", "ROUTINE", "MEDIUM", "LOW")),
)
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
COLUMNS: Final = (
    ("start", "Start"),
    ("name", "Patient"),
    ("patient_id", "Patient ID"),
    ("born", "Born"),
    ("sex", "Sex"),
    ("procedure", "Procedure"),
    ("accession", "Accession number"),
    ("modality", "Modality"),
    ("station", "Station"),
    ("state", "State"),
    ("priority", "Priority"),
    ("missing", "Missing"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step as the list shows it."""

    id: str
    version: int
    day: str
    time: str
    name: str
    other_names: str
    patient_id: str
    born: str
    sex: str
    procedure: str
    step: str
    accession: str
    modality: str
    station: str
    state: str
    state_words: str
    tone: str
    priority: str
    missing: tuple[str, ...]
    late: bool

    def cells(self) -> list[str]:
        """Return the values of `COLUMNS`."""
        said: dict[str, str] = {
            "start": f"{self.day} {self.time}".strip(),
            "missing": ", ".join(self.missing),
            "state": self.state_words,
        }
        return [said.get(key) or str(getattr(self, key, "")) for key, _ in COLUMNS]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The filters of the address."""

    day: str
    state: str
    fields: Mapping[str, str]
    only_incomplete: bool

    def filter(self, limit: int) -> StepFilter:
        """Return the steps that are wanted."""
        day = "" if self.day == ALL_DAYS else self.day
        states: Sequence[StepState] = tuple(LISTED) if self.state == TO_DO else ()
        if self.state and self.state != TO_DO:
            states = (StepState(self.state),)
        return StepFilter(
            first=day,
            last=day,
            area=self.fields["area"],
            station=self.fields["station"],
            modality=self.fields["modality"],
            priority=self.fields["priority"],
            text=self.fields["text"],
            states=states,
            incomplete=True if self.only_incomplete else None,
            limit=limit,
        )

    def query(self, **other: str) -> str:
        """Return the address of the same list, some of it otherwise."""
        said = {"day": self.day, "state": self.state or "any", **self.fields, **other}
        if self.only_incomplete:
            said.setdefault("incomplete", "1")
        return "/worklist?" + urlencode({key: value for key, value in said.items() if value})


def worklist_pages(board: Board) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/worklist", openapi_extra=LOOK)
    async def worklist(request: Request) -> Response:
        asked = _asked(request, board)
        now = board.clock()
        found = await board.steps.search(asked.filter(MOST))
        lines = [line_of(one, now) for one in found]
        stations = await board.steps.count(asked.filter(MOST))
        return await page(request, "worklist.html", **_values(board, asked, lines, stations))

    @router.get("/worklist.csv", openapi_extra=LOOK)
    async def as_csv(request: Request) -> Response:
        asked = _asked(request, board)
        found = await board.steps.search(asked.filter(100 * MOST))
        now = board.clock()
        # Each has a data set to be read, and there may be many.
        text = await asyncio.to_thread(lambda: csv_of([line_of(one, now) for one in found]))
        headers = {"content-disposition": 'attachment; filename="worklist.csv"'}
        return Response(text, media_type="text/csv; charset=utf-8", headers=headers)

    return router


def _values(
    board: Board, asked: _Asked, lines: Sequence[Line], stations: Mapping[str, int]
) -> dict[str, Any]:
    today = _today(board)
    shown = None if asked.day == ALL_DAYS else _day(asked.day)
    return {
        "lines": lines,
        "asked": asked,
        "stations": stations,
        "total": sum(stations.values()),
        "most": MOST,
        "areas": sorted(board.areas()),
        "states": STATES,
        "priorities": PRIORITIES,
        "day": shown.isoformat() if shown else "",
        "is_today": asked.day == today,
        "day_words": "All days" if shown is None else shown.strftime("%A, %d %B %Y"),
        "before": asked.query(day=_plain(shown - timedelta(days=1))) if shown else "",
        "after": asked.query(day=_plain(shown + timedelta(days=1))) if shown else "",
        "to_today": asked.query(day=today),
        "to_all": asked.query(day=ALL_DAYS),
        "to_csv": asked.query().replace("/worklist?", "/worklist.csv?"),
        "filtered": bool(any(asked.fields.values()) or asked.only_incomplete),
        "cleared": f"/worklist?day={asked.day}",
    }


def _asked(request: Request, board: Board) -> _Asked:
    """Return the filters; what is no filter counts as none."""
    params = request.query_params
    state = params.get("state", TO_DO)
    if state == "any" or state not in {TO_DO, *(one.value for one in StepState)}:
        state = ""
    typed = params.get("day", "")
    found = _day(typed.replace("-", ""))
    day = ALL_DAYS if typed == ALL_DAYS else _plain(found) if found else _today(board)
    names = ("area", "station", "modality", "priority", "text")
    fields = {name: params.get(name, "").strip()[:200] for name in names}
    return _Asked(day, state, fields, params.get("incomplete") == "1")


def _today(board: Board) -> str:
    return _plain(datetime.fromtimestamp(board.clock()).date())


def _day(text: str) -> date | None:
    """Return a day that has one before it and one after it."""
    try:
        found = datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None
    return found if date.min < found < date.max else None


def _plain(day: date) -> str:
    return day.strftime("%Y%m%d")


def line_of(step: Step, now: float) -> Line:
    """Return a step as a line of the list."""
    said = flat(step.data)

    def first(keyword: str) -> str:
        return next(iter(said.get(keyword, ())), "")

    name, others = name_text(first("PatientName"))
    starts = step.start[:14]
    stamp = datetime.fromtimestamp(now).strftime("%Y%m%d%H%M%S")
    return Line(
        id=f"{step.id:x}",
        version=step.version,
        day=day_text(step.start[:8]) if starts[:4] != "9999" else "",
        time=time_text(first("ScheduledProcedureStepStartTime")),
        name=name,
        other_names=others,
        patient_id=step.patient_id,
        born=day_text(first("PatientBirthDate")),
        sex=first("PatientSex"),
        procedure=first("RequestedProcedureDescription")
        or first("ScheduledProcedureStepDescription"),
        step=first("ScheduledProcedureStepDescription"),
        accession=step.accession,
        modality=step.modality,
        station=step.station,
        state=step.state.value,
        state_words=STATE_WORDS[step.state],
        tone=TONES[step.state],
        priority=step.priority,
        missing=tuple(field_words(one) for one in step.missing),
        late=step.listed and starts < stamp and starts[:8] >= stamp[:8] and step.state in LISTED,
    )


def csv_of(lines: Sequence[Line]) -> str:
    """Return the list as CSV; a cell that a spreadsheet would calculate gets an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([words for _, words in COLUMNS])
    for line in lines:
        writer.writerow([_cell(text) for text in line.cells()])
    return "\ufeff" + out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text
