"""What is held because a source was down is tried again by itself (R-68).

Contract: nothing polls; the belt sleeps until the first such delivery is due, or is told of one.
"""

import asyncio
from collections.abc import Callable

import structlog

from waystation.db.engine import Database
from waystation.flows.nap import nap
from waystation.flows.patience import patiently
from waystation.journal import treatments

log = structlog.get_logger()
AT_ONCE = 1000


class AgainBelt:
    """Of one node.  clock: Unix seconds.  wake: told of each destination that may go on."""

    def __init__(
        self, database: Database, clock: Callable[[], float], wake: Callable[[str], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._wake = wake
        self._told = asyncio.Event()

    def told(self) -> None:
        """Something was held that is to be tried again by itself."""
        self._told.set()

    async def run(self) -> None:
        """Let go what is due, until cancelled."""
        while True:
            self._told.clear()
            at = await patiently(self._database.read, treatments.next_again())
            if at is None or at > self._clock():
                sleep_s = None if at is None else at - self._clock()
                await nap(self._told, sleep_s, self._clock)
                continue
            await self.once()

    async def once(self) -> int:
        """Let go what is due now; return how many deliveries."""
        job = treatments.release_again(self._clock(), AT_ONCE)
        released = await patiently(self._database.write, job)
        for destination in set(released):
            self._wake(destination)
        if released:
            log.info("tried again", n=len(released))
        return len(released)
