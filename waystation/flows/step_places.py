"""A worklist folder on disk: what lies in it, its locks, and files written into it (T-56).

Contract: blocking; called in a thread.  A file is read whole, between two looks that agree, under
a shared lock of the ``lockfile`` beside it where there is one, as DCMTK's tools do (flock); it is
written beside itself, synced and renamed under an exclusive one.  A symbolic link that leads out
of the folder is not followed.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOCK: Final = "lockfile"
SUFFIXES: Final = (".wl", ".dump")
PATIENCE_S: Final = 2.0
LARGEST: Final = 16 << 20


class LockedError(OSError):
    """Another program holds the lock of a folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One file that is there.  path: within the folder.  changed_at: Unix seconds."""

    path: str
    signature: str
    changed_at: float


def look(folder: Path) -> list[Seen]:
    """Return the worklist files of a folder and of the folders in it.

    Of a dump beside a file of the same name only the file counts.  Raises OSError if the folder
    itself cannot be read.
    """
    found = list(_files(folder, ""))
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            found += _files(Path(entry.path), f"{entry.name}/")
    return found


def _files(folder: Path, before: str) -> Iterator[Seen]:
    entries = [
        entry
        for entry in sorted(os.scandir(folder), key=lambda one: one.name)
        if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".")
    ]
    stems = {entry.name[:-3] for entry in entries if entry.name.lower().endswith(".wl")}
    for entry in entries:
        if entry.name.lower().endswith(".dump") and entry.name[:-5] in stems:
            continue
        if entry.is_file(follow_symlinks=False):
            state = entry.stat(follow_symlinks=False)
            yield Seen(
                path=before + entry.name, signature=_signature(state), changed_at=state.st_mtime
            )


def _signature(state: os.stat_result) -> str:
    return f"{state.st_size}.{state.st_mtime_ns}.{state.st_ino}"


def read(folder: Path, seen: Seen) -> bytes | None:
    """Return the bytes of a file, None if it changed under our hands or is gone.

    Raises `LockedError`, or OSError if it cannot be read.
    """
    path = folder / seen.path
    try:
        with _lock(path.parent, fcntl.LOCK_SH):
            if path.stat(follow_symlinks=False).st_size > LARGEST:
                return b""
            raw = path.read_bytes()
            after = _signature(path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return None
    return raw if after == seen.signature else None


def write(folder: Path, name: str, content: bytes) -> str:
    """Write a file whole; return its signature.  Raises `LockedError` or OSError."""
    path, beside = folder / name, folder / f".{name}.new"
    lockfile = path.parent / LOCK
    if not lockfile.exists():
        lockfile.touch()
    with _lock(path.parent, fcntl.LOCK_EX):
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
        return _signature(path.stat())


def remove(folder: Path, name: str, signature: str) -> bool:
    """Remove a file that is still as we wrote it; False if somebody has changed it since."""
    path = folder / name
    with _lock(path.parent, fcntl.LOCK_EX):
        try:
            if _signature(path.stat(follow_symlinks=False)) != signature:
                return False
            path.unlink()
        except FileNotFoundError:
            pass
    return True


def digest(content: bytes) -> str:
    """Return the SHA-256 of a content."""
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _lock(folder: Path, kind: int) -> Iterator[None]:
    """Hold the lock of a folder, if it has one."""
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except PermissionError:
        handle = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        _wait(handle, kind)
        yield
    finally:
        os.close(handle)


def _wait(handle: int, kind: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise LockedError("another program holds its lockfile") from None
            time.sleep(0.02)
        else:
            return
