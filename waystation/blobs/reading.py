"""Reading blobs: nothing in here creates, changes or removes anything.

Contract: a blob's data set is what lies behind its file meta, as many bytes as its row says;
whatever cannot be read so is a `StorageError`.  All methods block on the disk.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from waystation.dicom.errors import DatasetError
from waystation.dicom.part10 import read_meta
from waystation.model.errors import StorageError

PIECE = 1 << 20
META = 4096


class BlobReader:
    """The blobs below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, name: str) -> int:
        """Return a descriptor to read the blob; the caller closes it."""
        try:
            return os.open(self.root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise StorageError(f"blob cannot be opened: {error.strerror}") from error

    def pieces(self, name: str, size_bytes: int, first: int = 0) -> Iterator[bytes]:
        """Yield the data set (``size_bytes`` behind the file meta) in pieces of `PIECE` bytes.

        first: size of the first piece, for who may not need the others; they grow from there.
        """
        descriptor = self.open(name)
        most = first or PIECE
        try:
            at = self._start_of_data(descriptor, size_bytes)
            end = at + size_bytes
            while at < end:
                piece = os.pread(descriptor, min(most, end - at), at)
                if not piece:
                    raise StorageError("blob is shorter than its row says")
                at += len(piece)
                most = min(4 * most, PIECE)
                yield piece
        except OSError as error:
            raise StorageError(f"blob cannot be read: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def part(self, name: str, size_bytes: int, at: int, size: int) -> bytes:
        """Return up to ``size`` bytes of the data set from offset ``at`` on."""
        with self.window(name, size_bytes) as read:
            return read(at, size)

    @contextmanager
    def window(self, name: str, size_bytes: int) -> Iterator[Callable[[int, int], bytes]]:
        """Give a function that reads (offset, size) of the data set, fewer bytes at its end."""
        descriptor = self.open(name)
        try:
            start = self._start_of_data(descriptor, size_bytes)

            def read(at: int, size: int) -> bytes:
                wanted = max(0, min(size, size_bytes - at))
                found = os.pread(descriptor, wanted, start + at)
                while 0 < len(found) < wanted:
                    more = os.pread(descriptor, wanted - len(found), start + at + len(found))
                    if not more:
                        break
                    found += more
                return found

            yield read
        except OSError as error:
            raise StorageError(f"blob cannot be read: {error.strerror}") from error
        finally:
            os.close(descriptor)

    @staticmethod
    def _start_of_data(descriptor: int, size_bytes: int) -> int:
        """Return where the data set begins; behind it there may be padding."""
        try:
            start = read_meta(os.pread(descriptor, META, 0)).data_set_offset
        except DatasetError as error:
            raise StorageError(f"blob has no file meta: {error.comment}") from error
        if start + size_bytes > os.fstat(descriptor).st_size:
            raise StorageError("blob is shorter than its row says")
        return start

    def read(self, name: str, size_bytes: int) -> bytes:
        """Return the whole data set; only for objects known to be small.

        File meta and data set come with one read: a disk counts reads rather than bytes.
        """
        descriptor = self.open(name)
        try:
            found = os.pread(descriptor, META + size_bytes, 0)
            start = read_meta(found[:META]).data_set_offset
            if len(found) >= start + size_bytes:
                return found[start : start + size_bytes]
        except DatasetError as error:
            raise StorageError(f"blob has no file meta: {error.comment}") from error
        except OSError as error:
            raise StorageError(f"blob cannot be read: {error.strerror}") from error
        finally:
            os.close(descriptor)
        # A long file meta, or a file that is shorter than it should be.
        return b"".join(self.pieces(name, size_bytes))
