"""Images and films of everyday types as pixels of an object (PS3.18 section 10.5.2; W-98).

Contract: nothing is decoded.  `described` says what a code stream or a film tells of itself: the
transfer syntax that it is kept in, where it lies without its wrapping, and its Image Pixel
attributes; ValueError if it is none that an object can hold.  `completed` adds what a data set does
not say; ValueError where it says something else.
ITU-T T.81 annex B, T.800 annexes A and I; ISO/IEC 13818-2 section 6.2, 14496-12.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from waystation.dicom.uids import (
    JPEG_2000,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_EXTENDED,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
)
from waystation.transforms.jpeg import J2K_START, JPEG_START

PREFIX: Final = "1.2.840.10008.1.2.4."
MULTI_LOSSLESS, MULTI = PREFIX + "92", PREFIX + "93"
MPEG_MAIN, MPEG_HIGH, AVC, HEVC = (PREFIX + number for number in ("100", "101", "102", "107"))
JPEG, JP2, JPX = "image/jpeg", "image/jp2", "image/jpx"
MPEG, MP4 = "video/mpeg", "video/mp4"
UNCHANGED: Final = (JPEG, JP2, JPX, MPEG, MP4)
CONVERTED: Final = {"image/png": "PNG", "image/gif": "GIF"}
HEAD: Final = 1 << 20
MOST_BOXES: Final = 10_000
Read = Callable[[int, int], bytes]


class Pixels(NamedTuple):
    """Image Pixel attributes (PS3.3 C.7.6.3).  bits: that are stored.  lossy: something is gone."""

    rows: int
    columns: int
    samples: int
    bits: int
    photometric: str
    frames: int = 1
    signed: bool = False
    lossy: bool = False

    @property
    def allocated(self) -> int:
        """Bits of the container of a sample."""
        return 8 if self.bits <= 8 else 16


@dataclass(frozen=True, slots=True)
class Described:
    """A code stream: its transfer syntax, where it begins, how long it is, what it shows."""

    syntax: str
    start: int
    size: int
    pixels: Pixels


def described(media: str, read: Read, size: int) -> Described:
    """Return what a part of one of the types `UNCHANGED` holds.  read: so many bytes at a place."""
    if media == JPEG:
        return _jpeg(read(0, HEAD), size)
    if media in (JP2, JPX):
        start, length = _code_stream(read, size)
        syntax, pixels = _j2k(read(start, HEAD), part_2=media == JPX)
        return Described(syntax, start, length, pixels)
    syntax, pixels = _mpeg(read(0, HEAD)) if media == MPEG else _mp4(read, size)
    return Described(syntax, 0, size, pixels)


def pixels_of(words: Sequence[str]) -> Pixels:
    """Return `Pixels` out of its fields as texts."""
    rows, columns, samples, bits = map(int, words[:4])
    return Pixels(rows, columns, samples, bits, photometric=words[4], frames=int(words[5]))


def completed(data_set: Mapping[str, Any], pixels: Pixels) -> dict[str, Any]:
    """Return a data set (DICOM JSON) with what it does not say of its pixels."""
    found = {
        "00280002": _number(pixels.samples),
        "00280004": {"vr": "CS", "Value": [pixels.photometric]},
        "00280010": _number(pixels.rows),
        "00280011": _number(pixels.columns),
        "00280100": _number(pixels.allocated),
        "00280101": _number(pixels.bits),
        "00280102": _number(pixels.bits - 1),
        "00280103": _number(int(pixels.signed)),
    }
    if pixels.samples > 1:
        found["00280006"] = _number(0)
    if pixels.frames > 1:
        found["00280008"] = {"vr": "IS", "Value": [pixels.frames]}
    if pixels.lossy:
        found["00282110"] = {"vr": "CS", "Value": ["01"]}
    whole = dict(data_set)
    for tag, element in found.items():
        said = data_set.get(tag)
        values = said.get("Value") if isinstance(said, Mapping) else None
        if not values:
            whole[tag] = element
        elif tag in MUST_AGREE and str(values[0]).strip() != str(element["Value"][0]):
            raise ValueError(f"{tag} does not say what the image is")
    return whole


MUST_AGREE: Final = ("00280002", "00280008", "00280010", "00280011", "00280100")


def _number(value: int) -> dict[str, Any]:
    return {"vr": "US", "Value": [value]}


def _jpeg(code: bytes, size: int) -> Described:
    at, plain, frame = 2, False, b""
    marker = 0
    while code[:2] == JPEG_START and at + 4 <= len(code) and code[at] == 0xFF:
        kind, length = code[at + 1], int.from_bytes(code[at + 2 : at + 4], "big")
        if kind == 0xFF:
            at += 1
            continue
        body = code[at + 4 : at + 2 + length]
        if kind == 0xEE and body[:5] == b"Adobe" and len(body) > 11:
            plain = body[11] == 0
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            marker, frame = kind, body
        elif kind == 0xDA and len(frame) >= 9 and body and len(body) > 1 + 2 * body[0]:
            return _of_jpeg((marker, frame, body[1 + 2 * body[0]]), size, plain=plain)
        at += 2 + max(length, 2)
    raise ValueError("this is no JPEG")


def _of_jpeg(what: tuple[int, bytes, int], size: int, *, plain: bool) -> Described:
    """Return what a frame header says.  what: its marker, its bytes, and the predictor."""
    marker, frame, predictor = what
    bits, samples = frame[0], frame[5]
    rows, columns = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    syntaxes = {0xC0: JPEG_BASELINE, 0xC1: JPEG_EXTENDED}
    lossless = marker == 0xC3
    syntax = syntaxes.get(marker, "")
    if lossless:
        syntax = JPEG_LOSSLESS_SV1 if predictor == 1 else JPEG_LOSSLESS
    if not syntax or not rows or not columns or samples not in (1, 3) or not 2 <= bits <= 16:
        raise ValueError("a JPEG of this kind has no transfer syntax")
    photometric = "MONOCHROME2"
    if samples == 3:
        shared = frame[7] != 0x11
        coloured = "YBR_FULL_422" if shared else "YBR_FULL"
        photometric = "RGB" if lossless or plain else coloured
    pixels = Pixels(rows, columns, samples, bits, photometric, lossy=not lossless)
    return Described(syntax, 0, size, pixels)


def _code_stream(read: Read, size: int) -> tuple[int, int]:
    """Return where the code stream of JPEG 2000 lies: alone, or in a file (T.800 annex I)."""
    if read(0, 4) == J2K_START:
        return 0, size
    for kind, start, length in _boxes(read, 0, size):
        if kind == b"jp2c" and read(start, 4) == J2K_START:
            return start, length
    raise ValueError("this is no JPEG 2000")


def _boxes(read: Read, at: int, end: int) -> list[tuple[bytes, int, int]]:
    """Return the boxes from a place to another: type, where the content begins, its length."""
    found: list[tuple[bytes, int, int]] = []
    while at + 8 <= end and len(found) < MOST_BOXES:
        head = read(at, 16)
        length, begin = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, begin = int.from_bytes(head[8:16], "big"), 16
        elif length == 0:
            length = end - at
        if length < begin or at + length > end:
            break
        found.append((head[4:8], at + begin, length - begin))
        at += length
    return found


def _j2k(code: bytes, *, part_2: bool) -> tuple[str, Pixels]:
    width, height, left, top = (int.from_bytes(code[at : at + 4], "big") for at in (8, 12, 16, 20))
    samples = int.from_bytes(code[40:42], "big")
    at = 4 + int.from_bytes(code[4:6], "big")
    while at + 4 <= len(code) and code[at] == 0xFF:
        kind, length = code[at + 1], int.from_bytes(code[at + 2 : at + 4], "big")
        body = code[at + 4 : at + 2 + length]
        if kind == 0x52 and len(body) > 9:
            mixed, lossless = body[4] != 0, body[9] == 1
            break
        at += 2 + max(length, 2)
    else:
        raise ValueError("this is no JPEG 2000")
    bits = (code[42] & 0x7F) + 1
    if samples not in (1, 3) or width <= left or height <= top or bits > 16:
        raise ValueError("a JPEG 2000 of this kind has no transfer syntax")
    photometric = "MONOCHROME2"
    if samples == 3:
        photometric = ("YBR_RCT" if lossless else "YBR_ICT") if mixed else "RGB"
    pixels = Pixels(
        rows=height - top,
        columns=width - left,
        samples=samples,
        bits=bits,
        photometric=photometric,
        signed=bool(code[42] & 0x80),
        lossy=not lossless,
    )
    if max(pixels.rows, pixels.columns) > 0xFFFF:
        raise ValueError("an image has at most 65535 rows and columns")
    syntaxes = (MULTI_LOSSLESS, MULTI) if part_2 else (JPEG_2000_LOSSLESS, JPEG_2000)
    return syntaxes[not lossless], pixels


def _film(rows: int, columns: int) -> Pixels:
    if not 0 < rows <= 0xFFFF or not 0 < columns <= 0xFFFF:
        raise ValueError("the film does not say how large its pictures are")
    return Pixels(rows, columns, 3, 8, "YBR_PARTIAL_420", lossy=True)


def _mpeg(head: bytes) -> tuple[str, Pixels]:
    at = head.find(b"\0\0\1\xb3")
    size = int.from_bytes(head[at + 4 : at + 7], "big") if at >= 0 else 0
    columns, rows = size >> 12, size & 0xFFF
    # Main level ends at 720 by 576 (ISO/IEC 13818-2 table 8-11).
    small = columns <= 720 and rows <= 576
    return (MPEG_MAIN if small else MPEG_HIGH), _film(rows, columns)


def _mp4(read: Read, size: int) -> tuple[str, Pixels]:
    for kind, start, length in _boxes(read, 0, size):
        if kind != b"moov":
            continue
        movie = read(start, min(length, HEAD))
        for name, syntax in ((b"avc1", AVC), (b"hvc1", HEVC), (b"hev1", HEVC)):
            # A sample entry: 8 bytes of its own, 16 that say nothing, width and height.
            at = movie.find(name) + 4
            if at >= 4 and at + 28 <= len(movie):
                columns, rows = (
                    int.from_bytes(movie[at + place : at + place + 2], "big") for place in (24, 26)
                )
                return syntax, _film(rows, columns)
    raise ValueError("this is no film in H.264 or HEVC")
