"""Foreign files as text: whole, of bounded size, never followed anywhere."""

import os
import stat
from pathlib import Path

from waystation.app.importing.findings import unreadable
from waystation.app.importing.page import plain

LONGEST = 8 << 20


def shown(path: Path) -> str:
    """Return a path as it may be printed."""
    return plain(str(path))


def read_file(path: Path) -> str:
    """Return the text of a file.  Raises `ConfigFaults` if it is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as source:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise unreadable(shown(path), "is no file")
            content = source.read(LONGEST + 1)
    except OSError as error:
        raise unreadable(shown(path), f"cannot be read: {error.strerror}") from None
    if len(content) > LONGEST:
        raise unreadable(shown(path), "is too long for a configuration")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise unreadable(f"{shown(path)}:{line}", "the file is not UTF-8 text") from None


def sub_folders(folder: Path) -> list[str]:
    """Return the names of the folders in ``folder``, sorted.  Raises `ConfigFaults`."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError as error:
        raise unreadable(shown(folder), f"cannot be read: {error.strerror}") from None
