"""What a modality sees of a worklist, and what it does not (T-50 to T-55, T-62)."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest
import pytest_asyncio

from tests.flows.asking import open_call
from tests.flows.ward import COMPLETE, FILE, PERSON, Ward, identifier, text_of, ward, wl_data
from waystation.dicom.uids import MODALITY_WORKLIST_FIND
from waystation.model.step import StepConflict, StepDraft, StepFaults, StepRefused, StepState
from waystation.net.query_call import Answer
from waystation.wire.status import CANCELLED

pytestmark = pytest.mark.asyncio(loop_scope="module")
S = StepState
CONFIG = """
[worklist]
unknown_area = "default"
[worklist.area.ct]
ae_title = ["WL_CT", "WL_CT2"]
when = { ScheduledStationAETitle = "CT*" }
answer_charset = "ISO_IR 100"
[worklist.area.night]
ae_title = "NIGHT"
serve_incomplete = true
split_steps = true
ids = { accession = "N{yy}{n:06}" }
[worklist.area.ours]
ae_title = "OURS"
peers = ["ct9"]
[peer.ct9]
ae_title = "CT9"
rights = ["worklist"]
[peer.mute]
ae_title = "MUTE"
rights = ["echo", "store"]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hospital(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    async with ward(tmp_path_factory.mktemp("ward"), CONFIG, dicom='peers = "any"') as made:
        yield made


@pytest.mark.req("T-50")
async def test_an_area_shows_what_its_when_selects_under_each_of_its_titles(
    hospital: Ward,
) -> None:
    await hospital.add(
        {"ScheduledStationAETitle": "CT1"}, {"ScheduledStationAETitle": "MR1"}, PatientName="When^A"
    )
    asked = {"PatientName": "When^A"}
    for title, count in (("WL_CT", 1), ("WL_CT2", 1), ("WAYSTATION", 2), ("NIGHT", 2)):
        assert len(await hospital.names(asked, called=title)) == count, title


@pytest.mark.req("T-50")
async def test_a_step_of_an_area_is_seen_in_no_other(hospital: Ward) -> None:
    await hospital.add(area="night", PatientName="Own^Area")
    asked = {"PatientName": "Own^Area"}
    assert await hospital.names(asked, called="WL_CT") == []
    assert await hospital.names(asked, called="NIGHT") == ["Own^Area"]


@pytest.mark.req("T-50", "S-45")
async def test_a_peer_sees_an_area_and_a_list_only_if_it_may(hospital: Ward) -> None:
    await hospital.add(PatientName="May^See")
    asked = {"PatientName": "May^See"}
    assert await hospital.names(asked, called="OURS", calling="CT9") == ["May^See"]
    refused = await hospital.find(asked, calling="MUTE")
    assert [one.status for one in refused] == [0x0124]


@pytest.mark.req("T-50")
async def test_only_open_steps_are_shown_unless_another_status_is_asked_for(
    hospital: Ward,
) -> None:
    asked = {"PatientName": "State^*"}
    numbers = await hospital.add(
        *({"PatientName": f"State^{state.value}"} for state in S), PatientID="states"
    )
    for number, state in zip(numbers, S, strict=True):
        await hospital.steps.move(number, state, PERSON)
    assert await hospital.names(asked) == ["State^scheduled", "State^arrived", "State^ready"]
    for state in S:
        word = state.value.upper()
        answers = await hospital.find(asked, ScheduledProcedureStepStatus=word)
        assert [text_of(one, "PatientName") for one in answers[:-1]] == [f"State^{state.value}"]
        path = "ScheduledProcedureStepSequence.ScheduledProcedureStepStatus"
        assert text_of(answers[0], path) == word
    both = await hospital.names(asked, ScheduledProcedureStepStatus="ARRIVED\\STARTED")
    assert sorted(both) == ["State^arrived", "State^started"]


@pytest.mark.req("T-51")
async def test_an_incomplete_entry_is_served_where_the_area_says_so(hospital: Ward) -> None:
    data = wl_data({**COMPLETE, "PatientName": "Not^Whole"})
    step = await hospital.steps.add(StepDraft(data=data), FILE)
    assert set(step.missing) == {
        "StudyInstanceUID",
        "RequestedProcedureID",
        "ScheduledProcedureStepID",
    }
    asked = {"PatientName": "Not^Whole"}
    assert await hospital.names(asked) == []
    assert await hospital.names(asked, called="NIGHT") == ["Not^Whole"]
    filled = await hospital.steps.fill(step.id, PERSON)
    assert filled.missing == ()
    assert await hospital.names(asked) == ["Not^Whole"]


@pytest.mark.req("T-51")
async def test_somebody_hears_of_an_incomplete_entry_a_day_before_it_is_needed(
    hospital: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = {"ScheduledProcedureStepStartDate": "20270510"}
    await hospital.steps.add(StepDraft(data=wl_data({**COMPLETE, **soon})), FILE)
    at = datetime(2027, 5, 9, 12).astimezone().timestamp()
    monkeypatch.setattr(hospital.node, "clock", lambda: at)
    await hospital.list.lacking.look()
    (finding,) = hospital.list.lacking.findings()
    assert (finding.subject, finding.kind, finding.n) == ("worklist", "incomplete", 1)
    assert hospital.node.watching.found() == [finding]
    monkeypatch.setattr(hospital.node, "clock", lambda: at - 86_400)
    await hospital.list.lacking.look()
    assert list(hospital.list.lacking.findings()) == []


@pytest.mark.req("T-54")
async def test_an_order_of_two_steps_gives_two_entries_in_one_study(hospital: Ward) -> None:
    drafts = [
        StepDraft(values={**COMPLETE, "PatientName": "Two^Steps", "Modality": modality})
        for modality in ("CT", "PT")
    ]
    await hospital.steps.add_all(drafts, PERSON, one_order=True)
    answers = (await hospital.find({"PatientName": "Two^Steps"}))[:-1]
    path = "ScheduledProcedureStepSequence.ScheduledProcedureStepID"
    same = ("StudyInstanceUID", "AccessionNumber", "RequestedProcedureID")
    assert len({text_of(one, path) for one in answers}) == 2
    for keyword in same:
        values = {text_of(one, keyword) for one in answers}
        assert len(values) == 1
        assert values != {""}


@pytest.mark.req("T-54")
async def test_ids_of_our_own_follow_the_form_of_the_area_and_never_change(
    hospital: Ward,
) -> None:
    one, two = await hospital.add({}, {}, area="night")
    first, second = await hospital.steps.get(one), await hospital.steps.get(two)
    assert first is not None
    assert second is not None
    assert first.accession.startswith("N")
    assert len(first.accession) == 9
    assert first.accession != second.accession
    assert first.study_uid.startswith("2.25.")
    with pytest.raises(StepFaults, match="does not change"):
        await hospital.steps.change(one, {"AccessionNumber": "X1"}, None, PERSON)


@pytest.mark.req("T-54", "T-51")
async def test_a_file_with_two_steps_waits_until_somebody_splits_it(hospital: Ward) -> None:
    item = {
        keyword: value
        for keyword, value in COMPLETE.items()
        if keyword.startswith("Scheduled") or keyword == "Modality"
    }
    data = wl_data(
        {
            **COMPLETE,
            "PatientName": "To^Split",
            "StudyInstanceUID": "1.2.9",
            "RequestedProcedureID": "R9",
            "ScheduledProcedureStepSequence": [
                {**item, "ScheduledProcedureStepID": f"S{number}"} for number in (1, 2)
            ],
        }
    )
    step = await hospital.steps.add(StepDraft(data=data), FILE)
    assert step.missing == ("ScheduledProcedureStepSequence",)
    asked = {"PatientName": "To^Split"}
    assert await hospital.names(asked) == []
    parts = await hospital.steps.split(step.id, PERSON)
    assert sorted(part.step_id for part in parts) == ["S1", "S2"]
    assert await hospital.names(asked) == ["To^Split", "To^Split"]
    at_once = {"PatientName": "At^Once"}
    await hospital.steps.add(StepDraft(data=data, values=at_once, area="night"), FILE)
    assert await hospital.names(at_once) == ["At^Once", "At^Once"]


@pytest.mark.req("T-18")
async def test_entries_come_by_date_time_title_and_step(hospital: Ward) -> None:
    rows = [
        ("20260302", "0800", "CT1", "b"),
        ("20260301", "1200", "CT2", "a"),
        ("20260301", "1200", "CT1", "z"),
        ("20260301", "1200", "CT1", "c"),
        ("20260301", "0700", "XX", "a"),
    ]
    await hospital.add(
        *(
            {
                "ScheduledProcedureStepStartDate": day,
                "ScheduledProcedureStepStartTime": time,
                "ScheduledStationAETitle": title,
                "ScheduledProcedureStepID": name,
            }
            for day, time, title, name in rows
        ),
        PatientName="In^Order",
    )
    path = "ScheduledProcedureStepSequence.ScheduledProcedureStepID"
    answers = (await hospital.find({"PatientName": "In^Order"}))[:-1]
    assert [text_of(one, path) for one in answers] == ["a", "c", "z", "a", "b"]


@pytest.mark.req("T-27")
async def test_an_area_answers_in_its_own_set_and_what_is_lost_is_foretold(
    hospital: Ward,
) -> None:
    await hospital.add(PatientName="M\u00fcller^\u5c71", PatientID="cs1")
    (answer,) = (await hospital.find({"PatientID": "cs1"}, called="WL_CT"))[:-1]
    assert text_of(answer, "SpecificCharacterSet") == "ISO_IR 100"
    assert text_of(answer, "PatientName") == "M\u00fcller^?"
    seen = await hospital.list.view.preview("CT1", called="WL_CT", last=True)
    (one,) = [shown for shown in seen if ("PatientID", "cs1") in shown.values]
    assert ("PatientName", "M\u00fcller^?") in one.values
    assert (one.charset, one.replaced) == ("ISO_IR 100", 1)


@pytest.mark.req("T-18")
async def test_a_cancelled_query_ends_with_fe00(
    hospital: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.index.step_search.FIRST_PAGE", 4)
    monkeypatch.setattr("waystation.index.step_search.NEXT_PAGE", 4)
    await hospital.add(*({"PatientID": f"c{n}"} for n in range(120)), PatientName="Cancel^Me")
    call = await open_call(hospital.remote(), MODALITY_WORKLIST_FIND)
    context = call.context_of(MODALITY_WORKLIST_FIND)
    answers: list[Answer] = []
    async for one in call.find(context, identifier({"PatientName": "Cancel^Me"}, {"Modality": ""})):
        if not answers:
            call.cancel()
        answers.append(one)
    await call.release()
    assert answers[-1].status in (CANCELLED, 0)
    assert len(answers) <= 121
    assert await hospital.names({"PatientID": "c7"}) == ["Cancel^Me"]


@pytest.mark.req("T-18")
async def test_more_than_the_limit_ends_with_a700_after_that_many(
    hospital: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.flows.worklist.MOST", 3)
    await hospital.add({}, {}, {}, PatientName="Many^A")
    assert len(await hospital.names({"PatientName": "Many^A"})) == 3
    await hospital.add(PatientName="Many^A")
    answers = await hospital.find({"PatientName": "Many^A"})
    assert (len(answers), answers[-1].status) == (4, 0xA700)
    assert "narrow" in answers[-1].command.error_comment


@pytest.mark.req("T-63")
async def test_the_second_of_two_edits_is_told_of_the_first(hospital: Ward) -> None:
    (number,) = await hospital.add()
    await hospital.steps.change(number, {"PatientName": "First^Edit"}, 1, PERSON)
    with pytest.raises(StepConflict) as caught:
        await hospital.steps.change(number, {"PatientName": "Second^Edit"}, 1, PERSON)
    assert caught.value.newer.patient_name == "First^Edit"
    (since,) = caught.value.since
    assert (since.author.name, since.after) == ("ann", {"PatientName": "First^Edit"})


@pytest.mark.req("T-62")
async def test_a_deleted_step_comes_back_for_ten_minutes_and_a_started_one_stays(
    hospital: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    (number,) = await hospital.add(PatientName="Un^Do")
    asked = {"PatientName": "Un^Do"}
    await hospital.steps.delete(number, PERSON)
    assert await hospital.names(asked) == []
    await hospital.steps.restore(number, PERSON)
    assert await hospital.names(asked) == ["Un^Do"]
    await hospital.steps.delete(number, PERSON)
    now = hospital.node.clock()
    monkeypatch.setattr(hospital.node, "clock", lambda: now + 601)
    with pytest.raises(StepRefused, match="ten minutes"):
        await hospital.steps.restore(number, PERSON)
    (started,) = await hospital.add()
    await hospital.steps.move(started, S.STARTED, PERSON)
    await hospital.steps.move(started, S.SCHEDULED, PERSON)
    with pytest.raises(StepRefused, match="cancel it"):
        await hospital.steps.delete(started, PERSON)


@pytest.mark.req("T-62", "T-19", "TT-27")
async def test_each_cause_that_hides_a_step_is_named_with_what_mends_it(hospital: Ward) -> None:
    why = hospital.list.view.why

    async def causes(number: int, called: str = "WL_CT") -> list[str]:
        explained = await why(number, "CT7", called=called)
        assert explained.seen == all(reason.good for reason in explained.reasons)
        bad = [reason for reason in explained.reasons if not reason.good]
        assert all(reason.mend for reason in bad), bad
        return [reason.cause for reason in bad]

    day = {"ScheduledStationAETitle": "CT7", "PatientName": "Why^Not"}
    (good,) = await hospital.add(day)
    await hospital.names({}, called="WL_CT", calling="CT7", ScheduledStationAETitle="CT7")
    assert await causes(good) == []
    await hospital.steps.move(good, S.CANCELLED, PERSON)
    assert await causes(good) == ["state"]
    (elsewhere,) = await hospital.add(day, area="night")
    assert await causes(elsewhere) == ["area"]
    (other,) = await hospital.add(day, ScheduledStationAETitle="CT01")
    assert await causes(other) == ["key"]
    explained = await why(other, "CT7", called="WL_CT")
    assert any(
        "ScheduledStationAETitle asked CT7, entry has CT01: no" in reason.text
        for reason in explained.reasons
    )
    step = await hospital.steps.add(StepDraft(data=wl_data({**COMPLETE, **day})), FILE)
    assert await causes(step.id) == ["incomplete"]
    (umlaut,) = await hospital.add(day, PatientName="M\u00fcller^Why")
    latin = identifier({"PatientName": "M@ller^Why"}, {"ScheduledStationAETitle": "CT7"})
    await hospital.find(raw=latin.replace(b"@", b"\x9f"), called="WL_CT", calling="CT7")
    assert await causes(umlaut) == ["charset"]


@pytest.mark.req("T-62")
async def test_the_last_real_queries_of_a_caller_are_kept(hospital: Ward) -> None:
    for number in range(23):
        await hospital.find({"PatientID": f"q{number}"}, calling="ASKER")
    asked = await hospital.list.view.queries(100, "ASKER")
    assert len(asked) == 20
    assert b"q22" in asked[0].identifier
    assert (asked[0].status, asked[0].answers, asked[0].called_ae) == (0, 0, "WAYSTATION")


@pytest.mark.req("T-55")
async def test_what_nobody_performs_expires_and_what_is_over_goes_in_the_end(
    hospital: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = await hospital.add(ScheduledProcedureStepStartDate="20200101", PatientName="Ex^Pire")
    asked = {"PatientName": "Ex^Pire"}
    assert await hospital.names(asked) == ["Ex^Pire"]
    await hospital.list.ends.look()
    assert await hospital.names(asked) == []
    found = await hospital.steps.get(old)
    assert found is not None
    assert found.state is S.EXPIRED
    now = hospital.node.clock()
    monkeypatch.setattr(hospital.node, "clock", lambda: now + 91 * 86_400)
    await hospital.list.ends.look()
    assert await hospital.steps.get(old) is None
    assert await hospital.steps.history(old) == []
