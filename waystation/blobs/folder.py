"""Blobs in a local folder: draft, seal, open, drop.

Contract: a blob's name is of our own making and opaque to everybody else (S-39).  After `seal`
has returned, the bytes survive a power cut under that name.  A failed sync is never repeated on
the same descriptor (S-20): the draft is discarded and the caller hears `StorageError`.
Nothing here deletes a blob on an error path; damaged files are moved aside.

All methods but `BlobFolder.draft` block on the disk and belong into a worker thread.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from waystation.blobs.reading import BlobReader
from waystation.blobs.slots import SlotPool, sync_folder
from waystation.model.errors import StorageError

Buffer = bytes | bytearray | memoryview


class Draft:
    """Bytes on their way to a blob; invisible to everybody until sealed."""

    def __init__(self, pool: SlotPool, root: Path) -> None:
        self._pool = pool
        self._root = root
        self._slot = pool.take_ready()
        self._gap = False
        self.size_bytes = 0

    def bind(self) -> str:
        """Make sure that a file exists; return the blob's name."""
        if self._slot is None:
            try:
                self._slot = self._pool.take()
            except OSError as error:
                raise StorageError(f"no file for a blob: {error.strerror}") from error
        return self._slot.name

    @property
    def name(self) -> str | None:
        """The blob's name, or None before `bind`."""
        return None if self._slot is None else self._slot.name

    def write(self, data: Buffer) -> None:
        """Append ``data``: whole blocks of 4 KiB that begin on a page of memory.

        Raises `StorageError` if the volume does not take all of it; what comes behind a piece that
        is missing is not taken either.
        """
        self._check()
        # Until all of it is there.
        self._gap = True
        self.bind()
        slot = self._slot
        assert slot is not None
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(slot.descriptor, view, self.size_bytes)
                self.size_bytes += written
                view = view[written:]
        except OSError as error:
            raise StorageError(f"writing a blob: {error.strerror}") from error
        self._gap = False

    def _check(self) -> None:
        if self._gap:
            raise StorageError("writing a blob: an earlier piece of it is missing")

    def seal(self) -> str:
        """Make the bytes durable and close the file; return the blob's name."""
        self._check()
        name = self.bind()
        slot = self._slot
        assert slot is not None
        descriptor, slot.descriptor = slot.descriptor, -1
        try:
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(f"syncing a blob: {error.strerror}") from error
        return name

    def discard(self) -> None:
        """Forget the draft: nobody was told that it is kept."""
        slot, self._slot = self._slot, None
        if slot is None:
            return
        if slot.descriptor >= 0:
            os.close(slot.descriptor)
        (self._root / slot.name).unlink(missing_ok=True)


class BlobFolder(BlobReader):
    """All blobs of a node on a local file system.

    root: the folder; ``orphans`` and ``corrupt`` beside it take what must not be lost.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.orphans = root.parent / "orphans"
        self.corrupt = root.parent / "corrupt"
        for folder in (root, self.orphans, self.corrupt):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(root.parent)
        self._pool = SlotPool(root)

    def start(self) -> None:
        """Begin to keep slots ready."""
        self._pool.start()

    def stop(self) -> None:
        """Remove the slots that were not used."""
        self._pool.stop()

    def draft(self) -> Draft:
        """Return an empty draft; does not touch the disk while slots are ready."""
        return Draft(self._pool, self.root)

    def intact(self, name: str, size_bytes: int, sha256: str) -> bool:
        """Return True if the data set has the digest that was taken from the wire (S-13)."""
        digest = hashlib.sha256()
        try:
            for piece in self.pieces(name, size_bytes):
                digest.update(piece)
        except StorageError:
            return False
        return digest.hexdigest() == sha256

    def sync(self, name: str) -> None:
        """Make durable what a crash may have left in caches.  Raises `StorageError`."""
        descriptor = self.open(name)
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise StorageError(f"syncing a blob: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def drop(self, name: str) -> None:
        """Remove a blob that no row needs any more."""
        path = self.root / name
        path.unlink(missing_ok=True)

    def drop_folder(self, folder: Path) -> None:
        """Remove a folder of blobs if nothing is left in it."""
        with suppress(OSError):
            folder.rmdir()

    def size_of(self, name: str) -> int:
        """Return the size of a blob's file, -1 if there is none."""
        try:
            return os.stat(f"{self.root}/{name}").st_size
        except FileNotFoundError:
            return -1

    def set_aside(self, name: str, folder: Path) -> None:
        """Move a file out of sight, under its own name (never deleted here)."""
        # Two lanes may find the same damage at the same time.
        with suppress(FileNotFoundError):
            (self.root / name).rename(folder / name.replace("/", "-"))

    def folders_since(self, instant: float) -> list[Path]:
        """Return the folders that changed at or after ``instant`` (Unix seconds)."""
        return sorted(
            folder
            for folder in self.root.iterdir()
            if folder.is_dir() and folder.stat().st_mtime >= instant
        )

    def names_in(self, folder: Path) -> list[tuple[str, int]]:
        """Return (name, size in bytes) of every file in one folder of blobs."""
        with os.scandir(folder) as entries:
            return [(f"{folder.name}/{entry.name}", entry.stat().st_size) for entry in entries]
