"""The segments of a JPEG 2000 codestream, wherever they stand (D-42).

Contract: `TileParts` is fed a codestream from its SOC on, in any pieces, and tells every segment of
its main header and of the header of every tile-part; coded pixels are passed over.  ``over`` once
nothing follows that is looked at.  ``broken`` if tile-parts are not where their lengths say.

Markers and lengths: ISO/IEC 15444-1 A.1.3; SOT A.4.2, SOD A.4.3, EOC A.4.4.
"""

from collections.abc import Callable
from typing import Final

# SIZ stands at once behind SOC; together they occur nowhere else by accident.
BEGINNING: Final = b"\xff\x4f\xff\x51"
SOC, SOT, SOD, EOC = 0x4F, 0x90, 0x93, 0xD9
# Markers that have no length.
BARE: Final = frozenset({SOC, SOD, EOC, *range(0x30, 0x40)})
SOT_BYTES: Final = 12
Told = Callable[[int, bytes], None]


class TileParts:
    """One codestream.  told: hears (marker, content) of each segment."""

    def __init__(self, told: Told) -> None:
        self.over = False
        self.broken = False
        self._told = told
        self._begun = bytearray()
        # Of the tile-part: its length as SOT says it, and how much of it was seen; -1 before one.
        self._length = 0
        self._seen = -1
        self._pixels = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        view = memoryview(data)
        while view and not self.over:
            if self._pixels:
                used = min(self._pixels, len(view))
                self._pixels -= used
            else:
                used = self._segment(view)
            view = view[used:]

    def _segment(self, view: memoryview) -> int:
        """Take bytes of a segment; return how many."""
        used = min(self._wanted() - len(self._begun), len(view))
        self._begun += view[:used]
        if len(self._begun) == self._wanted():
            whole = bytes(self._begun)
            self._begun.clear()
            self._take(whole)
        return used

    def _wanted(self) -> int:
        """Return how long the segment is, as far as that is known."""
        begun = self._begun
        if len(begun) < 2 or begun[0] != 0xFF or begun[1] in BARE:
            return 2
        return 4 if len(begun) < 4 else 2 + max(int.from_bytes(begun[2:4], "big"), 2)

    def _take(self, segment: bytes) -> None:
        marker = segment[1]
        if self._seen >= 0:
            self._seen += len(segment)
        if segment[0] != 0xFF or (marker == SOT and len(segment) != SOT_BYTES):
            self._stop()
        elif marker == EOC:
            self.over = True
        elif marker == SOT:
            self._length, self._seen = int.from_bytes(segment[6:10], "big"), SOT_BYTES
        elif marker == SOD:
            self._pass_over()
        elif marker not in BARE:
            self._told(marker, segment[4:])

    def _pass_over(self) -> None:
        """Behind SOD: coded pixels to the end of the tile-part, or of everything (length 0)."""
        if self._seen < 0 or 0 < self._length < self._seen:
            self._stop()
        elif not self._length:
            self.over = True
        self._pixels = max(self._length - self._seen, 0)

    def _stop(self) -> None:
        # What is no codestream from the beginning is judged when it is decoded.
        self.over, self.broken = True, self._seen >= 0
