"""Reports at their times: what happened since the last one, posted once (R-80, R-82).

Contract: a report and the mark of how far it went are written together.  One that was due while
the node stood still is posted once after the start, about all that time.  It is sent also when
nothing happened.  Counting reads in small pieces; nothing waits for it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

import structlog

from waystation.db.engine import Database
from waystation.flows.messages import Audience, iso_text
from waystation.flows.report_studies import NamesOf, studies_of
from waystation.flows.report_text import Facts, patients_table, report_table, report_text
from waystation.flows.rounds import keep_going
from waystation.journal import backlog, days, reporting
from waystation.journal.ids import IdSource
from waystation.journal.reporting import Period
from waystation.journal.watching import Message
from waystation.timing.report_times import ReportTimes

log = structlog.get_logger()
AGAIN_S = 5.0
LOOK_S = 3600.0
DAILY_S = 400 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """``[report.NAME]``.

    covers: names of destinations, groups and peers; empty: everything.  names: whether it may
    tell patients.
    """

    name: str
    times: ReportTimes
    audience: Audience
    zone: tzinfo
    covers: frozenset[str] = frozenset()
    names: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Of whom there is to tell, in the order of the configuration.  node: its name."""

    node: str
    destinations: Sequence[str]
    peers: Sequence[str]


class Reports:
    """The belt of reports.  clock: Unix seconds.  posted: called when messages were posted.

    names_of: reads the names of patients, for reports that may tell them.
    """

    def __init__(
        self,
        settings: Sequence[ReportSettings],
        cast: Cast,
        database: Database,
        ids: IdSource,
        clock: Callable[[], float],
        posted: Callable[[], None],
        names_of: NamesOf | None = None,
    ) -> None:
        self._database = database
        self._ids = ids
        self._clock = clock
        self._posted = posted
        self._names_of = names_of
        self._something = asyncio.Event()
        self.change(settings, cast)

    def change(self, settings: Sequence[ReportSettings], cast: Cast) -> None:
        """Go by another configuration from now on."""
        self._settings, self._cast = settings, cast
        self._something.set()

    async def run(self) -> None:
        """Report until cancelled."""
        await keep_going("reports", self.round, self._something, self._clock, AGAIN_S)

    async def round(self) -> float | None:
        """Post what is due; return how long nothing is, None if there are no reports."""
        waits = [LOOK_S] if self._settings else []
        for settings in self._settings:
            since = await self._database.read(reporting.since(settings.name))
            if since is None:
                since = self._clock()
                await self._database.write(reporting.begin(settings.name, since), urgent=False)
            due = settings.times.next_after(since)
            if due is not None and due <= self._clock():
                await self._post(settings, since)
                due = settings.times.next_after(self._clock())
            if due is not None:
                waits.append(max(0.0, due - self._clock()))
        return min(waits, default=None)

    async def _post(self, settings: ReportSettings, since: float) -> None:
        now = self._clock()
        studies = await self._studies(since, now)
        waiting = await self._waiting()
        patients = None
        if settings.names:
            wanted = _covered(settings, self._cast.destinations, set())
            patients = await studies_of(self._database, since, now, wanted, self._names_of)

        def compose(period: Period) -> list[Message]:
            facts = Facts(
                name=settings.name,
                node=self._cast.node,
                zone=settings.zone,
                period=period,
                destinations=self._destinations(settings, period),
                peers=self._peers(settings, period),
                studies=studies,
                waiting=waiting,
                patients=patients,
            )
            return messages_of(settings, facts)

        await self._database.write(
            reporting.take(settings.name, now, compose, self._ids), urgent=False
        )
        await self._database.write(days.fold(now - DAILY_S), urgent=False)
        log.info("report posted", report=settings.name)
        self._posted()

    async def _studies(self, since: float, until: float) -> dict[str, int]:
        found: dict[str, set[str]] = {}
        after: int | None = 0
        while after is not None:
            after, page = await self._database.read(reporting.studies(after, since, until))
            for destination, study in page:
                found.setdefault(destination, set()).add(study)
        return {destination: len(studies) for destination, studies in found.items()}

    async def _waiting(self) -> dict[str, tuple[int, float]]:
        found = {}
        for name in self._cast.destinations:
            rows = await self._database.read(backlog.waiting(name))
            if rows:
                size_bytes = sum(row.size_bytes for row in rows)
                found[name] = (size_bytes, min(row.oldest_at for row in rows))
        return found

    def _destinations(self, settings: ReportSettings, period: Period) -> list[str]:
        """Return those of the configuration, and those that are gone and left something."""
        kinds = (days.DONE, days.FAILED, days.HELD_DELIVERY, days.DISCARDED)
        seen = {name for kind, name, _ in period.counts if kind in kinds}
        seen |= {name for name, _ in period.standing}
        return _covered(settings, self._cast.destinations, seen)

    def _peers(self, settings: ReportSettings, period: Period) -> list[str]:
        kinds = (days.RECEIVED, days.REFUSED, days.DROPPED, days.HELD)
        seen = {name for kind, name, _ in period.counts if kind in kinds}
        return _covered(settings, self._cast.peers, seen)


def _covered(settings: ReportSettings, known: Sequence[str], seen: set[str]) -> list[str]:
    names = [*known, *sorted(seen - set(known))]
    return [name for name in names if not settings.covers or name in settings.covers]


def messages_of(settings: ReportSettings, facts: Facts) -> list[Message]:
    """Return the report as messages."""
    period = facts.period
    local = datetime.fromtimestamp(period.until, settings.zone)
    table = report_table(facts)
    tables = [(f"report-{local:%Y-%m-%d}.csv", table)]
    if facts.patients is not None:
        tables.append((f"studies-{local:%Y-%m-%d}.csv", patients_table(facts.patients)))
    return settings.audience.messages(
        f"[{facts.node}] report {facts.name} of {local:%Y-%m-%d %H:%M}",
        report_text(facts),
        {
            "event": "report",
            "node": facts.node,
            "report": settings.name,
            "since": iso_text(period.since),
            "until": iso_text(period.until),
            "table": table,
        },
        tables,
    )
