"""A DICOMDIR for a folder of objects (D-19; PS3.10 section 8).

Contract: `write` lists every object below a folder whose name a DICOMDIR can hold, in the order of
names, and puts the file in its place whole; the same folder gives the same file.  `file_id` makes
such names.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from waystation.app.dicom_files import search
from waystation.app.object_files import head_of
from waystation.dicom.dicomdir import Listed, directory, record_kind
from waystation.dicom.errors import DatasetError

NAME: Final = "DICOMDIR"
LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# PS3.10 section 8.2: up to 8 components of up to 8 characters.
COMPONENT: Final = re.compile(r"[A-Z0-9_]{1,8}")
LONGEST: Final = 8


def file_id(text: str) -> str:
    """Return a name of 8 characters that follows from a text, and begins with a letter."""
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:12], "big")
    found = LETTERS[10 + number % 26]
    number //= 26
    while len(found) < LONGEST:
        number, place = divmod(number, len(LETTERS))
        found += LETTERS[place]
    return found


def write(folder: Path) -> tuple[int, int]:
    """Write the DICOMDIR of a folder; return how many objects it lists, and how many it cannot.

    Raises OSError.
    """
    files = _Files(folder)
    whole = directory(files.each())
    beside = folder / f".{NAME}.{os.getpid()}.part"
    with beside.open("wb") as file:
        file.write(whole)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, folder / NAME)
    return files.n_listed, files.n_left


class _Files:
    """What lies below a folder.  n_listed, n_left: objects that have a record, or cannot."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.n_listed = 0
        self.n_left = 0

    def each(self) -> Iterator[Listed]:
        """Yield what has a record, one head at a time."""
        for path, _named in sorted(search([self._folder])):
            parts = path.relative_to(self._folder).parts
            fits = len(parts) <= LONGEST and all(COMPONENT.fullmatch(part) for part in parts)
            try:
                head = head_of(path)
            except DatasetError:
                continue
            if not fits or not record_kind(head):
                self.n_left += 1
                continue
            self.n_listed += 1
            yield Listed(head=head, file_id=parts, transfer_syntax_uid=head.transfer_syntax_uid)
