"""The node's own archive as a way out: a row in the index, no second copy (R-54, T-29).

Contract: what rules send to the archive is filed when it is planned; this is the way of everything
else: what a gather, a person or an earlier version left waiting.  An object is filed as it was
received, after its bytes were compared with their digest; one that was to be changed on its way is
refused, as it would be found under the name of what it should have become.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from waystation.db.engine import Database
from waystation.destinations.base import Cargo, Pieces, singly
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.walk import Walker
from waystation.index.entry import entry_of
from waystation.index.filing import Filing, filed
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import MisuseError, StorageError
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused

CHANGED = "the archive keeps objects as they were received, and a rule changes this one"


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

    def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        """File each object; stop when the journal itself fails."""
        return singly(batch, lambda delivery: self._one(delivery, cargo))

    async def _one(self, delivery: Delivery, cargo: Cargo) -> Outcome:
        if self._database is None:
            raise MisuseError("the archive has no database")
        if delivery.recipe:
            return Refused(reason=HoldReason.OBJECT_REFUSED, why=CHANGED)
        try:
            head = await _head(delivery, cargo)
        except (StorageError, DatasetError) as error:
            return Refused(reason=HoldReason.CORRUPT, why=str(error))
        filing = Filing(
            place=self._next_id(),
            arrival_id=delivery.arrival_id,
            sha256=delivery.sha256,
            size_bytes=delivery.size_bytes,
            received_at=delivery.received_at,
            entry=entry_of(head),
        )
        try:
            await self._database.write(filed([filing], self._next_id))
        except StorageError as error:
            return Deferred(fault=Fault.TRANSIENT, why=str(error))
        return Delivered()

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
