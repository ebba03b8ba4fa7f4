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


def one_line(rectangle: Rectangle) -> str:
    """Return a rectangle in words."""
    return f"rectangle {list(rectangle)} (left, top, width, height)"


def _tuples(rows: Iterable[Iterable[int]]) -> tuple[Rectangle, ...]:
    return tuple(Rectangle(*map(int, row)) for row in rows)
