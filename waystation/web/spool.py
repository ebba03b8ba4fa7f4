"""Where an answer waits until its outcome is known (W-52): in memory, and on the disk beyond that.

Contract: the file on the disk never has a name, so that nothing is left of it whatever happens.
What cannot be written is a `StorageError`.
"""

import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, Final

from waystation.model.errors import StorageError

IN_MEMORY: Final = 4 << 20
PIECE: Final = 256 << 10


class Spool:
    """Bytes that are written once and then read once.  folder: where the rest of them goes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] = io.BytesIO()
        self.size = 0
        self.is_on_disk = False

    def write(self, data: bytes) -> None:
        """Add some bytes."""
        try:
            if not self.is_on_disk and self.size + len(data) > IN_MEMORY:
                self._move()
            self._file.write(data)
        except OSError as error:
            raise StorageError(f"an answer cannot wait on the disk: {error}") from error
        self.size += len(data)

    def _move(self) -> None:
        handle = os.open(self._folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        file = os.fdopen(handle, "w+b")
        assert isinstance(self._file, io.BytesIO)
        file.write(self._file.getbuffer())
        self._file, self.is_on_disk = file, True

    def part(self, at: int, size: int) -> bytes:
        """Return some of it; nothing more may be written then."""
        self._file.seek(at)
        return self._file.read(size)

    def whole(self) -> bytes:
        """Return everything and close."""
        self._file.seek(0)
        with self._file:
            return self._file.read()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield everything, then close."""
        self._file.seek(0)
        with self._file:
            while piece := self._file.read(PIECE):
                yield piece

    def close(self) -> None:
        """Forget what was written."""
        self._file.close()
