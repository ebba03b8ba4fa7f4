"""The node's own archive as a way out: a row in the index, no second copy (R-54, T-29).

Contract: what rules send to the archive is filed when it is planned; this is the way of everything
else: what a gather, a person or an earlier version left waiting.  An object is filed as it was
received, after its bytes were compared with their digest; one that was to be changed on its way is
refused, as it would be found under the name of what it should have become.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from waystation.db.engine import Database, Job
from waystation.db.statement import Transaction
from waystation.destinations.base import Cargo, Pieces, singly
from waystation.dicom.charsets import DEFAULT_GUESSES
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.walk import Walker
from waystation.index.entry import entry_of, guessed
from waystation.index.filing import Filing, filed
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import MisuseError, StorageError
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused

Guesses = Callable[[str], Sequence[str]]
CHANGED = "the archive keeps objects as they were received, and a rule changes this one"


class ArchiveDestination:
    """One ``[destination.NAME]`` of kind archive; there is one without a table, too."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._database: Database | None = None
        self._next_id: Callable[[], int] = lambda: 0
        self._guesses: Guesses = lambda _peer: DEFAULT_GUESSES

    def join(
        self, database: Database, next_id: Callable[[], int], guesses: Guesses | None = None
    ) -> None:
        """Take what filing needs of the node.

        guesses: how to read what a peer sends that names no character set (T-25).
        """
        self._database = database
        self._next_id = next_id
        self._guesses = guesses or self._guesses

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
        try:
            peer = await self._database.read(_peer_of(delivery.arrival_id))
            filing = Filing(
                place=self._next_id(),
                arrival_id=delivery.arrival_id,
                sha256=delivery.sha256,
                size_bytes=delivery.size_bytes,
                received_at=delivery.received_at,
                entry=entry_of(head, guessed(head, self._guesses(peer))),
            )
            await self._database.write(filed([filing], self._next_id))
        except StorageError as error:
            return Deferred(fault=Fault.TRANSIENT, why=str(error))
        return Delivered()

    async def probe(self) -> Deferred | None:
        """The archive is as near as the journal."""
        return None

    async def close(self) -> None:
        """Nothing is open."""


def _peer_of(arrival: int) -> Job[str]:
    def job(transaction: Transaction) -> str:
        row = transaction.one("SELECT peer FROM arrival WHERE id = :id", {"id": arrival})
        return "" if row is None else str(row[0])

    return job


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
