"""Data sets made by hand, byte for byte, so that the tests do not trust the code under test."""

from struct import pack

LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
OPEN = 0xFFFFFFFF

EXPLICIT, IMPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
JPEG = "1.2.840.10008.1.2.4.50"


def el(tag: int, vr: str, value: bytes = b"", syntax: str = EXPLICIT, size: int = -1) -> bytes:
    """One element; ``size`` overrides the length that is written."""
    order = ">" if syntax == BIG else "<"
    length = len(value) if size < 0 else size
    head = pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if syntax == IMPLICIT:
        return head + pack("<I", length) + value
    if vr in LONG:
        return head + vr.encode() + b"\0\0" + pack(order + "I", length) + value
    return head + vr.encode() + pack(order + "H", length) + value


def mark(tag: int, length: int = 0, syntax: str = EXPLICIT) -> bytes:
    """An item header or a delimiter."""
    order = ">" if syntax == BIG else "<"
    return pack(order + "HHI", tag >> 16, tag & 0xFFFF, length)


def item(content: bytes, syntax: str = EXPLICIT, *, is_open: bool = False) -> bytes:
    if is_open:
        return mark(0xFFFEE000, OPEN, syntax) + content + mark(0xFFFEE00D, 0, syntax)
    return mark(0xFFFEE000, len(content), syntax) + content


def seq(
    tag: int, *items: bytes, syntax: str = EXPLICIT, is_open: bool = False, vr: str = "SQ"
) -> bytes:
    content = b"".join(items)
    if is_open:
        return el(tag, vr, content, syntax, OPEN) + mark(0xFFFEE0DD, 0, syntax)
    return el(tag, vr, content, syntax)


def nested(depth: int, syntax: str = EXPLICIT, *, is_open: bool = False, vr: str = "SQ") -> bytes:
    """A sequence in a sequence, ``depth`` of them, with one element in the innermost item."""
    inner = el(0x00100020, "LO", b"ID", syntax)
    for _ in range(depth):
        inner = seq(
            0x00081140, item(inner, syntax, is_open=is_open), syntax=syntax, is_open=is_open, vr=vr
        )
    return inner


def small(syntax: str = EXPLICIT, *, is_open: bool = False, pixels: bytes = b"\1\2\3\4") -> bytes:
    """A data set with identity, a sequence of two items and native pixels."""
    code = el(0x00080100, "SH", b"T-1 ", syntax) + el(0x00080104, "LO", b"Chest ", syntax)
    return b"".join(
        (
            el(0x00080005, "CS", b"ISO_IR 100", syntax),
            el(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0", syntax),
            el(0x00080018, "UI", b"1.2.3.4\0", syntax),
            el(0x00080060, "CS", b"CT", syntax),
            seq(
                0x00082218,
                item(code, syntax, is_open=is_open),
                item(code, syntax, is_open=is_open),
                syntax=syntax,
                is_open=is_open,
            ),
            el(0x00100010, "PN", b"M\xfcller^Eva", syntax),
            el(0x00100020, "LO", b"PID 7 ", syntax),
            el(0x0020000D, "UI", b"1.2.3\0", syntax),
            el(0x0020000E, "UI", b"1.2.3.1\0", syntax),
            el(0x00280010, "US", b"\0\2" if syntax == BIG else b"\2\0", syntax),
            el(0x7FE00010, "OW", pixels, syntax),
        )
    )


def encapsulated(*fragments: bytes, tail: bytes = b"") -> bytes:
    """The small data set with its pixels in fragments."""
    head = small(pixels=b"")[: -len(el(0x7FE00010, "OW"))]
    body = b"".join(mark(0xFFFEE000, len(one)) + one for one in fragments)
    return head + el(0x7FE00010, "OB", body, size=OPEN) + mark(0xFFFEE0DD) + tail
