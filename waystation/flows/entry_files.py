"""Worklist entries out of files: ``.wl`` with or without a file header, dumps, DICOM JSON, CSV.

Contract: what a file is, its bytes say.  `read_entries` gives drafts of steps, and a sentence for
each row or file that is none; a file is never half taken: where it has one fault, `faults` says so
and the caller decides.  Bytes of values stay in their own character set (T-26).  CSV: a header
row of keywords (blanks and case do not matter), UTF-8, the delimiter found out; dates and times
may be written with dashes and colons; a code is written ``value^meaning^scheme``.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from waystation.dicom import tags
from waystation.dicom.dump_text import DumpError, is_dump, read_dump
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.part10 import read_meta
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.dicomweb import from_json
from waystation.matching.entry import STEPS, flat
from waystation.matching.entry_data import STEP_KEYWORDS, entry_data, split, vr_of
from waystation.matching.entry_form import faults as faults_of
from waystation.model.step import StepDraft

LARGEST: Final = 16 << 20
MOST_ROWS: Final = 100_000
# Of these at least one must be there: without any of them it is no worklist entry.
_TELLING: Final = (STEPS, tags.PATIENT_ID, tags.PATIENT_NAME, tags.ACCESSION_NUMBER)
_SHORT_NAMES: Final = {
    "patient": "PatientName",
    "name": "PatientName",
    "birthdate": "PatientBirthDate",
    "sex": "PatientSex",
    "accession": "AccessionNumber",
    "station": "ScheduledStationAETitle",
    "aetitle": "ScheduledStationAETitle",
    "date": "ScheduledProcedureStepStartDate",
    "time": "ScheduledProcedureStepStartTime",
    "startdate": "ScheduledProcedureStepStartDate",
    "starttime": "ScheduledProcedureStepStartTime",
    "description": "RequestedProcedureDescription",
    "procedure": "RequestedProcedureDescription",
    "physician": "ReferringPhysicianName",
    "priority": "RequestedProcedurePriority",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """What a file holds.

    faults: what is wrong, each with its row or line.  warnings: what had to be put up with.
    """

    drafts: tuple[StepDraft, ...] = ()
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    kind: str = ""


class FileFault(ValueError):
    """Why a file is no worklist file."""


def read_entries(raw: bytes, *, area: str = "", split_steps: bool = False) -> Entries:
    """Return the entries of a file.  area: of the steps.

    split_steps: an entry with several steps becomes several at once (T-54).
    """
    try:
        kind, read = _reader(raw)
        if len(raw) > LARGEST and kind != "CSV":
            raise FileFault(f"is longer than {LARGEST >> 20} MiB")
        found = read(raw, area)
    except (FileFault, DatasetError, DumpError) as error:
        return Entries(faults=(str(error),))
    drafts = found.drafts
    if split_steps:
        drafts = tuple(part for draft in drafts for part in _parts(draft))
    return Entries(drafts=drafts, faults=found.faults, warnings=found.warnings, kind=kind)


def _reader(raw: bytes) -> tuple[str, Callable[[bytes, str], Entries]]:
    if not raw.strip(b"\0 \r\n\t"):
        raise FileFault("is empty")
    if raw[128:132] == b"DICM":
        return "DICOM", _data_set
    text = raw.lstrip(b"\xef\xbb\xbf \r\n\t")
    if text[:1] in (b"{", b"["):
        return "JSON", _json
    if is_dump(raw):
        return "dump", _dump
    if _is_csv(text):
        return "CSV", _csv
    return "DICOM", _data_set


def _parts(draft: StepDraft) -> list[StepDraft]:
    parts = split(draft.data) if draft.data else []
    if len(parts) < 2:
        return [draft]
    return [StepDraft(data=part, area=draft.area) for part in parts]


def _data_set(raw: bytes, area: str) -> Entries:
    try:
        meta = read_meta(raw)
        data = raw[meta.data_set_offset :]
        head = Head.from_bytes(data, meta.transfer_syntax_uid)
    except DatasetError as error:
        raise FileFault(f"cannot be read as a data set ({error.comment})") from None
    except ValueError:
        raise FileFault("is no DICOM file, dump, JSON or CSV") from None
    if head.ended is False or head.total_length < len(data):
        raise FileFault("ends in the middle")
    return Entries(drafts=(_draft(head, area),))


def _draft(head: Head, area: str) -> StepDraft:
    if not any(tag in head.elements for tag in _TELLING):
        raise FileFault("is no worklist entry: it names neither a patient nor a procedure step")
    return StepDraft(data=entry_data(head), area=area)


def _dump(raw: bytes, area: str) -> Entries:
    found = read_dump(raw)
    draft = _draft(Head.from_bytes(found.data, EXPLICIT_VR_LE), area)
    return Entries(drafts=(draft,), warnings=found.warnings)


def _json(raw: bytes, area: str) -> Entries:
    drafts: list[StepDraft] = []
    faults: list[str] = []
    try:
        rows = from_json.data_sets(raw.lstrip(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise FileFault(str(error)) from None
    for number, row in enumerate(rows, 1):
        try:
            pieces = from_json.pieces(row, lambda _uri: None, lambda _uri: b"")
            data = b"".join(one for one in pieces if isinstance(one, bytes))
            drafts.append(_draft(Head.from_bytes(data, EXPLICIT_VR_LE), area))
        except from_json.MissingError:
            faults.append(f"data set {number}: a value stands in another file")
        except ValueError as error:
            faults.append(f"data set {number}: {error}")
    return Entries(drafts=tuple(drafts), faults=tuple(faults))


# CSV


def _is_csv(text: bytes) -> bool:
    first = text.split(b"\n", 1)[0]
    return b"\0" not in text[:4096] and any(mark in first for mark in (b",", b";", b"\t"))


def _csv(raw: bytes, area: str) -> Entries:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise FileFault(f"line {line}: is not UTF-8; save the table as CSV UTF-8") from None
    header, _, _ = text.partition("\n")
    mark = max(",;\t", key=header.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    table = _Table(area)
    try:
        for number, row in enumerate(rows):
            if number > MOST_ROWS:
                raise FileFault(f"has more than {MOST_ROWS} rows")
            if any(cell.strip() for cell in row):
                table.row(rows.line_num, [cell.strip() for cell in row])
    except csv.Error as error:
        raise FileFault(f"line {rows.line_num}: {error}") from None
    return Entries(drafts=tuple(table.drafts), faults=tuple(table.faults))


@dataclass(slots=True)
class _Table:
    """A table, row by row."""

    area: str
    columns: list[str] = field(default_factory=list)
    drafts: list[StepDraft] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def row(self, line: int, cells: list[str]) -> None:
        if not self.columns:
            self.columns = [_keyword(cell, number) for number, cell in enumerate(cells, 1)]
            doubled = {one for one in self.columns if one and self.columns.count(one) > 1}
            if doubled:
                raise FileFault(f"the column {sorted(doubled)[0]} is there twice")
            return
        if len(cells) > len(self.columns) and any(cells[len(self.columns) :]):
            self.faults.append(f"line {line}: has more values than there are columns")
            return
        values = {
            word: _value(word, cell)
            for word, cell in zip(self.columns, cells, strict=False)
            if word and cell
        }
        wrong = [f"line {line}: {one.keyword} {one.text}" for one in faults_of(values)]
        self.faults += wrong
        if not wrong and values:
            self.drafts.append(StepDraft(values=values, area=self.area))


def _keyword(cell: str, number: int) -> str:
    squeezed = re.sub(r"[\s_'’()-]+", "", cell)
    if not squeezed:
        return ""
    known = _SHORT_NAMES.get(squeezed.lower()) or _keywords().get(squeezed.lower())
    if known:
        return known
    try:
        return tags.keyword_of(tags.tag_for(squeezed))
    except ValueError as error:
        raise FileFault(f"column {number}: {error}") from None


@cache
def _keywords() -> dict[str, str]:
    """Return keywords by their spelling in small letters: of steps, and what they are known by."""
    words = {
        *STEP_KEYWORDS,
        *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "IssuerOfPatientID"),
        *("AccessionNumber", "StudyInstanceUID", "RequestedProcedureID", "PatientWeight"),
        *("RequestedProcedureDescription", "RequestedProcedurePriority", "RequestingPhysician"),
        *("ReferringPhysicianName", "RequestedProcedureCodeSequence", "AdmissionID"),
        *("PlacerOrderNumberImagingServiceRequest", "FillerOrderNumberImagingServiceRequest"),
    }
    return {word.lower(): word for word in words}


def _value(word: str, cell: str) -> Any:
    """Return what a cell means for its attribute."""
    vr = vr_of(tags.tag_for(word))
    if vr == "DA":
        found = re.fullmatch(r"(\d{4})[-./](\d{1,2})[-./](\d{1,2})", cell, re.ASCII)
        return f"{found[1]}{int(found[2]):02}{int(found[3]):02}" if found else cell
    if vr == "TM":
        found = re.fullmatch(r"(\d{1,2}):(\d\d)(?::(\d\d))?", cell, re.ASCII)
        return f"{int(found[1]):02}{found[2]}{found[3] or ''}" if found else cell
    if vr == "SQ":
        return [_code(part) for part in cell.split("\\")]
    if "\\" in cell and vr not in ("LT", "ST", "UT"):
        return cell.split("\\")
    return cell


def _code(cell: str) -> Mapping[str, str]:
    value, meaning, scheme = (*(part.strip() for part in cell.split("^")), "", "")[:3]
    return {
        "CodeValue": value,
        "CodingSchemeDesignator": scheme or "L",
        "CodeMeaning": meaning or value,
    }


@dataclass(frozen=True, slots=True)
class Said:
    """What an entry says of which step it is, "" where it says nothing."""

    study_uid: str
    step_id: str
    patient_id: str
    patient_name: str
    accession: str


def said_by(draft: StepDraft) -> Said:
    """Return which step a draft speaks of."""
    there = flat(draft.data) if draft.data else {}

    def text(word: str) -> str:
        said = draft.values.get(word) or there.get(word) or ""
        return said if isinstance(said, str) else str(next(iter(said), ""))

    return Said(
        text("StudyInstanceUID"),
        text("ScheduledProcedureStepID"),
        text("PatientID"),
        text("PatientName"),
        text("AccessionNumber"),
    )
