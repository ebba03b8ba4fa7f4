"""F14: a destination is away for a day and for a week, on a simulated clock (S-22, S-33)."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from tests.torture.books import Row
from tests.torture.warp import WarpDatabase, WarpIntake, WarpLoop, warped
from waystation.db.migrate import migrate
from waystation.destinations.base import Cargo, Pieces
from waystation.flows.deliver import LaneBelt
from waystation.flows.lane_settings import LaneSettings
from waystation.journal.adoption import Adoption, adopt
from waystation.journal.counts import tallies, unaccounted
from waystation.journal.ids import IdSource
from waystation.model.arrival import Arrival, Source
from waystation.model.delivery import Delivery
from waystation.model.instance import Instance
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome
from waystation.model.plan import Plan, Target
from waystation.timing.retry import RetryPolicy

DAY_S = 86_400.0
EPOCH = 1_790_000_000.0
# One a second was received before.
NOW = EPOCH + 1_000_000.0
LINE_S = 0.02  # one object on one association
CONNECT_S = 10.0  # until a connection is given up
PER_STUDY = 100
BATCH = PER_STUDY
PARALLEL = 2
AWAY = Deferred(fault=Fault.TRANSIENT, why="connect: timed out")
SHARE = 0.9


class Away:
    """A destination that cannot be reached until an instant of the simulated clock."""

    name = "pacs"

    def __init__(self, back_at: float, wanted: int) -> None:
        self._back_at = back_at
        self._wanted = wanted
        self.probes: list[float] = []
        self.tried = 0
        self.came: list[tuple[float, Delivery]] = []
        self.all_came = asyncio.Event()
        self.at_once = 0
        self._asking = 0

    async def probe(self) -> Deferred | None:
        now = asyncio.get_running_loop().time()
        self._asking += 1
        self.at_once = max(self.at_once, self._asking)
        self.probes.append(now)
        up = now >= self._back_at
        await asyncio.sleep(LINE_S if up else CONNECT_S)
        self._asking -= 1
        return None if up else AWAY

    async def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        loop = asyncio.get_running_loop()
        for delivery in batch:
            if loop.time() < self._back_at:
                self.tried += 1
                await asyncio.sleep(CONNECT_S)
                yield delivery, AWAY
                return
            await asyncio.sleep(LINE_S)
            self.came.append((loop.time(), delivery))
            if len(self.came) == self._wanted:
                self.all_came.set()
            yield delivery, Delivered()

    async def close(self) -> None:
        """Nothing is open."""


class NoCargo:
    """Bytes do not matter here."""

    async def load(self, delivery: Delivery) -> bytes | Pieces:
        return b""


def long_outage(folder: Path, *, seed: int, days: int = 7, queued: int = 100_000) -> Row:
    """Nothing expires, one probe at a time asks, and all drains in order once it is back (F14)."""
    folder.mkdir(parents=True, exist_ok=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        return warped(_outage(folder, days, queued))
    finally:
        structlog.reset_defaults()


async def _outage(folder: Path, days: int, queued: int) -> Row:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    migrate(folder / "journal.db")
    database = WarpDatabase(folder / "journal.db")
    database.open()
    intake = WarpIntake(folder / "intake")
    intake.open(0)
    intake.start()
    row = Row(row="F14", attempted=queued, acked=queued)
    try:
        await _queue_up(database, queued)
        far = Away(days * DAY_S, queued)
        settings = LaneSettings(policy=RetryPolicy(), parallel=PARALLEL)
        belt = LaneBelt(far, settings, database, intake, NoCargo(), lambda: NOW + loop.time())
        running = asyncio.create_task(belt.run())
        for day in range(1, days + 1):
            await asyncio.sleep(day * DAY_S - 1.0 - loop.time())
            waiting = (await database.read(tallies()))["pacs"].get("waiting", 0)
            if waiting < queued - PARALLEL:
                row.faults.append(f"day {day}: {waiting} of {queued} wait")
        with suppress(TimeoutError):
            await asyncio.wait_for(far.all_came.wait(), DAY_S)
        await belt.stop(5.0)
        await running
        counted = await database.read(unaccounted(NOW + loop.time()))
        row.unaccounted = sum(abs(value) for value in counted.values())
    finally:
        intake.close()
        database.close()
    _judge(row, far, days)
    return row


async def _queue_up(database: WarpDatabase, queued: int) -> None:
    ids = IdSource()
    plan = Plan(targets=(Target(destination="pacs", rules=("all",)),))
    for first in range(0, queued, BATCH):
        numbers = range(first, min(first + BATCH, queued))
        adoptions = [Adoption(arrival=_arrival(n, ids), plan=plan, data=b"") for n in numbers]
        await database.write(adopt(adoptions, ids, EPOCH + first, lambda _a, made, _e: made))


def _arrival(number: int, ids: IdSource) -> Arrival:
    study = f"2.25.{number // PER_STUDY + 1}"
    return Arrival(
        id=ids.next(),
        received_at=EPOCH,
        source=Source(peer="ct", calling_ae="CT", called_ae="WAYSTATION", address="127.0.0.1"),
        instance=Instance(
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            sop_instance_uid=f"{study}.{number}",
            study_uid=study,
            series_uid=f"{study}.0",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            patient_id="",
            modality="CT",
        ),
        blob="",
        size_bytes=0,
        sha256="00" * 32,
    )


def _judge(row: Row, far: Away, days: int) -> None:
    came = [delivery.arrival_id for _, delivery in far.came]
    row.delivered = len(came)
    row.lost = row.acked - len(set(came))
    row.repeats = len(came) - len(set(came))
    if row.lost or row.repeats or row.unaccounted:
        row.faults.append(f"lost {row.lost}, repeated {row.repeats}, odd {row.unaccounted}")
    if far.at_once > 1:
        row.faults.append(f"{far.at_once} probes at the same time")
    if far.tried > 2 * PARALLEL:
        row.faults.append(f"{far.tried} deliveries were tried while it was away")
    studies = list(dict.fromkeys(delivery.study_uid for _, delivery in far.came))
    # Side by side, and one more for each that was in hand when the line went down.
    if any(abs(_number(study) - place) > 2 * PARALLEL for place, study in enumerate(studies, 1)):
        row.faults.append("it did not drain oldest first")
    if not _in_order(far.came):
        row.faults.append("a study did not come in order")
    if not far.came:
        return
    back = days * DAY_S
    waited_s, drain_s = far.came[0][0] - back, far.came[-1][0] - far.came[0][0]
    rate = len(came) * LINE_S / PARALLEL / max(drain_s, LINE_S)
    if rate < SHARE:
        row.faults.append(f"drained at {rate:.0%} of what the line takes")
    row.notes.append(
        f"{len(far.probes)} probes in {days} days; first after {waited_s:.0f} s; {rate:.0%} of line"
    )


def _number(study: str) -> int:
    return int(study.rsplit(".", 1)[1])


def _in_order(came: Sequence[tuple[float, Delivery]]) -> bool:
    """Return whether the objects of each study came in the order of their acceptance."""
    last: dict[str, int] = {}
    for _, delivery in came:
        if delivery.arrival_id < last.get(delivery.study_uid, 0):
            return False
        last[delivery.study_uid] = delivery.arrival_id
    return True
