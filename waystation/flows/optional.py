"""The end of optional deliveries that nobody took in time (R-46).

Contract: `expire` ends them by name once their time is over, whether they wait or are held; it
asks the journal only when there may be one.  Nobody is alarmed.
"""

from collections.abc import Callable

import structlog

from waystation.db.engine import Database
from waystation.journal import claims

log = structlog.get_logger()
LOOK_AGAIN_S = 60.0


class OptionalLives:
    """Of one lane.  at: when to look again (Unix seconds), None if there is none."""

    def __init__(self, name: str, database: Database, clock: Callable[[], float]) -> None:
        self.at: float | None = 0.0
        self._life_s = LOOK_AGAIN_S
        self._name = name
        self._database = database
        self._clock = clock

    def something_came(self) -> bool:
        """Perhaps an optional delivery; return whether nobody was looking out for one."""
        if self.at is not None:
            return False
        self.at = self._clock() + min(LOOK_AGAIN_S, self._life_s)
        return True

    async def expire(self, life_s: float) -> None:
        """End what is older than ``life_s``, if it is time to look."""
        now = self._clock()
        shortened, self._life_s = life_s < self._life_s, life_s
        if not shortened and (self.at is None or now < self.at):
            return
        job = claims.expire_optional(self._name, now - life_s, now)
        first = await self._database.read(claims.first_optional(self._name))
        if first is not None and first + life_s <= now:
            n = await self._database.write(job, urgent=False)
            log.info("optional deliveries expired", to=self._name, n=n)
            first = await self._database.read(claims.first_optional(self._name))
        self.at = None if first is None else first + life_s
