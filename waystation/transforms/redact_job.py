"""Which pixels of an object are to go: what a codec child is told (D-20, D-33 to D-35).

Contract: plain data, no arrays; `text` and `of_text` carry a job through a pipe unchanged.
Rectangles count pixels from the top left corner.  A rectangle that is empty or leaves the image
is an error of the job (`ValueError`), never cut to fit.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

Lossy = Literal["decode", "hold"]
# JPEG, JPEG-LS near lossless, JPEG 2000, HTJ2K and JPEG XL, as far as they may lose something.
LOSSY_SYNTAXES = frozenset(
    f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81, 91, 93, 111, 112, 203)
)


class Rectangle(NamedTuple):
    """In pixels, origin top left."""

    left: int
    top: int
    width: int
    height: int

    def lies_in(self, rows: int, columns: int) -> bool:
        """Tell whether it has an area, all of it within the image."""
        return (
            min(self.left, self.top) >= 0
            and min(self.width, self.height) > 0
            and self.left + self.width <= columns
            and self.top + self.height <= rows
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactJob:
    """What is blacked in every frame.

    rectangles: these.  keep: if not None, everything outside of these as well.  unused_bits: the
    bits of Pixel Data beyond Bits Stored are zeroed (uncompressed objects only).  lossy: what to
    do with an object that was compressed with loss: ``decode`` it to Explicit VR Little Endian,
    or ``hold`` it.
    """

    rectangles: tuple[Rectangle, ...] = ()
    keep: tuple[Rectangle, ...] | None = None
    unused_bits: bool = False
    lossy: Lossy = "decode"

    @property
    def blacks(self) -> bool:
        """Whether any pixel is to be blacked, and not only unused bits."""
        return bool(self.rectangles) or self.keep is not None

    def check(self, rows: int, columns: int) -> None:
        """Raise ValueError unless every rectangle lies in an image of this size."""
        for one in (*self.rectangles, *(self.keep or ())):
            if not one.lies_in(rows, columns):
                raise ValueError(f"{one_line(one)} lies outside the image of {columns} x {rows}")

    def text(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps([self.rectangles, self.keep, self.unused_bits, self.lossy])

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Return what `text` of a job says."""
        rectangles, keep, unused_bits, lossy = json.loads(text)
        return cls(
            rectangles=_tuples(rectangles),
            keep=None if keep is None else _tuples(keep),
            unused_bits=unused_bits,
            lossy=lossy,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """One frame to look at.  frame: from 0.  side: longest side in pixels, at most.

    job: what would be blacked is outlined; with ``blacked`` it is filled, as it would leave.
    """

    job: RedactJob
    frame: int = 0
    side: int = 1024
    blacked: bool = False

    def text(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps([self.job.text(), self.frame, self.side, self.blacked])

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Return what `text` of a glimpse says."""
        job, frame, side, blacked = json.loads(text)
        return cls(job=RedactJob.of_text(job), frame=frame, side=side, blacked=blacked)


def one_line(rectangle: Rectangle) -> str:
    """Return a rectangle in words."""
    return f"rectangle {list(rectangle)} (left, top, width, height)"


def _tuples(rows: Iterable[Iterable[int]]) -> tuple[Rectangle, ...]:
    return tuple(Rectangle(*map(int, row)) for row in rows)
