"""Performed procedure steps, told to a node over real associations (T-58, T-59, TT-28)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.flows.asking import open_call
from tests.flows.ward import PERSON, Ward, ward
from waystation.dicom.uids import MPPS
from waystation.index import mpps
from waystation.model.step import Step, StepState
from waystation.wire.commands import N_GET_RQ, Command

pytestmark = pytest.mark.asyncio(loop_scope="module")
S = StepState
END = {"PerformedProcedureStepEndDate": "20260301", "PerformedProcedureStepEndTime": "0930"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hospital(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    async with ward(tmp_path_factory.mktemp("mpps")) as made:
        yield made


class Room:
    """A step of its own, and what is performed for it.  uid: of the next performed step."""

    number = 0

    def __init__(self, hospital: Ward) -> None:
        self.ward = hospital

    async def step(self, **values: str) -> "Room":
        Room.number += 1
        self.base = f"1.2.3.{Room.number}"
        (self.id,) = await self.ward.add({"StudyInstanceUID": f"{self.base}.0", **values})
        found = await self.now()
        self.order = {
            "StudyInstanceUID": found.study_uid,
            "ScheduledProcedureStepID": found.step_id,
            "AccessionNumber": found.accession,
        }
        return self

    async def now(self) -> Step:
        found = await self.ward.steps.get(self.id)
        assert found is not None
        return found

    def values(self, **more: Any) -> dict[str, Any]:
        return {
            "PatientName": "Haydn^Joseph",
            "PatientID": "H1",
            "PerformedProcedureStepStatus": "IN PROGRESS",
            "PerformedProcedureStepID": "PPS1",
            "PerformedStationAETitle": "CT1",
            "PerformedProcedureStepStartDate": "20260301",
            "PerformedProcedureStepStartTime": "0901",
            "Modality": "CT",
            "ScheduledStepAttributesSequence": [self.order],
            **more,
        }

    async def create(self, number: int = 1, **more: Any) -> int:
        answer = await self.ward.mpps("create", f"{self.base}.{number}", self.values(**more))
        return answer.status

    async def set(self, status: str, number: int = 1, **more: Any) -> tuple[int, int | None]:
        values = {**END, **more} | ({"PerformedProcedureStepStatus": status} if status else {})
        answer = await self.ward.mpps("set", f"{self.base}.{number}", values)
        return answer.status, answer.command.error_id


WRONG_ENTRY: dict[str, Any] = {
    "PerformedProcedureStepDiscontinuationReasonCodeSequence": [
        {
            "CodeValue": "110514",
            "CodingSchemeDesignator": "DCM",
            "CodeMeaning": "Incorrect worklist entry selected",
        }
    ]
}
# What is said, in order: (operation, number, status word), the answers, and where the step ends.
TABLE: list[tuple[str, list[tuple[str, int, str]], list[int], StepState]] = [
    ("begins", [("create", 1, "")], [0], S.STARTED),
    ("ends", [("create", 1, ""), ("set", 1, "COMPLETED")], [0, 0], S.COMPLETED),
    (
        "goes on in between",
        [("create", 1, ""), ("set", 1, "IN PROGRESS"), ("set", 1, ""), ("set", 1, "COMPLETED")],
        [0, 0, 0, 0],
        S.COMPLETED,
    ),
    ("is given up", [("create", 1, ""), ("set", 1, "DISCONTINUED")], [0, 0], S.DISCONTINUED),
    (
        "was the wrong entry",
        [("create", 1, ""), ("set", 1, "DISCONTINUED wrong entry")],
        [0, 0],
        S.SCHEDULED,
    ),
    (
        "nothing comes after the end",
        [("create", 1, ""), ("set", 1, "COMPLETED"), ("set", 1, "COMPLETED")],
        [0, 0, 0x0110],
        S.COMPLETED,
    ),
    (
        "nothing comes after it was given up",
        [("create", 1, ""), ("set", 1, "DISCONTINUED"), ("set", 1, "IN PROGRESS")],
        [0, 0, 0x0110],
        S.DISCONTINUED,
    ),
    ("twice", [("create", 1, ""), ("create", 1, "")], [0, 0x0111], S.STARTED),
    ("unknown", [("set", 9, "COMPLETED")], [0x0112], S.SCHEDULED),
    ("no such word", [("create", 1, ""), ("set", 1, "DONE")], [0, 0x0106], S.STARTED),
    ("begins at its end", [("create", 1, "COMPLETED")], [0x0106], S.SCHEDULED),
    (
        "two for one step, one still under way",
        [("create", 1, ""), ("create", 2, ""), ("set", 1, "COMPLETED")],
        [0, 0, 0],
        S.STARTED,
    ),
    (
        "two for one step, one of them given up",
        [
            ("create", 1, ""),
            ("create", 2, ""),
            ("set", 1, "DISCONTINUED"),
            ("set", 2, "COMPLETED"),
        ],
        [0, 0, 0, 0],
        S.COMPLETED,
    ),
    (
        "a second one after the end",
        [("create", 1, ""), ("set", 1, "COMPLETED"), ("create", 2, "")],
        [0, 0, 0],
        S.STARTED,
    ),
]


@pytest.mark.req("T-58", "T-59", "TT-28")
@pytest.mark.parametrize(("name", "said", "answers", "state"), TABLE, ids=[row[0] for row in TABLE])
async def test_what_is_performed_moves_its_step(
    hospital: Ward,
    name: str,
    said: list[tuple[str, int, str]],
    answers: list[int],
    state: StepState,
) -> None:
    room = await Room(hospital).step()
    statuses = []
    for operation, number, word in said:
        if operation == "create":
            more = {"PerformedProcedureStepStatus": word} if word else {}
            statuses.append(await room.create(number, **more))
            continue
        reason = WRONG_ENTRY if "wrong" in word else {}
        status, error_id = await room.set(word.partition(" wrong")[0], number, **reason)
        statuses.append(status)
        assert (error_id == 0xA710) == (status == 0x0110)
    assert statuses == answers
    assert (await room.now()).state is state


@pytest.mark.req("T-58")
async def test_a_completed_step_leaves_the_list_and_a_wrong_entry_comes_back(
    hospital: Ward,
) -> None:
    room = await Room(hospital).step(PatientName="On^List")
    asked = {"PatientName": "On^List"}
    assert await hospital.names(asked) == ["On^List"]
    await room.create()
    assert await hospital.names(asked) == []
    await room.set("DISCONTINUED", 1, **WRONG_ENTRY)
    assert await hospital.names(asked) == ["On^List"]
    await room.create(2)
    await room.set("COMPLETED", 2)
    assert await hospital.names(asked) == []
    assert await hospital.names(asked, ScheduledProcedureStepStatus="COMPLETED") == ["On^List"]


@pytest.mark.req("T-58")
async def test_a_step_that_was_cancelled_while_it_was_scanned_does_not_come_back(
    hospital: Ward,
) -> None:
    room = await Room(hospital).step()
    await room.create()
    await hospital.steps.move(room.id, S.CANCELLED, PERSON)
    await room.set("DISCONTINUED", 1, **WRONG_ENTRY)
    assert (await room.now()).state is S.DISCONTINUED


@pytest.mark.req("T-58")
@pytest.mark.parametrize(
    ("missing", "status"), [("PerformedStationAETitle", 0x0120), ("Modality", 0x0120)]
)
async def test_an_n_create_without_what_it_needs_is_refused(
    hospital: Ward, missing: str, status: int
) -> None:
    room = await Room(hospital).step()
    values = room.values()
    del values[missing]
    answer = await hospital.mpps("create", f"{room.base}.1", values)
    assert answer.status == status
    assert missing in answer.command.error_comment
    answer = await hospital.mpps("create", f"{room.base}.1", {**values, missing: ""})
    assert answer.status == 0x0121
    assert (await room.now()).state is S.SCHEDULED


@pytest.mark.req("T-58")
async def test_a_step_is_found_by_accession_number_and_patient_too(hospital: Ward) -> None:
    room = await Room(hospital).step(PatientID="P-77")
    room.order = {"AccessionNumber": room.order["AccessionNumber"], "StudyInstanceUID": "1.9.9"}
    assert await room.create(PatientID="somebody else") == 0
    assert (await room.now()).state is S.SCHEDULED
    assert await room.create(2, PatientID="P-77") == 0
    assert (await room.now()).state is S.STARTED


@pytest.mark.req("T-58")
async def test_what_nobody_ordered_opens_a_step_of_its_own(hospital: Ward) -> None:
    room = await Room(hospital).step()
    room.order = {"StudyInstanceUID": "1.77.1"}
    more = {"PatientName": "Walk^In\u00e9", "PatientID": "W1", "PatientSex": "unknown, as typed"}
    assert await room.create(1, **more) == 0
    (opened,) = await hospital.steps.find(study_uid="1.77.1")
    assert (opened.state, opened.patient_name) == (S.STARTED, "Walk^In\u00e9")
    assert (opened.modality, opened.station, opened.accession) == ("CT", "CT1", "")
    assert opened.start.startswith("202603010901")
    await room.set("COMPLETED")
    found = await hospital.steps.get(opened.id)
    assert found is not None
    assert found.state is S.COMPLETED


@pytest.mark.req("T-58")
async def test_one_performed_step_may_serve_several_scheduled_ones(hospital: Ward) -> None:
    one, two = await Room(hospital).step(), await Room(hospital).step()
    both = [one.order, two.order]
    assert await one.create(ScheduledStepAttributesSequence=both) == 0
    assert [(await room.now()).state for room in (one, two)] == [S.STARTED] * 2
    await one.set("COMPLETED")
    assert [(await room.now()).state for room in (one, two)] == [S.COMPLETED] * 2


@pytest.mark.req("T-58")
async def test_a_peer_that_names_no_uid_is_told_the_one_it_got(hospital: Ward) -> None:
    room = await Room(hospital).step()
    answer = await hospital.mpps("create", "", room.values())
    assert answer.status == 0
    assert answer.command.sop_instance_uid.startswith("2.25.")


@pytest.mark.req("T-59")
async def test_who_moved_a_step_when_and_from_what_stays_with_it(hospital: Ward) -> None:
    room = await Room(hospital).step()
    await hospital.steps.move(room.id, S.ARRIVED, PERSON)
    await room.create()
    moves = [
        (one.author.kind, one.author.name, one.before["state"], one.after["state"])
        for one in await hospital.steps.history(room.id)
        if one.what == "moved"
    ]
    assert moves == [
        ("person", "ann", "scheduled", "arrived"),
        ("mpps", "CT1", "arrived", "started"),
    ]
    assert (await hospital.steps.history(room.id))[-1].author.detail == f"{room.base}.1"


@pytest.mark.req("T-58")
async def test_what_the_n_create_said_once_is_not_changed_by_an_n_set(hospital: Ward) -> None:
    room = await Room(hospital).step()
    await room.create()
    assert await room.set("COMPLETED", PatientID="other") == (0, None)
    (kept,) = await hospital.node.database.read(lambda t: mpps.of_step(t, room.id))
    assert (b"H1" in kept.data, b"other" in kept.data) == (True, False)


async def test_an_n_get_is_refused_in_words(hospital: Ward) -> None:
    call = await open_call(hospital.remote(), MPPS)
    context = call.context_of(MPPS)
    command = Command(
        field=N_GET_RQ, message_id=9, sop_class_uid=MPPS, sop_instance_uid="1.2.3.9.9"
    )
    answers = [one async for one in call.ask(context, command, b"")]
    await call.release()
    assert [one.status for one in answers] == [0x0211]
