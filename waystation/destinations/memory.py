"""What one destination accepts and refuses, remembered (R-64).

Contract: a refused (SOP class, stored syntax) is known for `REMEMBERED_S`; objects of it need no
association to be held.  `accepted` forgets it and lets go what was held.  Everything is in memory
and in the journal; a journal that does not answer costs the memory of a restart, nothing else.
"""

from collections.abc import Callable, Mapping

import structlog

from waystation.db.engine import Database, Job
from waystation.destinations.contexts import Pair
from waystation.journal import contexts
from waystation.journal.contexts import Refusal
from waystation.model.errors import StorageError

log = structlog.get_logger()
REMEMBERED_S = 86_400.0


class ContextMemory:
    """Of one destination.

    clock: Unix seconds.  released: called when deliveries were let go.
    """

    def __init__(
        self,
        destination: str,
        database: Database | None = None,
        clock: Callable[[], float] = lambda: 0.0,
        released: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = destination
        self._database = database
        self._clock = clock
        self._released = released
        self._refused: dict[Pair, Refusal] = {}
        self._seen: dict[Pair, bool] = {}
        # Whatever was refused under other settings is to be asked again.
        self.edited = True

    async def load(self) -> None:
        """Read what the journal remembers."""
        if self._database is not None:
            self._refused = await self._database.read(contexts.refusals(self._name))
            self._seen = await self._database.read(contexts.seen(self._name))

    @property
    def refused(self) -> Mapping[Pair, Refusal]:
        """What is known to be refused."""
        return self._refused

    @property
    def seen(self) -> Mapping[Pair, bool]:
        """Which (SOP class, transfer syntax) were seen to be accepted or refused."""
        return self._seen

    def why_refused(self, pair: Pair) -> str:
        """Return why an object of ``pair`` need not be tried, or ""."""
        found = self._refused.get(pair)
        return found.detail if found is not None else ""

    def next_check(self) -> float | None:
        """Return when a refusal is to be asked again (Unix seconds), None if there is none."""
        if not self._refused:
            return None
        if self.edited:
            return 0.0
        return min(refusal.at for refusal in self._refused.values()) + REMEMBERED_S

    async def refuse(self, pair: Pair, detail: str) -> None:
        """Remember a refusal, from now on."""
        refusal = Refusal(at=self._clock(), detail=detail)
        self._refused[pair] = refusal
        await self._write(contexts.remember(self._name, pair, refusal))

    async def accepted(self, pair: Pair) -> None:
        """The pair can be sent after all."""
        if self._refused.pop(pair, None) is None:
            return
        n = await self._write(contexts.release(self._name, pair, self._clock()))
        log.info("context is accepted now", to=self._name, sop_class=pair[0], released=n)
        self._released()

    async def saw(self, answers: Mapping[Pair, bool]) -> None:
        """Note what an association has shown."""
        if all(self._seen.get(pair) is accepted for pair, accepted in answers.items()):
            return
        self._seen |= answers
        await self._write(contexts.keep_seen(self._name, self._seen))

    async def _write(self, job: "Job[None] | Job[int]") -> int:
        if self._database is None:
            return 0
        try:
            return await self._database.write(job, urgent=False) or 0
        except StorageError as error:
            log.error("contexts not written", to=self._name, error=str(error))
            return 0
