"""One object in one file: read without holding it in memory, written without ever being half there.

Contract: `opened` gives an object whose tail is read piece by piece from the mapped file (a
deflated one is inflated in memory).  `Draft` writes beside the place, syncs and then takes the
place only if nothing is there: no file is ever overwritten.  DatasetError, OSError.
"""

import hashlib
import mmap
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.nested import Buffer
from waystation.dicom.part10 import read_meta
from waystation.flows.splicing import deflated, inflated, is_deflated

PIECE = 1 << 20
PREFIX = 64 << 10
LONG_PREFIX = 4 << 20


@dataclass(frozen=True, slots=True, eq=False)
class FileObject:
    """An object: its head was read to the end of the data set.

    meta: what stands before the data set.  data: of the data set, inflated.  digest: SHA-256 of
    the data set as it is stored.
    """

    meta: bytes

    head: Head
    data: memoryview
    digest: str

    def spliced(self, head: bytes, end: int) -> Iterator[Buffer]:
        """Yield the data set with another head, and the tail up to ``end`` (-1: all of it)."""
        begin, end = self.head.pixel_offset, len(self.data) if end < 0 else end
        if is_deflated(self.head.transfer_syntax_uid):
            yield deflated(head + bytes(self.data[begin:end]))
            return
        yield head
        for at in range(begin, end, PIECE):
            yield self.data[at : min(at + PIECE, end)]


@contextmanager
def opened(path: Path) -> Iterator[FileObject]:
    """Give the object of a file, as long as the file is needed."""
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            raise DatasetError("R-5", "the file is empty")
        # Unmapped when nobody looks into it any more: closing it here might be too early.
        yield read(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))


def head_of(path: Path) -> Head:
    """Return the head of a file's object; its pixels are not read.  DatasetError, OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        prefix = b""
        for most in (PREFIX, LONG_PREFIX):
            prefix += file.read(most - len(prefix))
            cut = len(prefix) < size
            try:
                meta = read_meta(prefix)
                if is_deflated(meta.transfer_syntax_uid):
                    break
                data = memoryview(prefix)[meta.data_set_offset :]
                return Head.from_bytes(data, meta.transfer_syntax_uid, tail_missing=cut)
            except DatasetError:
                if not cut:
                    raise
    with opened(path) as source:
        return source.head


def read(view: memoryview) -> FileObject:
    """Return the object that a whole file holds.  Raises DatasetError."""
    try:
        meta = read_meta(bytes(view[:PREFIX]))
    except DatasetError:
        if len(view) <= PREFIX:
            raise
        meta = read_meta(bytes(view[:LONG_PREFIX]))
    stored = view[meta.data_set_offset :]
    digest = hashlib.sha256(stored).hexdigest()
    syntax = meta.transfer_syntax_uid
    head = Head.from_bytes(stored, syntax)
    data = stored
    if is_deflated(syntax):
        data = memoryview(inflated(bytes(stored)))
    return FileObject(bytes(view[: meta.data_set_offset]), head, data, digest)


def is_dicom(path: Path) -> bool:
    """Tell whether a file says that it is DICOM."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


class Draft:
    """A file on its way to its place.  digest: SHA-256 of what was written behind the meta."""

    def __init__(self, place: Path) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        self._place = place
        self._path = place.with_name(f".{place.name}.{os.getpid()}.part")
        self._digest = hashlib.sha256()
        self._begins = 0
        self.size_bytes = 0
        self._file = self._path.open("wb")

    @property
    def digest(self) -> str:
        """SHA-256 of the data set so far, as hexadecimal digits."""
        return self._digest.hexdigest()

    def meta(self, data: bytes) -> None:
        """Write what stands before the data set."""
        self._file.write(data)
        self._begins += len(data)

    def write(self, pieces: Iterable[Buffer]) -> None:
        """Write pieces of the data set."""
        for piece in pieces:
            self._file.write(piece)
            self._digest.update(piece)
            self.size_bytes += len(piece)

    def again(self) -> Iterator[bytes]:
        """Yield what was written behind the meta."""
        self._file.flush()
        with self._path.open("rb") as file:
            file.seek(self._begins)
            while piece := file.read(PIECE):
                yield piece

    def take_place(self) -> bool:
        """Sync and take the place; False if a file with other content is there already."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        try:
            os.link(self._path, self._place)
        except FileExistsError:
            return _are_equal(self._path, self._place)
        except OSError:
            # No links on this file system: nobody else writes this name, or it is the same object.
            if self._place.exists():
                return _are_equal(self._path, self._place)
            self._path.rename(self._place)
        return True

    def replace(self) -> None:
        """Sync and take the place of the file that is there."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._place.exists():
            os.chmod(self._path, self._place.stat().st_mode & 0o7777)
        self._path.replace(self._place)

    def drop(self) -> None:
        """Let go of what is not in its place."""
        with suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)


def _are_equal(one: Path, other: Path) -> bool:
    with one.open("rb") as left, other.open("rb") as right:
        return (
            hashlib.file_digest(left, "sha256").digest()
            == hashlib.file_digest(right, "sha256").digest()
        )
