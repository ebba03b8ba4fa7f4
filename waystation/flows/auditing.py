"""The audit trail of a running node.

Contract: `record` returns once the record is committed; `append` puts it into a transaction of the
caller's; `note` does not wait, and if what it wrote could not be kept, ``fault`` says so until
something could be kept again: then nobody may look at patient data (S-67).  Looking at the same
thing again within `SAME_S` adds nothing.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import structlog

from waystation.db.engine import Database
from waystation.db.statement import Transaction
from waystation.journal import audit
from waystation.journal.audit import Entry, Event
from waystation.model.errors import WaystationError
from waystation.timing.incident import Finding

log = structlog.get_logger()
SAME_S = 600.0
MOST_SAME = 10_000
HEAD_S = 3600.0
RETRY_S = 60.0


class Trail:
    """Of one node.  key: of the chain, 32 bytes.  clock: Unix seconds."""

    def __init__(self, database: Database, key: bytes, clock: Callable[[], float]) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._seen: OrderedDict[tuple[str, ...], float] = OrderedDict()
        self.fault = ""

    def append(self, transaction: Transaction, event: str, who: str, /, **what: Any) -> None:
        """Add a record to a transaction: it is there if the rest is."""
        audit.append(transaction, self._key, Entry(event, who, what), self._clock())

    async def record(self, event: str, who: str, /, **what: Any) -> None:
        """Add a record and wait until it is committed.  Raises `StorageError`."""
        try:
            await self._database.write(self._job(event, who, what))
        except WaystationError as error:
            self._failed(error)
            raise
        self.fault = ""

    def note(self, event: str, who: str, /, **what: Any) -> None:
        """Add a record without waiting for it."""
        self._database.submit(self._job(event, who, what), urgent=False).add_done_callback(
            self._written
        )

    def looked(self, event: str, who: str, about: tuple[str, ...], /, **what: Any) -> None:
        """Note that somebody looked at something, unless the same was noted a moment ago."""
        now, key = self._clock(), (event, who, *about)
        if 0 <= now - self._seen.get(key, float("-inf")) < SAME_S:
            return
        self._seen[key] = now
        self._seen.move_to_end(key)
        while len(self._seen) > MOST_SAME:
            self._seen.popitem(last=False)
        self.note(event, who, **what)

    async def fit(self) -> bool:
        """Tell whether records can be kept; where they could not, it is tried anew."""
        if self.fault:
            try:
                await self.record(Event.RESUMED, "node")
            except WaystationError:
                return False
        return True

    async def run(self) -> None:
        """Write the head of the chain to the log each hour: who cuts the end off cannot know.

        In between a trail that failed is tried anew, so that the alarm ends when the fault does.
        """
        while True:
            await self._tell_head()
            for _ in range(int(HEAD_S / RETRY_S)):
                await asyncio.sleep(RETRY_S)
                await self.fit()

    async def _tell_head(self) -> None:
        try:
            number, seal = await self._database.read(audit.head())
        except WaystationError as error:
            log.error("audit head cannot be read", error=str(error))
        else:
            log.info("audit head", number=number, seal=seal)

    def findings(self) -> list[Finding]:
        """Return what a person must hear of (S-67)."""
        why = "no record can be written: nobody sees patient data until one can"
        found = Finding(subject="audit trail", kind="unrecorded", why=why, look="waystation doctor")
        return [found] if self.fault else []

    async def broken(self) -> audit.Broken | None:
        """Return where the chain does not hold, None if it does."""
        return await self._database.read(audit.broken(self._key))

    def _job(self, event: str, who: str, what: dict[str, Any]) -> Callable[[Transaction], int]:
        entry, at = Entry(event, who, what), self._clock()
        return lambda transaction: audit.append(transaction, self._key, entry, at)

    def _written(self, future: "asyncio.Future[int]") -> None:
        error = None if future.cancelled() else future.exception()
        if error is None:
            self.fault = ""
        else:
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        if not self.fault:
            log.error("audit trail cannot be written", error=str(error))
        self.fault = str(error)
        # Some of these looks left no record: the next of each counts as new.
        self._seen.clear()
