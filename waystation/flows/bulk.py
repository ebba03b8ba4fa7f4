"""Single values of archived objects, however deep and however long (PS3.18 section 10.4.3.3.5).

Contract (W-84): whatever path the metadata names leads to its bytes, words in little endian.  The
object is compared with its digest first (S-13).  A value of a big object is read piece by piece
from where it lies.  Raises `StorageError`, those of `UNFIT`, and `NoValueError`.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from waystation.blobs.folder import BlobFolder
from waystation.destinations.recoding import UNFIT
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.limits import DEFAULT_LIMITS
from waystation.dicom.nested import UNDEFINED, is_pixel
from waystation.dicom.uids import DEFLATED_SYNTAXES, EXPLICIT_VR_BE, EXPLICIT_VR_LE
from waystation.dicom.walk import Walker
from waystation.dicomweb.dicom_json import to_json, vr_of
from waystation.flows.serving import Objects
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.transforms.errors import UnfitError

PIECE: Final = 1 << 20
LIMITS: Final = replace(DEFAULT_LIMITS, head_bytes=4 << 20)
DOCUMENT: Final = 0x00420011
DOCUMENT_TYPE: Final = 0x00420012
_PATH = re.compile(r"[0-9A-Fa-f]{8}(?:/[0-9]{1,6}/[0-9A-Fa-f]{8}){0,64}", re.ASCII)
_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,60}", re.ASCII)


class NoValueError(Exception):
    """There is nothing at a path."""


def read_path(text: str) -> list[int]:
    """Return tag, item, tag, and so on; ValueError for what is no path."""
    if not _PATH.fullmatch(text):
        raise ValueError("a path is a tag, or tags with the numbers of items between them")
    return [int(part, 10 if place % 2 else 16) for place, part in enumerate(text.split("/"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value.  media: what it is, "" for octets.  data: None where it is read from its place.

    encapsulated: pixels in fragments, which are the business of `Frames`.
    """

    size: int
    data: bytes | None = None
    start: int = 0
    media: str = ""
    encapsulated: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """An object that was looked at.  data: of a small one."""

    delivery: Delivery
    head: Head
    data: bytes | None

    def paths(self) -> list[str]:
        """Return where its bulk data lies, in order."""
        found: list[str] = []

        def note(path: str) -> str:
            found.append(path)
            return path

        to_json(self.head, bulk=note)
        return found

    def value(self, path: str) -> Value:
        """Return what is at a path."""
        head, tag = self.head, 0
        parts = read_path(path)
        try:
            for place in range(0, len(parts) - 1, 2):
                head = list(head.items(parts[place]))[parts[place + 1]]
        except (IndexError, KeyError, DatasetError):
            raise NoValueError(path) from None
        tag = parts[-1]
        if tag not in head.elements or vr_of(head, tag) == "SQ":
            raise NoValueError(path)
        _, start, length = head.elements[tag]
        if head is not self.head:
            return Value(size=length, data=head.data[start : start + length])
        encapsulated = is_pixel(tag) and self._is_open(start)
        media = head.text(DOCUMENT_TYPE).lower() if tag == DOCUMENT else ""
        return Value(
            size=length,
            start=start,
            media=media if _TYPE.fullmatch(media) else "",
            data=None if self.data is None else self.data[start : start + length],
            encapsulated=encapsulated,
        )

    def _is_open(self, start: int) -> bool:
        if self.data is None:
            return self.delivery.transfer_syntax_uid not in NATIVE
        return self.data[start - 4 : start] == UNDEFINED.to_bytes(4, "little")


NATIVE: Final = frozenset({EXPLICIT_VR_LE, "1.2.840.10008.1.2"})


class BulkValues:
    """Of one node."""

    def __init__(self, blobs: BlobFolder, disk: Executor, objects: Objects) -> None:
        self._blobs = blobs
        self._disk = disk
        self._objects = objects

    async def read(self, delivery: Delivery) -> Read:
        """Look at an object."""
        syntax = delivery.transfer_syntax_uid
        plain = syntax in DEFLATED_SYNTAXES or syntax == EXPLICIT_VR_BE
        ready = await self._objects.ready(delivery, EXPLICIT_VR_LE if plain else syntax)
        try:
            data = ready.payload if isinstance(ready.payload, bytes) else None
        finally:
            ready.drop()
        if not isinstance(ready.payload, bytes):
            await ready.payload.pieces.aclose()
            if plain:
                raise UnfitError("it is too big to be read value by value")
        return await asyncio.get_running_loop().run_in_executor(
            self._disk, partial(self._look, delivery, data, ready.transfer_syntax_uid)
        )

    def _look(self, delivery: Delivery, data: bytes | None, syntax: str) -> Read:
        walker = Walker(syntax, limits=LIMITS)
        digest = hashlib.sha256()
        try:
            if data is not None:
                walker.feed(data)
            else:
                for piece in self._blobs.pieces(delivery.blob, delivery.size_bytes):
                    walker.feed(piece)
                    digest.update(piece)
                if digest.hexdigest() != delivery.sha256:
                    raise StorageError("the stored object is damaged: its digest differs")
            return Read(delivery, walker.finish(), data)
        except DatasetError as error:
            raise StorageError(f"the object cannot be read: {error}") from error

    async def pieces(self, read: Read, value: Value) -> AsyncGenerator[bytes, None]:
        """Yield a value."""
        if value.data is not None:
            yield value.data
            return
        one = read.delivery
        stop = value.start + value.size
        for at in range(value.start, stop, PIECE):
            size = min(PIECE, stop - at)
            job = partial(self._blobs.part, one.blob, one.size_bytes, at, size)
            data = await asyncio.get_running_loop().run_in_executor(self._disk, job)
            if len(data) != size:
                raise StorageError("blob is shorter than its row says")
            yield data


__all__ = ["UNFIT", "BulkValues", "NoValueError", "Read", "Value", "read_path"]
