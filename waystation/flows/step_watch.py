"""Whether entries that no modality sees are about to be needed: told before somebody waits (T-51).

Contract: once a minute; counts listed steps that lack something and begin within a day, and says so
as a `Finding`, without a patient in it.  What begins tomorrow is in time to be mended.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo

from waystation.db.engine import Database
from waystation.flows.rounds import keep_going
from waystation.index.step_pages import lacking
from waystation.timing.incident import Finding

EVERY_S = 60.0
AHEAD_S = 86_400.0
BEHIND_S = 3600.0


class StepWatch:
    """Of one node.  off: there are places that serve incomplete entries, or no worklist at all."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        zone: Callable[[], tzinfo | None],
        off: Callable[[], bool],
    ) -> None:
        self._database = database
        self._clock = clock
        self._zone = zone
        self._off = off
        self._wake = asyncio.Event()
        self.count = 0

    async def run(self) -> None:
        """Count until cancelled."""
        await keep_going("worklist watch", self.look, self._wake, self._clock, EVERY_S)

    async def look(self) -> float:
        """Count once; return when to look again."""
        now = self._clock()
        first, last = (self._stamp(now - BEHIND_S), self._stamp(now + AHEAD_S))
        self.count = 0 if self._off() else await self._database.read(lacking(first, last))
        return EVERY_S

    def findings(self) -> Iterator[Finding]:
        """Yield what a person must hear."""
        if self.count:
            yield Finding(
                subject="worklist",
                kind="incomplete",
                n=self.count,
                why=f"{self.count:,} steps begin within a day and lack what modalities need",
                look="waystation worklist list --incomplete",
            )

    def _stamp(self, at: float) -> str:
        return datetime.fromtimestamp(at, self._zone()).strftime("%Y%m%d%H%M%S")
