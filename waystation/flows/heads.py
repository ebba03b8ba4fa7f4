"""Heads of arrivals that are no longer in memory: read again from the journal or the blob.

Contract: no more is read than the head needs.  What is kept of an object whose bytes go is its
head with long values blanked: rules cannot read those anyway, but may ask whether they are there.
"""

import asyncio
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Literal

from waystation.blobs.folder import BlobFolder
from waystation.blobs.reading import BlobReader
from waystation.db.engine import Database
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.limits import DEFAULT_LIMITS
from waystation.dicom.nested import EXPLICIT_BE
from waystation.dicom.scan import form_of
from waystation.dicom.uids import DEFLATED_SYNTAXES, EXPLICIT_VR_LE
from waystation.dicom.walk import read_head
from waystation.journal import arrivals, heads
from waystation.journal.heads import HeadSource
from waystation.model.arrival import Arrival
from waystation.model.errors import StorageError

FIRST = 32 << 10
NAMES_AT_ONCE = 50
LONGEST = DEFAULT_LIMITS.indexed_bytes
# Items lie in these, or may: rules look inside.
NESTING = {"SQ", "UN"}


def head_from(source: HeadSource, blobs: BlobReader) -> Head:
    """Return the head of an arrival; blocks on the disk.

    Raises `StorageError` if nothing of it is left, or what is left cannot be read.
    """
    syntax = source.transfer_syntax
    pieces: Iterator[bytes | memoryview]
    if source.blob:
        pieces = blobs.pieces(source.blob, source.size_bytes, FIRST)
    elif source.data is not None:
        pieces = _growing(source.data)
    elif source.kept is not None:
        pieces, syntax = iter([_inflated(source.kept)]), plain_syntax(syntax)
    else:
        raise StorageError("the object and its head are gone")
    try:
        return read_head(pieces, syntax)
    except DatasetError as error:
        raise StorageError(f"the object cannot be read: {error}") from error


def _growing(data: bytes) -> Iterator[memoryview]:
    view, at, size = memoryview(data), 0, FIRST
    while at < len(view):
        yield view[at : at + size]
        at, size = at + size, size * 4


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise StorageError("the kept head is damaged") from error


def plain_syntax(transfer_syntax_uid: str) -> str:
    """Return how the bytes of a `Head` are coded: those of a deflated object are inflated."""
    return EXPLICIT_VR_LE if transfer_syntax_uid in DEFLATED_SYNTAXES else transfer_syntax_uid


def kept(head: Head) -> bytes:
    """Return the head as it is kept when the bytes go."""
    return zlib.compress(_shortened(head))


def _shortened(head: Head) -> bytes:
    """Return the bytes of a head, values too long to be read replaced by zeros that are, too.

    So they stay what they are to a rule: present, and not read.
    """
    order: Literal["big", "little"] = (
        "big" if form_of(head.transfer_syntax_uid) == EXPLICIT_BE else "little"
    )
    parts: list[bytes] = []
    done = 0
    blank = LONGEST + 2
    for tag, (_, start, length) in sorted(head.elements.items(), key=lambda item: item[1][1]):
        end = start + length
        if length <= blank or start < done or end > len(head.data):
            continue
        field = head.data[start - 4 : start]
        if head.vr(tag) in NESTING or int.from_bytes(field, order) != length:
            continue
        parts += [head.data[done : start - 4], blank.to_bytes(4, order), bytes(blank)]
        done = end
    return b"".join([*parts, head.data[done:]])


class HeadReader:
    """Reads the heads of stored data sets in worker threads."""

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
        source = HeadSource(
            arrival=arrival.id,
            blob="" if data is not None else arrival.blob,
            size_bytes=arrival.size_bytes,
            transfer_syntax=arrival.instance.transfer_syntax_uid,
            data=data,
        )
        return await asyncio.get_running_loop().run_in_executor(
            self._disk, head_from, source, self._blobs
        )

    async def names_of(self, ids: Sequence[int]) -> dict[int, str]:
        """Return Patient's Name by arrival; those that cannot be read are missing."""
        found: dict[int, str] = {}
        loop = asyncio.get_running_loop()
        for start in range(0, len(ids), NAMES_AT_ONCE):
            wanted = ids[start : start + NAMES_AT_ONCE]
            sources = await self._database.read(heads.sources(wanted))
            found |= await loop.run_in_executor(self._disk, _names, sources, self._blobs)
        return found


def _names(sources: Sequence[HeadSource], blobs: BlobReader) -> dict[int, str]:
    found = {}
    for source in sources:
        with suppress(StorageError, DatasetError):
            values = head_from(source, blobs).values("PatientName")
            if values:
                found[source.arrival] = str(values[0])
    return found
