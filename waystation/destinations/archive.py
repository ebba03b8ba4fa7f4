"""The node's own archive as a way out: a row in the index, no second copy (R-54, T-29).

Contract: what rules send to the archive is filed when it is planned; this is the way of everything
else: what a gather, a person or an earlier version left waiting.  An object is filed as it was
received; its bytes are compared with their digest first.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from waystation.db.engine import Database
from waystation.destinations.base import Cargo, Pieces
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.walk import Walker
from waystation.index.entry import entry_of
from waystation.index.filing import Filing, filed
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import MisuseError, StorageError
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused

# Filed in one transaction.
TOGETHER = 32
CHANGED = "the archive keeps objects as they were received, this one was to be changed on its way"


class ArchiveDestination:
    """One ``[destination.NAME]`` of kind archive; there is one without a table, too."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._database: Database | None = None
        self._next_id: Callable[[], int] = lambda: 0

    def join(self, database: Database, next_id: Callable[[], int]) -> None:
        """Take what filing needs of the node."""
        self._database = database
        self._next_id = next_id

    async def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        """File a batch, some objects in one transaction."""
        for at in range(0, len(batch), TOGETHER):
            for delivery, outcome in await self._some(batch[at : at + TOGETHER], cargo):
                yield delivery, outcome
                if isinstance(outcome, Deferred):
                    return

    async def _some(self, some: Sequence[Delivery], cargo: Cargo) -> list[tuple[Delivery, Outcome]]:
        outcomes: dict[int, Outcome] = {}
        filings = []
        for delivery in some:
            try:
                filings.append(await self._filing(delivery, cargo))
            except (StorageError, DatasetError) as error:
                outcomes[delivery.id] = Refused(reason=HoldReason.CORRUPT, why=str(error))
        good: Outcome = Delivered()
        if self._database is None:
            raise MisuseError("the archive has no database")
        try:
            await self._database.write(filed(filings, self._next_id), urgent=False)
        except StorageError as error:
            good = Deferred(fault=Fault.TRANSIENT, why=str(error), connected=True)
        return [(delivery, outcomes.get(delivery.id, good)) for delivery in some]

    async def _filing(self, delivery: Delivery, cargo: Cargo) -> Filing:
        head = await _head(delivery, cargo)
        return Filing(
            place=self._next_id(),
            arrival_id=delivery.arrival_id,
            sha256=delivery.sha256,
            size_bytes=delivery.size_bytes,
            received_at=delivery.received_at,
            entry=entry_of(head),
        )

    async def probe(self) -> Deferred | None:
        """The archive is as near as the journal."""
        return None

    async def close(self) -> None:
        """Nothing is open."""


async def _head(delivery: Delivery, cargo: Cargo) -> Head:
    payload = await cargo.load(delivery)
    walker = Walker(delivery.transfer_syntax_uid)
    if isinstance(payload, Pieces):
        async with aclosing(payload.pieces) as pieces:
            async for piece in pieces:
                walker.feed(piece)
    else:
        walker.feed(payload)
    return walker.finish()
