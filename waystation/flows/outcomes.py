"""Delivered outcomes on their way into the tables.

Contract: `add` returns once the outcome is durable in the intake log; the tables get it a moment
later, many in one transaction.  A crash in between loses nothing: recovery reads the log before it
gives leases back, so what a receiver has confirmed is not sent again (S-7).
"""

import asyncio

import structlog

from waystation.db.engine import Database
from waystation.journal import deliveries
from waystation.journal.deliveries import Settlement
from waystation.journal.intake import IntakeLog
from waystation.model.errors import StorageError

log = structlog.get_logger()
COMPANY_S = 0.01
RETRY_S = 1.0


class Outcomes:
    """Of one lane."""

    def __init__(self, database: Database, intake: IntakeLog) -> None:
        self._database = database
        self._log = intake
        self._waiting: list[tuple[int, Settlement]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, settlement: Settlement) -> None:
        """Make one outcome durable; retried for as long as the log does not take it."""
        while True:
            try:
                lsn = await self._log.append(deliveries.meta_of(settlement), b"")
                break
            except StorageError as error:
                log.error("outcome waits for the log", error=str(error))
                await asyncio.sleep(RETRY_S)
        self._waiting.append((lsn, settlement))
        if self._task is None:
            self._task = asyncio.create_task(self._write())

    async def _write(self) -> None:
        """Write what has gathered until nothing is left."""
        while self._waiting:
            await asyncio.sleep(COMPANY_S)
            batch, self._waiting = self._waiting, []
            await self._settle(batch)
        self._task = None

    async def _settle(self, batch: list[tuple[int, Settlement]]) -> None:
        lsns = {lsn for lsn, _ in batch}
        settlements = [settlement for _, settlement in batch]
        while True:
            mark = self._log.watermark(lsns)
            try:
                await self._database.write(deliveries.settle(settlements, mark), urgent=False)
                break
            except StorageError as error:
                log.error("outcomes wait for the journal", error=str(error))
            except Exception:
                # No belt may end for good.
                log.exception("outcomes not written")
            await asyncio.sleep(RETRY_S)
        self._log.settled(lsns)
        self._log.committed(mark)

    async def close(self, grace_s: float) -> None:
        """Write what is left; what the journal does not take in time is safe in the log."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(grace_s):
                await self._task
        except TimeoutError:
            log.warning("outcomes are left for the next start", n=len(self._waiting))
