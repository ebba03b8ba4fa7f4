"""Elements and files as bytes: the few encodings that synthetic objects need.

Contract: what comes out is canonical, that is, a receiver which decodes and encodes again
(DCMTK, Orthanc) gives the same bytes: even lengths, ascending tags, defined lengths, no group
lengths beside the one of the file meta.  Layouts: PS3.5 section 7.1, PS3.10 section 7.1.
"""

import struct

LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UC", "UN", "UR", "UT"})
PREAMBLE = bytes(128) + b"DICM"
IMPLEMENTATION = "1.2.826.0.1.3680043.10.1471.1"

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
UNDEFINED = 0xFFFFFFFF


def padded(vr: str, value: bytes) -> bytes:
    """Return ``value`` with even length: NUL for UI and bytes, a space for text."""
    if len(value) % 2 == 0:
        return value
    return value + (b"\0" if vr in LONG_VRS or vr == "UI" else b" ")


def element(tag: int, vr: str, value: str | bytes | int, *, implicit: bool = False) -> bytes:
    """Return one element, little endian; an int becomes US or UL as ``vr`` says."""
    if isinstance(value, int):
        raw = struct.pack("<H" if vr == "US" else "<I", value)
    elif isinstance(value, str):
        raw = padded(vr, value.encode("ascii"))
    else:
        raw = padded(vr, value)
    return header(tag, vr, len(raw), implicit=implicit) + raw


def header(tag: int, vr: str, length: int, *, implicit: bool = False) -> bytes:
    """Return tag, VR and length of an element; ``length`` may be `UNDEFINED`."""
    group, number = tag >> 16, tag & 0xFFFF
    if implicit:
        return struct.pack("<HHI", group, number, length)
    if vr in LONG_VRS:
        return struct.pack("<HH2sHI", group, number, vr.encode(), 0, length)
    return struct.pack("<HH2sH", group, number, vr.encode(), length)


def encapsulated(frames: list[bytes]) -> bytes:
    """Return Pixel Data (7FE0,0010) holding one fragment per frame (PS3.5 section A.4)."""
    offsets, position = [], 0
    fragments = []
    for frame in frames:
        offsets.append(position)
        body = padded("OB", frame)
        fragments.append(struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body)
        position += len(body) + 8
    table = struct.pack(f"<HHI{len(offsets)}I", 0xFFFE, 0xE000, 4 * len(offsets), *offsets)
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    return header(0x7FE00010, "OB", UNDEFINED) + table + b"".join(fragments) + end


def file_meta(sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Return preamble, prefix and file meta information (PS3.10 table 7.1-1)."""
    body = b"".join(
        (
            element(0x00020001, "OB", b"\0\1"),
            element(0x00020002, "UI", sop_class),
            element(0x00020003, "UI", sop_instance),
            element(0x00020010, "UI", transfer_syntax),
            element(0x00020012, "UI", IMPLEMENTATION),
        )
    )
    return PREAMBLE + element(0x00020000, "UL", len(body)) + body
