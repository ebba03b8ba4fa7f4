"""Messages in any order, twice, wrong, and late: what becomes of the worklist (T-60)."""

import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.flows.worklist_rig import PERSON, WorklistRig, worklist_rig
from tests.hl7.building import message, msh, order, pid
from waystation.db.statement import Transaction
from waystation.flows.hl7_feed import FeedTerms, Sender
from waystation.hl7.mapping import FieldMap
from waystation.matching.entry import flat
from waystation.model.errors import StorageError
from waystation.model.step import StepDraft, StepState

numbers = count(1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorklistRig]:
    with worklist_rig(tmp_path_factory.mktemp("hl7")) as rig:
        yield rig


@pytest.fixture
def rig(shared: WorklistRig) -> WorklistRig:
    shared.feed.terms = FeedTerms()
    return shared


@pytest.fixture
def n() -> int:
    """Return the number of an order that no other test has."""
    return next(numbers)


async def texts(rig: WorklistRig, n: int) -> dict[str, str]:
    (step,) = await rig.steps.find(placer=f"PL{n}")
    return {word: "\\".join(values) for word, values in flat(step.data).items()}


async def state(rig: WorklistRig, n: int) -> StepState:
    (step,) = await rig.steps.find(placer=f"PL{n}")
    return step.state


@pytest.mark.req("T-60")
async def test_an_order_becomes_a_step_and_a_change_changes_it(rig: WorklistRig, n: int) -> None:
    assert await rig.code(order(n)) == "AA"
    assert (await texts(rig, n))["RequestedProcedureDescription"] == "CT head"
    later = order(n, verb="XO", at="20260101130000", text="CT neck")
    assert await rig.code(later) == "AA"
    assert (await texts(rig, n))["RequestedProcedureDescription"] == "CT neck"
    (step,) = await rig.steps.find(placer=f"PL{n}")
    history = await rig.steps.history(step.id)
    assert [(one.what, one.author.kind, one.author.name) for one in history] == [
        ("created", "hl7", "RIS"),
        ("changed", "hl7", "RIS"),
    ]
    assert f"XO{n}" in history[1].author.detail


@pytest.mark.req("T-60")
async def test_the_same_message_again_gets_the_same_answer_and_does_nothing(
    rig: WorklistRig, n: int
) -> None:
    first = await rig.feed.take(order(n))
    before = await rig.all()
    rig.now[0] += 60
    assert await rig.feed.take(order(n)) == first
    assert await rig.all() == before


@pytest.mark.req("T-60")
async def test_another_message_under_the_same_id_is_refused_and_kept(
    rig: WorklistRig, n: int
) -> None:
    await rig.take(order(n, control=f"C{n}"))
    answer = await rig.take(order(n, control=f"C{n}", text="CT neck"))
    assert answer.value("MSA", 1) == "AE"
    assert "MSH-10" in answer.value("MSA", 3)
    assert (await rig.kept(1))[0].code == "AE"
    assert (await texts(rig, n))["RequestedProcedureDescription"] == "CT head"
    # A repetition may carry another time of sending.
    assert await rig.code(order(n, control=f"C{n}", at="20260101120500")) == "AA"


@pytest.mark.req("T-60")
async def test_a_cancel_before_its_order_is_remembered(rig: WorklistRig, n: int) -> None:
    cancel = order(n, verb="CA", at="20260101130000")
    assert await rig.code(cancel) == "AA"
    assert await rig.steps.find(placer=f"PL{n}") == []
    assert await rig.code(order(n, at="20260101120000")) == "AA"
    assert await state(rig, n) is StepState.CANCELLED


@pytest.mark.req("T-60")
async def test_an_older_message_never_overwrites_a_newer_one(rig: WorklistRig, n: int) -> None:
    await rig.take(order(n))
    await rig.take(order(n, verb="XO", at="20260101140000", text="newest"))
    await rig.take(order(n, verb="XO", at="20260101130000", text="older"))
    assert (await texts(rig, n))["RequestedProcedureDescription"] == "newest"


@pytest.mark.req("T-60")
@pytest.mark.parametrize(
    ("verb", "end"),
    [
        ("CA", StepState.CANCELLED),
        ("OC", StepState.CANCELLED),
        ("DC", StepState.DISCONTINUED),
    ],
)
async def test_an_order_is_taken_back(rig: WorklistRig, n: int, verb: str, end: StepState) -> None:
    await rig.take(order(n))
    await rig.take(order(n, verb=verb, at="20260101130000"))
    assert await state(rig, n) is end
    await rig.take(order(n, verb="NW", at="20260101140000", control=f"again{n}"))
    assert await state(rig, n) is (
        StepState.SCHEDULED if end is StepState.CANCELLED else StepState.DISCONTINUED
    )


@pytest.mark.req("T-60")
async def test_a_step_that_was_started_is_not_cancelled_by_a_message(
    rig: WorklistRig, n: int
) -> None:
    await rig.take(order(n))
    (step,) = await rig.steps.find(placer=f"PL{n}")
    await rig.steps.move(step.id, StepState.STARTED, PERSON)
    assert await rig.code(order(n, verb="CA", at="20260101130000")) == "AA"
    assert await state(rig, n) is StepState.STARTED
    assert "was not cancelled" in " ".join((await rig.kept(1))[0].effects)


def conversation() -> list[bytes]:
    """Return what a RIS says of three orders in the course of a day, in order."""
    said = []
    minute = iter(range(60))

    def at() -> str:
        return f"2026010112{next(minute):02d}00"

    for n in (901, 902, 903):
        said.append(order(n, at=at()))
    said.append(order(901, verb="XO", at=at(), text="CT abdomen", when="20260103090000"))
    said.append(message(msh("ADT^A08", "a08", at()), pid("P902", "Changed^Name", birth="19800101")))
    said.append(order(902, verb="XO", at=at(), text="CT chest", name="Changed^Name"))
    said.append(order(903, verb="CA", at=at()))
    said.append(message(msh("ADT^A40", "a40", at()), pid("P999", "Merged^Name"), "MRG|P901^^^HOSP"))
    said.append(order(901, verb="XO", at=at(), patient="P999", name="Merged^Name", text="CT all"))
    said.append(order(903, verb="NW", at=at(), control="reopened"))
    said.append(message(msh("ADT^A31", "a31", at()), pid("P999", "Merged^Twice", birth="19701231")))
    return said


@pytest.mark.req("T-60", "TT-29")
async def test_shuffled_messages_give_the_same_steps(tmp_path: Path) -> None:
    said = conversation()
    wanted = None
    shuffler = random.Random(20260101)
    for turn in range(12):
        folder = tmp_path / str(turn)
        folder.mkdir()
        with worklist_rig(folder) as rig:
            for raw in said:
                assert await rig.code(raw) == "AA"
            found = await rig.shown()
        wanted = wanted or found
        assert found == wanted, turn
        said = shuffler.sample(said, len(said))
    assert wanted is not None
    assert [one[0] for one in wanted] == [StepState.SCHEDULED] * 3
    assert wanted[0][1]["PatientID"] == ("P999",)
    assert wanted[0][1]["PatientName"] == ("Merged^Twice",)
    assert wanted[1][1]["PatientBirthDate"] == ("19800101",) or wanted[1][1]["PatientName"]


@pytest.mark.req("T-60")
async def test_a_patients_data_reach_the_open_steps_of_any_origin(rig: WorklistRig, n: int) -> None:
    await rig.take(order(n))
    typed = await rig.steps.add(
        StepDraft(values={"PatientID": f"P{n}", "PatientName": "Old^Name"}), PERSON
    )
    done = await rig.steps.add(
        StepDraft(values={"PatientID": f"P{n}", "PatientName": "Old^Name"}), PERSON
    )
    await rig.steps.move(done.id, StepState.COMPLETED, PERSON)
    raw = message(msh("ADT^A08", f"a08-{n}", "20260101150000"), pid(f"P{n}", "New^Name"))
    assert await rig.code(raw) == "AA"
    assert (await texts(rig, n))["PatientName"] == "New^Name"
    names = [flat(one.data)["PatientName"] for one in await rig.steps.find(patient_id=f"P{n}")]
    assert sorted(names) == [("New^Name",), ("New^Name",), ("Old^Name",)]
    assert (await rig.steps.get(typed.id)) is not None


@pytest.mark.req("T-60")
async def test_a_merge_moves_the_steps_of_the_old_id(rig: WorklistRig, n: int) -> None:
    await rig.take(order(n))
    await rig.steps.add(StepDraft(values={"PatientID": f"P{n}"}), PERSON)
    raw = message(
        msh("ADT^A40", f"a40-{n}", "20260101150000"), pid(f"Q{n}", "One^Name"), f"MRG|P{n}^^^HOSP"
    )
    assert await rig.code(raw) == "AA"
    assert await rig.steps.find(patient_id=f"P{n}") == []
    found = await rig.steps.find(patient_id=f"Q{n}")
    assert [flat(one.data)["PatientName"] for one in found] == [("One^Name",)] * 2
    # A late message of before the merge still names the old ID.
    await rig.take(order(n, verb="XO", at="20260101140000", text="late"))
    assert (await texts(rig, n))["PatientID"] == f"Q{n}"
    assert (await texts(rig, n))["RequestedProcedureDescription"] == "late"


@pytest.mark.req("T-60")
async def test_the_end_of_a_visit_is_noted_or_closes(rig: WorklistRig, n: int) -> None:
    await rig.take(order(n))
    await rig.take(message(msh("ADT^A03", f"a03-{n}", "20260101150000"), pid(f"P{n}")))
    assert "discharged" in (await texts(rig, n))["PatientState"]
    assert await state(rig, n) is StepState.SCHEDULED
    rig.feed.terms = FeedTerms(ended="cancel")
    await rig.take(message(msh("ADT^A23", f"a23-{n}", "20260101160000"), pid(f"P{n}")))
    assert await state(rig, n) is StepState.CANCELLED


@pytest.mark.req("T-60")
async def test_a_visit_says_nothing_about_orders_of_another(rig: WorklistRig, n: int) -> None:
    def visit(number: str, doctor: str) -> str:
        return "PV1|1|I|W1|||||" + doctor + "|" * 11 + number

    raw = order(n).replace(
        b"PV1|1|O|ROOM1|||||10^Referring^Rita", visit("V1", "1^Right^One").encode()
    )
    assert await rig.code(raw) == "AA"
    told = message(
        msh("ADT^A08", f"a08v{n}", "20260101150000"), pid(f"P{n}"), visit("V2", "2^Wrong^One")
    )
    assert await rig.code(told) == "AA"
    found = await texts(rig, n)
    assert (found["ReferringPhysicianName"], found["AdmissionID"]) == ("Right^One", "V1")
    ended = message(msh("ADT^A03", f"a03v{n}", "20260101160000"), pid(f"P{n}"), visit("V2", ""))
    assert await rig.code(ended) == "AA"
    assert "PatientState" not in await texts(rig, n)


@pytest.mark.req("T-60")
async def test_what_a_person_changed_stays_until_the_sender_says_otherwise(
    rig: WorklistRig, n: int
) -> None:
    await rig.take(order(n))
    (step,) = await rig.steps.find(placer=f"PL{n}")
    edits = {"ScheduledStationAETitle": "CT2", "RequestedProcedureDescription": "by hand"}
    await rig.steps.change(step.id, edits, None, PERSON)
    await rig.take(order(n, verb="XO", at="20260101130000", when="20260105080000"))
    found = await texts(rig, n)
    assert found["RequestedProcedureDescription"] == "by hand"
    assert found["ScheduledStationAETitle"] == "CT2"
    assert found["ScheduledProcedureStepStartDate"] == "20260105"


@pytest.mark.req("T-54")
async def test_two_steps_of_one_order_are_one_study(rig: WorklistRig, n: int) -> None:
    raw = message(
        msh("OMI^O23", f"omi{n}", version="2.5"),
        pid(f"P{n}"),
        f"ORC|NW|PL{n}|FI{n}",
        f"OBR|1|PL{n}|FI{n}|X^Two parts",
        "IPC||||A|CT",
        "IPC||||B|MR",
    )
    assert await rig.code(raw) == "AA"
    first, second = await rig.steps.find(placer=f"PL{n}")
    assert (first.step_id, second.step_id) == ("A", "B")
    assert first.study_uid == second.study_uid
    assert first.accession == second.accession
    later = raw.replace(b"|NW|", b"|XO|").replace(b"B|MR", b"B|US").replace(b"120000", b"130000")
    assert await rig.code(later.replace(f"omi{n}".encode(), f"omj{n}".encode())) == "AA"
    assert [one.modality for one in await rig.steps.find(placer=f"PL{n}")] == ["CT", "US"]


@pytest.mark.req("T-60")
async def test_an_order_under_two_numbers_is_one_once_a_message_has_both(
    rig: WorklistRig, n: int
) -> None:
    head = [pid(f"P{n}")]
    both = message(
        msh(control=f"3-{n}", at="20260101120300"), *head, f"ORC|XO|PL{n}|FI{n}", "OBR|1||||X^3"
    )
    placer = message(
        msh(control=f"1-{n}", at="20260101120100"), *head, f"ORC|NW|PL{n}", "OBR|1|||X^1"
    )
    filler = message(
        msh(control=f"2-{n}", at="20260101120200"), *head, f"ORC|CA||FI{n}", "OBR|1|||X^2"
    )
    for raw in (placer, filler, both):
        assert await rig.code(raw) == "AA"
    assert await state(rig, n) is StepState.CANCELLED


@pytest.mark.req("T-60")
@pytest.mark.parametrize(
    ("raw", "code", "text"),
    [
        (b"nonsense", "AR", "does not begin with MSH"),
        (message(msh("ORU^R01", "o1"), pid()), "AR", "MSH-9"),
        (message(msh(control="b1"), pid(birth="20261301"), "ORC|NW|1", "OBR|1|1"), "AE", "PID-7"),
        (message(msh(control="b2"), pid("X" * 70), "ORC|NW|1", "OBR|1|1"), "AE", "PID-3.1"),
        (message(msh(control="b3"), pid(), "ORC|NW|1", f"OBR|1|1||X^Y{'|' * 14}{'A' * 17}"), "AE",
         "OBR-18"),
        (message(msh(control="b4"), pid(), "ORC|NW|1", "OBR|1|1||X", "ZDS|1.2.x"), "AE", "ZDS-1"),
        (message(msh(control="b5", charset="UNICODE UTF-8"), pid()), "AE", "PID-5"),
    ],
)  # fmt: skip
async def test_a_bad_message_is_refused_with_its_place_and_waits_for_a_person(
    rig: WorklistRig, raw: bytes, code: str, text: str
) -> None:
    before = await rig.all()
    answer = await rig.take(raw)
    assert answer.value("MSA", 1) == code
    assert text in answer.value("MSA", 3)
    (kept,) = await rig.kept(1)
    assert (kept.code, kept.message) == (code, raw)
    assert text in kept.why
    assert await rig.all() == before


@pytest.mark.req("T-60")
async def test_a_refused_message_is_replayed_once_its_mapping_was_mended(
    rig: WorklistRig, n: int
) -> None:
    raw = order(n).replace(b"|SPS", b"|STEP-NUMBER-TOO-LONG-")
    assert await rig.code(raw) == "AE"
    (refused,) = await rig.kept(1)
    assert (await rig.feed.replay(refused)).code == "AE"
    mended = FieldMap.of({"ScheduledProcedureStepID": ["OBR-3.1"]})
    rig.feed.terms = FeedTerms(default=Sender(field_map=mended))
    done = await rig.feed.replay(refused)
    assert (done.id, done.code) == (refused.id, "AA")
    assert (await texts(rig, n))["ScheduledProcedureStepID"] == f"FI{n}"
    rows = [one for one in await rig.kept() if one.control_id == refused.control_id]
    assert [one.code for one in rows] == ["AA"]
    # What was accepted is not run twice.
    assert await rig.feed.replay(done) == done


@pytest.mark.req("T-60")
async def test_what_could_not_be_committed_is_not_acknowledged(
    rig: WorklistRig, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Transaction, sql: str, params: object = None) -> int:
        raise StorageError("database: disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "run", full)
        answer = await rig.take(order(n))
    assert answer.value("MSA", 1) == "AE"
    assert "send it again" in answer.value("MSA", 3)
    assert await rig.code(order(n)) == "AA"


@pytest.mark.req("T-61")
async def test_a_tester_shows_values_and_their_origin_and_changes_nothing(
    rig: WorklistRig, n: int
) -> None:
    before = await rig.all()
    tried = rig.feed.attempt(order(n))
    assert tried.kind == "ORM^O01"
    (item,) = tried.news
    assert "Given" in repr(item)
    assert rig.feed.attempt(b"rubbish").fault
    assert await rig.all() == before


async def test_a_step_from_a_file_is_taken_over_by_its_order(rig: WorklistRig, n: int) -> None:
    words = {
        "PatientID": f"P{n}",
        "PlacerOrderNumberImagingServiceRequest": f"PL{n}",
        "StudyInstanceUID": "1.2.3.4",
    }
    before = await rig.steps.add(StepDraft(values=words), PERSON)
    await rig.take(order(n, verb="XO"))
    (step,) = await rig.steps.find(placer=f"PL{n}")
    assert step.id == before.id
    assert flat(step.data)["RequestedProcedureDescription"] == ("CT head",)


async def test_nothing_of_a_message_reaches_effects_and_reasons(rig: WorklistRig, n: int) -> None:
    await rig.take(order(n, name="Secret^Person"))
    await rig.take(order(n, verb="XO", at="20260101130000", name="Other^Person"))
    await rig.take(message(msh(control=f"x{n}"), pid(f"P{n}", birth="Secret"), "ORC|NW|1"))
    for kept in await rig.kept(3):
        assert "Person" not in f"{kept.effects}{kept.why}"
        assert "Secret" not in f"{kept.effects}{kept.why}"
