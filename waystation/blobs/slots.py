"""Files whose names are durable before anything is written into them.

Creating a file and syncing its directory costs as much as syncing half a megabyte of data.  So a
thread keeps some empty files ready, created exclusively under random names with the directory
synced once for many; then only the data sync stands between the last byte and the answer.
"""

import errno
import os
import secrets
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FILES_PER_FOLDER = 4096
# Past the page cache: half a megabyte costs a fifth of the processor time, and memory that was
# never touched costs nothing.
_DIRECT = getattr(os, "O_DIRECT", 0)
_FLAGS = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Slot:
    """An empty file, open for writing, whose directory entry is durable."""

    name: str
    descriptor: int


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it where they are missing; their names are durable then."""
    if not folder.parent.exists():
        make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    with suppress(PermissionError):
        # Where we may not even look, somebody else has made the folder.
        sync_folder(folder.parent)


class SlotPool:
    """Keeps between ``low`` and ``high`` slots ready below ``root``.

    take() never waits for the filling thread: when no slot is ready it makes one itself.
    Raises OSError as the file system does.
    """

    def __init__(self, root: Path, *, low: int = 32, high: int = 96) -> None:
        self._root = root
        self._low = low
        self._high = high
        self._ready: deque[Slot] = deque()
        self._wake = threading.Event()
        self._folder: Path | None = None
        self._made = 0
        self._making = threading.Lock()
        self._stopped = False
        self._direct = _DIRECT
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the filling thread."""
        self._thread = threading.Thread(target=self._fill_loop, name="slots", daemon=True)
        self._thread.start()
        self._wake.set()

    def take_ready(self) -> Slot | None:
        """Return a slot if one is ready; never touches the disk."""
        try:
            slot = self._ready.popleft()
        except IndexError:
            self._wake.set()
            return None
        if len(self._ready) < self._low:
            self._wake.set()
        return slot

    def take(self) -> Slot:
        """Return a slot, making one if none is ready.  Blocks on the disk."""
        return self.take_ready() or self._make(1)[0]

    def stop(self) -> None:
        """Stop filling and remove the slots that nobody took."""
        self._stopped = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        while self._ready:
            slot = self._ready.popleft()
            os.close(slot.descriptor)
            (self._root / slot.name).unlink(missing_ok=True)

    def _fill_loop(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._stopped:
                return
            try:
                while len(self._ready) < self._high and not self._stopped:
                    self._ready.extend(self._make(min(32, self._high - len(self._ready))))
            except OSError:
                # A full or broken volume: whoever needs a slot makes one and hears the error.
                time.sleep(0.2)

    def _make(self, n: int) -> list[Slot]:
        with self._making:
            if self._folder is None or self._made >= FILES_PER_FOLDER:
                self._new_folder()
            folder = self._folder
            assert folder is not None
            slots: list[Slot] = []
            try:
                for _ in range(n):
                    path = folder / f"{secrets.token_hex(12)}.dcm"
                    slots.append(Slot(f"{folder.name}/{path.name}", self._create(path)))
                sync_folder(folder)
            except OSError:
                for slot in slots:
                    os.close(slot.descriptor)
                    (self._root / slot.name).unlink(missing_ok=True)
                raise
            self._made += n
            return slots

    def _create(self, path: Path) -> int:
        try:
            return os.open(path, _FLAGS | self._direct, 0o600)
        except OSError as error:
            if error.errno != errno.EINVAL or not self._direct:
                raise
            # This file system knows no direct writing.
            self._direct = 0
            path.unlink(missing_ok=True)
            return os.open(path, _FLAGS, 0o600)

    def _new_folder(self) -> None:
        folder = self._root / f"{int(time.time()):08x}-{secrets.token_hex(2)}"
        folder.mkdir(mode=0o700)
        sync_folder(self._root)
        self._folder = folder
        self._made = 0
