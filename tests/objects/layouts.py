"""Small images in every layout of Pixel Data, made by numpy from what a viewer would see.

Contract: a `Picture` says how samples lie; `laid_out` gives their bytes, `head` the elements that
describe them.  Nothing here knows how Waystation reads or writes pixels.  Layouts: PS3.5 section
8, PS3.3 C.7.6.3.1.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.objects.elements import element, header

Array = np.ndarray[Any, np.dtype[Any]]
PIXELS, FLOAT, DOUBLE = 0x7FE00010, 0x7FE00008, 0x7FE00009


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """stored, high: 0 for all bits that are allocated.  kind: u, i or f, as numpy says."""

    rows: int = 12
    columns: int = 16
    frames: int = 1
    samples: int = 1
    allocated: int = 8
    stored: int = 0
    high: int = 0
    kind: str = "u"
    photometric: str = "MONOCHROME2"
    planar: int = 0
    subsampled: bool = False

    @property
    def bits(self) -> int:
        return self.stored or self.allocated

    @property
    def highest_bit(self) -> int:
        return self.high or self.bits - 1

    def numbers(self, seed: int = 1) -> Array:
        """Return stored numbers, shape (frames, rows, columns, samples); nowhere black."""
        random = np.random.default_rng(seed)
        shape = (self.frames, self.rows, self.columns, self.samples)
        if self.kind == "f":
            return random.normal(size=shape).astype(f"<f{self.allocated // 8}") + 3
        if self.allocated == 1:
            return np.full(shape, int(self.photometric != "MONOCHROME1"), np.int64)
        low = -(1 << (self.bits - 1)) if self.kind == "i" else 0
        found = random.integers(low + 5, low + (1 << self.bits) - 5, shape)
        if self.subsampled:
            found[..., 1:] = np.repeat(found[:, :, ::2, 1:], 2, axis=2)
        return found

    def laid_out(self, numbers: Array) -> bytes:
        """Return the bytes of Pixel Data, padded to even length."""
        if self.allocated == 1:
            raw = np.packbits(numbers.astype(np.uint8).ravel(), bitorder="little").tobytes()
        elif self.kind == "f":
            raw = numbers.tobytes()
        else:
            held = numbers << (self.highest_bit + 1 - self.bits)
            cells = held.astype(f"<i{self.allocated // 8}" if self.kind == "i" else "<u8")
            cells = cells.astype(f"<{self.kind}{self.allocated // 8}")
            if self.subsampled:
                pairs = cells.reshape(self.frames, self.rows, self.columns // 2, 2, 3)
                light, colour = pairs[..., 0], pairs[..., 0, 1:]
                cells = np.concatenate([light, colour], axis=-1)
            elif self.planar:
                cells = cells.transpose(0, 3, 1, 2)
            raw = cells.tobytes()
        return raw + b"\0" * (len(raw) % 2)

    def head(self, *, implicit: bool = False, more: bytes = b"") -> bytes:
        """Return group 0028; more: elements behind it, before the pixels."""
        entries: list[tuple[int, str, str | int]] = [(0x00280002, "US", self.samples)]
        entries += [(0x00280004, "CS", self.photometric)]
        if self.samples > 1:
            entries += [(0x00280006, "US", self.planar)]
        entries += [(0x00280008, "IS", str(self.frames)), (0x00280010, "US", self.rows)]
        entries += [(0x00280011, "US", self.columns), (0x00280100, "US", self.allocated)]
        if self.kind != "f":
            entries += [(0x00280101, "US", self.bits), (0x00280102, "US", self.highest_bit)]
            entries += [(0x00280103, "US", int(self.kind == "i"))]
        said = (element(tag, vr, value, implicit=implicit) for tag, vr, value in entries)
        return b"".join(said) + more

    def data_set(self, raw: bytes, *, implicit: bool = False, more: bytes = b"") -> bytes:
        """Return a data set that is nothing but this picture."""
        tag = PIXELS if self.kind != "f" else FLOAT if self.allocated == 32 else DOUBLE
        vr = "OB" if self.allocated <= 8 else "OW"
        if self.kind == "f":
            vr = "OF" if self.allocated == 32 else "OD"
        pixels = header(tag, vr, len(raw), implicit=implicit) + raw
        begin = element(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7", implicit=implicit)
        return begin + self.head(implicit=implicit, more=more) + pixels
