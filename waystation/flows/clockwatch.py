"""The wall clock may be set back: nothing sleeps for as long as that (R-58, S-24).

Contract: due times stand in the journal as wall clock.  When that steps back against the monotonic
clock, those that lie ahead step back with it.  A clock that was set on needs nothing: what was to
be tried later is tried now, at the pace of its lane.  A slow correction is followed silently.
"""

import asyncio
from collections.abc import Callable

import structlog

from waystation.db.engine import Database
from waystation.journal import deliveries
from waystation.model.errors import StorageError

log = structlog.get_logger()
LOOK_S = 0.5
STEP_S = 2.0


class ClockWatch:
    """The belt that compares both clocks.

    clock: Unix seconds.  stepped: called once the due times are right again.
    """

    def __init__(
        self, database: Database, clock: Callable[[], float], stepped: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._stepped = stepped

    async def run(self) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        ahead = self._clock() - loop.time()
        while True:
            await asyncio.sleep(LOOK_S)
            now = self._clock()
            step_s = now - loop.time() - ahead
            if step_s < -STEP_S and not await self._follow(-step_s, now):
                continue
            ahead += step_s

    async def _follow(self, back_s: float, now: float) -> bool:
        try:
            moved = await self._database.write(deliveries.set_back(back_s, now))
        except StorageError as error:
            log.error("due times wait for the journal", error=str(error))
            return False
        except Exception:
            # No belt may end for good.
            log.exception("clock not followed")
            return False
        log.warning("the clock was set back", by_s=round(back_s, 1), moved=moved)
        self._stepped()
        return True
