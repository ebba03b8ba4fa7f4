"""The recorded questions of the golden sets, answered by the pure core alone: no server, no index.

Rows of studies, series and patients are put together from the objects here; what only an index
can compute is asked of the real one in tests/interop.
"""

import importlib.util
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from waystation.dicom.head import Head
from waystation.dicom.part10 import read_meta
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.matching.answer import answer
from waystation.matching.identifier import read_identifier
from waystation.matching.keys import BadIdentifier
from waystation.matching.match import Matcher
from waystation.matching.record import HeadRecord
from waystation.model.query import PATIENT, SERIES, STUDY, WORKLIST, Record

Case = dict[str, Any]
UNIQUE = {PATIENT: 0x00100020, STUDY: 0x0020000D, SERIES: 0x0020000E, "IMAGE": 0x00080018}
LEVEL = 0x00080052


@pytest.fixture(scope="module")
def compare(golden: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_compare", golden / "compare.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_file(path: Path) -> tuple[bytes, str]:
    """Return data set and transfer syntax of a file, with or without file header."""
    data = path.read_bytes()
    meta = read_meta(data)
    return data[meta.data_set_offset :], meta.transfer_syntax_uid


def records(folder: Path, pattern: str) -> list[Head]:
    found = (read_file(path) for path in sorted(folder.glob(pattern)))
    return [Head.from_bytes(data, syntax, tail_missing=True) for data, syntax in found]


class Level:
    """A row as an index would give it: the first object speaks, with the level's name added."""

    def __init__(self, head: Head, level: str) -> None:
        self._record, self._level = HeadRecord(head), level
        self.charset, self.zone = self._record.charset, None

    def values(self, tag: int, vr: str) -> Sequence[str]:
        return (self._level,) if tag == LEVEL else self._record.values(tag, vr)

    def items(self, tag: int) -> Sequence[Record]:
        return self._record.items(tag)

    def elements(self) -> Iterable[tuple[int, str]]:
        return self._record.elements()


def rows(heads: list[Head], level: str) -> list[Level]:
    names: dict[str, Level] = {}
    for head in heads:
        name = head.text(UNIQUE[level]) or head.text(0x0020000D)
        names.setdefault(name, Level(head, level))
    return list(names.values())


def answered(compare: ModuleType, question: Path, found: list[Head], level: str = "") -> Case:
    data, syntax = read_file(question)
    query = read_identifier(data, syntax, level=level)
    if isinstance(query, BadIdentifier):
        return {
            "association": "accepted",
            "final": {"status": f"{query.status:04X}", "comment": query.comment},
            "matches": [],
        }
    matcher, matches = Matcher(query), []
    candidates: Sequence[Record] = (
        [HeadRecord(head) for head in found] if level else rows(found, query.level)
    )
    for record in candidates:
        if matcher.matches(record):
            extra = [] if level else [(LEVEL, "CS", [query.level])]
            raw = answer(matcher, query, record, EXPLICIT_VR_LE, extra=extra).data
            values = compare.flatten(compare.decode(raw, EXPLICIT_VR_LE))
            matches.append({"status": "FF01" if query.unknown else "FF00", "values": values})
    return {"association": "accepted", "final": {"status": "0000"}, "matches": matches}


def differing(compare: ModuleType, folder: Path, case: Case, found: Case) -> list[str]:
    recorded = json.loads((folder / case["answer"]).read_text(encoding="utf-8"))
    lines: list[str] = compare.differences(case, recorded, found, recorded=False)
    return lines


def cases(folder: Path, classes: str) -> dict[str, Case]:
    every = json.loads((folder / "index.json").read_text(encoding="utf-8"))["cases"]
    return {
        name: case
        for name, case in every.items()
        if case["class"] in classes and case["kind"] == "find"
    }


@pytest.mark.req("T-1", "T-2", "T-3", "T-4", "T-5", "T-7", "T-8", "T-10", "T-16")
def test_all_worklist_questions_of_class_s_and_d_are_answered_as_recorded(
    golden: Path, compare: ModuleType
) -> None:
    folder = golden / "wlm"
    areas = {
        area: records(folder / "data" / area, "*.wl") for area in ("OFFIS", "EXTRA", "PARTIAL")
    }
    wrong = {}
    asked = cases(folder, "SD")
    for name, case in asked.items():
        found = answered(compare, folder / case["query"], areas[case["called"]], WORKLIST)
        lines = differing(compare, folder, case, found)
        if lines:
            wrong[name] = lines
    assert not wrong
    assert len(asked) == 46


@pytest.mark.req("T-2", "T-5", "T-6", "T-16")
def test_all_query_questions_of_class_s_are_answered_as_recorded(
    golden: Path, compare: ModuleType
) -> None:
    folder = golden / "qr"
    heads = records(folder / "data", "*.dcm")
    wrong = {}
    asked = cases(folder, "S")
    for name, case in asked.items():
        lines = differing(compare, folder, case, answered(compare, folder / case["query"], heads))
        if lines:
            wrong[name] = lines
    assert not wrong
    assert len(asked) == 23


# Where a choice was left to the recording program, this is what `recommended` says.
CHOICES = {
    "accent-left-out": 0,
    "mixed-case-name": 1,
    "modality-lower-case": 0,
    "modality-two-values": 6,
    "name-lower-case": 3,
    "patient-id-lower-case": 0,
    "patient-id-wildcard": 2,
    "question-for-umlaut": 1,
    "station-wildcard": 3,
    "study-uid": 1,
    "study-uid-list": 2,
}


@pytest.mark.req("T-4", "T-5", "T-6", "T-11", "T-14", "T-16")
def test_choices_of_the_worklist_set_are_made_as_recommended(
    golden: Path, compare: ModuleType
) -> None:
    folder = golden / "wlm"
    asked = cases(folder, "P")
    for name, matches in CHOICES.items():
        case = asked[name]
        area = records(folder / "data" / case["called"], "*.wl")
        found = answered(compare, folder / case["query"], area, WORKLIST)
        assert len(found["matches"]) == matches, name
    for name in ("date-invalid", "date-wildcard", "range-invalid", "time-invalid"):
        found = answered(compare, folder / asked[name]["query"], [], WORKLIST)
        assert found["final"]["status"] == "A900"
        assert found["final"]["comment"].startswith("ScheduledProcedureStepStart")
