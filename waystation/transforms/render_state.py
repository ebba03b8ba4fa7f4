"""A greyscale presentation state: how images are to be shown (PS3.3 A.33.1, PS3.4 annex N).

Contract: takes from the object its modality and VOI transformation, presentation LUT, rotation and
flip, shutter, and the graphics and texts that are placed by pixel.  What a state leaves out is the
identity, not what the image says (PS3.4 N.2).  Displayed areas, layers and graphics placed on the
display are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.transforms.render_grey import (
    Modality,
    Rescale,
    Shades,
    modality_of,
    tables_of,
    windowed,
    windows_of,
)
from waystation.transforms.render_lut import Numbers, Table, lut_of

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

IMAGES, INSTANCE, FRAMES = 0x00081140, 0x00081155, 0x00081160
SOFTCOPY_VOI, PRESENTATION_LUT, SHAPE = 0x00283110, 0x20500010, 0x20500020
FLIP, ROTATION = 0x00700041, 0x00700042
SHUTTER, SHUTTER_VALUE = 0x00181600, 0x00181622
EDGES = (0x00181602, 0x00181604, 0x00181606, 0x00181608)
CENTER, RADIUS, VERTICES = 0x00181610, 0x00181612, 0x00181620
ANNOTATION, TEXTS, GRAPHICS = 0x00700001, 0x00700008, 0x00700009
UNITS, ANCHOR_UNITS, BOX_UNITS = 0x00700005, 0x00700004, 0x00700003
DATA, TYPE, FILLED = 0x00700022, 0x00700023, 0x00700024
ANCHOR, BOX, TEXT = 0x00700014, 0x00700010, "UnformattedTextValue"
SHAPES = {"POLYLINE", "INTERPOLATED", "POINT", "CIRCLE", "ELLIPSE"}
MOST_MARKS = 2000
Array = np.ndarray[Any, np.dtype[Any]]
Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something drawn.  points: in pixels from the top left corner, as it is stored."""

    kind: str
    points: Points
    text: str = ""
    filled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a presentation state says for one frame of one image."""

    modality: Modality
    voi: Shades | None
    after: Shades | None
    inverse: bool
    turns: int
    flips: bool
    head: Head
    marks: list[Mark] = field(default_factory=list)

    def shuttered(self, pixels: Array, top: int) -> Array:
        """Return ``pixels`` (rows, columns) with what the shutter hides in its colour."""
        seen = _seen(self.head, pixels.shape[0], pixels.shape[1])
        if seen.all():
            return pixels
        raw = self.head.raw(SHUTTER_VALUE) or b""
        value = int.from_bytes(raw[:2], "little") * top // 0xFFFF
        return np.where(seen, pixels, np.array(value, pixels.dtype))

    def drawn(self, picture: "Picture") -> "Picture":
        """Return ``picture`` turned and flipped, with the marks."""
        from PIL import Image as Pillow
        from PIL import ImageDraw, ImageFont

        size = picture.size
        if self.turns:
            ways = (
                Pillow.Transpose.ROTATE_270,
                Pillow.Transpose.ROTATE_180,
                Pillow.Transpose.ROTATE_90,
            )
            picture = picture.transpose(ways[self.turns - 1])
        if self.flips:
            picture = picture.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)
        if not self.marks:
            return picture
        draw = ImageDraw.Draw(picture)
        font = ImageFont.load_default(max(10, min(size) // 40))
        for mark in self.marks:
            points = [self._placed(point, size) for point in mark.points]
            if mark.kind == "TEXT":
                draw.text(points[0], mark.text, "white", font, stroke_width=1, stroke_fill="black")
            elif mark.kind == "POINT":
                (x, y), arm = points[0], 2
                draw.ellipse((x - arm, y - arm, x + arm, y + arm), fill="white")
            elif mark.filled and len(points) > 2:
                draw.polygon(points, fill="white")
            elif len(points) > 1:
                draw.line(points, fill="white", width=1)
        return picture

    def _placed(self, point: tuple[float, float], size: tuple[int, int]) -> tuple[float, float]:
        """Return where a point of the stored image is in the turned one."""
        (x, y), (width, height) = point, size
        for _ in range(self.turns):
            x, y = height - y, x
            width, height = height, width
        return (width - x if self.flips else x), y


def state_of(head: Head, instance_uid: str, number: int, *, signed: bool) -> State:
    """Return what the state ``head`` says of an image; number: of the frame, from 0."""
    after, inverse = _presentation(head)
    turns = _degrees(head) // 90
    return State(
        modality=modality_of(head, signed=signed) or Rescale(1.0, 0.0),
        voi=_voi(head, instance_uid, number),
        after=after,
        inverse=inverse,
        turns=turns,
        flips=head.text(FLIP) == "Y",
        head=head,
        marks=list(_marks(head, instance_uid, number))[:MOST_MARKS],
    )


def _degrees(head: Head) -> int:
    found = int.from_bytes((head.raw(ROTATION) or b"")[:2], "little")
    return found if found in (90, 180, 270) else 0


def _means(item: Head, instance_uid: str, number: int) -> bool:
    """Tell whether an item holds for a frame of an image: nothing named, or it is named."""
    named = list(item.items(IMAGES))
    if not named:
        return True
    for one in named:
        if one.text(INSTANCE) == instance_uid:
            frames = (one.raw(FRAMES) or b"").decode("latin-1").strip("\0 ")
            return not frames or str(number + 1) in (word.strip() for word in frames.split("\\"))
    return False


def _voi(head: Head, instance_uid: str, number: int) -> Shades | None:
    for item in head.items(SOFTCOPY_VOI):
        if not _means(item, instance_uid, number):
            continue
        tables, windows = tables_of(item, signed=True), windows_of(item)
        if tables:
            return tables[0].shades
        if windows:
            return windowed(windows[0])
    return None


def _presentation(head: Head) -> tuple[Shades | None, bool]:
    """Return the presentation LUT, and whether shades are inverted."""
    item = next(head.items(PRESENTATION_LUT), None)
    table = lut_of(item, signed=False) if item is not None else None
    if table is None:
        return None, head.text(SHAPE) == "INVERSE"
    return _through(table), False


def _through(table: Table) -> Shades:
    """Return a presentation LUT as a function of shades."""

    def after(found: Numbers) -> Numbers:
        return table.shades(found * (len(table.entries) - 1) + table.first)

    return after


def _seen(head: Head, rows: int, columns: int) -> Array:
    """Return what the shutters leave to see, shape (rows, columns)."""
    down, right = np.mgrid[1 : rows + 1, 1 : columns + 1]
    seen: Array = np.ones((rows, columns), np.bool_)
    raw = (head.raw(SHUTTER) or b"").decode("latin-1").strip("\0 ").split("\\")
    edges = [_whole(head, tag) for tag in EDGES]
    if "RECTANGULAR" in raw and all(edges):
        (left,), (end,), (top,), (bottom,) = (edge[:1] for edge in edges)
        seen &= (right >= left) & (right <= end) & (down >= top) & (down <= bottom)
    center, radius = _whole(head, CENTER), _whole(head, RADIUS)
    if "CIRCULAR" in raw and len(center) >= 2 and radius:
        seen &= (down - center[0]) ** 2 + (right - center[1]) ** 2 <= radius[0] ** 2
    corners = _whole(head, VERTICES)
    if "POLYGONAL" in raw and len(corners) >= 6:
        seen &= _inside(corners, rows, columns)
    return seen


def _whole(head: Head, tag: int) -> list[int]:
    words = (head.raw(tag) or b"").decode("latin-1").strip("\0 ").split("\\")
    try:
        return [int(word) for word in words if word.strip() and len(word) <= 12]
    except ValueError:
        return []


def _inside(corners: list[int], rows: int, columns: int) -> Array:
    from PIL import Image as Pillow
    from PIL import ImageDraw

    mask = Pillow.new("L", (columns, rows), 0)
    points = [(corners[at + 1] - 1, corners[at] - 1) for at in range(0, len(corners) - 1, 2)]
    ImageDraw.Draw(mask).polygon(points, fill=1, outline=1)
    return np.asarray(mask, np.bool_)


def _marks(head: Head, instance_uid: str, number: int) -> Iterator[Mark]:
    try:
        for group in head.items(ANNOTATION):
            if not _means(group, instance_uid, number):
                continue
            for item in group.items(GRAPHICS):
                yield from _graphic(item)
            for item in group.items(TEXTS):
                yield from _text(item)
    except DatasetError:
        return


def _graphic(item: Head) -> Iterator[Mark]:
    kind, points = item.text(TYPE), _points(item.raw(DATA))
    if item.text(UNITS) != "PIXEL" or kind not in SHAPES or not points:
        return
    filled = item.text(FILLED) == "Y"
    if kind == "CIRCLE" and len(points) >= 2:
        (x, y), (to_x, to_y) = points[:2]
        radius = float(np.hypot(to_x - x, to_y - y))
        yield Mark("LINE", _round((x, y), (radius, 0.0), (0.0, radius)), filled=filled)
    elif kind == "ELLIPSE" and len(points) >= 4:
        (x1, y1), (x2, y2), (x3, y3), (x4, y4) = points[:4]
        middle = ((x1 + x2) / 2, (y1 + y2) / 2)
        half = ((x2 - x1) / 2, (y2 - y1) / 2), ((x4 - x3) / 2, (y4 - y3) / 2)
        yield Mark("LINE", _round(middle, *half), filled=filled)
    elif kind == "POINT":
        yield Mark("POINT", points[:1])
    elif kind in ("POLYLINE", "INTERPOLATED"):
        yield Mark("LINE", points, filled=filled)


def _round(
    middle: tuple[float, float], one: tuple[float, float], two: tuple[float, float]
) -> Points:
    """Return an ellipse as a line; one, two: its half axes."""
    angles = np.linspace(0.0, 2.0 * np.pi, 73)
    return [
        (
            middle[0] + one[0] * float(np.cos(at)) + two[0] * float(np.sin(at)),
            middle[1] + one[1] * float(np.cos(at)) + two[1] * float(np.sin(at)),
        )
        for at in angles
    ]


def _text(item: Head) -> Iterator[Mark]:
    for units, place in ((BOX_UNITS, BOX), (ANCHOR_UNITS, ANCHOR)):
        points = _points(item.raw(place))
        if points and item.text(units) == "PIXEL":
            words = [str(one) for one in item.values(TEXT) or []]
            text = "".join(one if " " <= one < "\u0180" else "?" for one in "\\".join(words))
            yield Mark("TEXT", points[:1], text[:200])
            return


def _points(raw: bytes | None) -> Points:
    """Return points as they are counted here: the corner of the first pixel is 0."""
    numbers = np.frombuffer((raw or b"")[: len(raw or b"") // 8 * 8], "<f4").astype(np.float64)
    if not np.isfinite(numbers).all() or (np.abs(numbers) > 1e6).any():
        return []
    return [(float(x) - 1.0, float(y) - 1.0) for x, y in numbers.reshape(-1, 2)]
