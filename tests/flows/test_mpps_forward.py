"""Lanes of what goes on to others: none waits for another, and none sends twice (T-58)."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.flows.worklist_rig import NOW, WorklistRig, worklist_rig
from tests.net.sink import until, until_async
from waystation.db.statement import Transaction
from waystation.flows import mpps_forward
from waystation.flows.mpps_forward import MppsForward, Targets
from waystation.index import mpps
from waystation.index.mpps import CREATE, Message
from waystation.model.peer import Remote


class Wards(MppsForward):
    """Lanes to scripted targets.  sent: by target.  answers: whoever is in it has to be let go."""

    def __init__(self, rig: WorklistRig) -> None:
        targets = Targets(names=tuple, remote=remote)
        super().__init__(rig.database, lambda: rig.now[0], targets)
        self.sent: Counter[str] = Counter()
        self.hanging: dict[str, asyncio.Event] = {}
        self.broken: set[str] = set()

    async def _send(self, remote: Remote, message: Message) -> int:
        self.sent[remote.name] += 1
        if remote.name in self.broken:
            raise RuntimeError("as if there were a mistake")
        if (hanging := self.hanging.get(remote.name)) is not None:
            await hanging.wait()
        return 0


def remote(name: str) -> Remote:
    return Remote(name=name, ae_title=name, host="127.0.0.1", port=1, calling_ae="WS")


async def queue(rig: WorklistRig, number: int, target: str) -> None:
    message = Message(
        id=number,
        target=target,
        sop_instance=f"1.2.{number}",
        operation=CREATE,
        data=b"",
        attempts=0,
        due=NOW,
        created_at=NOW,
    )

    def job(transaction: Transaction) -> None:
        mpps.enqueue(transaction, [message])

    await rig.database.write(job)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[WorklistRig]:
    with worklist_rig(tmp_path) as made:
        yield made


@pytest.mark.req("T-58")
async def test_a_target_that_hangs_or_fails_holds_up_no_other_and_nothing_goes_twice(
    rig: WorklistRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpps_forward, "AGAIN_S", 0.01)
    lanes = Wards(rig)
    lanes.hanging["slow"] = asyncio.Event()
    lanes.broken.add("broken")
    await queue(rig, 1, "slow")
    await queue(rig, 2, "broken")
    running = asyncio.create_task(lanes.run())
    try:
        # It has failed several times, while the slow one still waits for its one answer.
        await until(lambda: lanes.sent["broken"] > 3)
        await queue(rig, 3, "quick")
        lanes.wake()
        await until(lambda: lanes.sent["quick"] == 1)
        assert lanes.sent["slow"] == 1
        lanes.broken.clear()
        lanes.hanging["slow"].set()

        async def all_gone() -> bool:
            return not await rig.database.read(mpps.targets())

        await until_async(all_gone)
        await queue(rig, 4, "slow")
        lanes.wake()
        await until(lambda: lanes.sent["slow"] == 2)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert asyncio.all_tasks() == {asyncio.current_task()}
