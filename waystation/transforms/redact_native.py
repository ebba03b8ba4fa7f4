"""Uncompressed pixels: where they lie in an object, and their frames with parts blacked (D-34).

Contract: works on the head of a data set in explicit or implicit little endian, and on the file
that it is the head of.  `find` trusts the length of the pixels only where it is what the head
describes (`UnfitError`); `blacked_frames` yields all bytes of the frames, one frame (of pixels of
one bit: eight) in memory at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np

from waystation.dicom.head import Head
from waystation.transforms.errors import UnfitError
from waystation.transforms.image import PIXELS, Image, image_of
from waystation.transforms.redact_fill import (
    Layout,
    black,
    covered,
    packed_blacked,
    used_bits,
)
from waystation.transforms.redact_job import RedactJob
from waystation.transforms.transcode import Tick

FLOAT, DOUBLE = 0x7FE00008, 0x7FE00009
WIDTHS = {PIXELS: (1, 8, 16, 32, 64), FLOAT: (32,), DOUBLE: (64,)}
SUBSAMPLED = ("YBR_FULL_422", "YBR_PARTIAL_422")


def only_once(head: Head) -> Head:
    """Return ``head`` if it has pixels, of one kind, once; else raise `UnfitError`."""
    found = [tag for tag in WIDTHS if tag in head.elements]
    if len(found) != 1 or any(tag in WIDTHS for tag, _, _ in head.repeated):
        raise UnfitError("it has pixels more than once, or none")
    return head


@dataclass(frozen=True, slots=True)
class Found:
    """Uncompressed pixels: where they begin, and how they lie."""

    image: Image
    layout: Layout
    start: int
    is_float: bool

    @property
    def used_bytes(self) -> int:
        """Bytes of all frames, without padding."""
        if self.image.allocated == 1:
            return (self.image.rows * self.image.columns * self.image.frames + 7) // 8
        return self.layout.frame_bytes * self.image.frames

    def samples(self, source: BinaryIO, number: int) -> Any:
        """Return one frame of ``source``, shape (rows, columns, samples), colours not shared."""
        image = self.image
        if image.allocated == 1:
            pixels = image.rows * image.columns
            first, skipped = divmod(number * pixels, 8)
            source.seek(self.start + first)
            raw = np.frombuffer(source.read((skipped + pixels + 7) // 8), np.uint8)
            bits = np.unpackbits(raw, bitorder="little")[skipped : skipped + pixels]
            return bits.reshape(image.rows, image.columns, 1)
        source.seek(self.start + number * self.layout.frame_bytes)
        frame = source.read(self.layout.frame_bytes)
        kind = "f" if self.is_float else "i" if image.signed else "u"
        samples = np.frombuffer(frame, f"<{kind}{image.allocated // 8}")
        return self.layout.by_pixel(samples)


def find(head: Head) -> Found:
    """Return where the uncompressed pixels lie."""
    tag = next(tag for tag in WIDTHS if tag in head.elements)
    image = image_of(head, WIDTHS[tag])
    if image.allocated == 1 and image.samples != 1:
        raise UnfitError("pixels of one bit with colours")
    _, start, length = head.elements[tag]
    plain = Found(
        image, Layout(image, image.samples > 1 and image.planar == 1), start, tag != PIXELS
    )
    choices = [plain]
    if image.photometric in SUBSAMPLED and image.samples == 3 and image.columns % 2 == 0:
        # Some writers name the colours so and leave the samples whole: the length decides.
        choices.insert(0, replace(plain, layout=Layout(image, subsampled=True)))
    for one in choices:
        if length in (one.used_bytes, one.used_bytes + one.used_bytes % 2):
            return one
    raise UnfitError(f"its pixels take {length} bytes, its head says {plain.used_bytes}")


def blacked_frames(
    source: BinaryIO, head: Head, found: Found, job: RedactJob, tick: Tick
) -> Iterator[bytes]:
    """Yield the bytes of all frames of ``source``, with the pixels of ``job`` black."""
    if found.image.allocated == 1:
        yield from _packed(source, found, job, tick)
    else:
        yield from _whole(source, head, found, job, tick)


def _whole(
    source: BinaryIO, head: Head, found: Found, job: RedactJob, tick: Tick
) -> Iterator[bytes]:
    image = found.image
    mask = covered(job, image.rows, image.columns) if job.blacks else None
    fill = black(head, image, is_float=found.is_float) if job.blacks else ()
    used = used_bits(image) if job.unused_bits and not found.is_float else 0
    if used:
        fill = tuple(number & used for number in fill)
    size = found.layout.frame_bytes
    for number in range(image.frames):
        tick(number)
        source.seek(found.start + number * size)
        yield found.layout.blacked(source.read(size), mask, fill, used)


def _packed(source: BinaryIO, found: Found, job: RedactJob, tick: Tick) -> Iterator[bytes]:
    """Yield eight frames at a time, which end where a byte ends."""
    image = found.image
    mask = covered(job, image.rows, image.columns)
    pixels = image.rows * image.columns
    for number in range(0, image.frames, 8):
        tick(number)
        frames = min(8, image.frames - number)
        source.seek(found.start + number // 8 * pixels)
        yield packed_blacked(source.read((frames * pixels + 7) // 8), image, frames, mask)
