"""File Meta Information: written in front of what we keep, read from what others wrote.

Contract: `file_meta` gives the bytes of a Part 10 prefix (PS3.10 section 7.1): a preamble of
zeros, DICM, and group 2 in explicit little endian.  `read_meta` takes the beginning of a file and
says where its data set begins and how it is coded; it tolerates a missing preamble, a missing or
wrong group length and missing elements, and guesses the syntax of a bare data set from its
first element.  DatasetError if the bytes are nothing of the kind.
"""

import struct
from functools import lru_cache
from typing import NamedTuple

from waystation.dicom import tags
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.nested import EXPLICIT_LE, HEADERS, LONG_VRS, SHORT_VRS, long_header
from waystation.dicom.splice import encode_element
from waystation.dicom.uids import (
    EXPLICIT_VR_BE,
    EXPLICIT_VR_LE,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    IMPLICIT_VR_LE,
)

PREAMBLE = b"\0" * 128 + b"DICM"
SYNTAX, CLASS, INSTANCE = 0x00020010, 0x00020002, 0x00020003


class Meta(NamedTuple):
    """What a file says of itself; UIDs are empty where it says nothing."""

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    data_set_offset: int


def file_meta(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, *, source_ae: str = ""
) -> bytes:
    """Return preamble, prefix and File Meta Information for one data set."""
    before, after = _around(sop_class_uid, transfer_syntax_uid, source_ae)
    uid = sop_instance_uid.encode("ascii")
    uid += b"\0" * (len(uid) & 1)
    size = len(before) + 8 + len(uid) + len(after)
    return (
        PREAMBLE
        + _GROUP_LENGTH.pack(2, 0, b"UL", 4, size)
        + b"".join((before, _SHORT.pack(2, 3, b"UI", len(uid)), uid, after))
    )


_GROUP_LENGTH = struct.Struct("<HH2sHI")
_SHORT = struct.Struct("<HH2sH")


@lru_cache(maxsize=256)
def _around(sop_class_uid: str, transfer_syntax_uid: str, source_ae: str) -> tuple[bytes, bytes]:
    """Return the elements before and behind Media Storage SOP Instance UID (0002,0003).

    They are the same for all objects of a series, and receiving makes this for each of them.
    """
    before = [
        (0x00020001, "OB", b"\0\1"),
        (CLASS, "UI", sop_class_uid.encode("ascii")),
    ]
    after = [
        (SYNTAX, "UI", transfer_syntax_uid.encode("ascii")),
        (0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
        (0x00020013, "SH", IMPLEMENTATION_VERSION_NAME.encode("ascii")),
    ]
    if source_ae:
        after.append((0x00020016, "AE", source_ae.encode("ascii")))
    return _encoded(before), _encoded(after)


def _encoded(rows: list[tuple[int, str, bytes]]) -> bytes:
    return b"".join(encode_element(tag, vr, value, EXPLICIT_LE) for tag, vr, value in rows)


def read_meta(prefix: bytes) -> Meta:
    """Return what the beginning of a file says; ``prefix`` must reach past its group 2.

    For a bare data set the UIDs are read from it, as far as ``prefix`` holds its head.
    """
    at = 132 if prefix[128:132] == b"DICM" else 4 if prefix[:4] == b"DICM" else 0
    found, end = _group_2(prefix, at)
    if not found and at == 0 and not _may_begin(prefix):
        raise DatasetError("R-5", "no DICOM file: neither prefix nor element")
    syntax = found.get(SYNTAX) or _guess(prefix[end : end + 8])
    if not found:
        return _bare(prefix, end, syntax)
    return Meta(syntax, found.get(CLASS, ""), found.get(INSTANCE, ""), end)


def _group_2(prefix: bytes, at: int) -> tuple[dict[int, str], int]:
    """Read the elements of group 2 from ``at`` on.

    The group length is often wrong: it only tells a file that is cut from one that ends.
    """
    found: dict[int, str] = {}
    promised = 0
    while at + 8 <= len(prefix):
        group, number, code, length = HEADERS[EXPLICIT_LE].unpack_from(prefix, at)
        if group != 2:
            break
        start = at + 8
        if code not in SHORT_VRS:
            header = long_header(prefix, at, code, length, EXPLICIT_LE)
            if header is None:
                raise DatasetError("R-5", "the file ends in its meta information")
            start, length = at + header[1], header[2]
        at = start + length
        if at > len(prefix):
            raise DatasetError("R-5", "the file ends in its meta information")
        if number == 0:
            promised = at + int.from_bytes(prefix[start:at], "little")
        if length <= 64:
            found[0x20000 | number] = prefix[start:at].decode("latin-1").strip("\0 ")
    if at + 8 > len(prefix) and (at < promised or not found):
        raise DatasetError("R-5", "the file ends in its meta information")
    return found, at


def _guess(first: bytes) -> str:
    """Guess the syntax of a data set from the header of its first element."""
    if first[4:6] not in SHORT_VRS and first[4:6] not in LONG_VRS:
        return IMPLICIT_VR_LE
    # A first group of 0x0800 or more in little endian is a small one in big endian.
    return EXPLICIT_VR_BE if first[0] == 0 and first[1] else EXPLICIT_VR_LE


def _may_begin(prefix: bytes) -> bool:
    """Tell whether these bytes may be the first element of a bare data set."""
    if len(prefix) < 8:
        return False
    if _guess(prefix[:8]) != IMPLICIT_VR_LE:
        return prefix[0] == 0 or prefix[1] == 0
    group = int.from_bytes(prefix[:2], "little")
    return group in (0x0008, 0x0010, 0x0018, 0x0020) and prefix[6:8] == b"\0\0"


def _bare(prefix: bytes, at: int, syntax: str) -> Meta:
    try:
        head = Head.from_bytes(prefix[at:], syntax, tail_missing=True)
    except DatasetError:
        # The prefix may simply be shorter than the head: the scan of the whole file will tell.
        return Meta(syntax, "", "", at)
    return Meta(syntax, head.text(tags.SOP_CLASS_UID), head.text(tags.SOP_INSTANCE_UID), at)
