"""What a person must hear: once when it starts, once when it ends (R-81).

Contract: the belt looks when a belt tells it that something changed, and once a minute; what there
is to tell is written with the incident in one transaction.  It only reads of the others' work and
cannot hold anything up.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from waystation.db.engine import Database
from waystation.db.statement import Transaction
from waystation.flows.conditions import Conditions
from waystation.flows.messages import Teller
from waystation.flows.outages import Outages
from waystation.flows.rounds import keep_going
from waystation.journal import recovery, watching
from waystation.journal.days import REFUSED, Days
from waystation.journal.ids import IdSource
from waystation.journal.watching import Message
from waystation.timing.incident import Finding, Incidents, Notice

log = structlog.get_logger()
LOOK_S = 60.0
# Changes come in crowds: one look for all of them.
CROWD_S = 1.0
WORTH = 20.0
AGAIN_S = 5.0
HEARD = "heard."
KEEP_S = 400 * 86_400.0
TIDY_S = 86_400.0


@dataclass(slots=True)
class WatchParts:
    """What the belt works with.  posted: called when messages were put into the outbox."""

    conditions: Conditions
    incidents: Incidents
    teller: Teller
    outages: Outages
    posted: Callable[[], None]


class Watch:
    """The belt.  clock: Unix seconds."""

    def __init__(
        self, parts: WatchParts, database: Database, ids: IdSource, clock: Callable[[], float]
    ) -> None:
        self.parts = parts
        self._database = database
        self._ids = ids
        self._clock = clock
        self._something = asyncio.Event()
        self._untold: list[tuple[Notice, list[Message]]] = []
        self._refused: dict[tuple[str, str], int] = {}
        self._heard_at: dict[str, float] = {}
        self._tidied_at = clock()
        self._crowd_s = 0.0
        # What was not well at the last look.
        self.found: tuple[Finding, ...] = ()

    def wake(self) -> None:
        """Something may be wrong, or right again."""
        self._something.set()

    def turned_away(self, peer: str, reason: str) -> None:
        """Count a refusal for the reports."""
        self._refused[peer, reason] = self._refused.get((peer, reason), 0) + 1

    async def start(self) -> None:
        """Take up what the last process left."""
        await self.parts.outages.start()
        for each in await self._database.read(watching.open_incidents()):
            self.parts.incidents.restore(each.subject, each.began_at, each.kinds)
        conditions = self.parts.conditions
        for peer in conditions.limits.silent_after:
            mark = await self._database.read(recovery.mark(HEARD + peer))
            if mark:
                conditions.heard[peer] = self._heard_at[peer] = float(mark)

    async def run(self) -> None:
        """Look until cancelled."""
        await keep_going("watch", self._after_the_crowd, self._something, self._clock, AGAIN_S)

    async def _after_the_crowd(self) -> float:
        """Look once for all the changes of a moment."""
        await asyncio.sleep(self._crowd_s)
        self._something.clear()
        now = asyncio.get_running_loop().time
        began = now()
        try:
            return await self.round()
        finally:
            # Where very much is held a look takes its time; it shall not take everybody's.
            self._crowd_s = max(CROWD_S, WORTH * (now() - began))

    async def round(self) -> float:
        """Look once; return how long nothing can happen by itself."""
        parts = self.parts
        await parts.outages.write()
        now = self._clock()
        self.found = tuple(await parts.conditions.look())
        for notice in parts.incidents.look(self.found, now):
            log.warning("incident", about=notice.subject, turn=notice.turn.value)
            self._untold.append((notice, parts.teller.tell(notice, now)))
        if self._untold:
            await self._database.write(watching.tell(self._untold, self._ids, now), urgent=False)
            self._untold.clear()
            parts.posted()
        await self.note()
        if now - self._tidied_at > TIDY_S:
            self._tidied_at = now
            await self._database.write(watching.tidy(now - KEEP_S), urgent=False)
        at = parts.incidents.next_look(now)
        return LOOK_S if at is None else min(LOOK_S, max(0.0, at - now))

    async def note(self) -> None:
        """Write what was counted and heard since the last time."""
        refused = dict(self._refused)
        heard = self.parts.conditions.heard
        news = {peer: at for peer, at in heard.items() if self._heard_at.get(peer) != at}
        if not refused and not news:
            return

        def job(transaction: Transaction) -> None:
            days = Days(self._clock())
            for (peer, reason), n in refused.items():
                days.add(REFUSED, peer, reason, n)
            days.write(transaction)
            for peer, at in news.items():
                recovery.set_mark(HEARD + peer, str(at))(transaction)

        await self._database.write(job, urgent=False)
        for counted, n in refused.items():
            self._refused[counted] -= n
            if not self._refused[counted]:
                del self._refused[counted]
        self._heard_at.update(news)
