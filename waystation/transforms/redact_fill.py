"""What black is, and how it gets into one frame (D-34).

Contract: arrays and numbers only.  `covered` says which pixels go; `black` gives the container of
each sample that shows as black: the lowest stored number, for MONOCHROME1 the highest, for a
palette its darkest entry, for colours of luminance (0, middle, middle), for floating point 0.
`Layout.blacked` puts it into the bytes of one frame, as they lie there: by pixel, by plane,
sub-sampled, whatever width.  Pixels that share their colour with a black neighbour (4:2:2) go
with it.  `packed_blacked` does it for pixels of one bit, eight frames at a time.

Layouts: PS3.5 section 8, PS3.3 C.7.6.3.1.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from waystation.dicom.head import Head
from waystation.transforms.errors import UnfitError
from waystation.transforms.image import Image
from waystation.transforms.redact_job import Rectangle, RedactJob

Mask = np.ndarray[Any, np.dtype[np.bool_]]
DESCRIPTORS, TABLES = (0x00281101, 0x00281102, 0x00281103), (0x00281201, 0x00281202, 0x00281203)
GREYS = ("MONOCHROME1", "MONOCHROME2")
LUMINANCE = ("YBR_FULL", "YBR_FULL_422")
# CCIR 601: luminance of black is 16 of 256 (retired in PS3.3).
PARTIAL = ("YBR_PARTIAL_422",)


def covered(job: RedactJob, rows: int, columns: int) -> Mask:
    """Return which pixels go, shape (rows, columns); `UnfitError` for a bad rectangle."""
    try:
        job.check(rows, columns)
    except ValueError as error:
        raise UnfitError(str(error)) from error
    mask: Mask = np.full((rows, columns), job.keep is not None, dtype=np.bool_)
    for one in job.keep or ():
        mask[_area(one)] = False
    for one in job.rectangles:
        mask[_area(one)] = True
    return mask


def _area(one: Rectangle) -> tuple[slice, slice]:
    return slice(one.top, one.top + one.height), slice(one.left, one.left + one.width)


def black(head: Head, image: Image, *, is_float: bool = False) -> tuple[int, ...]:
    """Return the container of each sample of a black pixel, as an unsigned number.

    image: with the Photometric Interpretation that the frames have.
    """
    if is_float:
        return (0,) * image.samples
    if image.samples == 1 and image.photometric in GREYS:
        lowest, highest = _range(image)
        return (_container(highest if image.photometric == "MONOCHROME1" else lowest, image),)
    if image.samples == 1 and image.photometric == "PALETTE COLOR":
        lowest, highest = _range(image)
        darkest = _darkest_entry(head, image)
        return (_container(darkest if lowest <= darkest <= highest else lowest, image),)
    if image.samples == 3 and not image.signed:
        middle = 1 << (image.stored - 1)
        if image.photometric == "RGB":
            return (0, 0, 0)
        if image.photometric in LUMINANCE:
            return (0, _container(middle, image), _container(middle, image))
        if image.photometric in PARTIAL:
            dark = 1 << max(image.stored - 4, 0)
            return tuple(_container(number, image) for number in (dark, middle, middle))
    raise UnfitError("what is black in its Photometric Interpretation is not known")


def used_bits(image: Image) -> int:
    """Return the bits of a container that belong to the pixel."""
    return _container((1 << image.stored) - 1, image)


def _range(image: Image) -> tuple[int, int]:
    if image.signed:
        return -(1 << (image.stored - 1)), (1 << (image.stored - 1)) - 1
    return 0, (1 << image.stored) - 1


def _container(number: int, image: Image) -> int:
    """Return ``number`` as it lies in its container, the sign carried on to the top."""
    shift = image.high + 1 - image.stored
    if shift < 0 or image.high >= image.allocated:
        raise UnfitError(f"High Bit {image.high} does not fit {image.stored} stored bits")
    return (number << shift) & ((1 << image.allocated) - 1)


def _darkest_entry(head: Head, image: Image) -> int:
    """Return the index with the least light; the lowest number where the palette is not plain."""
    lowest, _ = _range(image)
    light: list[Any] = []
    first = 0
    for descriptor, table in zip(DESCRIPTORS, TABLES, strict=True):
        said, raw = head.raw(descriptor), head.raw(table)
        if said is None or raw is None or len(said) < 6:
            return lowest
        entries, _, bits = (int.from_bytes(said[at : at + 2], "little") for at in (0, 2, 4))
        first = int.from_bytes(said[2:4], "little", signed=image.signed)
        entries = entries or 1 << 16
        wide = bits > 8 or len(raw) >= 2 * entries
        if len(raw) < entries * (2 if wide else 1):
            return lowest
        light.append(np.frombuffer(raw, "<u2" if wide else "u1")[:entries].astype(np.int64))
    if len({len(one) for one in light}) != 1:
        return lowest
    return first + int(np.argmin(reduce(np.add, light)))


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples of one uncompressed frame lie.

    subsampled: two pixels share one Cb and one Cr, as Y Y Cb Cr (PS3.3 C.7.6.3.1.2).
    """

    image: Image
    by_plane: bool = False
    subsampled: bool = False

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        if self.subsampled:
            return self.image.rows * self.image.columns * 2 * (self.image.allocated // 8)
        return self.image.frame_bytes

    def blacked(self, frame: bytes, mask: Mask | None, fill: tuple[int, ...], used: int) -> bytes:
        """Return a frame with the pixels of ``mask`` black.

        mask: None for none.  used: the bits of a container that stay, 0 for all.
        Raises `UnfitError` if anything else would have changed.
        """
        before = np.frombuffer(frame, f"<u{self.image.allocated // 8}")
        after = before.copy()
        if used:
            after &= after.dtype.type(used)
        if mask is not None:
            kept = after.copy()
            gone = self._put(after, mask, np.array(fill, after.dtype))
            again = after.copy()
            np.copyto(self._view(again), self._view(kept), where=gone)
            if not np.array_equal(again, kept):
                raise UnfitError("something outside the rectangles would have changed")
        return after.tobytes()

    def by_pixel(self, samples: Any) -> Any:
        """Return the samples of a frame, shape (rows, columns, samples), colours not shared."""
        view = self._view(samples)
        if not self.subsampled:
            return view
        colours = np.repeat(view[:, :, 2:], 2, axis=1)
        luminance = view[:, :, :2].reshape(self.image.rows, self.image.columns, 1)
        return np.concatenate([luminance, colours], axis=2)

    def _view(self, samples: Any) -> Any:
        """Return the samples with shape (rows, columns or pairs, samples or planes last)."""
        image = self.image
        if self.subsampled:
            return samples.reshape(image.rows, image.columns // 2, 4)
        if self.by_plane:
            planes = samples.reshape(image.samples, image.rows, image.columns)
            return planes.transpose(1, 2, 0)
        return samples.reshape(image.rows, image.columns, image.samples)

    def _put(self, samples: Any, mask: Mask, fill: Any) -> Mask:
        """Blacken in place; return what went, as `_view` has it."""
        gone = mask
        if self.subsampled:
            gone = mask[:, ::2] | mask[:, 1::2]
            fill = fill[[0, 0, 1, 2]]
        spread = gone[:, :, None]
        np.copyto(self._view(samples), fill, where=spread)
        return spread


def packed_blacked(group: bytes, image: Image, frames: int, mask: Mask) -> bytes:
    """Return up to eight frames of pixels of one bit, which follow each other without a gap."""
    bits = np.unpackbits(np.frombuffer(group, np.uint8), bitorder="little")
    pixels = image.rows * image.columns
    each = bits[: frames * pixels].reshape(frames, image.rows, image.columns)
    each[:, mask] = image.photometric == "MONOCHROME1"
    return np.packbits(bits, bitorder="little").tobytes()
