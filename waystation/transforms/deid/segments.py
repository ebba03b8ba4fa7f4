"""Words and pictures that a compressed frame carries beside its pixels (D-20, D-42).

Contract: `Segments` is fed the encapsulated pixel data of an output, in any pieces, and tells what
stands in the headers of its JPEG, JPEG-LS and JPEG 2000 frames that no decoder needs: comments,
EXIF, XMP, thumbnails.  What a compressor writes about itself, colour profiles and what says how to
decode are no faults.  Nothing of what is found is quoted.

Item by item (PS3.5 A.4); a stream begins with SOI (FFD8) or SOC (FF4F), its segments with a marker
and a length (ISO/IEC 10918-1 B.1.1.4, 15444-1 A.1.3).  An item that begins with neither goes on
with the stream before it: a frame may lie in several.
"""

import re
from collections.abc import Callable
from typing import Final

from waystation.dicom.nested import Buffer
from waystation.dicom.scan import Scanner
from waystation.transforms.deid.tile_parts import BEGINNING, TileParts

ITEM = b"\xfe\xff\x00\xe0"
# The header of the element, before the first item.
ELEMENT: Final = 12
SOI = b"\xff\xd8"
SOS, EOI = 0xDA, 0xD9
JPEG_COMMENT, J2K_COMMENT = 0xFE, 0x64
# Of a JPEG frame so much is looked at for its headers; no header is longer than this.
MOST: Final = 4 << 20
# Markers that have no length: restarts, and TEM.
BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
# Nothing like this occurs among coded pixels: there FF is followed by a byte below 80.
LATER: Final = re.compile(rb"\xff[\xe0-\xef\xfe]")
# What compressors say of themselves.
MAKERS: Final = re.compile(
    rb"(?i)[\s\0]*(created by|creator: |compressed by|lead tech|kakadu|kdu|openjpeg|jasper|libjpeg|"
    rb"intel\(r\)|dcmtk|ijg|lavc|aware|accusoft|pegasus|pvrg|matlab|imagegear|charls|gdcm|optimi[sz]ed|"
    rb"quality|cs=|jpeg-ls|jpeg2000|mainconcept|grok|nvjpeg|ffmpeg)[\x20-\x7e\r\n\t\0]{0,200}$"
)
KEPT: Final = {
    0xE2: (b"ICC_PROFILE\0",),
    # SPIFF (ISO/IEC 10918-3 F): its header, and the end of a directory without entries.
    0xE8: (b"SPIFF\0", b"\0\0\0\1", b"mrfx"),
    0xEE: (b"Adobe",),
}
Told = Callable[[int, bytes], None]
COMMENT, CAMERA = (
    "a comment stands in a compressed frame",
    "camera data stand in a compressed frame",
)
THUMBNAIL = "a small picture stands in a compressed frame"
LONG = "the headers of a compressed frame cannot be looked through"


class Segments:
    """One look over encapsulated pixel data.  faults: in words, each once."""

    def __init__(self) -> None:
        self._skip = -1
        self.faults: dict[str, None] = {}
        self._bytes = bytearray()
        # Bytes of the item that are still to come; -1 before its header.
        self._left = -1
        # What of an item was kept for its headers; None once those are through.
        self._begun: bytearray | None = None
        self._is_jpeg = False
        self._parts: TileParts | None = None
        self._last = b""
        self._ended = False

    def feed(self, data: Buffer, at: int = ELEMENT) -> None:
        """Take the next bytes; ``at``: how far behind the tag of the element the first ones are."""
        if self._ended:
            return
        if self._skip < 0:
            self._skip = max(ELEMENT - at, 0)
        view = memoryview(data)[self._skip :]
        self._skip = max(self._skip - len(data), 0)
        while view and not self._ended:
            if self._left < 0:
                view = view[self._header(view) :]
                continue
            part = view[: self._left]
            self._take(bytes(part))
            self._left -= len(part)
            view = view[len(part) :]
            if not self._left:
                self._end_item()

    def _header(self, view: memoryview) -> int:
        """Read the header of an item; return how many bytes of ``view`` were used."""
        used = min(8 - len(self._bytes), len(view))
        self._bytes += view[:used]
        if len(self._bytes) == 8:
            tag, length = bytes(self._bytes[:4]), int.from_bytes(self._bytes[4:], "little")
            self._bytes.clear()
            self._ended = tag != ITEM
            self._left = length or -1
            self._begun = bytearray()
        return used

    def _end_item(self) -> None:
        self._left = -1
        if self._begun:
            self._look(ended=True)
        if self._begun:
            self.faults[LONG] = None

    def _take(self, part: bytes) -> None:
        if self._begun is None:
            self._behind(part)
            return
        self._begun += part
        self._look(ended=False)

    def _look(self, *, ended: bool) -> None:
        """Go through the segments as far as they are here."""
        begun = self._begun
        assert begun is not None
        if len(begun) < len(BEGINNING) and not ended:
            return
        if not begun.startswith(SOI):
            if begun.startswith(BEGINNING):
                self._is_jpeg, self._parts = False, TileParts(self._segment)
            self._begun = None
            self._behind(bytes(begun))
            return
        self._is_jpeg, self._parts, self._last = True, None, b""
        at = _segments_of(bytes(begun), self._segment)
        if at < 0:
            if len(begun) > MOST:
                self.faults[LONG] = None
                self._begun = None
            return
        rest = bytes(begun[at:])
        self._begun = None
        self._behind(rest)

    def _behind(self, part: bytes) -> None:
        """Look for segments behind the headers: of a later scan, of a later tile-part."""
        if self._parts is not None:
            self._parts.feed(part)
            if self._parts.broken:
                self.faults[LONG] = None
        elif self._is_jpeg:
            if LATER.search(self._last + part):
                self.faults[COMMENT] = None
            self._last = part[-1:] or self._last

    def _segment(self, marker: int, content: bytes) -> None:
        if self._is_jpeg and marker == JPEG_COMMENT:
            self._comment(content)
        elif not self._is_jpeg and marker == J2K_COMMENT:
            self._comment(content[2:])
        elif self._is_jpeg and marker == 0xE0:
            # JFIF: the size of a thumbnail stands in bytes 12 and 13.
            if not content.startswith(b"JFIF\0") or content[12:14] != b"\0\0":
                self.faults[THUMBNAIL] = None
        elif self._is_jpeg and 0xE1 <= marker <= 0xEF and not _is_kept(marker, content):
            self.faults[CAMERA] = None

    def _comment(self, content: bytes) -> None:
        if content.strip(b"\0 ") and not MAKERS.match(content):
            self.faults[COMMENT] = None


class FrameCheck:
    """Where verification is switched off: frames are looked at all the same."""

    def over(self, syntax: str) -> "FramePass":
        """Return a look over an output in a transfer syntax of compressed frames."""
        return FramePass(syntax)


class FramePass:
    """Over one output: feed all of it, then `refusal`."""

    def __init__(self, syntax: str) -> None:
        self._scan = Scanner(syntax)
        self._segments = Segments()
        self._broken = ""

    def feed(self, piece: Buffer) -> None:
        """Take the next bytes of the output."""
        if self._broken:
            return
        try:
            before = self._scan.length
            self._scan.feed(piece)
            if (tail := self._scan.tail) >= 0:
                part = memoryview(piece)[max(tail - before, 0) :]
                self._segments.feed(part, max(before - tail, 0))
        except Exception as error:  # noqa: BLE001 - what cannot be looked at does not leave (D-39)
            self._broken = f"its frames cannot be looked through ({type(error).__name__})"

    def refusal(self) -> str:
        """Return in one sentence why the output may not leave, "" if it may."""
        return self._broken or "; ".join(self._segments.faults)


def _is_kept(marker: int, content: bytes) -> bool:
    return content.startswith(KEPT.get(marker, ()))


def _segments_of(data: bytes, told: Told) -> int:
    """Tell each segment up to the coded pixels; return where those begin, -1 if that is not here.

    A stream that is no stream has no segments: it is judged when it is decoded.
    """
    at, found = 2, []
    while True:
        if at + 4 > len(data):
            return -1
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in BARE:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (SOS, EOI):
            break
        if at + 2 + length > len(data):
            return -1
        found.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + max(length, 2)
    for marker, content in found:
        told(marker, content)
    # Behind the header of the first scan, so that its own bytes are no markers.
    return at + 2
