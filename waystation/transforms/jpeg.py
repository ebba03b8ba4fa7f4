"""What the beginning of a code stream says of itself: JPEG, JPEG-LS, JPEG 2000.

Contract: any bytes give a `Stream` (of zeros where nothing was found); nothing is decoded.
ITU-T T.81 annex B, T.87 annex C, T.800 annex A.
"""

from dataclasses import dataclass

# Markers that stand alone: TEM, RST0 to RST7, SOI, EOI.
_ALONE = frozenset({0x01, *range(0xD0, 0xDA)})
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_SCAN = 0xDA
JPEG_START, J2K_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
IRREVERSIBLE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """precision: bits of a sample.  near: the error that JPEG-LS was allowed."""

    precision: int = 0
    components: int = 0
    near: int = 0
    irreversible: bool = False


def look(code: bytes) -> Stream:
    """Return what ``code`` begins with."""
    if code[:2] == JPEG_START:
        return _jpeg(code)
    if code[:4] == J2K_START:
        return _j2k(code)
    return Stream()


def _jpeg(code: bytes) -> Stream:
    at, precision, components = 2, 0, 0
    while at + 4 <= len(code):
        if code[at] != 0xFF:
            break
        marker = code[at + 1]
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(code[at + 2 : at + 4], "big")
        body = code[at + 4 : at + 2 + length]
        if marker in _FRAME_HEADERS and len(body) >= 6:
            precision, components = body[0], body[5]
        if marker == _SCAN:
            # In JPEG-LS the byte behind the components is NEAR; in JPEG it begins the spectrum.
            near = body[1 + 2 * body[0]] if body and len(body) > 1 + 2 * body[0] else 0
            return Stream(precision=precision, components=components, near=near)
        at += 2 + max(length, 2)
    return Stream(precision=precision, components=components)


def _j2k(code: bytes) -> Stream:
    # SIZ: 2 marker, 2 length, 2 profile, 32 of geometry, 2 components, then one byte Ssiz each.
    size = int.from_bytes(code[4:6], "big")
    components = int.from_bytes(code[40:42], "big")
    precision = (code[42] & 0x7F) + 1 if len(code) > 42 else 0
    at = 4 + size
    while at + 4 <= len(code) and code[at] == 0xFF:
        marker, length = code[at + 1], int.from_bytes(code[at + 2 : at + 4], "big")
        if marker == 0x52:
            # COD: Scod, 4 of SGcod, then levels, block width, height, style, transformation.
            body = code[at + 4 : at + 2 + length]
            irreversible = len(body) > 9 and body[9] == IRREVERSIBLE
            return Stream(precision=precision, components=components, irreversible=irreversible)
        if marker == 0x90:
            break
        at += 2 + max(length, 2)
    return Stream(precision=precision, components=components)
