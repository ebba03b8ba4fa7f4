"""What a PACS does not do as the Standard says, and how it is asked then (W-61)."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from tests.flows.inquiring import DATE, ID, NAME, TIME, fails, found, query, tree, upstream
from tests.flows.scripted_pacs import SERIES, STUDY, ScriptedPacs, running, until
from waystation.dicom.head import Head
from waystation.dicom.uids import PATIENT_ROOT_FIND


@pytest.mark.req("W-59", "W-61")
async def test_a_pacs_that_knows_no_cancel_is_left_instead() -> None:
    def many(head: Head) -> Iterable[dict[int, Any]]:
        return ({STUDY: f"1.{n}", ID: "1"} for n in range(1, 3_000))

    terms: dict[str, Any] = {"quirks": frozenset({"no_cancel"})}
    async with running(ScriptedPacs(many)) as pacs, upstream(pacs.terms(**terms)) as one:
        rows, _ = await found(one, query("STUDY", {ID: "1"}), limit=3)
        assert len(rows) == 3
        await until(lambda: pacs.open_now == 0)
        assert not pacs.cancelled


@pytest.mark.req("W-61")
async def test_one_operation_at_a_time_where_a_pacs_wants_it() -> None:
    terms: dict[str, Any] = {"quirks": frozenset({"sequential"}), "find_s": 5.0}
    async with running(ScriptedPacs(tree)) as pacs, upstream(pacs.terms(**terms)) as one:
        async with one.turn():
            task = asyncio.create_task(found(one, query("STUDY", {ID: "1"})))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not pacs.asked
        assert len((await task)[0]) == 2


@pytest.mark.req("W-56", "W-61")
async def test_patient_root_is_asked_by_quirk_only_and_knows_whose_a_study_is() -> None:
    terms: dict[str, Any] = {"quirks": frozenset({"patient_root"})}
    async with running(ScriptedPacs(tree)) as pacs, upstream(pacs.terms(**terms)) as one:
        await found(one, query("SERIES", {STUDY: "1.1"}))
        assert pacs.texts()["PatientID"] == ""
        await found(one, query("STUDY", {NAME: ""}))
        await found(one, query("SERIES", {STUDY: "1.1"}))
        assert pacs.texts()["PatientID"] == "1"
        await found(one, query("SERIES", {STUDY: "1.9", ID: "7"}))
        assert pacs.texts()["PatientID"] == "7"
    assert set(pacs.models) == {PATIENT_ROOT_FIND}


@pytest.mark.req("W-61")
async def test_instances_are_not_asked_for_where_a_pacs_cannot_do_that() -> None:
    terms: dict[str, Any] = {"quirks": frozenset({"no_image_find"})}
    async with running(ScriptedPacs(tree)) as pacs, upstream(pacs.terms(**terms)) as one:
        failure = await fails(one, query("IMAGE", {STUDY: "1.1", SERIES: "1.1.1"}))
        assert (failure.status, failure.dimse_status) == (502, None)
        assert "no_image_find" in failure.text
        assert not pacs.asked


@pytest.mark.req("W-45", "W-61")
async def test_one_query_for_each_uid_by_quirk_and_each_match_once() -> None:
    terms: dict[str, Any] = {"quirks": frozenset({"no_uid_list"})}
    async with running(ScriptedPacs(tree)) as pacs, upstream(pacs.terms(**terms)) as one:
        rows, _ = await found(one, query("STUDY", {STUDY: "1.1\\1.2\\1.3\\1.1"}))
        assert [row.study_uid for row in rows] == ["1.1", "1.2"]
        assert [head.text(STUDY) for head in pacs.asked] == ["1.1", "1.2", "1.3", "1.1"]
        assert pacs.associations == 1


@pytest.mark.req("W-43")
async def test_a_date_and_time_interval_is_cut_by_us_where_it_is_not_negotiated() -> None:
    def days(head: Head) -> Iterable[dict[int, Any]]:
        for n, (day, time) in enumerate(
            (("20200101", "2100"), ("20200101", "2330"), ("20200102", "0100"), ("20200102", "04"))
        ):
            yield {STUDY: f"1.{n + 1}", DATE: day, TIME: time}

    async with running(ScriptedPacs(days)) as pacs, upstream(pacs.terms()) as one:
        asked = query("STUDY", {DATE: "20200101-20200102", TIME: "2200-0300"})
        rows, warnings = await found(one, asked)
        assert [row.study_uid for row in rows] == ["1.2", "1.3"]
        assert pacs.texts()["StudyTime"] == ""
        assert not warnings
