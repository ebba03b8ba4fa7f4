"""One multi-frame object of any size, written frame by frame: neither memory nor time grows."""

import os
from pathlib import Path

from tests.objects.elements import element, file_meta, header
from tests.objects.study import noise, uid_of

MULTIFRAME = "1.2.840.10008.5.1.4.1.1.7.2"
SIDE = 1024
SYNTAX = "1.2.840.10008.1.2.1"


def make_multiframe(file: Path, size_bytes: int, *, seed: object = "huge") -> str:
    """Write a multi-frame secondary capture of about ``size_bytes``; return its SOP Instance UID.

    Frames are sparse but for their first 4 kB, so the file costs little disk; the receiver
    has to write every byte.
    """
    frames = max(1, size_bytes // (SIDE * SIDE))
    sop_uid = uid_of(seed, "instance")
    data_set = b"".join(
        (
            element(0x00080016, "UI", MULTIFRAME),
            element(0x00080018, "UI", sop_uid),
            element(0x00080060, "CS", "OT"),
            element(0x00100010, "PN", "SYNTHETIC^HUGE"),
            element(0x00100020, "LO", "SYN-0002"),
            element(0x0020000D, "UI", uid_of(seed, "study")),
            element(0x0020000E, "UI", uid_of(seed, "series")),
            element(0x00200013, "IS", "1"),
            element(0x00280002, "US", 1),
            element(0x00280004, "CS", "MONOCHROME2"),
            element(0x00280008, "IS", str(frames)),
            element(0x00280010, "US", SIDE),
            element(0x00280011, "US", SIDE),
            element(0x00280100, "US", 8),
            element(0x00280101, "US", 8),
            element(0x00280102, "US", 7),
            element(0x00280103, "US", 0),
            header(0x7FE00010, "OB", frames * SIDE * SIDE),
        )
    )
    mark = noise(4096, seed)
    with file.open("wb") as out:
        out.write(file_meta(MULTIFRAME, sop_uid, SYNTAX) + data_set)
        start = out.tell()
        for frame in range(frames):
            out.seek(start + frame * SIDE * SIDE)
            out.write(mark)
        os.ftruncate(out.fileno(), start + frames * SIDE * SIDE)
    return sop_uid
