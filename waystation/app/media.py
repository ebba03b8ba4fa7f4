"""A DICOMDIR for a folder of objects (D-19; PS3.10 section 8).

Contract: `write` lists every object below a folder whose name a DICOMDIR can hold, in the order of
names, and puts the file in its place whole; the same folder gives the same file.  `file_id` makes
such names.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import Final

from waystation.app.dicom_files import search
from waystation.app.object_files import opened
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
    listed: list[Listed] = []
    left = 0
    for path, _named in sorted(search([folder])):
        parts = path.relative_to(folder).parts
        fits = len(parts) <= LONGEST and all(COMPONENT.fullmatch(part) for part in parts)
        try:
            with opened(path) as source:
                head = source.head
        except DatasetError:
            continue
        if not fits or not record_kind(head):
            left += 1
            continue
        listed.append(
            Listed(head=head, file_id=parts, transfer_syntax_uid=head.transfer_syntax_uid)
        )
    beside = folder / f".{NAME}.{os.getpid()}.part"
    with beside.open("wb") as file:
        file.write(directory(listed))
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, folder / NAME)
    return len(listed), left
