"""Heads of arrivals that are no longer in memory: read again from the journal or the blob."""

import asyncio
from concurrent.futures import Executor

from waystation.blobs.folder import BlobFolder
from waystation.db.engine import Database
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.walk import Walker
from waystation.journal import arrivals
from waystation.model.arrival import Arrival
from waystation.model.errors import StorageError


class HeadReader:
    """Reads and scans the stored data set of an arrival."""

    def __init__(self, database: Database, blobs: BlobFolder, disk: Executor) -> None:
        self._database = database
        self._blobs = blobs
        self._disk = disk

    async def head_of(self, arrival: Arrival, data: bytes | None = None) -> Head:
        """Return the head; ``data``: the data set if it is at hand.

        Raises `StorageError` if the bytes are gone or cannot be read.
        """
        if not arrival.blob and data is None:
            data = await self._database.read(arrivals.parcel(arrival.id))
            if data is None:
                raise StorageError("the object is not in the journal")
        return await asyncio.get_running_loop().run_in_executor(
            self._disk, self._scan, arrival, data
        )

    def _scan(self, arrival: Arrival, data: bytes | None) -> Head:
        walker = Walker(arrival.instance.transfer_syntax_uid)
        try:
            if data is not None:
                walker.feed(data)
            else:
                for piece in self._blobs.pieces(arrival.blob, arrival.size_bytes):
                    walker.feed(piece)
            return walker.finish()
        except DatasetError as error:
            raise StorageError(f"the object cannot be read: {error}") from error
