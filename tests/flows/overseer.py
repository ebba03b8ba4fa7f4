"""Watching, reports and outbox on a simulated clock, over a real journal and real lanes' health.

Contract: `Overseer.go_on` lets time pass minute by minute and lets every belt look, as it would
if it had been woken; lanes send nothing by themselves, the test says how they are.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

from tests.journal.making import NOW, adopted, arrival, claim_next, plan_to
from tests.timing.clockwork import delivery
from waystation.db.engine import Database
from waystation.db.migrate import migrate
from waystation.flows.conditions import Conditions, Limits, Sights
from waystation.flows.deliver import LaneBelt
from waystation.flows.groups import GroupSettings
from waystation.flows.lane_settings import LaneSettings
from waystation.flows.messages import Audience, Teller
from waystation.flows.outages import Outages
from waystation.flows.outbox import Outbox, Ways
from waystation.flows.report import Cast, Reports, ReportSettings
from waystation.flows.watch import Watch, WatchParts
from waystation.journal import deliveries
from waystation.journal.deliveries import Settlement
from waystation.journal.ids import IdSource
from waystation.model.delivery import Step
from waystation.model.outcome import Deferred, Fault
from waystation.model.plan import Plan
from waystation.timing.incident import Incidents, Patience
from waystation.timing.lane import Lane
from waystation.timing.retry import RetryPolicy
from waystation.timing.window import ALWAYS, Schedule

LISBON = ZoneInfo("Europe/Lisbon")
GONE = Deferred(fault=Fault.TRANSIENT, why="connection refused (10.1.9.10:104)")
REJECTED = Deferred(fault=Fault.PEER, why="rejected: calling AE title not recognised")
READERS = Audience(mail=("it@hospital.example",))
PIECE = 1000


class Door:
    """What conditions ask of a lane."""

    def __init__(self, name: str, clock: "Clock", window: Schedule) -> None:
        self.name = name
        self.lane = Lane(RetryPolicy())
        self.settings = LaneSettings(policy=RetryPolicy(), window=window)
        self._clock = clock

    def now(self) -> float:
        return self._clock.at

    def fails(self, outcome: Deferred = GONE) -> None:
        self.lane.failed(outcome, self.now(), jitter=0.5, delivery=delivery())

    def recovers(self) -> None:
        self.lane.settings_changed(self.now())
        assert self.lane.probe_due(self.now())
        self.lane.probe_begun(self.now())
        self.lane.probe_result(None, self.now() + 60.0)
        self.lane.began(self.now())
        self.lane.succeeded(self.now(), delivery())


@dataclass
class Clock:
    """Unix seconds; also stands for the monotonic clock."""

    at: float = NOW

    def __call__(self) -> float:
        return self.at


@dataclass
class Trouble:
    """What the node says of itself."""

    spool: str = ""
    config: str = ""
    unaccounted: int = 0
    schedules: dict[str, str] = field(default_factory=dict)
    tables: dict[str, tuple[float, str]] = field(default_factory=dict)
    groups: dict[str, GroupSettings] = field(default_factory=dict)


class Overseer:
    """Everything that watches, and what there is to see."""

    def __init__(self, database: Database, ways: Ways, limits: Limits, clock: Clock) -> None:
        self.clock, self.database = clock, database
        self.ids = IdSource()
        self.doors: dict[str, Door] = {}
        self.trouble = trouble = Trouble()
        self.outbox = Outbox(database, clock, ways)
        sights = Sights(
            belts=self.belts,
            groups=lambda: trouble.groups,
            schedules=lambda _at: list(trouble.schedules.items()),
            config_problem=lambda: trouble.config,
            spool=lambda: trouble.spool,
            unaccounted=lambda: trouble.unaccounted,
            tables=lambda: trouble.tables,
        )
        self.conditions = Conditions(limits, sights, database, clock)
        self.outages = Outages(database, self.ids, clock, self.belts)
        teller = Teller(node="radiology", zone=LISBON, audience=READERS)
        parts = WatchParts(
            conditions=self.conditions,
            incidents=Incidents(Patience()),
            teller=teller,
            outages=self.outages,
            posted=lambda: None,
        )
        self.watch = Watch(parts, database, self.ids, clock)
        self.reports = self.reporting([])

    def belts(self) -> Mapping[str, LaneBelt]:
        return cast(Mapping[str, LaneBelt], self.doors)

    def reporting(self, settings: list[ReportSettings], peers: tuple[str, ...] = ()) -> Reports:
        """Report from now on by these settings."""
        people = Cast(node="radiology", destinations=list(self.doors), peers=peers)
        self.reports = Reports(settings, people, self.database, self.ids, self.clock, lambda: None)
        return self.reports

    def door(self, name: str, window: Schedule = ALWAYS) -> Door:
        self.doors[name] = Door(name, self.clock, window)
        return self.doors[name]

    async def go_on(self, minutes: float, *, step_s: float = 60.0) -> None:
        """Let time pass."""
        until = self.clock.at + minutes * 60.0
        while self.clock.at < until:
            self.clock.at = min(until, self.clock.at + step_s)
            await self.look()

    async def look(self) -> None:
        for name in self.doors:
            self.outages.changed(name)
        await self.watch.round()
        await self.reports.round()
        await self.outbox.round()

    # the queue

    async def waits(self, n: int, to: str = "pacs", *, study: str = "1.2.3") -> None:
        """Let ``n`` deliveries wait for a destination."""
        await self.take([plan_to(to)] * n, study=study)

    async def take(self, plans: list[Plan], *, study: str = "1.2.3", peer: str = "ct1") -> None:
        """Adopt an arrival for each plan."""
        for start in range(0, len(plans), PIECE):
            pairs = []
            for plan in plans[start : start + PIECE]:
                one = arrival(self.ids.next(), study=study)
                source = replace(one.source, peer=peer)
                pairs.append((replace(one, received_at=self.clock.at, source=source), plan))
            await self.database.write(adopted(self.ids, *pairs, now=self.clock.at))

    async def ends(self, to: str, step: Step = Step.DELIVERED, **more: object) -> int:
        """End everything that waits for a destination; return how many there were."""
        done = 0
        while batch := await self.database.write(
            claim_next(to, now=self.clock.at, lease_until=self.clock.at + 60.0, limit=PIECE)
        ):
            await self.database.write(
                deliveries.settle(
                    [
                        Settlement(delivery=d, step=step, now=self.clock.at, **more)  # type: ignore[arg-type]
                        for d in batch
                    ]
                )
            )
            done += len(batch)
        return done


@asynccontextmanager
async def overseer(
    folder: Path,
    ways: Ways = Ways(),  # noqa: B008 - frozen
    limits: Limits = Limits(),  # noqa: B008 - frozen
    clock: Clock | None = None,
) -> AsyncIterator[Overseer]:
    """Begin a life of everything that watches; a second one on the same folder is a restart."""
    path = folder / "journal.db"
    migrate(path)
    database = Database(path)
    database.open()
    made = Overseer(database, ways, limits, clock or Clock())
    try:
        await made.watch.start()
        yield made
    finally:
        database.close()
