"""The golden questions to a worklist server, asked of a node over real associations (T-81)."""

import importlib.util
import json
import sys
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytest_asyncio
from pydicom.filereader import read_dataset

from tests.flows.asking import open_call
from tests.flows.ward import AREAS, TITLES, Ward, text_of, ward
from waystation.dicom.part10 import read_meta
from waystation.dicom.uids import EXPLICIT_VR_LE, MODALITY_WORKLIST_FIND
from waystation.flows.steps import StepFilter
from waystation.model.errors import PeerError, UnreachableError
from waystation.net.query_call import Answer

pytestmark = pytest.mark.asyncio(loop_scope="module")
Case = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hospital(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    """A node that holds the three areas of the set."""
    async with ward(tmp_path_factory.mktemp("wlm"), TITLES) as made:
        for area in AREAS:
            await made.load(golden / "wlm" / "data" / area, area.lower())
        yield made


@pytest.fixture(scope="module")
def compare(golden: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_compare", golden / "compare.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def asked(hospital: Ward, folder: Path, case: Case) -> list[Answer]:
    raw = (folder / case["query"]).read_bytes()
    meta = read_meta(raw)
    assert meta.transfer_syntax_uid == EXPLICIT_VR_LE
    return await hospital.find(raw=raw[meta.data_set_offset :], called=case["called"])


def found(compare: ModuleType, answers: list[Answer]) -> Case:
    """Return answers in the words of the set."""
    final = answers[-1].command
    return {
        "association": "accepted",
        "final": {"status": f"{final.status:04X}", "comment": final.error_comment},
        "matches": [
            {
                "status": f"{one.status:04X}",
                "values": compare.flatten(compare.decode(one.data, EXPLICIT_VR_LE)),
            }
            for one in answers[:-1]
        ],
    }


@pytest.mark.req("T-81", "TT-9", "T-52", "T-53", "T-18", "T-8", "T-10")
async def test_every_question_of_class_s_and_d_is_answered_as_the_standard_says(
    hospital: Ward, golden: Path, compare: ModuleType
) -> None:
    folder = golden / "wlm"
    cases = json.loads((folder / "index.json").read_text(encoding="utf-8"))["cases"]
    wrong, count = {}, 0
    for name, case in cases.items():
        if case["class"] not in "SD":
            continue
        count += 1
        answers = await asked(hospital, folder, case)
        recorded = json.loads((folder / case["answer"]).read_text(encoding="utf-8"))
        lines = compare.differences(case, recorded, found(compare, answers), recorded=False)
        if lines:
            wrong[name] = lines
    assert not wrong
    assert count == 46


# Where a choice was left to the recording program, this is what `recommended` says.
CHOICES = {
    "accent-left-out": (0, 0),
    "all-entries-utf8": (9, 0),
    "all-return-keys": (10, 0),
    "date-invalid": (0, 0xA900),
    "date-wildcard": (0, 0xA900),
    "mixed-case-name": (1, 0),
    "modality-lower-case": (0, 0),
    "modality-two-values": (6, 0),
    "name-lower-case": (3, 0),
    "patient-id-lower-case": (0, 0),
    "patient-id-wildcard": (2, 0),
    "pregnancy-status": (10, 0),
    "question-for-umlaut": (1, 0),
    "range-invalid": (0, 0xA900),
    "station-wildcard": (3, 0),
    "study-uid": (1, 0),
    "study-uid-list": (2, 0),
    "time-invalid": (0, 0xA900),
    "unknown-key": (10, 0),
    "unknown-key-in-step": (10, 0),
    "incomplete-entries": (0, 0),
}


@pytest.mark.req("T-14", "T-15", "T-52", "T-53")
async def test_choices_are_made_as_recommended(hospital: Ward, golden: Path) -> None:
    folder = golden / "wlm"
    cases = json.loads((folder / "index.json").read_text(encoding="utf-8"))["cases"]
    made = {}
    for name in CHOICES:
        answers = await asked(hospital, folder, cases[name])
        made[name] = (len(answers) - 1, answers[-1].status)
        if name == "all-return-keys":
            assert {one.status for one in answers[:-1]} == {0xFF00}
        if name == "pregnancy-status":
            # Asked with a value, and no matching key: it is answered and filters nothing.
            assert {text_of(one, "PregnancyStatus") for one in answers[:-1]} == {"4"}
            assert {one.status for one in answers[:-1]} == {0xFF01}
    assert made == CHOICES


@pytest.mark.req("TT-11", "T-51")
async def test_of_incomplete_entries_nothing_is_served_and_nothing_concealed(
    hospital: Ward,
) -> None:
    assert await hospital.names(called="PARTIAL") == []
    shown = await hospital.steps.search(StepFilter(area="partial", incomplete=True))
    assert sorted(step.missing for step in shown) == [
        ("RequestedProcedureDescription",),
        ("ScheduledProcedureStepSequence",),
        ("StudyInstanceUID",),
    ]


class Opened:
    """The files that Python opens while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.paths: list[str] = []
        sys.addaudithook(self._heard)

    def _heard(self, event: str, args: tuple[object, ...]) -> None:
        if self.on and event in ("open", "os.listdir", "os.scandir"):
            self.paths.append(str(args[0]))


@pytest.fixture(scope="module")
def opened() -> Opened:
    return Opened()


@pytest.mark.req("T-50", "TT-8")
@pytest.mark.parametrize("title", ["..", "../OTHER", "OTHER", "offis", "../OFFIS", "..\\OFFIS"])
async def test_a_called_title_that_is_no_area_is_refused_and_opens_no_file(
    hospital: Ward, title: str, opened: Opened
) -> None:
    opened.paths.clear()
    opened.on = True
    try:
        with pytest.raises((UnreachableError, PeerError, ValueError)):
            await open_call(hospital.remote(title), MODALITY_WORKLIST_FIND)
    finally:
        opened.on = False
    assert opened.paths == []


@pytest.mark.req("T-50", "T-55")
async def test_a_query_opens_no_file(hospital: Ward, opened: Opened) -> None:
    await hospital.names(called="OFFIS")
    opened.paths.clear()
    opened.on = True
    try:
        assert len(await hospital.names(called="OFFIS")) == 10
    finally:
        opened.on = False
    assert opened.paths == []


@pytest.mark.req("T-50")
async def test_the_nodes_own_title_shows_nothing_where_there_are_areas(hospital: Ward) -> None:
    answers = await hospital.find()
    assert (len(answers), answers[-1].status) == (1, 0x0122)


@pytest.mark.req("TT-10", "T-27")
async def test_every_answer_that_is_not_ascii_names_its_set_and_reads_with_pydicom(
    hospital: Ward,
) -> None:
    answers = await hospital.find(called="EXTRA")
    sets = {}
    for one in answers[:-1]:
        data_set = read_dataset(BytesIO(one.data), False, True)
        data_set.decode()
        sets[str(data_set.PatientID)] = (
            data_set.get("SpecificCharacterSet"),
            str(data_set.PatientName),
        )
    assert sets["P01"] == ("ISO_IR 192", "Müller^Jörg")
    assert sets["P02"][1].startswith("Yamada^Tarou=山田^太郎")
    assert sets["P03"][1].startswith("Hong^Gildong=洪^吉洞")
    assert sets["P08"] == ("ISO_IR 100", "Böhm^Käthe")
    assert sets["P11"][0] is None
    assert all(terms is not None for terms, name in sets.values() if not name.isascii())
