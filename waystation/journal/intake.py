"""The intake log: where an arrival becomes durable with one write to the disk.

Contract: `append` resolves once the record is on the disk.  Records are written in order by one
thread into segments that were created and filled ahead, past the page cache and synchronously
(O_DIRECT, O_DSYNC), so that neither the file system's journal nor a second sync is involved; all
that waits together goes out in one write.  The tables follow a moment later, many rows per
transaction, and remember how far they came (`lsn`); `open` returns what they had not taken yet.

Format of a segment: a block of 4 KiB with a random key of 16 bytes, then groups.  A group begins
on a block and holds records: key, lsn u64, meta length u32, data length u32, CRC-32 u32 (over lsn,
meta, data), meta, data.  The key is new for each use of a segment, so neither an older record nor
anything that a sender puts into an image can be taken for a record.  A failed write abandons its
segment (S-20): what was in that group was not acknowledged.
"""

import asyncio
import mmap
import os
import queue
import secrets
import struct
import threading
import time
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from waystation.blobs.slots import make_folder, sync_folder
from waystation.model.errors import MisuseError, StorageError
from waystation.timing.histogram import Histogram

log = structlog.get_logger()

BLOCK = 4096
SEGMENT_BYTES = 16 << 20
GROUP_BYTES = 1 << 20
MAGIC = b"WSINTAKE1"
KEY = struct.Struct("<16s")
FRAME = struct.Struct("<16sQIII")


@dataclass(frozen=True, slots=True)
class Record:
    """One arrival as it stands in the log.  data: the data set, or b"" if a blob has it."""

    lsn: int
    meta: bytes
    data: bytes


class _Append:
    __slots__ = ("data", "error", "future", "loop", "lsn", "meta")

    def __init__(
        self, meta: bytes, data: bytes | memoryview, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.meta = meta
        self.data = data
        self.loop = loop
        self.future: asyncio.Future[int] = loop.create_future()
        self.lsn = 0
        self.error: StorageError | None = None

    @property
    def size(self) -> int:
        return FRAME.size + len(self.meta) + len(self.data)


class _Segment:
    """One file of the log.  last_lsn: of the newest record in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.key = b""
        self.at = SEGMENT_BYTES
        self.last_lsn = 0
        self.descriptor = -1


def _open_direct(path: Path, flags: int) -> int:
    """Open for synchronous writing, past the page cache where the file system can."""
    try:
        return os.open(path, flags | os.O_DSYNC | os.O_DIRECT | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.open(path, flags | os.O_DSYNC | os.O_CLOEXEC, 0o600)


def ever_written(folder: Path) -> bool:
    """Return whether anything was ever appended to the log in ``folder``."""
    for path in folder.glob("*.log"):
        with path.open("rb") as segment:
            if segment.read(len(MAGIC)) == MAGIC:
                return True
    return False


class IntakeLog:
    """The segments of one data folder and the thread that writes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments: list[_Segment] = []
        self._free: list[_Segment] = []
        self._current: _Segment | None = None
        self._queue: queue.SimpleQueue[_Append | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._buffer = mmap.mmap(-1, GROUP_BYTES + (256 << 10))
        self._lock = threading.Lock()
        self._next_lsn = 1
        self._made = 0
        self._closed = False
        self._open: dict[int, None] = {}
        self._answered = 0
        self.commit_s = Histogram()
        self.arrivals = 0
        self.commits = 0

    # at start

    def open(self, committed: int) -> list[Record]:
        """Return the records behind ``committed``, oldest first (S-11); each is to be `settled`."""
        make_folder(self._folder)
        records: list[Record] = []
        highest = committed
        for path in sorted(self._folder.glob("*.log")):
            self._segments.append(_Segment(path))
            for record in _records(path.read_bytes()):
                highest = max(highest, record.lsn)
                if record.lsn > committed:
                    records.append(record)
        self._next_lsn = highest + 1
        self._answered = highest
        self._made = len(self._segments)
        records.sort(key=lambda record: record.lsn)
        self._open = {record.lsn: None for record in records}
        return records

    def start(self) -> None:
        """Begin anew once the records of `open` are in the tables."""
        for segment in self._segments:
            self._prepare(segment)
        while len(self._segments) < 2:
            self._make()
        self._free = list(self._segments)
        self._thread = threading.Thread(target=self._loop, name="intake", daemon=True)
        self._thread.start()

    def _make(self) -> _Segment:
        """Create a segment whose blocks are all written once, so that later writes change no
        metadata."""
        self._made += 1
        segment = _Segment(self._folder / f"{self._made:04d}.log")
        self._prepare(segment)
        self._segments.append(segment)
        return segment

    def _prepare(self, segment: _Segment) -> None:
        try:
            segment.descriptor = _open_direct(segment.path, os.O_RDWR | os.O_CREAT)
            if os.fstat(segment.descriptor).st_size < SEGMENT_BYTES:
                zeros = mmap.mmap(-1, 1 << 20)
                for at in range(0, SEGMENT_BYTES, len(zeros)):
                    os.pwrite(segment.descriptor, zeros, at)
                sync_folder(self._folder)
        except OSError as error:
            raise StorageError(f"intake log: {error.strerror}") from error

    # while running

    def append(self, meta: bytes, data: bytes | memoryview) -> "asyncio.Future[int]":
        """Write a record; the future resolves to its lsn once it is durable.

        Raises `StorageError` through the future.  ``data`` must live until then.
        """
        if self._closed:
            raise MisuseError("the intake log is closed")
        item = _Append(meta, data, asyncio.get_running_loop())
        self._queue.put(item)
        return item.future

    def watermark(self, leaving: Collection[int]) -> int:
        """Return up to where the tables have everything once they have ``leaving`` too.

        Records are settled out of order, because a blob may take longer than its record.
        """
        for lsn in self._open:
            if lsn not in leaving:
                return lsn - 1
        return self._answered

    def settled(self, lsns: Iterable[int]) -> None:
        """These records are in the tables, or were never acknowledged and are given up."""
        for lsn in lsns:
            self._open.pop(lsn, None)

    def committed(self, lsn: int) -> None:
        """The tables say that they have everything up to ``lsn``: segments that end there are
        free again."""
        with self._lock:
            for segment in self._segments:
                if (
                    segment is not self._current
                    and segment not in self._free
                    and segment.last_lsn <= lsn
                    and segment.descriptor >= 0
                ):
                    self._free.append(segment)

    def close(self) -> None:
        """Write what was asked, then stop."""
        self._closed = True
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()
        for segment in self._segments:
            if segment.descriptor >= 0:
                os.close(segment.descriptor)
                segment.descriptor = -1

    def _loop(self) -> None:
        item = self._queue.get()
        while item is not None:
            group, item = self._gather(item)
            self._write(group)
            item = item or self._queue.get()

    def _gather(self, first: _Append) -> tuple[list[_Append], _Append | None]:
        """Return what goes out together, and an item that did not fit any more."""
        group, size = [first], first.size
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, None
            if item is None or size + item.size > GROUP_BYTES:
                # The end is asked for once more behind this group.
                if item is None:
                    self._queue.put(None)
                return group, item
            group.append(item)
            size += item.size

    def _write(self, group: list[_Append]) -> None:
        began = time.monotonic()
        try:
            self._write_group(group)
            self._count(group, time.monotonic() - began)
        except (OSError, StorageError) as error:
            # Also a segment that could not be made: this thread must never end.
            log.error("intake log", error=str(error))
            self._abandon()
            for item in group:
                item.error = StorageError(f"intake log: {error}")
                item.error.__cause__ = error
        loops = {item.loop for item in group}
        for loop in loops:
            if not loop.is_closed():
                mine = [item for item in group if item.loop is loop]
                loop.call_soon_threadsafe(self._answer, mine)

    def _count(self, group: list[_Append], took_s: float) -> None:
        # Outcomes share the log and begin otherwise.
        arrived = sum(item.meta[:1] == b"{" for item in group)
        self.arrivals += arrived
        self.commits += bool(arrived)
        self.commit_s.add(took_s)

    def _answer(self, group: list[_Append]) -> None:
        for item in group:
            if item.error is not None:
                if not item.future.cancelled():
                    item.future.set_exception(item.error)
                continue
            self._answered = item.lsn
            # Nobody waits for a cancelled one any more: it was not acknowledged.
            if not item.future.cancelled():
                self._open[item.lsn] = None
                item.future.set_result(item.lsn)

    def _write_group(self, group: list[_Append]) -> None:
        size = sum(item.size for item in group)
        padded = -(-size // BLOCK) * BLOCK
        segment = self._current
        if segment is None or segment.at + padded > SEGMENT_BYTES:
            segment = self._turn()
        buffer, at = self._buffer, 0
        for item in group:
            item.lsn = self._next_lsn
            self._next_lsn += 1
            checked = zlib.crc32(item.data, zlib.crc32(item.meta, item.lsn & 0xFFFFFFFF))
            FRAME.pack_into(
                buffer, at, segment.key, item.lsn, len(item.meta), len(item.data), checked
            )
            at += FRAME.size
            buffer[at : at + len(item.meta)] = item.meta
            at += len(item.meta)
            buffer[at : at + len(item.data)] = bytes(item.data)
            at += len(item.data)
        buffer[at:padded] = bytes(padded - at)
        _write_all(segment.descriptor, memoryview(buffer)[:padded], segment.at)
        segment.at += padded
        segment.last_lsn = group[-1].lsn

    def _turn(self) -> _Segment:
        """Go on in a free segment, under a new key."""
        with self._lock:
            segment = self._free.pop(0) if self._free else self._make()
            segment.key = secrets.token_bytes(16)
            head = mmap.mmap(-1, BLOCK)
            head[: len(MAGIC)] = MAGIC
            head[32:48] = segment.key
            _write_all(segment.descriptor, memoryview(head), 0)
            segment.at = BLOCK
            segment.last_lsn = 0
            self._current = segment
        return segment

    def _abandon(self) -> None:
        """Never write into this segment again: its end is in doubt."""
        with self._lock:
            segment, self._current = self._current, None
            if segment is not None:
                os.close(segment.descriptor)
                segment.descriptor = -1


def _write_all(descriptor: int, view: memoryview, at: int) -> None:
    while view:
        written = os.pwrite(descriptor, view, at)
        at += written
        view = view[written:]


def _records(content: bytes) -> Iterator[Record]:
    """Yield the whole records of a segment; the first thing that is none ends it."""
    if content[: len(MAGIC)] != MAGIC:
        return
    key = content[32:48]
    at = BLOCK
    while at + FRAME.size <= len(content):
        record = _record_at(content, at, key)
        if record is None:
            # Behind the last record of a group the next one begins on a block.
            aligned = -(-at // BLOCK) * BLOCK
            if aligned == at:
                return
            at = aligned
            continue
        yield record
        at += FRAME.size + len(record.meta) + len(record.data)


def _record_at(content: bytes, at: int, key: bytes) -> Record | None:
    found, lsn, meta_length, data_length, checked = FRAME.unpack_from(content, at)
    start = at + FRAME.size
    end = start + meta_length + data_length
    if found != key or end > len(content):
        return None
    meta = content[start : start + meta_length]
    data = content[start + meta_length : end]
    if zlib.crc32(data, zlib.crc32(meta, lsn & 0xFFFFFFFF)) != checked:
        return None
    return Record(lsn, meta, data)
