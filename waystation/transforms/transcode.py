"""A whole object with its pixels in another coding (R-62, choices 3 and 4).

Contract: runs only in a codec child (S-41), on seekable files that the caller opened; one frame
is in memory at a time.  `transcode` writes the data set in the target syntax and returns what
changed, element by element, in words.  SOP Instance UID, Bits Allocated and all the rest stay.
Photometric Interpretation, Planar Configuration and the offset tables follow the pixels; where
loss is certain and the head does not say so, Lossy Image Compression becomes 01.
`UnfitError` or `DatasetError` if it cannot be done; what was written then is worth nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import BinaryIO

from waystation.dicom.head import Head
from waystation.dicom.nested import EXPLICIT_LE, UNDEFINED
from waystation.dicom.splice import Change
from waystation.dicom.splice import replace as spliced
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.dicom.walk import Walker
from waystation.transforms.decode import DECODERS, decode, is_lossy
from waystation.transforms.encode import ENCODERS, encode
from waystation.transforms.errors import UnfitError
from waystation.transforms.icons import ICONS, plain_icons
from waystation.transforms.image import (
    LOSSY,
    MOST_BYTES,
    PHOTOMETRIC,
    PIXELS,
    PLANAR,
    Image,
    image_of,
)
from waystation.transforms.stream import PLAIN, Recoder
from waystation.transforms.syntax import LIMITS, Way, header, recode
from waystation.transforms.vrs import Scope

PIECE = 1 << 20
EXTENDED_OFFSETS, EXTENDED_LENGTHS, ENCAPSULATED_LENGTH = 0x7FE00001, 0x7FE00002, 0x7FE00003
OFFSET_TABLES = (EXTENDED_OFFSETS, EXTENDED_LENGTHS, ENCAPSULATED_LENGTH)
ITEM = b"\xfe\xff\x00\xe0"
END = b"\xfe\xff\xdd\xe0\0\0\0\0"
HEAD_LIMITS = replace(LIMITS, indexed_bytes=64 << 20)

Tick = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A data set in explicit little endian: its head, its frames, and what follows them.

    frames: uncompressed, interleaved.  photometric: what the frames have; lossy: the stream says
    that something is lost.  Both are known once the first frame was taken.  gone: elements that
    the new head is not to have.
    """

    head: Head
    syntax: str
    image: Image
    frames: Iterator[tuple[bytes, str, bool]]
    rest: bytes
    gone: frozenset[int] = frozenset()


def transcode(
    source: BinaryIO, scratch: BinaryIO, out: BinaryIO, ways: tuple[str, str], tick: Tick
) -> list[str]:
    """Write the data set of ``source`` into ``out``; return what changed.

    ways: the syntax it has and the one it is to have.  scratch: an empty file that may grow as
    large as the uncompressed object.  tick: called with the number of each frame before it.
    """
    has, wanted = ways
    if has in PLAIN and wanted in PLAIN:
        recode_file(source, out, has, wanted)
        return []
    if has in PLAIN and has != EXPLICIT_VR_LE:
        recode_file(source, scratch, has, EXPLICIT_VR_LE)
        source, has = scratch, EXPLICIT_VR_LE
    if has not in PLAIN and has not in DECODERS:
        raise UnfitError("no codec reads its transfer syntax")
    head = head_of(source, has)
    if PIXELS not in head.elements and wanted in PLAIN:
        # Nothing is compressed in it: such a syntax is explicit little endian then.
        recode_file(source, out, EXPLICIT_VR_LE, wanted)
        return []
    opened = open_pixels(source, has, head, tick)
    if wanted in PLAIN:
        return write_plain(opened, wanted, out)
    if wanted not in ENCODERS:
        raise UnfitError("no codec writes that transfer syntax")
    return write_compressed(opened, wanted, out)


def recode_file(source: BinaryIO, out: BinaryIO, has: str, wanted: str) -> None:
    """Write ``source`` in another uncompressed syntax."""
    recoder = Recoder(has, wanted)
    source.seek(0)
    while piece := source.read(PIECE):
        out.writelines(recoder.feed(piece))
    out.writelines(recoder.finish())


def head_of(source: BinaryIO, has: str) -> Head:
    """Return the whole head of ``source``."""
    walker = Walker(has, limits=HEAD_LIMITS)
    source.seek(0)
    while piece := source.read(PIECE):
        walker.feed(piece)
    head = walker.finish()
    if not head.whole:
        raise UnfitError("its head is too large to be written anew")
    return head


def open_pixels(source: BinaryIO, has: str, head: Head, tick: Tick) -> Opened:
    """Return the pixels of ``source``, of which no frame was read yet."""
    if PIXELS not in head.elements:
        raise UnfitError("it has no pixels to compress")
    image = image_of(head)
    _, start, length = head.elements[PIXELS]
    source.seek(start + length)
    rest = source.read()
    frames = _decoded if has in DECODERS else _native
    return Opened(
        head=head,
        syntax=has,
        image=image,
        frames=frames(source, has, (head, image), tick),
        rest=rest,
    )


def _native(
    source: BinaryIO, _has: str, what: tuple[Head, Image], tick: Tick
) -> Iterator[tuple[bytes, str, bool]]:
    """Yield the frames of uncompressed pixels."""
    head, image = what
    _, start, length = head.elements[PIXELS]
    if length not in (image.total_bytes, image.total_bytes + image.total_bytes % 2):
        raise UnfitError(f"its pixels take {length} bytes, its head says {image.total_bytes}")
    for number in range(image.frames):
        tick(number)
        source.seek(start + number * image.frame_bytes)
        frame = source.read(image.frame_bytes)
        if image.samples > 1 and image.planar == 1:
            frame = interleaved(frame, image)
        yield frame, image.photometric, False


def interleaved(frame: bytes, image: Image) -> bytes:
    """Return a frame by pixel that is by plane."""
    width = image.allocated // 8
    plane = len(frame) // image.samples
    made = bytearray(len(frame))
    step = width * image.samples
    for sample in range(image.samples):
        for byte in range(width):
            at = sample * plane + byte
            made[sample * width + byte :: step] = frame[at : (sample + 1) * plane : width]
    return bytes(made)


def _decoded(
    source: BinaryIO, has: str, what: tuple[Head, Image], tick: Tick
) -> Iterator[tuple[bytes, str, bool]]:
    """Yield the frames of compressed pixels."""
    head, image = what
    number = 0
    for code in codes(source, head, image, tick):
        frame, photometric = decode(has, code, image)
        yield frame, photometric, is_lossy(has, code)
        number += 1
    if number != image.frames:
        raise UnfitError(f"it holds {number} frames, its head says {image.frames}")


def codes(source: BinaryIO, head: Head, image: Image, tick: Tick) -> Iterator[bytes]:
    """Yield the code stream of each frame; `UnfitError` for more than the head promises."""
    from pydicom.encaps import generate_frames

    _, start, _ = head.elements[PIXELS]
    offsets, lengths = head.raw(EXTENDED_OFFSETS), head.raw(EXTENDED_LENGTHS)
    source.seek(start)
    found = generate_frames(
        source,
        number_of_frames=image.frames,
        extended_offsets=(offsets, lengths) if offsets and lengths else None,
    )
    for number in count():
        tick(number)
        try:
            code = next(found, None)
        except ValueError as error:
            raise UnfitError(f"its fragments give no frames: {str(error)[:200]}") from error
        if code is None:
            return
        if number >= image.frames:
            raise UnfitError(f"it holds more frames than the {image.frames} of its head")
        yield code


def write_plain(opened: Opened, wanted: str, out: BinaryIO) -> list[str]:
    """Write it uncompressed; return what changed."""
    image = opened.image
    frame, photometric, lossy = next(opened.frames)
    changes, words = _changes(opened, photometric, lossy)
    size = image.total_bytes + image.total_bytes % 2
    if size > MOST_BYTES:
        raise UnfitError(f"its pixels would take {size} bytes uncompressed")
    vr = "OB" if image.allocated <= 8 else "OW"
    recoder = Recoder(EXPLICIT_VR_LE, wanted)
    head = spliced(opened.head, changes) + header(PIXELS, vr, size, EXPLICIT_LE)
    for piece in (head, frame):
        out.writelines(recoder.feed(piece))
    for more, colours, _ in opened.frames:
        if colours != photometric:
            raise UnfitError("its frames have different colours")
        out.writelines(recoder.feed(more))
    out.writelines(recoder.feed(b"\0" * (image.total_bytes % 2) + opened.rest))
    out.writelines(recoder.finish())
    return [*words, "PixelData decompressed"]


def write_compressed(opened: Opened, wanted: str, out: BinaryIO) -> list[str]:
    """Write it compressed without loss; return what changed."""
    image = opened.image
    frame, photometric, lossy = next(opened.frames)
    if photometric.startswith("YBR") and photometric.endswith(("422", "420")):
        raise UnfitError(f"{photometric} is not compressed any further")
    changes, words = _changes(opened, photometric, lossy)
    coloured = replace(image, photometric=photometric)
    # Some writers code elements as in implicit VR here: nothing may stand beside explicit pixels.
    head = recode(spliced(opened.head, changes), Way(EXPLICIT_LE, EXPLICIT_LE), Scope())
    out.write(head + header(PIXELS, "OB", UNDEFINED, EXPLICIT_LE))
    table = out.tell() + 8
    out.write(ITEM + (4 * image.frames).to_bytes(4, "little") + bytes(4 * image.frames))
    first = out.tell()
    offsets = []
    for number in range(image.frames):
        if number:
            frame, colours, _ = next(opened.frames)
            if colours != photometric:
                raise UnfitError("its frames have different colours")
        code = encode(wanted, frame, coloured)
        offsets.append(out.tell() - first)
        out.write(ITEM + len(code).to_bytes(4, "little") + code)
    if next(opened.frames, None) is not None or offsets[-1] > MOST_BYTES:
        raise UnfitError("it holds more than it says")
    out.write(END + opened.rest)
    out.seek(table)
    out.write(b"".join(offset.to_bytes(4, "little") for offset in offsets))
    return [*words, "PixelData compressed without loss"]


def _changes(opened: Opened, photometric: str, lossy: bool) -> tuple[dict[int, Change], list[str]]:
    """Return what the head must say now, and that in words."""
    head, image = opened.head, opened.image
    changes: dict[int, Change] = {}
    words: list[str] = []
    if photometric != image.photometric:
        changes[PHOTOMETRIC] = ("CS", photometric.encode("ascii"))
        words.append(f"PhotometricInterpretation {image.photometric} now {photometric}")
    if image.samples > 1 and head.raw(PLANAR) != b"\0\0":
        changes[PLANAR] = ("US", b"\0\0")
        words.append(f"PlanarConfiguration {image.planar} now 0")
    if lossy and head.text(LOSSY) != "01":
        changes[LOSSY] = ("CS", b"01")
        words.append("LossyImageCompression now 01")
    has_icons = opened.syntax in DECODERS and ICONS not in opened.gone
    icons = plain_icons(head, opened.syntax) if has_icons else None
    if icons is not None:
        changes[ICONS] = ("SQ", icons)
        words.append("IconImageSequence decompressed")
    for tag in OFFSET_TABLES:
        if tag in head.elements:
            changes[tag] = None
            words.append("extended offset table removed")
    changes |= {tag: None for tag in opened.gone if tag in head.elements}
    return changes, list(dict.fromkeys(words))
