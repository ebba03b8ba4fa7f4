"""Images and performed steps together: who is started, what is complete, who else hears of it."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.flows.rig import destination
from tests.flows.ward import PERSON, Ward, ward
from tests.net.sink import Sink, call_to, store, until_async
from tests.objects.files import Stored
from tests.objects.samples import study
from tests.peers.program import free_port
from waystation.db.statement import Transaction
from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.index import mpps
from waystation.model.step import StepState, Values

S = StepState
THREE = study(3, seed="step images")
WHOLE = """
[[rule]]
name = "whole"
trigger = "study"
send = ["a"]
[completeness]
quiet = "1h"
release = "1h"
force_after = "2h"
"""


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    made = Sink()
    await made.start()
    yield made
    await made.stop()


def said(stored: Stored, tag: int) -> str:
    return Head.from_bytes(stored.data_set, stored.transfer_syntax).text(tag)


STUDY, MODALITY = (said(THREE[0], tag) for tag in (tags.STUDY_INSTANCE_UID, tags.MODALITY))


async def send(hospital: Ward, *stored: Stored) -> None:
    call = await call_to(hospital.remote(), stored)
    for one in stored:
        assert (await store(call, one)).status == 0
    await call.release()


async def state(hospital: Ward, number: int) -> StepState:
    step = await hospital.steps.get(number)
    assert step is not None
    return step.state


async def in_state(hospital: Ward, number: int, wanted: StepState) -> bool:
    return await state(hospital, number) is wanted


@pytest.mark.req("T-59")
async def test_the_first_image_starts_its_step_if_nobody_else_said_so(tmp_path: Path) -> None:
    async with ward(tmp_path) as hospital:
        of_study = {"StudyInstanceUID": STUDY, "Modality": MODALITY}
        mine, other = await hospital.add(of_study, {**of_study, "Modality": "PT"})
        (done,) = await hospital.add(of_study)
        await hospital.steps.move(done, S.COMPLETED, PERSON)
        await send(hospital, THREE[0])
        await until_async(partial(in_state, hospital, mine, S.STARTED))
        assert await state(hospital, other) is S.SCHEDULED
        assert await state(hospital, done) is S.COMPLETED
        last = (await hospital.steps.history(mine))[-1]
        assert (last.author.kind, last.author.name) == ("images", "CT1")


@pytest.mark.req("T-59")
async def test_an_order_that_comes_after_its_first_image_is_started_by_the_next(
    tmp_path: Path,
) -> None:
    async with ward(tmp_path) as hospital:
        await send(hospital, THREE[0])
        await hospital.node.router.settled()

        async def looked_at() -> bool:
            return not hospital.list.images.waiting

        await until_async(looked_at)
        (late,) = await hospital.add({"StudyInstanceUID": STUDY, "Modality": MODALITY})
        assert await state(hospital, late) is S.SCHEDULED
        await send(hospital, THREE[1])
        await until_async(partial(in_state, hospital, late, S.STARTED))


def performed(*stored: Stored) -> Values:
    return {
        "PerformedProcedureStepStatus": "COMPLETED",
        "PerformedProcedureStepEndDate": "20260301",
        "PerformedProcedureStepEndTime": "0930",
        "PerformedSeriesSequence": [
            {
                "SeriesInstanceUID": said(stored[0], tags.SERIES_INSTANCE_UID),
                "ReferencedImageSequence": [
                    {
                        "ReferencedSOPClassUID": one.sop_class,
                        "ReferencedSOPInstanceUID": one.sop_instance,
                    }
                    for one in stored
                ],
            }
        ],
    }


async def begun(hospital: Ward, uid: str = "1.2.3.1") -> None:
    values: Values = {
        "PatientID": "H1",
        "PerformedProcedureStepStatus": "IN PROGRESS",
        "PerformedProcedureStepID": "1",
        "PerformedStationAETitle": "CT1",
        "PerformedProcedureStepStartDate": "20260301",
        "PerformedProcedureStepStartTime": "0900",
        "Modality": MODALITY,
        "ScheduledStepAttributesSequence": [{"StudyInstanceUID": STUDY}],
    }
    assert (await hospital.mpps("create", uid, values)).status == 0


@pytest.mark.req("R-71", "T-58")
async def test_a_study_is_complete_once_all_is_here_that_its_modality_says_it_made(
    tmp_path: Path, sink: Sink
) -> None:
    async with ward(tmp_path, destination("a", sink.port) + WHOLE) as hospital:
        await send(hospital, *THREE[:2])
        await begun(hospital)
        assert (await hospital.mpps("set", "1.2.3.1", performed(*THREE))).status == 0
        await hospital.node.router.settled()
        assert sink.objects == []
        assert hospital.node.gathers.open == 1
        await send(hospital, THREE[2])

        async def all_there() -> bool:
            return len(sink.objects) == 3

        await until_async(all_there)

        def evidence(transaction: Transaction) -> list[tuple[str]]:
            return list(transaction.rows("SELECT evidence FROM gather"))

        assert await hospital.node.database.read(evidence) == [("mpps",)]


@pytest.mark.req("T-58")
async def test_what_is_performed_goes_on_in_order_even_if_the_other_side_was_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    config = destination("ris", port).replace("SINK", "WAYSTATION")
    config += '[worklist]\nforward = ["ris"]\n'
    async with ward(tmp_path / "here", config) as hospital:
        await begun(hospital)
        assert (await hospital.mpps("set", "1.2.3.1", performed(*THREE))).status == 0
        database = hospital.node.database

        async def waits() -> bool:
            found = await database.read(mpps.first_of("ris"))
            return found is not None and found.attempts > 0

        await until_async(waits)
        async with ward(tmp_path / "ris", dicom="", port=port) as ris:
            now = hospital.node.clock()
            monkeypatch.setattr(hospital.node, "clock", lambda: now + 3600)
            hospital.list.forward.wake()

            async def nothing_waits() -> bool:
                return not await database.read(mpps.targets())

            await until_async(nothing_waits)
            (kept,) = await ris.node.database.read(mpps.newest(10))
            assert (kept.sop_instance, kept.state) == ("1.2.3.1", S.COMPLETED)
            (step,) = await ris.steps.find(study_uid=STUDY)
            assert step.state is S.COMPLETED
            assert [one.what for one in await ris.steps.history(step.id)] == ["created", "moved"]


CHECKED = """
[validate.listed]
source = "worklist"
[[rule]]
name = "all"
validate = ["listed"]
send = ["a"]
"""


async def fates(hospital: Ward) -> list[tuple[str, str]]:
    def job(transaction: Transaction) -> list[tuple[str, str]]:
        text = "SELECT state, coalesce(why, '') FROM delivery ORDER BY id"
        return [(row[0], row[1]) for row in transaction.rows(text)]

    return await hospital.node.database.read(job)


@pytest.mark.req("R-68")
async def test_an_image_whose_patient_is_not_on_the_worklist_is_held(
    tmp_path: Path, sink: Sink
) -> None:
    async with ward(tmp_path, destination("a", sink.port) + CHECKED) as hospital:
        first, second, third = THREE

        async def ended(count: int) -> bool:
            states = [state for state, _ in await fates(hospital)]
            return len(states) == count and not {"waiting", "sending"} & set(states)

        await send(hospital, first)
        await until_async(partial(ended, 1))
        (fate,) = await fates(hospital)
        assert fate[0] == "held"
        assert fate[1].startswith("listed: unknown: no step of the worklist has its Study")
        patient = {
            "PatientID": said(first, tags.PATIENT_ID),
            "PatientName": said(first, tags.PATIENT_NAME),
        }
        (number,) = await hospital.add({"StudyInstanceUID": STUDY, **patient})
        await send(hospital, second)
        await until_async(partial(ended, 2))
        assert (await fates(hospital))[1][0] == "done"
        await hospital.steps.change(number, {"PatientName": "Some^Body^Else"}, None, PERSON)
        await send(hospital, third)
        await until_async(partial(ended, 3))
        assert (await fates(hospital))[2] == ("held", "listed: mismatch: PatientName differs")
