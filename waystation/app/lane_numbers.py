"""The numbers of each lane: what waits, how fast it goes, when it will be done (R-51, R-84).

Contract: a long queue is counted in the background and seldom; what is not known yet is None, and
nobody waits for it longer than a moment.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from waystation.app.node import Node
from waystation.flows.deliver import LaneBelt
from waystation.journal import backlog
from waystation.journal.backlog import Waiting
from waystation.journal.entries import LaneCounts
from waystation.timing.budget import Backlog, clears_at
from waystation.timing.lane import Health
from waystation.web.metrics import LaneFigures, WaitingFigures
from waystation.web.view import LaneView

AWAY = (Health.DOWN, Health.BLOCKED)
MOVING = (Health.FLOWING, Health.RESTING)
PATIENCE_S = 0.3
# A count is good for as long, and for so many times what it took.
FRESH_S = 1.0
WORTH = 30.0
# So near to its limit a lane is held back by it.
NEAR = 0.8


@dataclass(slots=True)
class _Known:
    waiting: tuple[Waiting, ...]
    until: float


class LaneNumbers:
    """Of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._known: dict[str, _Known] = {}
        self._counting: dict[str, asyncio.Task[None]] = {}

    async def view(self, belt: LaneBelt, counts: LaneCounts) -> LaneView:
        """Return one lane as people see it."""
        health, why = belt.lane.describe(belt.now())
        window, now = belt.settings.window, self._node.clock()
        is_open = window.is_open(now)
        if health is not Health.PAUSED and not is_open:
            shut = f"window shut, {window.problem_at(now) or window.outlook(now)}"
            why = f"{why}; {shut}" if why else shut
        waiting = await self.waiting(belt.name) if counts.waiting else ()
        size_bytes = None if waiting is None else _size(waiting)
        table = self._node.settings.destination.get(belt.name)
        return LaneView(
            counts=counts,
            state=health.value,
            why=why,
            kind=getattr(table, "kind", ""),
            open=is_open,
            window=window.outlook(now),
            associations=belt.associations,
            waiting_bytes=size_bytes,
            objects_per_s=belt.pace.objects_per_s(belt.now()),
            bytes_per_s=belt.pace.bytes_per_s(belt.now()),
            clears_at=self.clears_at(belt, size_bytes),
        )

    async def figures(self, belt: LaneBelt) -> LaneFigures:
        """Return one lane for the metrics."""
        now = self._node.clock()
        health = belt.lane.health(belt.now())
        waiting = await self.waiting(belt.name) or ()
        return LaneFigures(
            destination=belt.name,
            open=belt.settings.window.is_open(now),
            down=health in AWAY,
            blocked=health is Health.BLOCKED,
            associations=belt.associations,
            rate_bytes=belt.pace.bytes_per_s(belt.now()),
            waiting=[
                WaitingFigures(
                    priority=each.priority,
                    n=each.n,
                    size_bytes=each.size_bytes,
                    oldest_s=max(0.0, now - each.oldest_at),
                    # The more urgent ones go before it.
                    clears_at=self.clears_at(
                        belt, _size(one for one in waiting if one.priority <= each.priority)
                    ),
                )
                for each in waiting
            ],
        )

    def clears_at(self, belt: LaneBelt, size_bytes: int | None) -> float | None:
        """Return when so many bytes will be gone (Unix seconds), None if nobody can say."""
        if not size_bytes or belt.lane.health(belt.now()) not in MOVING:
            return None
        now = self._node.clock()
        limits, line = belt.settings.limits, belt.pace.line_rate(belt.now())
        most = limits.rate(now)
        throttled = most is not None and line is not None and line >= NEAR * most
        before = Backlog(size_bytes=size_bytes, line_rate=line, throttled=throttled)
        return clears_at(before, belt.settings.window, [limits], now)

    async def waiting(self, name: str) -> tuple[Waiting, ...] | None:
        """Return what waits for a destination, None if it is still being counted."""
        known = self._known.get(name)
        if known is not None and time.monotonic() < known.until:
            return known.waiting
        if name not in self._counting:
            self._counting[name] = asyncio.create_task(self._count(name))
        await asyncio.wait([self._counting[name]], timeout=PATIENCE_S)
        known = self._known.get(name)
        return None if known is None else known.waiting

    async def _count(self, name: str) -> None:
        began = time.monotonic()
        try:
            found = await self._node.database.read(backlog.waiting(name))
            ended = time.monotonic()
            fresh_s = max(FRESH_S, WORTH * (ended - began))
            self._known[name] = _Known(waiting=found, until=ended + fresh_s)
        finally:
            del self._counting[name]


def _size(waiting: Iterable[Waiting]) -> int:
    return sum(each.size_bytes for each in waiting)
