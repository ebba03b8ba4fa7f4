"""Stored numbers to shades of grey: modality, window, presentation (PS3.4 annex N.2, W-86).

Contract: `Greys` knows what an object says of its numbers, frame by frame; `shown` gives one frame
as uint8 or uint16.  An object's own description is used as far as it can be: a window of no width
or a table without entries is passed over, and where nothing is left the shades spread over the
numbers that occur.  Numbers that mean "no pixel here" (Pixel Padding Value) do not count for that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.transforms.errors import UnfitError
from waystation.transforms.image import Image
from waystation.transforms.render_job import EXACT, LINEAR, SIGMOID, RenderJob, Window
from waystation.transforms.render_lut import Numbers, Table, lut_of, shades, spread

MODALITY_LUT, VOI_LUT = 0x00283000, 0x00283010
INTERCEPT, SLOPE = 0x00281052, 0x00281053
CENTER, WIDTH, FUNCTION = 0x00281050, 0x00281051, 0x00281056
PADDING, PADDING_END = 0x00280120, 0x00280121
SHARED, EACH_FRAME = 0x52009229, 0x52009230
FRAME_VALUES, FRAME_WINDOW = 0x00289145, 0x00289132
SHAPE = 0x20500020
FUNCTIONS = {"": LINEAR, "LINEAR": LINEAR, "LINEAR_EXACT": EXACT, "SIGMOID": SIGMOID}
Array = np.ndarray[Any, np.dtype[Any]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Shades = Callable[[Numbers], Numbers]
BLOCK = 8192


@dataclass(frozen=True, slots=True)
class Rescale:
    """A straight line from stored to meant numbers."""

    slope: float
    intercept: float

    def of(self, numbers: Numbers) -> Numbers:
        """Return what numbers mean."""
        return np.asarray(numbers * self.slope + self.intercept)


Modality = Rescale | Table


def numbers_of(head: Head, tag: int) -> list[float]:
    """Return the values of a decimal string, [] if they are not numbers."""
    raw = head.raw(tag)
    try:
        words = (raw or b"").decode("ascii").strip("\0 ").split("\\")
        found = [float(word) for word in words if word.strip()]
    except ValueError:
        return []
    return found if np.isfinite(found).all() else []


def first_item(head: Head, tag: int) -> Head | None:
    """Return the first item of a sequence."""
    try:
        return next(head.items(tag), None)
    except DatasetError:
        return None


def modality_of(head: Head, *, signed: bool) -> Modality | None:
    """Return the modality transformation that a data set or an item holds."""
    item = first_item(head, MODALITY_LUT)
    table = lut_of(item, signed=signed) if item is not None else None
    if table is not None:
        return table
    slope, intercept = numbers_of(head, SLOPE), numbers_of(head, INTERCEPT)
    if not slope and not intercept:
        return None
    return Rescale(slope[0] if slope and slope[0] else 1.0, intercept[0] if intercept else 0.0)


def windows_of(head: Head) -> list[Window]:
    """Return the windows that a data set or an item holds, those that can be used."""
    function = FUNCTIONS.get(head.text(FUNCTION).upper(), LINEAR)
    pairs = zip(numbers_of(head, CENTER), numbers_of(head, WIDTH), strict=False)
    least = 1.0 if function == LINEAR else 1e-9
    return [Window(center, width, function) for center, width in pairs if width >= least]


def tables_of(head: Head, *, signed: bool) -> list[Table]:
    """Return the VOI LUTs that a data set or an item holds, those that can be used."""
    try:
        found = [lut_of(item, signed=signed) for item in head.items(VOI_LUT)]
    except DatasetError:
        return []
    return [one for one in found if one is not None]


class Greys:
    """What one object and a job say about how its frames become grey."""

    def __init__(self, head: Head, job: RenderJob) -> None:
        self._head = head
        self._job = job
        self._shared = first_item(head, SHARED)
        self._frames: list[Head] = []
        try:
            self._frames = list(head.items(EACH_FRAME))
        except DatasetError:
            self._frames = []
        self.inverse = head.text(SHAPE) == "INVERSE"

    def _places(self, number: int, sequence: int) -> list[Head]:
        """Return where a frame may be described, the nearest first."""
        nearer = self._frames[number : number + 1] + ([self._shared] if self._shared else [])
        items = [item for group in nearer if (item := first_item(group, sequence)) is not None]
        return [*items, self._head]

    def modality(self, number: int, image: Image) -> Modality:
        """Return what the stored numbers of a frame mean."""
        for place in self._places(number, FRAME_VALUES):
            found = modality_of(place, signed=image.signed)
            if found is not None:
                return found
        return Rescale(1.0, 0.0)

    def voi(self, number: int, *, signed: bool) -> Shades | None:
        """Return what gives a frame its shades, None for the range that occurs."""
        job = self._job
        if job.window is not None:
            return windowed(job.window)
        if job.choice == "auto":
            return None
        kind, _, place = job.choice.partition(":")
        for head in self._places(number, FRAME_WINDOW):
            windows, tables = windows_of(head), tables_of(head, signed=signed)
            if kind == "window":
                _check(int(place), len(windows), "windows")
                return windowed(windows[int(place) - 1])
            if kind == "lut":
                _check(int(place), len(tables), "VOI LUTs")
                return tables[int(place) - 1].shades
            if tables:
                return tables[0].shades
            if windows:
                return windowed(windows[0])
        return None

    def padding(self, image: Image) -> tuple[int, int] | None:
        """Return the lowest and the highest stored number that is no pixel."""
        raws = [self._head.raw(tag) for tag in (PADDING, PADDING_END)]
        found = [int.from_bytes(raw[:2], "little", signed=image.signed) for raw in raws if raw]
        return (min(found), max(found)) if found and raws[0] else None


def windowed(window: Window) -> Shades:
    """Return a window as a function."""
    return lambda numbers: shades(numbers, window)


def _check(number: int, count: int, what: str) -> None:
    if not 1 <= number <= count:
        raise UnfitError(f"it has {count} {what}, and no number {number}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tones:
    """What happens to the numbers of one frame.

    voi: None for the range that occurs.  padding: stored numbers left out of that range.
    after: what a presentation state does with the shades at last.  whole: not what occurs but
    everything that could is spread.
    """

    modality: Modality
    voi: Shades | None
    inverse: bool
    padding: tuple[int, int] | None = None
    after: Shades | None = None
    whole: bool = False

    def shades(self, meant: Numbers, ends: tuple[float, float]) -> Numbers:
        """Return the shades of meant numbers; ends: the lowest and the highest that occur."""
        found = self.voi(meant) if self.voi is not None else spread(meant, *ends)
        if self.after is not None:
            found = self.after(found)
        return 1.0 - found if self.inverse else found


def shown(samples: Array, image: Image, tones: Tones, top: int) -> Array:
    """Return a frame as grey, shape (rows, columns), 0 to ``top``.

    samples: shape (rows, columns).  top: 255 (uint8) or 65535 (uint16).
    """
    kind = np.uint8 if top <= 0xFF else np.uint16
    if samples.dtype.kind == "f" or image.stored > 16:
        stored = np.nan_to_num(samples.astype(np.float64), posinf=0.0, neginf=0.0)
        meant = tones.modality.of(stored)
        counts = _counts(stored, np.ones(stored.shape, np.bool_), tones.padding)
        return (tones.shades(meant, _ends(meant, counts)) * top + 0.5).astype(kind)
    whole = tones.voi is None and (tones.whole or image.stored == 1)
    stored, bounds = _stored(samples, image)
    low, high = bounds if whole else (int(stored.min()), int(stored.max()))
    ends = 0.0, 0.0
    if tones.voi is None:
        ends = _range(tones, stored, (low, high), whole=whole)
    table = _table(tones, (low, high), ends, top)
    places = np.zeros(1 << stored.dtype.itemsize * 8, table.dtype)
    # Numbers below zero stand at the end, as they do in the containers.
    below = min(max(-low, 0), len(table))
    places[len(places) + low :][:below] = table[:below]
    places[max(low, 0) :][: len(table) - below] = table[below:]
    return _looked_up(places, stored.view(f"u{stored.dtype.itemsize}"))


def _stored(samples: Array, image: Image) -> tuple[Array, tuple[int, int]]:
    """Return the stored numbers in containers of 8 or 16 bits, and the least and most possible."""
    mask = (1 << image.stored) - 1
    half = (mask + 1) // 2 if image.signed else 0
    bounds = -half, mask - half
    kind = "i" if image.signed else "u"
    size = samples.dtype.itemsize
    shift = max(image.high + 1 - image.stored, 0)
    plain = samples.view(f"{kind}{size}")
    if size <= 2 and not shift:
        if image.stored == size * 8:
            return plain, bounds
        if bounds[0] <= int(plain.min()) and int(plain.max()) <= bounds[1]:
            return plain, bounds
    # The other bits of the containers belong to somebody else.
    wide = (samples.view(f"u{size}") >> shift & mask).astype(np.int32)
    small = 1 if image.stored <= 8 else 2
    return ((wide ^ half) - half).astype(f"{kind}{small}"), bounds


def _range(
    tones: Tones, stored: Array, occur: tuple[int, int], *, whole: bool
) -> tuple[float, float]:
    """Return the lowest and the highest of what the stored numbers mean."""
    if not whole and isinstance(tones.modality, Rescale):
        return _straight(tones.modality, stored, occur, tones.padding)
    low, high = occur
    domain = np.arange(low, high + 1, dtype=np.float64)
    used = np.full(len(domain), whole, np.bool_)
    used[np.subtract(stored, low, dtype=np.intp)] = True
    return _ends(tones.modality.of(domain), _counts(domain, used, tones.padding))


def _table(tones: Tones, occur: tuple[int, int], ends: tuple[float, float], top: int) -> Array:
    """Return the shades of all numbers from the lowest to the highest that occur."""
    low, high = occur
    table = np.empty(high + 1 - low, np.uint8 if top <= 0xFF else np.uint16)
    for at in range(0, len(table), BLOCK):
        block = table[at : at + BLOCK]
        meant = tones.modality.of(np.arange(low + at, low + at + len(block), dtype=np.float64))
        block[:] = tones.shades(meant, ends) * top + 0.5
    return table


def _looked_up(table: Array, index: Array) -> Array:
    """Return the entries of ``table``; by parts, as numpy makes wide numbers of what it looks up.

    Memory that fits into a cache is taken again; a fresh megabyte costs more than the work in it.
    """
    flat = np.ascontiguousarray(index).reshape(-1)
    found = np.empty(flat.shape, table.dtype)
    for at in range(0, len(flat), BLOCK):
        table.take(flat[at : at + BLOCK], mode="clip", out=found[at : at + BLOCK])
    return found.reshape(index.shape)


def _straight(
    line: Rescale, stored: Array, occur: tuple[int, int], padding: tuple[int, int] | None
) -> tuple[float, float]:
    """Return the ends of what a straight line makes of the stored numbers that mean a pixel.

    occur: the lowest and the highest of them.
    """
    low, high = occur
    if padding is not None and padding[0] <= low <= padding[1]:
        above = stored[stored > padding[1]]
        low = int(above.min()) if above.size else low
    if padding is not None and padding[0] <= high <= padding[1]:
        below = stored[stored < padding[0]]
        high = int(below.max()) if below.size else high
    first, last = (float(one) for one in line.of(np.array((low, high), np.float64)))
    return min(first, last), max(first, last)


def _counts(stored: Numbers, used: Flags, padding: tuple[int, int] | None) -> Flags:
    """Return which numbers count for a range: those that are used and mean a pixel."""
    if padding is None:
        return used
    found: Flags = used & ((stored < padding[0]) | (stored > padding[1]))
    return found if found.any() else used


def _ends(meant: Numbers, counts: Flags) -> tuple[float, float]:
    low = meant.min(where=counts, initial=np.inf)
    high = meant.max(where=counts, initial=-np.inf)
    return float(low), float(high)
