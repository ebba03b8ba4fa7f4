"""How an object is to be shown: what a codec child is told (W-86 to W-88, PS3.18 section 8.3.5).

Contract: plain data, no arrays; `text` and `of_text` carry a job through a pipe unchanged.
The parameters of a request are read here too: `window_of`, `view_of`, `quality_of` raise ValueError
with a sentence that says what to write.
"""

import json
import math
import re
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple, Self

from waystation.dicom.head import Head

LINEAR, EXACT, SIGMOID = "linear", "linear-exact", "sigmoid"
FUNCTIONS = (LINEAR, EXACT, SIGMOID)
ANNOTATIONS = ("patient", "technique")
Kind = Literal["jpeg", "png", "png16", "gif", "webp"]
MEDIA: dict[str, str] = {"jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif"}
QUALITY = 90
MOST_PIXELS = 64_000_000
LONGEST_SIDE = 32_767
REPRESENTATIVE, REPRESENTATIVE_FRAME = -1, 0x00286010
_NUMBER = re.compile(r"[+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][+-]?\d{1,3})?", re.ASCII)


class Window(NamedTuple):
    """Centre, width and function of a window (PS3.3 C.11.2.1.2)."""

    center: float
    width: float
    function: str = LINEAR


class View(NamedTuple):
    """Where a picture is to fit in, in pixels, and which part of the image it shows.

    left, top, across, down: that part in pixels of the image, None for its own; ``across`` or
    ``down`` below zero mirrors it.
    """

    width: int
    height: int
    left: float | None = None
    top: float | None = None
    across: float | None = None
    down: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """What is drawn.

    frames: numbers from 0 in the order wanted, () for all, `REPRESENTATIVE` for the one that
    stands for the object.  window: instead of what the object says.  choice: "" for what the
    object says first, ``window:N`` or ``lut:N`` for one of several (from 1), ``auto`` for the
    range that occurs.  enlarge: whether a view may be larger than the image.  annotation: words of
    PS3.18 8.3.5.1.1.  overlays: whether the overlay planes are drawn.  presentation: an object
    that says how (a presentation state), as its transfer syntax and its data set in Base64.
    small: a picture for a list, without identity; `UnfitError` if identity may be in its pixels.
    held: if the object was cut to some of its frames, which these are; total: how many it had.
    """

    frames: tuple[int, ...] = ()
    kind: Kind = "jpeg"
    quality: int = QUALITY
    window: Window | None = None
    choice: str = ""
    view: View | None = None
    enlarge: bool = True
    annotation: tuple[str, ...] = ()
    overlays: bool = False
    presentation: tuple[str, str] | None = None
    small: bool = False
    held: tuple[int, ...] = ()
    total: int = 0

    def text(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Return what `text` of a job says."""
        said = json.loads(text)
        for name in ("frames", "annotation", "presentation", "held"):
            said[name] = None if said[name] is None else tuple(said[name])
        for name, kind in (("window", Window), ("view", View)):
            said[name] = None if said[name] is None else kind(*said[name])
        return cls(**said)


def representative(head: Head, frames: int) -> int:
    """Return which frame stands for an object, from 0: what it says, else the one in the middle."""
    said = int.from_bytes((head.raw(REPRESENTATIVE_FRAME) or b"")[:2], "little")
    return said - 1 if 1 <= said <= frames else frames // 2


class Drawn(NamedTuple):
    """What became of a job: frames of the object, pictures drawn, the first frame of them (from 0).

    No pictures: a frame was asked for that is not there.
    """

    frames: int
    pictures: int
    first: int


def window_of(text: str) -> Window:
    """Return what ``window=center,width,function`` says."""
    words = text.split(",")
    numbers = [_number(word) for word in words[:2]]
    center, width = [*numbers, None, None][:2]
    if len(words) != 3 or center is None or width is None or words[2] not in FUNCTIONS:
        raise ValueError(
            "a window is center,width,function, like 40,400,linear;"
            " functions are " + ", ".join(FUNCTIONS)
        )
    least = 1 if words[2] == LINEAR else 0
    if width < least or (not least and not width):
        raise ValueError(
            f"the width of a {words[2]} window is {'1 or more' if least else 'above 0'}"
        )
    return Window(center, width, words[2])


def view_of(text: str, *, part: bool = True) -> View:
    """Return what ``viewport=vw,vh,sx,sy,sw,sh`` says; part: whether all six may be said."""
    words = text.split(",")
    if len(words) != 2 and not (part and 2 < len(words) <= 6):
        raise ValueError(
            "a viewport is width,height"
            + (",left,top,width,height of the part shown" if part else "")
        )
    sides = [int(word) if word.isascii() and word.isdigit() else 0 for word in words[:2]]
    if not all(0 < side <= LONGEST_SIDE for side in sides) or sides[0] * sides[1] > MOST_PIXELS:
        raise ValueError(
            f"width and height of a viewport are 1 to {LONGEST_SIDE},"
            f" and at most {MOST_PIXELS} pixels together"
        )
    rest = [_number(word) if word.strip() else None for word in words[2:]] + [None] * 4
    if any(word.strip() and value is None for word, value in zip(words[2:], rest, strict=False)):
        raise ValueError("the part that a viewport shows is given in numbers")
    if 0 in rest[2:4] or any(value is not None and value < 0 for value in rest[:2]):
        raise ValueError("the part that a viewport shows begins in the image and has an area")
    return View(sides[0], sides[1], *rest[:4])


def quality_of(text: str) -> int:
    """Return what ``quality`` says."""
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= 100):
        raise ValueError("the quality is a number from 1 to 100")
    return int(text)


def _number(word: str) -> float | None:
    if not _NUMBER.fullmatch(word.strip()):
        return None
    value = float(word)
    return value if math.isfinite(value) else None
