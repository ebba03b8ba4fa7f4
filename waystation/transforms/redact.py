"""A whole object with parts of its pixels blacked (D-20, D-34, D-35).

Contract: runs only in a codec child (S-41), on seekable files that the caller opened; one frame
is in memory at a time (eight, of pixels of one bit).  `redact` writes the data set and returns
the transfer syntax that it has now, and what changed.  Uncompressed objects keep their syntax and
every other byte; those compressed without loss keep their syntax if there is an encoder (each
frame is decoded again and compared), else become Explicit VR Little Endian, as do those that
were compressed with loss, unless the job holds them.  Elements that would tell of the pixels as
they were go: smallest and largest values, icons, offset tables.
`UnfitError` or `DatasetError` if it cannot be done; what was written then is worth nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

from waystation.dicom.head import Head
from waystation.dicom.splice import replace as spliced
from waystation.dicom.uids import (
    ENCAPSULATED_UNCOMPRESSED,
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
    RLE_LOSSLESS,
)
from waystation.transforms.decode import DECODERS
from waystation.transforms.encode import ENCODERS
from waystation.transforms.errors import NoEncoderError, UnfitError
from waystation.transforms.icons import ICONS
from waystation.transforms.redact_fill import Layout, Mask, black, covered
from waystation.transforms.redact_job import LOSSY_SYNTAXES, RedactJob
from waystation.transforms.redact_native import blacked_frames, find, only_once
from waystation.transforms.stream import PLAIN, Recoder
from waystation.transforms.syntax import OPEN
from waystation.transforms.transcode import (
    PIECE,
    Opened,
    Tick,
    head_of,
    open_pixels,
    recode_file,
    write_compressed,
    write_plain,
)

# Smallest and largest values of image, series, plane and what is valid at all (PS3.3 C.7.6.3).
EXTREMES = frozenset(0x00280104 + step for step in (*range(6), 0x0C, 0x0D))
BYTES_ONLY = frozenset({RLE_LOSSLESS, ENCAPSULATED_UNCOMPRESSED})

Sink = Callable[[bytes], object]


def redact(
    source: BinaryIO,
    scratch: BinaryIO,
    out: BinaryIO,
    what: tuple[str, RedactJob],
    tick: Tick,
) -> tuple[str, list[str]]:
    """Write the data set of ``source`` into ``out``, some pixels blacked.

    what: its syntax, and the job.  scratch: an empty file that may grow as large as the
    uncompressed object.  tick: called with the number of each frame before it.
    Returns the transfer syntax of ``out``, and what changed in words.
    """
    has, job = what
    if not job.blacks and not job.unused_bits:
        raise UnfitError("the job names no pixels")
    if has in PLAIN:
        return has, _native(source, scratch, out, what, tick)
    if has not in DECODERS:
        raise UnfitError("no codec reads its transfer syntax")
    if job.unused_bits:
        raise UnfitError("unused bits of compressed pixels cannot be zeroed")
    if job.lossy == "hold" and has in LOSSY_SYNTAXES:
        raise UnfitError("its pixels were compressed with loss")
    head = only_once(head_of(source, has))
    if has in ENCODERS:
        try:
            return has, write_compressed(_opened(source, head, what, tick), has, out)
        except NoEncoderError:
            out.seek(0)
            out.truncate()
    return EXPLICIT_VR_LE, write_plain(_opened(source, head, what, tick), EXPLICIT_VR_LE, out)


def _opened(source: BinaryIO, head: Head, what: tuple[str, RedactJob], tick: Tick) -> Opened:
    has, job = what
    opened = open_pixels(source, has, head, tick)
    frames = _blacked(opened, covered(job, opened.image.rows, opened.image.columns))
    return replace(opened, frames=frames, gone=EXTREMES | {ICONS})


def _blacked(opened: Opened, mask: Mask) -> Iterator[tuple[bytes, str, bool]]:
    """Yield the decoded frames with the pixels of ``mask`` black."""
    image = opened.image
    # What a codec gives lies in the lowest bits, unless it knows bytes only.
    high = image.high if opened.syntax in BYTES_ONLY else image.stored - 1
    settled = replace(image, high=high, planar=0)
    for frame, photometric, lossy in opened.frames:
        now = replace(settled, photometric=photometric)
        yield Layout(now).blacked(frame, mask, black(opened.head, now), 0), photometric, lossy


def _native(
    source: BinaryIO,
    scratch: BinaryIO,
    out: BinaryIO,
    what: tuple[str, RedactJob],
    tick: Tick,
) -> list[str]:
    has, job = what
    if has in (EXPLICIT_VR_LE, IMPLICIT_VR_LE):
        return _write_native(source, has, job, out.write, tick)
    recode_file(source, scratch, has, EXPLICIT_VR_LE)
    recoder = Recoder(EXPLICIT_VR_LE, has)
    changes = _write_native(
        scratch, EXPLICIT_VR_LE, job, lambda piece: out.writelines(recoder.feed(piece)), tick
    )
    out.writelines(recoder.finish())
    return changes


def _write_native(source: BinaryIO, has: str, job: RedactJob, sink: Sink, tick: Tick) -> list[str]:
    head = only_once(head_of(source, has))
    found = find(head)
    gone = [tag for tag in (EXTREMES | {ICONS}) if tag in head.elements and job.blacks]
    source.seek(head.pixel_offset)
    before = source.read(found.start - head.pixel_offset)
    if before.endswith(OPEN):
        raise UnfitError("its pixels are compressed, which its transfer syntax denies")
    sink(spliced(head, dict.fromkeys(gone)) + before)
    for frame in blacked_frames(source, head, found, job, tick):
        sink(frame)
    source.seek(found.start + found.used_bytes)
    while piece := source.read(PIECE):
        sink(piece)
    return _words(job)


def _words(job: RedactJob) -> list[str]:
    said = [(job.blacks, "PixelData blacked"), (job.unused_bits, "unused bits of PixelData zeroed")]
    return [words for is_so, words in said if is_so]
