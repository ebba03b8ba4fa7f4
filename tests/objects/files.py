"""Reading back what a peer stored: identity and data set bytes, without decoding anything."""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from tests.objects.elements import LONG_VRS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One DICOM file as a peer wrote it; ``data_set``: the bytes after the file meta."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    data_set: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data_set).hexdigest()


def read_stored(content: bytes) -> Stored:
    """Return what ``content`` holds; raise ValueError if it is no DICOM file."""
    if content[128:132] != b"DICM":
        raise ValueError("no DICOM prefix")
    values: dict[int, bytes] = {}
    position = 132
    while content[position : position + 2] == b"\x02\0":
        group, number, vr = struct.unpack_from("<HH2s", content, position)
        wide = vr.decode("ascii") in LONG_VRS
        (length,) = struct.unpack_from(
            "<I" if wide else "<H", content, position + (8 if wide else 6)
        )
        start = position + (12 if wide else 8)
        values[group << 16 | number] = content[start : start + length]
        position = start + length

    def uid(tag: int) -> str:
        return values.get(tag, b"").rstrip(b"\0 ").decode("ascii")

    return Stored(
        sop_class=uid(0x00020002),
        sop_instance=uid(0x00020003),
        transfer_syntax=uid(0x00020010),
        data_set=content[position:],
    )


def stored_digests(folder: Path) -> dict[str, str]:
    """Return SOP Instance UID → SHA-256 of the data set, for every DICOM file under a folder."""
    found = (read_stored(file.read_bytes()) for file in folder.rglob("*") if file.is_file())
    return {item.sop_instance: item.digest for item in found}
