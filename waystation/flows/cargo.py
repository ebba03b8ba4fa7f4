"""The bytes of a delivery, compared with the digest taken from the wire before they leave (S-13).

A damaged file is moved aside at once so that nobody else sends it; the row keeps its name.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from concurrent.futures import Executor

from waystation.blobs.folder import BlobFolder
from waystation.db.engine import Database
from waystation.destinations.base import WHOLE_BYTES, Pieces
from waystation.flows.recent import Recent
from waystation.journal import arrivals
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError


class JournalCargo:
    """Loads from the journal (small objects) or from the blobs."""

    def __init__(
        self, database: Database, blobs: BlobFolder, disk: Executor, recent: Recent
    ) -> None:
        self._recent = recent
        self._database = database
        self._blobs = blobs
        self._disk = disk

    async def load(self, delivery: Delivery) -> bytes | Pieces:
        """Return the verified data set.  Raises `StorageError`."""
        if (held := self._recent.get(delivery.arrival_id)) is not None:
            return held
        if not delivery.blob:
            data = await self._database.read(arrivals.parcel(delivery.arrival_id))
            if data is None:
                raise StorageError("the object is not in the journal")
            _compare(data, delivery.sha256)
            return data
        loop = asyncio.get_running_loop()
        if delivery.size_bytes <= WHOLE_BYTES:
            return await loop.run_in_executor(self._disk, self._whole, delivery)
        if not await loop.run_in_executor(self._disk, self._intact, delivery):
            raise StorageError("the stored object is damaged: its digest differs")
        return Pieces(self._pieces(delivery))

    def _whole(self, delivery: Delivery) -> bytes:
        data = self._blobs.read(delivery.blob, delivery.size_bytes)
        _compare(data, delivery.sha256)
        return data

    def _intact(self, delivery: Delivery) -> bool:
        return self._blobs.intact(delivery.blob, delivery.size_bytes, delivery.sha256)

    async def _pieces(self, delivery: Delivery) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        pieces = self._blobs.pieces(delivery.blob, delivery.size_bytes)
        while piece := await loop.run_in_executor(self._disk, next, pieces, b""):
            yield piece


def _compare(data: bytes, sha256: str) -> None:
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StorageError("the stored object is damaged: its digest differs")
