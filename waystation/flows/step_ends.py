"""The belt that takes steps off the list and out of the book when their time is over (T-55).

Contract: once an hour.  A listed step whose start lies further back than ``expire`` becomes
expired; what has been over, or deleted, for longer than ``keep_done`` is removed, and so is what
others were told of then.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

import structlog

from waystation.db.engine import Database
from waystation.flows.rounds import keep_going
from waystation.flows.steps import Steps
from waystation.index import mpps
from waystation.index.step_ends import doomed, drop, expire

log = structlog.get_logger()
EVERY_S = 3600.0
AGAIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTerms:
    """How long steps stay.  Durations in seconds.

    areas: of those that have a time of their own.
    """

    expire_s: float
    keep_done_s: float
    areas: Mapping[str, float]


class StepEnds:
    """Of one node.  zone: of the start times, as modalities show them."""

    def __init__(
        self,
        steps: Steps,
        database: Database,
        clock: Callable[[], float],
        terms: Callable[[], StepTerms],
        zone: Callable[[], tzinfo | None],
    ) -> None:
        self._steps = steps
        self._database = database
        self._clock = clock
        self._terms = terms
        self._zone = zone
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Go on until cancelled."""
        await keep_going("worklist ends", self.look, self._wake, self._clock, AGAIN_S)

    async def look(self) -> float:
        """Do what is due; return when to look again."""
        terms, now = self._terms(), self._clock()
        made_before = now - terms.expire_s
        before = datetime.fromtimestamp(made_before, self._zone()).strftime("%Y%m%d%H%M%S")
        expired = 0
        while page := await self._steps.write(expire(before, made_before)):
            expired += page
        others = tuple(terms.areas)
        removed = await self._remove(None, now - terms.keep_done_s, others)
        for area, keep_s in terms.areas.items():
            removed += await self._remove(area, now - keep_s, ())
        while await self._database.write(mpps.forget(now - terms.keep_done_s), urgent=False):
            pass
        if expired or removed:
            log.info("worklist swept", expired=expired, removed=removed)
        return EVERY_S

    async def _remove(self, area: str | None, before: float, others: Sequence[str]) -> int:
        count = 0
        while ids := await self._database.read(doomed(area, before, others)):
            await self._database.write(drop(ids), urgent=False)
            count += len(ids)
        return count
