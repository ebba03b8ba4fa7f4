"""Orders that are cancelled, numbered twice, or long ahead: what becomes of their steps (T-60)."""

import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import structlog

from tests.flows.worklist_rig import NOW, PERSON, WorklistRig, worklist_rig
from tests.hl7.building import message, msh, order, pid
from waystation.flows import hl7_feed
from waystation.flows.hl7_feed import FeedTerms
from waystation.hl7.news import news_of
from waystation.journal import hl7_keeping
from waystation.matching.entry import flat
from waystation.model.step import Step, StepDraft, StepState

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


async def filed(rig: WorklistRig, n: int, step_id: str) -> Step:
    """Add a step of an order as a file would."""
    values = {
        "PatientID": f"P{n}",
        "PlacerOrderNumberImagingServiceRequest": f"PL{n}",
        "StudyInstanceUID": f"1.2.3.{n}",
        "ScheduledProcedureStepID": step_id,
    }
    return await rig.steps.add(StepDraft(values=values), PERSON)


def cancel(n: int, at: str = "20260101130000", patient: str = "") -> bytes:
    """Return the cancelling of an order, which names no step."""
    head = msh(control=f"cancel{n}-{at}-{patient}", at=at)
    return message(head, pid(patient or f"P{n}"), f"ORC|CA|PL{n}", f"OBR|1|PL{n}||X^Y")


async def states(rig: WorklistRig, n: int) -> list[StepState]:
    return [step.state for step in await rig.steps.find(placer=f"PL{n}")]


@pytest.mark.req("T-60")
async def test_an_order_that_came_by_file_is_cancelled_by_a_message(
    rig: WorklistRig, n: int
) -> None:
    await filed(rig, n, "A")
    await filed(rig, n, "B")
    assert await rig.code(cancel(n)) == "AA"
    assert await states(rig, n) == [StepState.CANCELLED] * 2


@pytest.mark.req("T-60")
async def test_a_cancel_that_came_too_early_is_no_obstacle_to_the_next(
    rig: WorklistRig, n: int
) -> None:
    assert await rig.code(cancel(n)) == "AA"
    await filed(rig, n, "A")
    assert await rig.code(cancel(n, at="20260101140000")) == "AA"
    assert await states(rig, n) == [StepState.CANCELLED]


@pytest.mark.req("T-60")
async def test_what_was_said_of_an_appointment_far_ahead_is_not_forgotten(
    rig: WorklistRig, n: int
) -> None:
    over = next(numbers)
    for number in (n, over):
        await rig.take(order(number))
    merge = message(msh("ADT^A40", f"a40-{n}", "20260101123000"), pid(f"Q{n}"), f"MRG|P{n}^^^HOSP")
    await rig.take(merge)
    await rig.take(cancel(over))
    await rig.database.write(hl7_keeping.forget(NOW + 1))
    assert await rig.kept() == []
    kept = await rig.database.read(
        lambda tx: [row[0] for row in tx.rows("SELECT key FROM hl7_order_key ORDER BY key")]
    )
    assert {f"f:FI{n}", f"p:PL{n}"} <= set(kept)
    assert f"p:PL{over}" not in kept
    later = message(
        msh(control=f"late{n}", at="20260101122000"),
        pid(f"P{n}"),
        f"ORC|XO|PL{n}",
        f"OBR|1|PL{n}||X^Y",
    )
    assert await rig.code(later) == "AA"
    (step,) = await rig.steps.find(placer=f"PL{n}")
    assert step.patient_id == f"Q{n}"


@pytest.mark.req("T-60")
async def test_a_patients_data_reach_steps_whose_order_was_forgotten(
    rig: WorklistRig, n: int
) -> None:
    await rig.take(order(n))
    await rig.database.write(lambda tx: tx.run("DELETE FROM hl7_order"))
    await rig.database.write(lambda tx: tx.run("DELETE FROM hl7_order_key"))
    raw = message(msh("ADT^A08", f"a08-{n}", "20260101150000"), pid(f"P{n}", "New^Name"))
    assert await rig.code(raw) == "AA"
    (step,) = await rig.steps.find(placer=f"PL{n}")
    assert flat(step.data)["PatientName"] == ("New^Name",)


@pytest.mark.req("T-60")
@pytest.mark.parametrize("verb", ["NW", "CA", "DC"])
async def test_an_order_number_of_another_patient_touches_no_step(
    rig: WorklistRig, n: int, verb: str
) -> None:
    await rig.take(order(n))
    before = await rig.steps.find(placer=f"PL{n}")
    answer = await rig.take(order(n, verb=verb, at="20260101130000", patient=f"OTHER{n}"))
    assert answer.value("MSA", 1) == "AE"
    assert "ORC-2" in answer.value("MSA", 3)
    assert await rig.steps.find(placer=f"PL{n}") == before


@pytest.mark.req("T-60")
@pytest.mark.parametrize("merged", [True, False])
async def test_an_order_follows_its_patient_to_another_id(
    rig: WorklistRig, n: int, *, merged: bool
) -> None:
    await rig.take(order(n))
    if merged:
        said = message(
            msh("ADT^A40", f"a40-{n}", "20260101123000"), pid(f"Q{n}"), f"MRG|P{n}^^^HOSP"
        )
    else:
        said = order(n, verb="XO", at="20260101123000", patient=f"Q{n}")
    assert await rig.code(said) == "AA"
    assert await rig.code(cancel(n, patient=f"Q{n}")) == "AA"
    assert await states(rig, n) == [StepState.CANCELLED]


@pytest.mark.req("T-60")
async def test_a_cancelled_step_that_was_under_way_is_not_back_for_good(
    rig: WorklistRig, n: int
) -> None:
    await rig.take(order(n))
    (step,) = await rig.steps.find(placer=f"PL{n}")
    await rig.steps.move(step.id, StepState.STARTED, PERSON)
    assert await rig.code(cancel(n)) == "AA"
    assert await states(rig, n) == [StepState.STARTED]
    # As where the wrong entry was chosen at the modality.
    await rig.steps.move(step.id, StepState.SCHEDULED, PERSON)
    await rig.take(message(msh("ADT^A08", f"a08-{n}", "20260101150000"), pid(f"P{n}")))
    assert await states(rig, n) == [StepState.CANCELLED]


@pytest.mark.req("T-60")
async def test_a_refused_message_outlives_another_one_under_its_control_id(
    rig: WorklistRig, n: int
) -> None:
    refused = order(n, control=f"C{n}").replace(b"19700102", b"19701399")
    assert await rig.code(refused) == "AE"
    assert await rig.code(order(n, control=f"C{n}")) == "AA"
    rows = [one for one in await rig.kept() if one.control_id == f"C{n}"]
    assert [(one.code, one.message == refused) for one in rows] == [("AA", False), ("AE", True)]


@pytest.mark.req("T-60")
async def test_a_date_beyond_every_zone_is_refused_with_its_place(rig: WorklistRig, n: int) -> None:
    answer = await rig.take(order(n, when="99991231235959-0500"))
    assert answer.value("MSA", 1) == "AE"
    assert "does not exist" in answer.value("MSA", 3)


@pytest.mark.req("T-60")
async def test_a_mistake_of_ours_is_answered_kept_and_told_without_a_value(
    rig: WorklistRig, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "Secret^Name cannot be read"

    def broken(*_parts: object) -> object:
        raise ValueError(words)

    with monkeypatch.context() as patch, structlog.testing.capture_logs() as lines:
        patch.setattr(hl7_feed, "news_of", broken)
        assert await rig.code(order(n)) == "AE"
    assert "ValueError" in str(lines)
    assert "Secret" not in str(lines)
    assert (await rig.kept(1))[0].why == "internal failure"
    assert await rig.code(order(n)) == "AA"


async def test_a_long_message_is_read_in_a_thread(
    rig: WorklistRig, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    read = news_of

    def watched(*parts: Any) -> Any:
        seen.append(threading.current_thread() is threading.main_thread())
        return read(*parts)

    monkeypatch.setattr(hl7_feed, "news_of", watched)
    await rig.take(order(n))
    await rig.take(order(n, verb="XO", extra=[f"NTE|1||{'x' * hl7_feed.LONG}"]))
    assert seen == [True, False]
