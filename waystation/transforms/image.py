"""What the head says about the pixels (PS3.3 C.7.6.3), as the codecs need it.

Contract: `image_of` reads a head that is coded in explicit little endian; `UnfitError` where the
description cannot be worked with.  A frame is handed around as the bytes that it has in
uncompressed explicit little endian: interleaved by pixel, one container of Bits Allocated each.
"""

from dataclasses import dataclass

from waystation.dicom.head import Head
from waystation.transforms.errors import UnfitError

SAMPLES, PHOTOMETRIC, PLANAR, FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
ROWS, COLUMNS, ALLOCATED, STORED, HIGH = 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102
REPRESENTATION, LOSSY = 0x00280103, 0x00282110
PIXELS = 0x7FE00010
# Uncompressed Pixel Data has a 32-bit length that must not be the mark of an undefined one.
MOST_BYTES = 0xFFFFFFFE


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """Shape and coding of the pixels.  photometric: as the head says, not as a codec may leave it.

    planar: Planar Configuration, 0 by pixel, 1 by plane.
    """

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    photometric: str
    planar: int
    frames: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one uncompressed frame."""
        return self.rows * self.columns * self.samples * self.allocated // 8

    @property
    def total_bytes(self) -> int:
        """Bytes of all uncompressed frames, without padding."""
        return self.frame_bytes * self.frames


def image_of(head: Head, allocations: tuple[int, ...] = (8, 16, 32)) -> Image:
    """Return how the pixels of ``head`` are described; allocations: what fits the caller.

    Floating point pixels have no Bits Stored: all that are allocated (C.7.6.24).
    """
    allocated = _number(head, ALLOCATED)
    stored = _number(head, STORED, None if PIXELS in head.elements else allocated)
    image = Image(
        rows=_number(head, ROWS),
        columns=_number(head, COLUMNS),
        samples=_number(head, SAMPLES, 1),
        allocated=allocated,
        stored=stored,
        high=_number(head, HIGH, stored - 1),
        signed=_number(head, REPRESENTATION, 0) == 1,
        photometric=head.text(PHOTOMETRIC),
        planar=_number(head, PLANAR, 0),
        frames=_frames(head),
    )
    if not image.rows or not image.columns or image.samples not in (1, 3, 4):
        raise UnfitError(
            f"its pixels are described as {image.columns} x {image.rows} x {image.samples}"
        )
    if image.allocated not in allocations or not 0 < image.stored <= image.allocated:
        raise UnfitError(f"its pixels have {image.stored} of {image.allocated} bits")
    if image.total_bytes > MOST_BYTES:
        raise UnfitError(f"its pixels would take {image.total_bytes} bytes uncompressed")
    return image


def _number(head: Head, tag: int, otherwise: int | None = None) -> int:
    raw = head.raw(tag)
    if raw is None or len(raw) < 2:
        if otherwise is None:
            raise UnfitError("the description of its pixels is not complete")
        return otherwise
    return int.from_bytes(raw[:2], "little")


def _frames(head: Head) -> int:
    text = head.text(FRAMES)
    if not text:
        return 1
    if not text.strip().isdigit() or not int(text):
        raise UnfitError("Number of Frames is no number of frames")
    return int(text)
