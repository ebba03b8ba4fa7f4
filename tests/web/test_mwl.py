"""Worklist search over DICOMweb (W-101): the entries of golden/wlm, asked as URLs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.flows.worklist_rig import PERSON, WorklistRig, worklist_rig
from tests.web.standin import StandIn
from waystation.dicomweb.xml_model import from_xml
from waystation.flows.entry_files import read_entries
from waystation.index.step_search import Scope, StepSearch
from waystation.model.query import Query
from waystation.model.step import StepState
from waystation.web.dicomweb import DicomWeb
from waystation.web.mwl import Schedule, mwl_resource
from waystation.web.qido import SearchTerms
from waystation.web.site import site
from waystation.web.terms import Terms

URL = "/dicom-web/modality-scheduled-procedure-steps"
NAME, STEP, AE = "00100010", "00400100", "00400001"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorklistRig]:
    with worklist_rig(tmp_path_factory.mktemp("mwl")) as opened:
        yield opened


@pytest.fixture
async def client(rig: WorklistRig, golden: Path, tmp_path: Path) -> httpx2.AsyncClient:
    if not await rig.all():
        for file in sorted((golden / "wlm" / "data").glob("*/*.wl")):
            (draft,) = read_entries(file.read_bytes()).drafts
            await rig.steps.add(draft, PERSON)
    schedule = Schedule(search=lambda query: search(rig, query), terms=SearchTerms, folder=tmp_path)
    frame = DicomWeb(Terms, [mwl_resource(schedule)])
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(site(StandIn(), frame), client=("127.0.0.1", 5000)),
        base_url="http://127.0.0.1:8080",
    )


def search(rig: WorklistRig, query: Query) -> StepSearch:
    return StepSearch(rig.database, query, Scope())


async def found(client: httpx2.AsyncClient, asked: str = "") -> list[dict[str, Any]]:
    answer = await client.get(URL + asked)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()
    return rows


def name(row: dict[str, Any]) -> str:
    return str(row[NAME]["Value"][0]["Alphabetic"])


@pytest.mark.req("W-101")
async def test_every_complete_entry_comes_back_by_start(client: httpx2.AsyncClient) -> None:
    rows = await found(client)
    assert len(rows) == 19
    starts = [
        row[STEP]["Value"][0]["00400002"]["Value"][0]
        + row[STEP]["Value"][0]["00400003"]["Value"][0]
        for row in rows
    ]
    assert starts == sorted(starts)
    assert all(row["00080005"]["Value"] == ["ISO_IR 192"] for row in rows)
    assert rows[0]["001021C0"] == {"vr": "US", "Value": [4]}


@pytest.mark.req("W-101")
@pytest.mark.parametrize(
    "asked",
    [
        "?ScheduledStationAETitle=AB45",
        "?ScheduledProcedureStepSequence.ScheduledStationAETitle=AB45",
        "?00400100.00400001=AB45",
        "?00400001=AB4%3F",
    ],
)
async def test_a_station_is_asked_for_with_or_without_the_sequence(
    client: httpx2.AsyncClient, asked: str
) -> None:
    rows = await found(client, asked)
    assert {row[STEP]["Value"][0][AE]["Value"][0] for row in rows} == {"AB45"}


@pytest.mark.req("W-101")
async def test_names_match_in_any_script_and_dates_as_ranges(client: httpx2.AsyncClient) -> None:
    assert {name(row) for row in await found(client, "?PatientName=vivaldi*")} == {
        "VIVALDI^ANTONIO"
    }
    by_kanji = await found(client, "?PatientName=%E5%B1%B1%E7%94%B0*")
    assert by_kanji
    days = await found(client, "?ScheduledProcedureStepStartDate=19960401-19960430")
    assert 0 < len(days) < 19
    assert await found(client, "?PatientID=AV35674&Modality=PT") == []


@pytest.mark.req("W-101")
async def test_pages_fields_and_warnings_are_those_of_a_search(client: httpx2.AsyncClient) -> None:
    answer = await client.get(URL + "?limit=2&offset=1&includefield=PatientComments")
    assert len(answer.json()) == 2
    assert "additional results" in answer.headers["warning"]
    assert all("00104000" in row for row in answer.json())
    whole = await found(client)
    assert [name(row) for row in answer.json()] == [name(row) for row in whole[1:3]]
    (plain,) = await found(client, "?PatientID=P12")
    (row,) = await found(client, "?PatientID=P12&includefield=all")
    assert plain.keys() < row.keys()
    assert row["00102201"]["Value"]


@pytest.mark.req("W-101")
@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ("?ScheduledProcedureStepStartDate=2026-13", "ScheduledProcedureStepStartDate"),
        ("?NoSuchThing=1", "NoSuchThing"),
        ("?limit=-1", "limit"),
        ("?Modality=CT&00400100.00080060=CT", "Modality"),
    ],
)
async def test_what_cannot_be_asked_is_400_with_its_name(
    client: httpx2.AsyncClient, asked: str, word: str
) -> None:
    answer = await client.get(URL + asked)
    assert answer.status_code == 400
    assert word in answer.text


@pytest.mark.req("W-101")
async def test_steps_off_the_list_come_only_by_their_status(
    client: httpx2.AsyncClient, rig: WorklistRig
) -> None:
    (step,) = await rig.steps.find(patient_id="P12")
    await rig.steps.move(step.id, StepState.STARTED, PERSON)
    assert await found(client, "?PatientID=P12") == []
    (row,) = await found(client, "?PatientID=P12&ScheduledProcedureStepStatus=STARTED")
    assert row[STEP]["Value"][0]["00400020"]["Value"] == ["STARTED"]
    await rig.steps.move(step.id, StepState.SCHEDULED, PERSON)


@pytest.mark.req("W-101")
async def test_xml_is_served_too(client: httpx2.AsyncClient) -> None:
    accept = 'multipart/related; type="application/dicom+xml"'
    answer = await client.get(URL + "?PatientID=P12", headers={"accept": accept})
    assert answer.status_code == 200
    start = answer.content.index(b"<?xml")
    end = answer.content.index(b"</NativeDicomModel>") + len(b"</NativeDicomModel>")
    assert from_xml(answer.content[start:end])["00100020"]["Value"] == ["P12"]


async def test_without_a_worklist_there_is_nothing(tmp_path: Path) -> None:
    schedule = Schedule(search=lambda _query: None, terms=SearchTerms, folder=tmp_path)
    frame = DicomWeb(Terms, [mwl_resource(schedule)])
    transport = httpx2.ASGITransport(site(StandIn(), frame), client=("127.0.0.1", 5000))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        assert (await client.get(URL)).status_code == 404
