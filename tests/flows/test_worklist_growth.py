"""What the worklist does not keep for ever, in memory and on disk (T-55)."""

from collections.abc import AsyncIterator, Iterable

import pytest
import pytest_asyncio

from tests.flows.ward import PERSON, Ward, ward
from waystation.db.statement import Transaction
from waystation.flows import worklist
from waystation.flows.step_images import BACK_S, StepImages
from waystation.index import mpps, query_book
from waystation.index.mpps import CREATE, DONE, Kept, Message
from waystation.journal import commitments
from waystation.matching.performed import Order, Performed
from waystation.model.errors import StorageError
from waystation.model.query import Row
from waystation.model.step import StepState

pytestmark = pytest.mark.asyncio(loop_scope="module")
LONG_S = 400 * 86_400.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hospital(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worklist, "MOST_UNKEPT", 2)
        async with ward(tmp_path_factory.mktemp("growth")) as made:
            yield made


def done(study: str, *objects: str) -> Performed:
    return Performed(
        state=StepState.COMPLETED,
        data=b"",
        orders=(Order(study_uid=study),),
        objects=objects,
        row=Row(),
    )


async def test_images_that_never_come_are_not_waited_for_for_ever(
    hospital: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    faults = [StorageError("as if the database were away")]

    def all_here(objects: Iterable[str]) -> object:
        asked.extend(objects)

        def job(_transaction: Transaction) -> set[str]:
            if faults:
                raise faults.pop()
            return set()

        return job

    monkeypatch.setattr(commitments, "all_here", all_here)
    now = [1000.0]
    images = StepImages(hospital.steps, hospital.node.database, lambda: now[0], lambda _uids: None)
    images.ended(done("1.1", "1.1.1"))
    with pytest.raises(StorageError):
        await images.look()
    # It is asked again, as nobody knows yet.
    await images.look()
    images.ended(done("1.1", "1.1.2"))
    await images.look()
    assert asked == ["1.1.1"] * 2 + ["1.1.1", "1.1.2"]
    now[0] += BACK_S + 1
    asked.clear()
    images.ended(done("1.1", "1.1.3"))
    await images.look()
    assert asked == ["1.1.3"]


async def left(hospital: Ward) -> list[tuple[str, str]]:
    """Return what is kept of procedures and messages."""

    def job(transaction: Transaction) -> list[tuple[str, str]]:
        text = (
            "SELECT sop_instance, 'mpps' FROM mpps"
            " UNION ALL SELECT sop_instance, 'told' FROM mpps_forward ORDER BY 1, 2"
        )
        return [(row[0], row[1]) for row in transaction.rows(text)]

    return await hospital.node.database.read(job)


async def test_what_was_performed_and_told_leaves_with_its_steps(
    hospital: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, listed = await hospital.add({}, {"ScheduledProcedureStepStartDate": "20300101"})
    await hospital.steps.move(over, StepState.COMPLETED, PERSON)
    database = hospital.node.database
    now = hospital.node.clock()

    def job(transaction: Transaction) -> None:
        for uid, steps in (("1.5.1", [over]), ("1.5.2", [over, listed])):
            kept = Kept(
                sop_instance=uid,
                state=StepState.COMPLETED,
                calling_ae="CT1",
                data=b"",
                study_uid="",
                created_at=now,
                changed_at=now,
            )
            mpps.put(transaction, kept)
            mpps.link(transaction, uid, steps)
        messages = [
            Message(
                id=number,
                target="nobody",
                sop_instance=f"1.5.{number}",
                operation=CREATE,
                data=b"",
                attempts=0,
                due=now + 2 * LONG_S,
                created_at=now,
            )
            for number in (1, 2)
        ]
        mpps.enqueue(transaction, messages)
        mpps.ended(1, DONE)(transaction)

    await database.write(job)
    await hospital.list.ends.look()
    assert len(await left(hospital)) == 4
    monkeypatch.setattr(hospital.node, "clock", lambda: now + LONG_S)
    await hospital.list.ends.look()
    assert await left(hospital) == [("1.5.2", "mpps"), ("1.5.2", "told")]


async def test_queries_that_cannot_be_written_down_are_not_heaped_up(
    hospital: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_asked: object) -> object:
        def job(_transaction: Transaction) -> None:
            raise StorageError("database: disk full")

        return job

    with monkeypatch.context() as patch:
        patch.setattr(query_book, "note", full)
        for name in ("ONE", "TWO", "THREE"):
            await hospital.find({"PatientName": name})
    await hospital.list.worklist.settle()
    kept = await hospital.node.database.read(query_book.last())
    assert [
        name for one in kept for name in (b"ONE", b"TWO", b"THREE") if name in one.identifier
    ] == [b"THREE", b"TWO"]
