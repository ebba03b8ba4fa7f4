"""When destinations were away, kept for reports (R-80).

Contract: `changed` and `answered` return at once; `write` brings the journal up to date.  An
outage that an earlier process saw begin lasts until something is delivered, or the lane says
that it is well.
"""

from collections.abc import Callable, Mapping

from waystation.db.engine import Database
from waystation.flows.deliver import LaneBelt
from waystation.journal import watching
from waystation.journal.ids import IdSource
from waystation.timing.lane import Health
from waystation.timing.status import without_comment

AWAY = (Health.DOWN, Health.BLOCKED)


class Outages:
    """Of one node.  clock: Unix seconds."""

    def __init__(
        self,
        database: Database,
        ids: IdSource,
        clock: Callable[[], float],
        belts: Callable[[], Mapping[str, LaneBelt]],
    ) -> None:
        self._database = database
        self._ids = ids
        self._clock = clock
        self._belts = belts
        self._open: set[str] = set()
        self._pending: dict[str, None] = {}

    async def start(self) -> None:
        """Take up what was open when the last process ended."""
        self._open = set(await self._database.read(watching.open_outages()))

    def changed(self, destination: str) -> None:
        """The health of a lane is another."""
        self._pending[destination] = None

    def answered(self, destination: str) -> bool:
        """Something was delivered; return whether that is news."""
        if destination not in self._open:
            return False
        self._pending[destination] = None
        return True

    async def write(self) -> None:
        """Write what has begun and what is over."""
        gone = self._open - self._belts().keys()
        for name in [*self._pending, *gone]:
            await self._look(name)
            self._pending.pop(name, None)

    async def _look(self, name: str) -> None:
        now = self._clock()
        belt = self._belts().get(name)
        health = None if belt is None else belt.lane.health(belt.now())
        if belt is not None and health in AWAY:
            away = belt.lane.away_since
            since = now if away is None else now - (belt.now() - away)
            why = f"{health.value}: {without_comment(belt.lane.why)}"
            await self._database.write(watching.outage_began(name, since, why, self._ids))
            self._open.add(name)
        elif health is not Health.PAUSED and name in self._open:
            await self._database.write(watching.outage_over(name, now))
            self._open.discard(name)
