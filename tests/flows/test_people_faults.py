"""An audit trail that cannot be written stops looks at patients, and nothing else of a node."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.flows.rig import Rig
from waystation.app.node import Node
from waystation.app.people import People
from waystation.app.worklisting import Worklisting
from waystation.db.engine import Database
from waystation.db.statement import Transaction
from waystation.flows.auditing import Trail
from waystation.journal import audit
from waystation.journal.audit import Event
from waystation.model.errors import StorageError

KEY = b"k" * 32


def full(*_: Any) -> Callable[[Transaction], int]:
    def job(_transaction: Transaction) -> int:
        raise StorageError("disk full")

    return job


class Next(Worklisting):
    """An annex that comes after the people, and tells what it was asked."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.heard: list[str] = []

    async def change(self, settings: Any) -> None:
        self.heard.append("change")

    async def stop(self) -> None:
        self.heard.append("stop")


@pytest.mark.req("S-67")
async def test_a_node_reloads_alarms_and_ends_while_no_record_can_be_written(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.makers = (People, Next)
    await rig.start()
    node = rig.node
    people, after = node.annexes.of(People), node.annexes.of(Next)
    monkeypatch.setattr(people.trail, "_job", full)
    with capture_logs() as logged:
        await node.reload(rig.settings("[worklist]\nenabled = true\n"), "another")
        await node.database.write(lambda transaction: None)
        assert "change" in after.heard
        (found,) = node.watching.found()
        assert (found.subject, found.kind) == ("audit trail", "unrecorded")
        await rig.stop()
    assert after.heard == ["change", "stop"]
    told = [one["event"] for one in logged if one["log_level"] == "error"]
    assert told == ["audit trail cannot be written", "the end is not in the audit trail"]
    await rig.restart()


async def trailed(rig: Rig) -> tuple[Trail, Database]:
    await rig.start()
    return Trail(rig.node.database, KEY, lambda: 1000.0), rig.node.database


@pytest.mark.req("S-67")
async def test_a_look_that_left_no_record_leaves_one_when_records_can_be_written_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail, database = await trailed(rig)
    with monkeypatch.context() as broken:
        broken.setattr(trail, "_job", full)
        trail.looked(Event.LOOKED, "eve", ("1.2.3",), study="1.2.3")
        await database.write(lambda transaction: None)
        assert trail.findings()
        assert not await trail.fit()
    assert await trail.fit()
    assert not trail.findings()
    trail.looked(Event.LOOKED, "eve", ("1.2.3",), study="1.2.3")
    await database.write(lambda transaction: None)
    assert len(await database.read(audit.records(event=Event.LOOKED))) == 1


async def test_the_belt_of_the_trail_outlives_a_journal_that_cannot_be_read(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail, database = await trailed(rig)

    async def unreadable(_job: object) -> None:
        raise StorageError("disk gone")

    async def next_minute(_seconds: float) -> None:
        raise TimeoutError

    monkeypatch.setattr(database, "read", unreadable)
    monkeypatch.setattr("waystation.flows.auditing.asyncio.sleep", next_minute)
    with capture_logs() as logged, pytest.raises(TimeoutError):
        await trail.run()
    monkeypatch.undo()
    assert [one["event"] for one in logged] == ["audit head cannot be read"]
