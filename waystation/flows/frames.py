"""Frames of archived objects (W-72, W-83): each costs what it costs, not what its object costs.

Contract: an object is compared with its digest before any of it leaves (S-13): a small one each
time, a big one once, when the places of its frames are noted for good.  After that a frame is read
from its own place.  What is decoded is a data set of some frames alone, made for a codec child.
Raises `StorageError`, `WorkroomError`, and those of `UNFIT`.
"""

import asyncio
import zlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from waystation.blobs.folder import BlobFolder
from waystation.codecs.errors import CodecError
from waystation.codecs.pool import Converted
from waystation.db.engine import Database
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.uids import DEFLATED, EXPLICIT_VR_LE
from waystation.dicom.walk import read_head
from waystation.dicomweb import fragments
from waystation.dicomweb.fragments import Frame
from waystation.flows.serving import Objects
from waystation.index import frame_tables
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.transforms.errors import UnfitError
from waystation.transforms.frames import (
    Pixels,
    Read,
    decoded_size,
    is_direct,
    native,
    native_place,
    pixels_of,
    small,
)

PIECE: Final = 1 << 20
FIRST: Final = 64 << 10
# So much is decoded at once, or one frame.
TOGETHER_BYTES: Final = 4 << 20
KNOWN: Final = 64
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An object whose frames can be read.

    data: the whole data set if it is small.  table: the fragments of each frame, () for native.
    """

    delivery: Delivery
    pixels: Pixels
    table: Sequence[Frame]
    syntax: str
    data: bytes | None = None

    @property
    def n_frames(self) -> int:
        """How many there are."""
        return len(self.table) or self.pixels.image.frames

    def size(self, number: int) -> int:
        """Return the bytes of a frame as it is stored.  number: from 0 on."""
        if self.table:
            return sum(length for _, length in self.table[number])
        return self.pixels.frame_bytes


class Frames:
    """Of one node."""

    def __init__(
        self, database: Database, blobs: BlobFolder, disk: Executor, objects: Objects
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._disk = disk
        self._objects = objects
        self._known: OrderedDict[int, Opened] = OrderedDict()

    async def open(self, delivery: Delivery) -> Opened:
        """Return how the frames of an object can be read."""
        known = self._known.get(delivery.arrival_id)
        if known is not None:
            self._known.move_to_end(delivery.arrival_id)
            return known
        kept = await self._database.read(frame_tables.read(delivery.arrival_id))
        if kept is not None and delivery.blob and delivery.sealed:
            return self._remember(await self._in_thread(partial(self._big, delivery, kept)))
        payload = await self._objects.cargo.load(delivery)
        syntax = delivery.transfer_syntax_uid
        if syntax == DEFLATED:
            ready = await self._objects.ready(delivery, EXPLICIT_VR_LE)
            payload, syntax = ready.payload, EXPLICIT_VR_LE
        if isinstance(payload, bytes):
            return await self._in_thread(partial(_small, delivery, payload, syntax))
        await payload.pieces.aclose()
        if delivery.transfer_syntax_uid == DEFLATED:
            raise UnfitError("it is deflated and too big for single frames")
        made = self._remember(await self._in_thread(partial(self._big, delivery, None)))
        packed = zlib.compress(fragments.packed(made.table))
        await self._database.write(frame_tables.keep(delivery.arrival_id, packed), urgent=False)
        return made

    async def _in_thread(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, job)

    def _remember(self, made: Opened) -> Opened:
        self._known[made.delivery.arrival_id] = made
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return made

    def _big(self, delivery: Delivery, kept: bytes | None) -> Opened:
        name, size = delivery.blob, delivery.size_bytes
        syntax = delivery.transfer_syntax_uid
        try:
            head = read_head(self._blobs.pieces(name, size, FIRST), syntax)
        except DatasetError as error:
            raise StorageError(f"the object cannot be read: {error}") from error
        with self._blobs.window(name, size) as read:
            pixels = pixels_of(head, read)
            table = _table(pixels, size, read) if kept is None else _unpacked(kept)
        return Opened(delivery=delivery, pixels=pixels, table=table, syntax=syntax)

    async def pieces(self, opened: Opened, number: int) -> AsyncGenerator[bytes, None]:
        """Yield a frame as it is stored, words in little endian.  number: from 0 on."""
        pixels = opened.pixels
        if opened.table:
            for start, length in opened.table[number]:
                async for piece in self._read(opened, start, length):
                    yield piece
            return
        start, length = native_place(pixels, number)
        if is_direct(pixels):
            async for piece in self._read(opened, start, length):
                yield piece
            return
        whole = b"".join([piece async for piece in self._read(opened, start, length)])
        yield native(pixels, number, whole)

    async def _read(self, opened: Opened, start: int, length: int) -> AsyncGenerator[bytes, None]:
        if opened.data is not None:
            yield opened.data[start : start + length]
            return
        one = opened.delivery
        for at in range(start, start + length, PIECE):
            size = min(PIECE, start + length - at)
            job = partial(self._blobs.part, one.blob, one.size_bytes, at, size)
            data = await self._in_thread(job)
            if len(data) != size:
                raise StorageError("blob is shorter than its row says")
            yield data

    async def converted(
        self, opened: Opened, numbers: Sequence[int], syntax: str
    ) -> "ConvertedFrames":
        """Return frames in another syntax.  numbers: from 0 on, as `batches` gives them."""
        codecs = self._objects.codecs
        if codecs is None:
            raise CodecError("pixels are not converted here")
        stored = [
            b"".join([piece async for piece in self.pieces(opened, number)]) for number in numbers
        ]
        compressed = bool(opened.table)
        data = small(opened.pixels, stored, compressed=compressed)
        has = opened.syntax if compressed else EXPLICIT_VR_LE
        made = await codecs.convert(data, digest=opened.delivery.sha256, has=has, wanted=syntax)
        try:
            return await _cut(made, opened.pixels, len(numbers), syntax)
        except BaseException:
            made.drop()
            raise


def batches(opened: Opened, numbers: Sequence[int]) -> list[Sequence[int]]:
    """Return frames in batches that are decoded together."""
    one, _ = decoded_size(opened.pixels, 1)
    together = max(1, TOGETHER_BYTES // max(1, one))
    return [numbers[at : at + together] for at in range(0, len(numbers), together)]


@dataclass(frozen=True, slots=True)
class ConvertedFrames:
    """Frames in another syntax, in a file that `drop` removes.  places: offset and size of each."""

    made: Converted
    places: Sequence[tuple[int, int]]

    async def pieces(self, place: int) -> AsyncGenerator[bytes, None]:
        """Yield one of them."""
        start, length = self.places[place]
        for at in range(start, start + length, PIECE):
            yield await self.made.part(at, min(PIECE, start + length - at))

    def drop(self) -> None:
        """Remove the file."""
        self.made.drop()


async def _cut(made: Converted, pixels: Pixels, n_frames: int, syntax: str) -> ConvertedFrames:
    if syntax == EXPLICIT_VR_LE:
        one, total = decoded_size(pixels, n_frames)
        first = made.size_bytes - total
        return ConvertedFrames(made, [(first + one * place, one) for place in range(n_frames)])
    data = await made.whole()
    read = _reader(data)
    table = _table(pixels_of(Head.from_bytes(data, syntax), read), len(data), read)
    places = [frame[0] for frame in table if len(frame) == 1]
    if len(places) != n_frames:
        raise UnfitError("a codec made something else than frames")
    return ConvertedFrames(made, places)


def _unpacked(kept: bytes) -> Sequence[Frame]:
    try:
        return fragments.unpacked(zlib.decompress(kept))
    except (zlib.error, ValueError, IndexError) as error:
        raise StorageError("the table of its frames is damaged") from error


def _reader(data: bytes) -> Read:
    return lambda at, size: data[at : at + size]


def _small(delivery: Delivery, data: bytes, syntax: str) -> Opened:
    read = _reader(data)
    try:
        pixels = pixels_of(Head.from_bytes(data, syntax), read)
    except DatasetError as error:
        raise StorageError(f"the object cannot be read: {error}") from error
    table = _table(pixels, len(data), read)
    return Opened(delivery=delivery, pixels=pixels, table=table, syntax=syntax, data=data)


def _table(pixels: Pixels, size: int, read: Read) -> Sequence[Frame]:
    if pixels.length is not None:
        return ()
    try:
        found = fragments.walk(read, pixels.start, size)
        return fragments.frames(found, pixels.image.frames, pixels.extended, read)
    except ValueError as error:
        raise UnfitError(str(error)) from error
