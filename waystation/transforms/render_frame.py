"""One frame of an object as numbers, compressed or not.

Contract: compressed frames only in a codec child (S-41).  A `Film` is an object that is open:
`samples` gives any of its frames, shape (rows, columns, samples), with the description that these
numbers have.
`UnfitError` or `DatasetError` if the object or the frame cannot be had.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.transforms.decode import DECODERS, decode
from waystation.transforms.errors import UnfitError
from waystation.transforms.image import PIXELS, Image, image_of
from waystation.transforms.redact_fill import Layout
from waystation.transforms.redact_native import WIDTHS, Found, find, only_once
from waystation.transforms.stream import PLAIN
from waystation.transforms.transcode import codes, head_of, recode_file

Array = np.ndarray[Any, np.dtype[Any]]
VIDEO = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))


def opened(source: BinaryIO, scratch: BinaryIO, has: str) -> tuple[BinaryIO, Head, str]:
    """Return an object whose numbers are little endian: its file, head and transfer syntax."""
    if has in PLAIN and has not in (EXPLICIT_VR_LE, IMPLICIT_VR_LE):
        recode_file(source, scratch, has, EXPLICIT_VR_LE)
        source, has = scratch, EXPLICIT_VR_LE
    return source, head_of(source, has), has


class Film:
    """The frames of one object.  has: its transfer syntax."""

    def __init__(self, source: BinaryIO, head: Head, has: str) -> None:
        if has.startswith(VIDEO):
            raise UnfitError("it is a video; it can only be had as it is stored")
        if has not in PLAIN and has not in DECODERS:
            raise UnfitError("no codec reads its transfer syntax")
        if not any(tag in head.elements for tag in WIDTHS):
            raise UnfitError("it has no pixels")
        self.head = only_once(head)
        self._source = source
        self._has = has
        self._plain: Found | None = _found(head) if has in PLAIN else None
        self.image: Image = self._plain.image if self._plain else image_of(head)
        self._codes: Iterator[bytes] = iter(())
        self._next = -1

    @property
    def is_float(self) -> bool:
        """Whether its numbers are floating point."""
        return self._plain is not None and self._plain.is_float

    def samples(self, number: int) -> tuple[Array, Image]:
        """Return one frame, from 0."""
        if not 0 <= number < self.image.frames:
            raise UnfitError(f"it has {self.image.frames} frames")
        if self._plain is not None:
            found: Array = self._plain.samples(self._source, number)
            return found.reshape(self.image.rows, self.image.columns, -1), self.image
        frame, photometric = decode(self._has, self._code(number), self.image)
        image = self.image
        kind = f"<{'i' if image.signed else 'u'}{image.allocated // 8}"
        samples = np.frombuffer(frame, kind).reshape(image.rows, image.columns, image.samples)
        return samples, replace(image, photometric=photometric)

    def _code(self, number: int) -> bytes:
        """Return the code stream of a frame, found from the last one on where that can be."""
        if self._next < 0 or number < self._next:
            self._codes = codes(self._source, self.head, self.image, lambda _: None)
            self._next = 0
        for code in self._codes:
            self._next += 1
            if self._next > number:
                return code
        raise UnfitError(f"it has no frame number {number + 1}")


def _found(head: Head) -> Found:
    """Return where uncompressed pixels lie; more than the head describes do no harm."""
    try:
        return find(head)
    except UnfitError:
        tag = next(tag for tag in WIDTHS if tag in head.elements)
        image = image_of(head, WIDTHS[tag])
        _, start, length = head.elements[tag]
        by_plane = image.samples > 1 and image.planar == 1
        found = Found(image, Layout(image, by_plane), start, tag != PIXELS)
        if length < found.used_bytes:
            raise
        return found
