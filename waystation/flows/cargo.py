"""The bytes of a delivery, compared with the digest taken from the wire before they leave (S-13).

A damaged file is moved aside at once so that nobody else sends it; the row keeps its name, and an
archived object is held as corrupt, so that a good copy that comes again is taken.  What
fails for another reason than the object itself (the journal is locked, no descriptor is left) is
tried again until it works: it must not make a good object look damaged.
"""

import asyncio
import errno
import hashlib
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from functools import partial
from typing import NoReturn

import structlog

from waystation.blobs.folder import BlobFolder
from waystation.db.engine import Database
from waystation.destinations.base import WHOLE_BYTES, Pieces
from waystation.flows.recent import Recent
from waystation.index import cache_book
from waystation.journal import archive, arrivals
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError

log = structlog.get_logger()
AGAIN_S = 1.0
LATE_S = (0.02, 0.1, 0.5)
ANOTHER = "the journal's row of this object is damaged: it does not say what it said"
DAMAGED = "the stored object is damaged: its digest differs"
_SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR}


class JournalCargo:
    """Loads from the journal (small objects) or from the blobs."""

    def __init__(
        self, database: Database, blobs: BlobFolder, disk: Executor, recent: Recent
    ) -> None:
        self._recent = recent
        self._database = database
        self._blobs = blobs
        self._disk = disk
        self._looks: dict[str, asyncio.Future[None]] = {}

    def at_hand(self, delivery: Delivery) -> bytes | None:
        """Return the data set if it came in a moment ago."""
        return self._recent.get(delivery.arrival_id) if delivery.sealed else None

    async def load(self, delivery: Delivery) -> bytes | Pieces:
        """Return the verified data set.  Raises `StorageError`."""
        if not delivery.sealed:
            raise StorageError(ANOTHER)
        try:
            return await self._read(delivery)
        except StorageError as error:
            await self._note(delivery, error)
            raise

    async def _note(self, delivery: Delivery, error: StorageError) -> None:
        """Write down that what the archive keeps is damaged or missing."""
        if str(error) != DAMAGED and not await asyncio.get_running_loop().run_in_executor(
            self._disk, self._cut, delivery
        ):
            return
        try:
            spoilt = archive.spoilt(delivery.arrival_id, delivery.blob)
            if await self._database.write(spoilt):
                log.error("archived object damaged", arrival=f"{delivery.arrival_id:x}")
            if not delivery.blob:
                return
            cached = cache_book.damaged([delivery.arrival_id])
            if await self._database.write(cached):
                log.error("cached object damaged", arrival=f"{delivery.arrival_id:x}")
        except StorageError as failed:
            log.error("damage not written down", why=str(failed))

    def _cut(self, delivery: Delivery) -> bool:
        try:
            return self._blobs.size_of(delivery.blob) < delivery.size_bytes
        except OSError:
            return False

    async def _read(self, delivery: Delivery) -> bytes | Pieces:
        if (held := self.at_hand(delivery)) is not None:
            return held
        if not delivery.blob:
            data = await self._parcel(delivery.arrival_id)
            for pause_s in LATE_S:
                if data is not None:
                    break
                # Acknowledged a moment ago, and read before it is in the tables.
                await asyncio.sleep(pause_s)
                data = await self._parcel(delivery.arrival_id)
            if data is None:
                raise StorageError("the object is not in the journal")
            if hashlib.sha256(data).hexdigest() != delivery.sha256:
                raise StorageError(DAMAGED)
            return data
        loop = asyncio.get_running_loop()
        while True:
            try:
                if delivery.size_bytes <= WHOLE_BYTES:
                    return await loop.run_in_executor(self._disk, self._whole, delivery)
                await self._looked(delivery)
            except StorageError as error:
                if not _passes(error):
                    raise
                log.error("reading waits", error=str(error))
                await asyncio.sleep(AGAIN_S)
            else:
                return Pieces(self._pieces(delivery))

    async def _looked(self, delivery: Delivery) -> None:
        """Compare a big object with its digest; who wants it meanwhile waits for the same look."""
        look = self._looks.get(delivery.blob)
        if look is None:
            loop = asyncio.get_running_loop()
            look = loop.run_in_executor(self._disk, self._look, delivery)
            self._looks[delivery.blob] = look
            look.add_done_callback(partial(self._seen, delivery.blob))
        await asyncio.shield(look)

    def _seen(self, blob: str, look: asyncio.Future[None]) -> None:
        del self._looks[blob]
        if not look.cancelled():
            # Told to those who wait; if nobody does any more, the next one finds it again.
            look.exception()

    async def _parcel(self, arrival_id: int) -> bytes | None:
        """Read a small object from the journal, however long that takes."""
        while True:
            try:
                return await self._database.read(arrivals.parcel(arrival_id))
            except StorageError as error:
                log.error("reading waits for the journal", error=str(error))
                await asyncio.sleep(AGAIN_S)

    def _whole(self, delivery: Delivery) -> bytes:
        data = self._blobs.read(delivery.blob, delivery.size_bytes)
        if hashlib.sha256(data).hexdigest() != delivery.sha256:
            self._damaged(delivery)
        return data

    def _look(self, delivery: Delivery) -> None:
        """Compare a big object with its digest; it is read again when it is sent."""
        digest = hashlib.sha256()
        for piece in self._blobs.pieces(delivery.blob, delivery.size_bytes):
            digest.update(piece)
        if digest.hexdigest() != delivery.sha256:
            self._damaged(delivery)

    def _damaged(self, delivery: Delivery) -> NoReturn:
        try:
            self._blobs.set_aside(delivery.blob, self._blobs.corrupt)
        except OSError as error:
            log.error("damaged blob not moved", blob=delivery.blob, error=str(error))
        raise StorageError(DAMAGED)

    async def _pieces(self, delivery: Delivery) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        read = 0
        pieces = self._blobs.pieces(delivery.blob, delivery.size_bytes)
        while True:
            try:
                piece = await loop.run_in_executor(self._disk, next, pieces, b"")
            except StorageError as error:
                if read or not _passes(error):
                    raise
                log.error("reading waits", error=str(error))
                await asyncio.sleep(AGAIN_S)
                pieces = self._blobs.pieces(delivery.blob, delivery.size_bytes)
                continue
            if not piece:
                return
            read += len(piece)
            yield piece


def _passes(error: StorageError) -> bool:
    """Return True if the process or the machine was short of something for a moment."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _SHORTAGES
