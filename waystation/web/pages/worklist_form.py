"""The form of an entry as a page: prefilled, with faults, doubts and warnings beside its fields.

Contract (T-62): what was typed is shown again as it was.  A fault refuses; a doubt (another person
under the same patient ID) and a warning (text that the station cannot show) ask once.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response

from waystation.flows.steps import StepFilter
from waystation.index.rows import patient_at
from waystation.index.step_templates import PROCEDURE, STATION, Template, every
from waystation.matching.entry import flat
from waystation.matching.entry_form import unreadable
from waystation.model.step import StepFaults
from waystation.web.api_worklist import Board
from waystation.web.pages.frame import page
from waystation.web.pages.worklist_fields import FIELDS, NAME_GROUPS, SECTIONS, filled, typed
from waystation.web.pages.worklist_plans import EVERY, EXTRAS
from waystation.web.pages.worklist_template_fields import prefill
from waystation.web.pages.worklist_words import field_words

REMEMBERED: Final = 300
OF_PATIENT: Final = {*(one.name for one in SECTIONS[0][1]), "MedicalAlerts", "Allergies"}
NOT_KNOWN: Final = "Neither the worklist nor the archive knows a patient with this ID"
EXTRA_NAMES: Final = (*(one.name for one in EXTRAS), "every")


async def form_page(
    request: Request,
    board: Board,
    status: int = 200,
    *,
    values: Mapping[str, str],
    area: str = "",
    **more: Any,
) -> Response:
    """Return the form.  values: of the fields, as they are to stand in them."""
    recent = await board.steps.search(StepFilter(limit=REMEMBERED))
    told = [flat(step.data) for step in recent]
    known = await board.database.read(every)
    warned = warnings(board, known, typed(lambda name: values.get(name, "")), area)
    empty: dict[str, Any] = {
        "errors": {},
        "conflict": [],
        "doubts": [],
        "copied": False,
        "unsure": False,
        "extras": {},
        "procedure": "",
        "station": "",
    }
    return await page(
        request,
        "worklist-form.html",
        status=status,
        sections=SECTIONS,
        areas=_areas(board),
        lists=_lists(told, known),
        values=values,
        area=area,
        warnings=warned,
        more_fields=EXTRAS,
        every=EVERY,
        templates={kind: [one.name for one in known if one.kind == kind] for kind in _KINDS},
        **empty | more,
    )


_KINDS: Final = (PROCEDURE, STATION)
_LISTS: Final = {
    "stations": "ScheduledStationAETitle",
    "modalities": "Modality",
    "procedures": "RequestedProcedureDescription",
    "steps": "ScheduledProcedureStepDescription",
}


def _lists(
    told: Sequence[Mapping[str, Sequence[str]]], known: Sequence[Template]
) -> dict[str, list[str]]:
    """Return what fields offer: what entries and templates say."""
    found = {}
    for name, keyword in _LISTS.items():
        texts = {text for said in told for text in said.get(keyword, ())}
        said = {one.said.get(keyword, "") for one in known}
        if name == "stations":
            said = {word for text in said for word in text.split()}
        found[name] = sorted((texts | said) - {""})
    return found


def _areas(board: Board) -> list[tuple[str, str]]:
    known = sorted(board.areas())
    every_one = ("", "Every area whose condition it meets")
    return [every_one, *((name, name) for name in known)] if known else []


def fresh(now: float) -> dict[str, str]:
    """Return the fields of a new entry: it starts now."""
    start = datetime.fromtimestamp(now)
    said = {
        "ScheduledProcedureStepStartDate": f"{start:%Y-%m-%d}",
        "ScheduledProcedureStepStartTime": f"{start:%H:%M}",
    }
    return {**dict.fromkeys(FIELDS, ""), **said}


async def laid_over(
    board: Board, texts: Mapping[str, str], procedure: str, station: str
) -> dict[str, str]:
    """Return texts of a form with those of the templates over them; the station's come last."""
    known = await board.database.read(every)
    found = dict(texts)
    for kind, name in ((PROCEDURE, procedure), (STATION, station)):
        for one in known:
            if name and (one.kind, one.name) == (kind, name):
                found |= prefill(one)
    return found


async def known_patient(board: Board, patient_id: str, issuer: str) -> dict[str, str]:
    """Return the fields of a patient: of the newest entry of the worklist, else of the archive.

    {} if neither knows the patient ID.
    """
    if not patient_id:
        return {}
    steps = await board.steps.find(patient_id=patient_id)
    said = [flat(one.data) for one in sorted(steps, key=lambda one: -one.changed_at)]
    fits = [one for one in said if not issuer or issuer in one.get("IssuerOfPatientID", ())]
    if not fits:
        identity = (issuer, patient_id, "")
        row = await board.database.read(lambda tx: patient_at(tx, identity))
        fits = [flat(row.data)] if row else []
    found = filled(fits[0]) if fits else {}
    return {name: text for name, text in found.items() if name in OF_PATIENT and text}


def errors_of(faults: StepFaults) -> dict[str, str]:
    """Return the faults by field; one that has no field of its own is named at the first."""
    found: dict[str, str] = {}
    for fault in faults.faults:
        name = fault.keyword if fault.keyword in FIELDS else next(iter(FIELDS))
        text = f"{field_words(fault.keyword).capitalize()} {fault.text}"
        found.setdefault(name, text)
    return found


def lacking(values: Mapping[str, str]) -> dict[str, str]:
    """Return the fields without which no modality is shown the entry."""
    return {
        name: f"{field.label} is needed: without it no modality is shown the entry"
        for name, field in FIELDS.items()
        if field.required and name not in NAME_GROUPS[1:] and not values.get(name)
    }


async def doubts_of(board: Board, values: Mapping[str, str], number: int = 0) -> list[str]:
    """Return what does not fit other entries of the same patient ID (T-62)."""
    if not values.get("PatientID"):
        return []
    known = await board.steps.find(patient_id=values["PatientID"])
    said = [flat(one.data) for one in known if one.id != number]
    found = []
    for keyword in ("PatientName", "PatientBirthDate", "PatientSex"):
        others = {text for one in said for text in one.get(keyword, ()) if text}
        if values.get(keyword) and others and values[keyword] not in others:
            found.append(f"Another entry has this patient ID with another {field_words(keyword)}")
    return found


async def warnings_of(board: Board, values: Mapping[str, str], area: str) -> dict[str, str]:
    """Return which fields the station of an entry cannot show, with the characters."""
    return warnings(board, await board.database.read(every), values, area)


def warnings(
    board: Board, known: Sequence[Template], values: Mapping[str, str], area: str
) -> dict[str, str]:
    """Return the warnings; the set is that of the station's template, else of the settings."""
    station = values.get("ScheduledStationAETitle", "")
    own = {
        one.said.get("ScheduledStationAETitle"): one.said.get("charset", "")
        for one in known
        if one.kind == STATION
    }
    charset = own.get(station, "") or board.charset(station, area)
    if not station or not charset:
        return {}
    fields = {name: text for name, text in values.items() if text and name in FIELDS}
    groups = fields.pop("PatientName", "").split("=")
    found = dict.fromkeys(fields, "")
    for fault in unreadable(fields, charset):
        found[fault.keyword] = fault.text
    for number, (name, group) in enumerate(zip(NAME_GROUPS, groups, strict=False)):
        for fault in unreadable({"PatientName": "=" * number + group}, charset):
            found[name] = fault.text
    return {name: f"{text}: {station} would see ?" for name, text in found.items() if text}
