"""Look-up tables and windows: stored numbers to shades (PS3.3 C.11.1, C.11.2).

Contract: arrays and numbers only.  `shades` gives numbers from 0 to 1, ``Table`` those of its data.
What a table says of itself is trusted only as far as its data go; `lut_of` returns None for a table
that cannot be used.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from waystation.dicom.head import Head
from waystation.transforms.render_job import EXACT, SIGMOID, Window

DESCRIPTOR, DATA = 0x00283002, 0x00283006
Numbers = np.ndarray[Any, np.dtype[np.float64]]
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """A look-up table.  first: the number that its first entry stands for.  top: its largest."""

    first: int
    entries: Array
    top: int

    def of(self, numbers: Numbers) -> Numbers:
        """Return the entries of ``numbers``; the first and the last reach beyond their ends."""
        at = np.clip(np.rint(numbers) - self.first, 0, len(self.entries) - 1)
        found: Numbers = self.entries[at.astype(np.int64)].astype(np.float64)
        return found

    def shades(self, numbers: Numbers) -> Numbers:
        """Return the entries as shades from 0 to 1."""
        return np.minimum(self.of(numbers) / max(self.top, 1), 1.0)


def lut_of(item: Head, *, signed: bool) -> Table | None:
    """Return the table that an item holds; signed: whether numbers below zero go into it."""
    said, data = item.raw(DESCRIPTOR), item.raw_sequence(DATA)
    return None if said is None else table_of(said, data, signed=signed)


def table_of(said: bytes, data: bytes, *, signed: bool) -> Table | None:
    """Return a table; said: its descriptor (entries, first number, bits)."""
    if len(said) < 6 or not data:
        return None
    count = int.from_bytes(said[:2], "little") or 1 << 16
    first = int.from_bytes(said[2:4], "little", signed=signed)
    bits = int.from_bytes(said[4:6], "little")
    wide = len(data) >= 2 * count
    entries: Array = np.frombuffer(
        data[: len(data) // 2 * 2] if wide else data, "<u2" if wide else "u1"
    )
    entries = entries[:count]
    if len(entries) < count:
        return None
    largest = int(entries.max())
    if not 0 < bits <= 16 or largest >= 1 << bits:
        bits = 16 if largest > 0xFF else 8
    return Table(first, entries, (1 << bits) - 1)


def shades(numbers: Numbers, window: Window) -> Numbers:
    """Return a window's shades of ``numbers``, 0 to 1 (PS3.3 C.11.2.1.2.1, C.11.2.1.3)."""
    center, width, function = window
    if function == SIGMOID:
        slope = np.clip(-4.0 * (numbers - center) / width, -700.0, 700.0)
        return np.asarray(1.0 / (1.0 + np.exp(slope)))
    if function != EXACT:
        if width <= 1:
            return (numbers > center - 0.5).astype(np.float64)
        center, width = center - 0.5, width - 1.0
    return np.clip((numbers - center) / width + 0.5, 0.0, 1.0)


def spread(numbers: Numbers, low: float, high: float) -> Numbers:
    """Return shades from the lowest to the highest number."""
    return np.clip((numbers - low) / max(high - low, 1e-300), 0.0, 1.0)
