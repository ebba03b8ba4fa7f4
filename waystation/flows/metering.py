"""Budgets at work: what is sent waits until its bytes are granted.

Contract (R-51): bytes are metered in small pieces as a destination takes them, so that the rate
holds for objects of any size and for every kind of destination; ``stat`` draws before everything
else.  Lanes that name the same ``share`` draw from one budget.  A lane without limits never
comes here.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from waystation.destinations.base import Cargo, Pieces
from waystation.flows.lane_settings import LaneSettings
from waystation.model.delivery import Delivery
from waystation.timing.budget import Budget, Limits
from waystation.timing.fairness import STAT

PIECE = 64 << 10
# Nobody sleeps longer: a new rate counts within a second.
LONGEST_S = 0.25
BEHIND_STAT_S = 0.02


class Meter:
    """One budget, and the lanes that wait for it in line.  clock: Unix seconds."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._budget = Budget(limits)
        self._clock = clock
        self._line = asyncio.Lock()
        self._urgent = 0

    @property
    def limits(self) -> Limits:
        """What is granted."""
        return self._budget.limits

    def change(self, limits: Limits) -> None:
        """Grant by other limits from now on."""
        self._budget.limits = limits

    async def begin(self, *, stat: bool) -> None:
        """Wait until another object may begin."""
        await self._stand(stat, lambda: self._budget.begin(now=self._now()))

    async def draw(self, size_bytes: int, *, stat: bool) -> None:
        """Wait until so many bytes may leave."""
        await self._stand(
            stat, lambda: self._budget.take(size_bytes, now=self._now(), wall=self._clock())
        )

    async def _stand(self, stat: bool, ask: Callable[[], float]) -> None:
        if stat:
            self._urgent += 1
            try:
                await self._wait(ask)
            finally:
                self._urgent -= 1
            return
        async with self._line:
            await self._wait(lambda: BEHIND_STAT_S if self._urgent else ask())

    async def _wait(self, ask: Callable[[], float]) -> None:
        wait_s = ask()
        while wait_s > 0:
            await asyncio.sleep(min(wait_s, LONGEST_S))
            wait_s = ask()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


class Meters:
    """The budgets of a node, by destination or shared name.  clock: Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._own: dict[str, Meter] = {}
        self._shared: dict[str, Meter] = {}

    def of(self, destination: str, settings: LaneSettings) -> Meter | None:
        """Return the budget of a lane as its settings want it, None if nothing is limited."""
        if not settings.limits.any:
            return None
        place = self._shared if settings.share else self._own
        name = settings.share or destination
        if name not in place:
            place[name] = Meter(settings.limits, self._clock)
        elif place[name].limits != settings.limits:
            place[name].change(settings.limits)
        return place[name]

    def around(self, destination: str, settings: LaneSettings) -> Callable[[Cargo], Cargo]:
        """Return what puts a lane's budget between a cargo and who loads it."""
        meter = self.of(destination, settings)
        return (lambda cargo: MeteredCargo(cargo, meter)) if meter else lambda cargo: cargo


class MeteredCargo:
    """Loads what another cargo loads, piece by piece as the budget allows."""

    def __init__(self, cargo: Cargo, meter: Meter) -> None:
        self._cargo = cargo
        self._meter = meter

    async def load(self, delivery: Delivery) -> bytes | Pieces:
        """Return the data set once another object may begin.  Raises `StorageError`."""
        stat = delivery.priority == STAT
        await self._meter.begin(stat=stat)
        data = await self._cargo.load(delivery)
        if not self._meter.limits.rates:
            return data
        if isinstance(data, bytes) and len(data) <= PIECE:
            await self._meter.draw(len(data), stat=stat)
            return data
        return Pieces(self._metered(data, stat))

    async def _metered(self, data: bytes | Pieces, stat: bool) -> AsyncGenerator[bytes, None]:
        if isinstance(data, Pieces):
            async with aclosing(data.pieces) as pieces:
                async for piece in pieces:
                    async for part in self._parts(piece, stat):
                        yield part
        else:
            async for part in self._parts(data, stat):
                yield part

    async def _parts(self, data: bytes, stat: bool) -> AsyncGenerator[bytes, None]:
        for place in range(0, len(data), PIECE):
            part = data[place : place + PIECE]
            await self._meter.draw(len(part), stat=stat)
            yield part
