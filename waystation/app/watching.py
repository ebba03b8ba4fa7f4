"""What a node sees of itself: counts, the event log, alerts and reports.

Contract: the belts tell `Watching` what they do; it counts, writes lines, and returns at once.
Its own belts (watch, reports, outbox) only read what the others wrote, and an image never waits
for them.
"""

import secrets
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import Any

from waystation.app import logs, wiring_watch
from waystation.app.settings import Settings
from waystation.app.wiring_schedule import Windows
from waystation.db.engine import Database
from waystation.flows.conditions import Conditions, Sights
from waystation.flows.counters import Counters
from waystation.flows.eventlog import EventLog
from waystation.flows.outages import Outages
from waystation.flows.outbox import Outbox
from waystation.flows.report import Reports
from waystation.flows.report_studies import NamesOf
from waystation.flows.watch import Watch, WatchParts
from waystation.flows.witness import Attempt, Witness
from waystation.journal import recovery
from waystation.journal.ids import IdSource
from waystation.model.arrival import Arrival, Source
from waystation.model.plan import Plan
from waystation.timing.incident import Finding, Incidents
from waystation.wire.status import status_text

KEY = "log.key"
WELL = ("delivered", "warned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What watching needs of a node.  clock: Unix seconds.  names_of: reads patients' names."""

    database: Database
    ids: IdSource
    clock: Callable[[], float]
    sights: Sights
    names_of: NamesOf


class Watching(Witness):
    """Of one node."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.events: Witness = Witness()
        # What other parts of the node find wrong.
        self.looks: list[Callable[[], Iterable[Finding]]] = []
        # Told of every arrival whose plan is written.
        self.heard: list[Callable[[Arrival], None]] = []
        self._belts: _Belts | None = None

    async def start(
        self, watched: Watched, settings: Settings, windows: Windows
    ) -> dict[str, Coroutine[Any, Any, None]]:
        """Take up what the last process left; return the belts to run, by name."""
        await self._open_events(watched, settings)
        watched = replace(watched, sights=replace(watched.sights, parts=self.found))
        belts = self._belts = _Belts(watched, settings, windows)
        await belts.watch.start()
        return {
            "watch": belts.watch.run(),
            "reports": belts.reports.run(),
            "outbox": belts.outbox.run(),
        }

    def found(self) -> list[Finding]:
        """Return what other parts find wrong."""
        return [found for look in self.looks for found in look()]

    async def _open_events(self, watched: Watched, settings: Settings) -> None:
        lines = logs.lines()
        if lines is None:
            return
        shown = await watched.database.read(recovery.mark(KEY))
        if shown is None:
            shown = secrets.token_hex(16)
            await watched.database.write(recovery.set_mark(KEY, shown))
        terms = wiring_watch.events(settings, lines.level, lines.form, bytes.fromhex(shown))
        self.events = EventLog(terms, lines.soon, watched.clock)

    def check(self, settings: Settings) -> None:
        """Raise `ConfigError` if messages could not leave under ``settings``."""
        wiring_watch.ways(settings)

    def change(self, settings: Settings, windows: Windows) -> None:
        """Go by another configuration from now on."""
        if self._belts is not None:
            self._belts.change(settings, windows)
        if isinstance(self.events, EventLog):
            now = self.events.settings
            form = "json" if now.json else "text"
            key = now.key or b""
            self.events.change(wiring_watch.events(settings, now.level, form, key))

    async def stop(self) -> None:
        """Write what was counted; the belts have ended."""
        if self._belts is not None:
            await self._belts.watch.note()
        lines = logs.lines()
        if lines is not None:
            lines.write()

    def wake(self) -> None:
        """Something may be wrong, or right again."""
        if self._belts is not None:
            self._belts.watch.wake()

    def troubles(self) -> tuple[Finding, ...]:
        """Return what was not well at the last look."""
        return self._belts.watch.found if self._belts is not None else ()

    # what the belts tell

    def lane_changed(self, destination: str) -> None:
        """The health of a lane is another."""
        if self._belts is not None:
            self._belts.outages.changed(destination)
            self.wake()

    def switched(self, group: str, before: str, after: str) -> None:
        """Studies of a group go to another member."""
        if self._belts is not None:
            self._belts.conditions.switched(group, before, after)
            self.wake()

    def turned_away(self, reason: str, peer: str) -> None:
        self.counters.turned_away(reason, peer)
        if self._belts is not None:
            self._belts.watch.turned_away(peer, reason)

    def accepted(self, arrival: Arrival, took_s: float) -> None:
        self.counters.accepted(arrival, took_s)
        if self._belts is not None:
            self._belts.heard(arrival)

    def refused(self, source: Source, status: int, why: str, size_bytes: int) -> None:
        self.counters.refused(source, status, why, size_bytes)
        self.events.refused(source, status, why, size_bytes)
        if self._belts is not None:
            self._belts.watch.turned_away(source.peer, status_text(status))

    def judged(self, took_s: float) -> None:
        self.counters.judged(took_s)

    def planned(self, arrival: Arrival, plan: Plan, duplicate: str) -> None:
        for listener in self.heard:
            listener(arrival)
        self.counters.planned(arrival, plan, duplicate)
        self.events.planned(arrival, plan, duplicate)
        if plan.hold is not None:
            self.wake()

    def tried(self, attempt: Attempt) -> None:
        self.counters.tried(attempt)
        self.events.tried(attempt)
        if self._belts is None:
            return
        news = attempt.word in WELL and self._belts.outages.answered(attempt.delivery.destination)
        if news or attempt.word.startswith("held"):
            self.wake()

    def discarded(self, destination: str, delivery_id: int, arrival_id: int, by: str) -> None:
        self.counters.discarded(destination, delivery_id, arrival_id, by)
        self.events.discarded(destination, delivery_id, arrival_id, by)

    def gathered(self, evidence: str, seconds: float) -> None:
        """A gather ended, so long after its last object."""
        self.counters.gathered(evidence, seconds)


class _Belts:
    """Those that look, report and send messages."""

    def __init__(self, watched: Watched, settings: Settings, windows: Windows) -> None:
        database, ids, clock = watched.database, watched.ids, watched.clock
        self.outbox = Outbox(database, clock, wiring_watch.ways(settings))
        self.outages = Outages(database, ids, clock, watched.sights.belts)
        self.conditions = Conditions(wiring_watch.limits(settings), watched.sights, database, clock)
        parts = WatchParts(
            conditions=self.conditions,
            incidents=Incidents(wiring_watch.patience(settings)),
            teller=wiring_watch.teller(settings, windows),
            outages=self.outages,
            posted=self.outbox.wake,
        )
        self.watch = Watch(parts, database, ids, clock)
        self.reports = Reports(
            wiring_watch.reports(settings, windows),
            wiring_watch.cast(settings),
            database,
            ids,
            clock,
            self.outbox.wake,
            watched.names_of,
        )
        self._clock = clock

    def heard(self, arrival: Arrival) -> None:
        """Something came from a peer."""
        peer = arrival.source.peer
        if peer in self.conditions.limits.silent_after:
            self.conditions.heard[peer] = self._clock()

    def change(self, settings: Settings, windows: Windows) -> None:
        self.outbox.ways = wiring_watch.ways(settings)
        self.conditions.limits = wiring_watch.limits(settings)
        self.watch.parts.incidents.patience = wiring_watch.patience(settings)
        self.watch.parts.teller = wiring_watch.teller(settings, windows)
        self.reports.change(wiring_watch.reports(settings, windows), wiring_watch.cast(settings))
        self.outbox.wake()
        self.watch.wake()
