"""Objects into files, for commands that retrieve: sub-operations of a C-GET, or a small listener.

Contract: bytes are kept as they come, under the name that the template makes of them, by the same
code as the ``folder`` destination: what is there already is never overwritten, and what is
answered with success is on the disk.  An object up to 4 MiB is held in memory until it is whole,
a larger one lies in a nameless temporary file beside its place.
"""

import asyncio
import hashlib
import io
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import IO

from waystation.destinations.base import WHOLE_BYTES, Pieces
from waystation.destinations.folder import FolderDestination, FolderSettings
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, identity
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.model.outcome import Delivered
from waystation.wire.commands import C_ECHO_RQ, C_STORE_RQ, Command, reply
from waystation.wire.items import AcceptedContext
from waystation.wire.status import (
    CANNOT_UNDERSTAND,
    DATA_SET_MISMATCH,
    OUT_OF_RESOURCES,
    UNRECOGNISED_OPERATION,
)

PIECE = 256 << 10
HEAD_BYTES = 1 << 20


class FileTaker:
    """Takes objects into one folder.

    taken: SOP Instance UIDs in order.  failed: those that could not be kept, and why.
    told: called with the size of each object that was kept.
    """

    def __init__(
        self,
        folder: Path,
        template: str,
        told: Callable[[int], None] = lambda _size: None,
    ) -> None:
        self.taken: list[str] = []
        self.failed: dict[str, str] = {}
        self.seen_bytes = 0
        self._told = told
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._way = FolderDestination("output", FolderSettings(path=folder, template=template))

    def begun(self, context: AcceptedContext, command: Command) -> "ObjectSink":
        """A message of the peer has begun."""
        return ObjectSink(self, context, command)

    async def keep(self, delivery: Delivery, payload: IO[bytes]) -> str:
        """Write one whole object; return "" or why it could not be kept."""
        outcomes = [one async for _, one in self._way.send([delivery], _Spooled(payload))]
        outcome = outcomes[-1] if outcomes else None
        if isinstance(outcome, Delivered):
            self.taken.append(delivery.sop_instance_uid)
            self.seen_bytes += delivery.size_bytes
            self._told(delivery.size_bytes)
            return ""
        why = "not written" if outcome is None else outcome.why
        self.failed[delivery.sop_instance_uid] = why
        return why


class ObjectSink:
    """One C-STORE (or C-ECHO) of the peer."""

    def __init__(self, taker: FileTaker, context: AcceptedContext, command: Command) -> None:
        self._taker = taker
        self._context = context
        self._command = command
        self._digest = hashlib.sha256()
        self._file: IO[bytes] = io.BytesIO()
        self._spooled = False
        self._size = 0
        self._problem = ""

    def write(self, data: memoryview) -> None:
        """Take a piece of the data set."""
        if self._problem or self._command.field != C_STORE_RQ:
            return
        self._digest.update(data)
        self._size += len(data)
        try:
            if self._size > WHOLE_BYTES and not self._spooled:
                self._spool()
            self._file.write(data)
        except OSError as error:
            self._problem = error.strerror or str(error)

    def _spool(self) -> None:
        """Go on in a file without a name: whatever happens, it is gone afterwards."""
        path = self._taker.folder / f".{secrets.token_hex(8)}.part"
        file = path.open("x+b")
        path.unlink()
        held, self._file, self._spooled = self._file, file, True
        held.seek(0)
        file.write(held.read())

    async def finish(self) -> Command:
        """Keep the object; return the response."""
        try:
            return await self._finish()
        finally:
            self._file.close()

    async def _finish(self) -> Command:
        command = self._command
        if command.field == C_ECHO_RQ:
            return reply(command)
        if command.field != C_STORE_RQ:
            return reply(command, UNRECOGNISED_OPERATION, "only C-STORE is served here")
        uid = command.sop_instance_uid
        if self._problem:
            self._taker.failed[uid] = self._problem
            return reply(command, OUT_OF_RESOURCES, "cannot write the object")
        self._file.seek(0)
        try:
            head = Head.from_bytes(
                self._file.read(HEAD_BYTES), self._context.transfer_syntax, tail_missing=True
            )
        except DatasetError as error:
            self._taker.failed[uid] = str(error)
            return reply(command, CANNOT_UNDERSTAND, "the data set cannot be read")
        found = identity(head)
        if found.sop_instance_uid != uid or found.sop_class_uid != command.sop_class_uid:
            self._taker.failed[uid] = "command and data set name different objects"
            return reply(command, DATA_SET_MISMATCH, "command and data set differ")
        delivery = Delivery(
            id=len(self._taker.taken) + 1,
            arrival_id=0,
            destination="output",
            study_uid=found.study_uid,
            series_uid=found.series_uid,
            sop_class_uid=found.sop_class_uid,
            sop_instance_uid=uid,
            transfer_syntax_uid=self._context.transfer_syntax,
            calling_ae="",
            blob="",
            size_bytes=self._size,
            sha256=self._digest.hexdigest(),
            received_at=time.time(),
        )
        why = await self._taker.keep(delivery, self._file)
        return (
            reply(command, OUT_OF_RESOURCES, "cannot write the object") if why else reply(command)
        )

    def forget(self) -> None:
        """The association ended before the object did."""
        self._file.close()


class _Spooled:
    """The bytes of one object, as a destination wants them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    async def load(self, delivery: Delivery) -> bytes | Pieces:
        """Return the data set, whole or in pieces."""
        self._file.seek(0)
        if delivery.size_bytes > WHOLE_BYTES:
            return Pieces(self._pieces())
        return self._file.read()

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        while True:
            try:
                piece = await asyncio.to_thread(self._file.read, PIECE)
            except OSError as error:
                raise StorageError(f"the temporary file cannot be read: {error}") from error
            if not piece:
                return
            yield piece
