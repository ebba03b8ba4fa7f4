"""A new head before an old tail: the bytes of a treated object.

Contract: the tail is copied byte for byte.  A deflated data set is inflated, spliced and deflated
again, in memory and up to `MOST_DEFLATED`.  `first_bytes` of the tail are what a scanner needs to
see where a head ends.
"""

import hashlib
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress

from waystation.destinations.base import Pieces
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.limits import DEFAULT_LIMITS
from waystation.dicom.scan import Scanner
from waystation.dicom.uids import DEFLATED_SYNTAXES, EXPLICIT_VR_LE
from waystation.model.errors import StorageError

MOST_DEFLATED = 256 << 20
LEAD = 64
RAW = -zlib.MAX_WBITS


class Original:
    """A stored object whose head was read: ``head``, and its tail behind it.

    lead: the first bytes of the tail.  tail_end: where the pixels end, None if the head tells.
    """

    def __init__(self, head: Head, begun: bytes, rest: AsyncGenerator[bytes, None] | None) -> None:
        self.head = head
        self._begun = begun
        self._rest = rest
        self.tail_end: int | None = None
        offset = head.pixel_offset
        self.lead = begun[offset : offset + LEAD]

    def whole(self, new_head: bytes, tail_end: int) -> bytes | None:
        """Return the object with another head if all of it is at hand; blocks while it works.

        tail_end: where the tail that leaves ends, -1: at its end.
        """
        if self._rest is not None:
            return None
        data = new_head + self._begun[self.head.pixel_offset : _end(tail_end)]
        return deflated(data) if is_deflated(self.head.transfer_syntax_uid) else data

    def pieces(self, new_head: bytes, tail_end: int) -> AsyncGenerator[bytes, None]:
        """Yield the object with another head, once, where `whole` has none."""
        return behind(self._all(), new_head, self.head.pixel_offset, tail_end)

    async def _all(self) -> AsyncGenerator[bytes, None]:
        yield self._begun
        if self._rest is not None:
            async for piece in self._rest:
                yield piece

    async def close(self) -> None:
        """Let go of what was not read."""
        if self._rest is not None:
            await self._rest.aclose()


async def read(payload: bytes | Pieces, transfer_syntax_uid: str) -> Original:
    """Read as much of a stored object as its head needs; all of a deflated one.

    Raises `StorageError` or `DatasetError` if it cannot be read.
    """
    if is_deflated(transfer_syntax_uid):
        data = inflated(payload if isinstance(payload, bytes) else await joined(payload.pieces))
        head = Head.from_bytes(data, plain(transfer_syntax_uid))
        head.transfer_syntax_uid = transfer_syntax_uid
        return Original(head, data, None)
    if isinstance(payload, bytes):
        return Original(Head.from_bytes(payload, transfer_syntax_uid), payload, None)
    return await _begin(payload.pieces, transfer_syntax_uid)


async def _begin(pieces: AsyncGenerator[bytes, None], transfer_syntax_uid: str) -> Original:
    """Read pieces until the tail is in sight."""
    scan = Scanner(transfer_syntax_uid)
    begun: list[bytes] = []
    async for piece in pieces:
        begun.append(piece)
        scan.feed(piece)
        if scan.tail >= 0 and scan.length >= scan.tail + LEAD:
            break
    scan.close(tail_missing=True)
    head = Head(scan, transfer_syntax_uid, DEFAULT_LIMITS)
    return Original(head, b"".join(begun), pieces)


async def find_tail_end(original: Original, load: Callable[[], Awaitable[bytes | Pieces]]) -> None:
    """See where the pixels end; if the head does not tell, by reading the object once more.

    Where even that does not tell, nobody may guess: de-identification holds it.
    Raises `StorageError` or `DatasetError` if it cannot be read.
    """
    from waystation.transforms.deid.engine import TailError, tail_end

    head = original.head
    with suppress(TailError):
        original.tail_end = tail_end(head)
        return
    again = await load()
    if isinstance(again, bytes):
        return
    scan = Scanner(head.transfer_syntax_uid)
    async with aclosing(again.pieces) as each:
        async for piece in each:
            scan.feed(piece)
    scan.close()
    with suppress(TailError):
        original.tail_end = tail_end(Head(scan, head.transfer_syntax_uid, DEFAULT_LIMITS))


def is_deflated(transfer_syntax_uid: str) -> bool:
    """Tell whether a data set is compressed as a whole (PS3.5 A.5)."""
    return transfer_syntax_uid in DEFLATED_SYNTAXES


def plain(transfer_syntax_uid: str) -> str:
    """Return how the inflated bytes are coded."""
    return EXPLICIT_VR_LE if is_deflated(transfer_syntax_uid) else transfer_syntax_uid


def spliced(data: bytes, head: bytes, span: tuple[int, int], transfer_syntax_uid: str) -> bytes:
    """Return a whole object with another head.  span: of the tail, its end -1 for all of it."""
    begin, end = span[0], _end(span[1])
    if is_deflated(transfer_syntax_uid):
        return deflated(head + inflated(data)[begin:end])
    return head + data[begin:end]


def _end(tail_end: int) -> int | None:
    return None if tail_end < 0 else tail_end


def inflated(data: bytes) -> bytes:
    """Return a deflated data set as it was.  Raises `DatasetError`."""
    stream = zlib.decompressobj(RAW)
    try:
        made = stream.decompress(data, MOST_DEFLATED)
    except zlib.error as error:
        raise DatasetError("L12", "the deflated data set cannot be inflated") from error
    if stream.unconsumed_tail:
        raise DatasetError("L12", "the deflated data set is too big to be edited")
    return made


def deflated(data: bytes) -> bytes:
    """Return a data set deflated, of even length; equal bytes give equal bytes."""
    stream = zlib.compressobj(6, zlib.DEFLATED, RAW)
    made = stream.compress(data) + stream.flush()
    return made + b"\0" * (len(made) % 2)


async def joined(pieces: AsyncGenerator[bytes, None]) -> bytes:
    """Return all pieces as one.  Raises `DatasetError` if that is too much."""
    found: list[bytes] = []
    size = 0
    async with aclosing(pieces) as each:
        async for piece in each:
            size += len(piece)
            if size > MOST_DEFLATED:
                raise DatasetError("L12", "the deflated data set is too big to be edited")
            found.append(piece)
    return b"".join(found)


async def behind(
    pieces: AsyncGenerator[bytes, None], head: bytes, begin: int, end: int
) -> AsyncGenerator[bytes, None]:
    """Yield a new head, and the bytes of the old object from ``begin`` to ``end`` (-1: all)."""
    async with aclosing(pieces) as each:
        yield head
        at = 0
        async for piece in each:
            first, last = max(begin - at, 0), len(piece) if end < 0 else min(end - at, len(piece))
            if first < last:
                yield piece if (first, last) == (0, len(piece)) else piece[first:last]
            at += len(piece)
            if 0 <= end <= at:
                return


def check(data: bytes, sha256: str) -> bytes:
    """Return the bytes if they are those that were promised.  Raises `StorageError`."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StorageError("the treated object is not what it was: its digest differs")
    return data
