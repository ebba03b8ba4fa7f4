"""QIDO-RS over several sources: the PACS and our archive as one (W-126 to W-132)."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.flows.scripted_pacs import (
    LEVEL,
    SERIES,
    SILENT,
    STUDY,
    ScriptedPacs,
    until,
)
from tests.index.conftest import shelf
from tests.index.making import Shelf, ct
from tests.web.dicomweb import uids, value
from tests.web.sources import (
    AVAILABILITY,
    FROM,
    STUDY_WORD,
    saying,
    site_of,
    stack,
    studies,
    study,
    warnings,
)
from waystation.web.capabilities import capabilities
from waystation.web.qido import SearchTerms

__all__ = ("shelf", "stack")

ROUTES = [
    ("/studies", "STUDY", {}),
    ("/studies/1.1/series", "SERIES", {STUDY: "1.1"}),
    ("/studies/1.1/series/1.1.1/instances", "IMAGE", {STUDY: "1.1", SERIES: "1.1.1"}),
    ("/studies/1.1/instances", "IMAGE", {STUDY: "1.1", SERIES: "1.1.1"}),
    ("/series?StudyInstanceUID=1.1", "SERIES", {STUDY: "1.1"}),
    ("/instances?StudyInstanceUID=1.1", "IMAGE", {STUDY: "1.1", SERIES: "1.1.1"}),
]


@pytest.mark.req("W-1", "W-2", "W-20", "W-21", "W-22", "W-23", "W-24", "W-25", "W-26", "WT-3")
async def test_every_route_carries_the_uids_of_its_path_to_the_pacs(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    old = ScriptedPacs(studies(study("1.1", "P1", "20200101"), study("1.2", "P2", "20200102")))
    site = await site_of(stack, shelf, tmp_path, old)
    for root in ("/dicom-web", "/qido-rs", "/wado-rs"):
        for path, level, parents in ROUTES:
            old.asked.clear()
            answer = await site.ask(f"/sources/old{path}", root)
            assert answer.status_code == 200, answer.text
            rows = answer.json()
            assert len(rows) == (2 if path == "/studies" else 1)
            assert value(rows[0], STUDY_WORD).startswith("1.")
            head = old.asked[-1]
            assert head.text(LEVEL) == level
            assert {tag: head.text(tag) for tag in parents} == parents
            url = value(rows[0], "00081190")
            assert url.startswith(f"http://127.0.0.1:8080{root}/sources/old/studies/1.")


@pytest.mark.req("W-126", "W-127", "W-128", "W-33", "W-50", "W-5", "WT-15")
async def test_sources_are_merged_by_uid_and_patients_never_mixed(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.put(ct(1, StudyInstanceUID="1.3", PatientID="OWN", StudyDate="20200103"))
    # The same positions hold other patients; 1.2 lies at both, and at one of them as another's.
    old = ScriptedPacs(
        studies(
            study("1.1", "P1", "20200101"),
            study("1.2", "P2", "20200102", **{"00080061": "CT", "00201208": "7"}),
        )
    )
    new = ScriptedPacs(
        studies(
            study("1.2", "Q2", "20200102", **{"00080061": "PT", "00201208": "9"}),
            study("1.3", "OWN", "20200103"),
            study("1.4", "Q4", "20200104"),
        )
    )
    site = await site_of(stack, shelf, tmp_path, old, new)
    site.cached = {"1.1"}
    answer = await site.ask("/studies?includefield=QueryRetrieveLevel")
    rows = answer.json()
    assert uids(rows, STUDY_WORD) == ["1.4", "1.3", "1.2", "1.1"]
    found = {value(row, STUDY_WORD): row for row in rows}
    assert [value(found[uid], "00100020") for uid in ("1.1", "1.2", "1.3", "1.4")] == [
        *("P1", "P2", "OWN", "Q4"),
    ]
    assert value(found["1.2"], "00100010") == {"Alphabetic": "P2^X"}
    assert found["1.2"]["00080061"]["Value"] == ["CT", "PT"]
    assert value(found["1.2"], "00201208") == 9
    assert {uid: row[FROM]["Value"] for uid, row in found.items()} == {
        "1.1": ["old"],
        "1.2": ["old", "new"],
        "1.3": ["archive", "new"],
        "1.4": ["new"],
    }
    assert {uid: value(row, AVAILABILITY) for uid, row in found.items()} == {
        "1.1": "ONLINE",
        "1.2": "NEARLINE",
        "1.3": "ONLINE",
        "1.4": "NEARLINE",
    }
    assert all("00080052" not in row or "Value" not in row["00080052"] for row in rows)
    assert warnings(answer) == ["sources old and new name different patients for one study"]
    assert value(found["1.1"], "00081190") == "http://127.0.0.1:8080/dicom-web/studies/1.1"


@pytest.mark.req("W-129", "W-62", "W-52", "WT-15", "WT-1")
async def test_a_source_that_fails_is_a_warning_where_another_has_matches_and_an_error_else(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    old, new = ScriptedPacs(lambda head: [0xC001]), ScriptedPacs(studies(study("1.1", "P", "2020")))
    site = await site_of(stack, shelf, tmp_path, old, new)
    answer = await site.ask("/studies")
    assert uids(answer.json(), STUDY_WORD) == ["1.1"]
    (text,) = warnings(answer)
    assert text.startswith("source old did not answer (answered C001")
    new.answer = studies()
    answer = await site.ask("/studies")
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["source"], problem["dimse_status"]) == ("old", "C001")
    # Both fail: what they have in common decides.
    for first, second, status in (
        (SILENT, SILENT, 504),
        (0xA700, 0xA700, 503),
        (0xA700, SILENT, 503),
        (0xA700, 0xA900, 502),
    ):
        old.answer, new.answer = saying(first), saying(second)
        answer = await site.ask("/studies")
        assert answer.status_code == status, (first, second)
        assert answer.json()["source"] == "old, new"
        assert ("retry-after" in answer.headers) == (status == 503)
    assert site.upstreams.federated[0].down is None


@pytest.mark.req("W-129")
async def test_a_source_that_is_down_is_passed_over_at_once_and_looked_for(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.flows.upstreams.LOOKS_S", (0.02,))
    await shelf.put(ct(1))
    old = ScriptedPacs(studies(study("1.1", "P", "20200101")))
    site = await site_of(stack, shelf, tmp_path, old)
    await old.stop()
    first, second = await site.ask("/studies"), await site.ask("/studies")
    assert warnings(first) == warnings(second)
    assert "source old did not answer (127.0.0.1" in warnings(first)[0]
    upstream = site.upstreams.get("old")
    assert upstream is not None
    assert upstream.down is not None
    (listed,) = [one for one in (await site.found("/sources")) if one["name"] == "old"]
    assert listed == {"name": "old", "kind": "pacs", "health": "down", "federated": True}
    belt = asyncio.create_task(site.upstreams.run())
    await old.start()
    await until(lambda: upstream.down is None)
    belt.cancel()
    assert len(await site.found("/studies")) == 2


@pytest.mark.req("W-3", "W-4", "W-92")
async def test_sources_that_are_none_are_not_found_and_nothing_is_stored_at_a_pacs(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    site = await site_of(stack, shelf, tmp_path, ScriptedPacs())
    for path in ("/sources/nobody/studies", "/sources/NEW/studies", "/sources/old"):
        assert (await site.ask(path)).status_code == 404
    answer = await site.client.post("/dicom-web/sources/old/studies", content=b"")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert (await site.ask("/sources/archive/studies")).json() == []
    assert not site.pacs[0].asked


@pytest.mark.req("W-2", "W-100")
async def test_a_root_of_a_pacs_tells_what_it_has(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    site = await site_of(stack, shelf, tmp_path, ScriptedPacs())
    site.frame.add(capabilities(site.frame))
    told = {}
    for root in ("/dicom-web/", "/dicom-web/sources/old/"):
        answer = await site.client.request("OPTIONS", root, headers={"accept": "application/json"})
        assert answer.status_code == 200
        told[root] = {one["path"] for one in answer.json()["resources"]}
    own, of_pacs = told.values()
    assert of_pacs < own
    assert {"/studies", "/series", "/instances"} <= of_pacs
    assert "/sources" not in of_pacs


@pytest.mark.req("W-132", "W-130", "W-32")
async def test_pages_of_the_merged_set_fit_together_and_its_size_is_bounded(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    await shelf.put(*(ct(n) for n in range(1, 6)))
    many = (study(f"1.{n}", "P", "20190101") for n in range(1, 70))
    old, new = ScriptedPacs(studies(*many)), ScriptedPacs(studies(study("1.3", "P", "20190101")))
    site = await site_of(stack, shelf, tmp_path, old, new)
    pages = []
    for offset in range(0, 60, 20):
        answer = await site.ask(f"/studies?limit=20&offset={offset}")
        pages += uids(answer.json(), STUDY_WORD)
        assert "source old has more than 50 matches; narrow the query" in warnings(answer)
    assert len(pages) == len(set(pages)) == 55
    assert len(old.asked) == len(new.asked) == 1
    site.terms = SearchTerms(most=10)
    answer = await site.ask("/studies")
    assert len(answer.json()) == 10
    other = await site.client.get(
        "/dicom-web/studies", headers={"accept": "application/dicom+json"}
    )
    assert other.status_code == 200


@pytest.mark.req("W-52", "W-37")
async def test_our_own_archive_fails_like_any_other_source(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shelf.put(ct(1))
    old = ScriptedPacs(studies(study("1.1", "P", "20200101")))
    site = await site_of(stack, shelf, tmp_path, old)
    monkeypatch.setattr("waystation.flows.federate.SOURCE_S", 0.0)
    answer = await site.ask("/studies")
    assert answer.status_code in (413, 502)
    monkeypatch.setattr("waystation.flows.federate.SOURCE_S", 60.0)
    assert len((await site.ask("/studies")).json()) == 2
