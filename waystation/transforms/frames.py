"""Single frames of an object, without touching the others (PS3.5 section 8.1.1, PS3.18 8.7.3.3.2).

Contract: pure.  `pixels_of` tells from a head and the header of the pixel element how frames lie;
`native` cuts one uncompressed frame out, in little endian, beginning on a byte; `small` makes a
data set of nothing but some frames, for a codec.  `UnfitError` where the head does not fit.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from waystation.dicom.compose import compose
from waystation.dicom.head import Head
from waystation.dicom.nested import EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, UNDEFINED
from waystation.dicom.scan import form_of
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.transforms.errors import UnfitError
from waystation.transforms.image import PIXELS, Image, image_of
from waystation.transforms.syntax import Way, header, recode, swapped
from waystation.transforms.vrs import WIDTHS, Scope

FLOAT: Final = 0x7FE00008
DOUBLE: Final = 0x7FE00009
EXTENDED: Final = 0x7FE00001
HEADER_BYTES: Final = 12
ALLOCATIONS: Final = (1, 8, 16, 32, 64)
# What a codec needs to know, and nothing that tells of a patient.
NEEDED: Final = (
    *(0x00080016, 0x00080018, 0x00280002, 0x00280003, 0x00280004, 0x00280006),
    *(0x00280010, 0x00280011, 0x00280034, 0x00280100, 0x00280101, 0x00280102, 0x00280103),
    *(0x00281101, 0x00281102, 0x00281103, 0x00282110),
)
_FRAMES: Final = 0x00280008
_ITEM: Final = struct.Struct("<HHI")
_END: Final = b"\xfe\xff\xdd\xe0\0\0\0\0"

Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """How the frames of one object lie.

    start, length: of the value of the pixel element; length is None where it is encapsulated.
    width: bytes that change places (big endian), 1 for none.  frame_bits: of one native frame.
    extended: the extended offset table, () for none.  known: what a codec needs of the head.
    """

    tag: int
    image: Image
    start: int
    length: int | None
    width: int
    frame_bits: int
    extended: Sequence[int]
    known: dict[int, tuple[str, bytes]]

    @property
    def frame_bytes(self) -> int:
        """Bytes of one native frame, whole ones."""
        return (self.frame_bits + 7) // 8


def pixels_of(head: Head, read: Read) -> Pixels:
    """Return how the frames lie.  read: (offset, size) → bytes of the data set."""
    form = form_of(head.transfer_syntax_uid)
    tag, vr, start, length = _element(read(head.pixel_offset, HEADER_BYTES), form)
    plain = _explicit(head, form)
    image = image_of(plain, ALLOCATIONS)
    bits = image.rows * image.columns * image.samples * image.allocated
    encapsulated = length == UNDEFINED
    if not encapsulated:
        if image.photometric.endswith("_422") and length * 8 < bits * image.frames:
            bits = bits * 2 // 3
        if length * 8 < bits * image.frames:
            raise UnfitError("its pixels are fewer than its head says")
    width = 1
    if form == EXPLICIT_BE:
        width = max(WIDTHS.get(vr, 1), image.allocated // 8 if vr == "OW" else 1)
    offsets = plain.raw_sequence(EXTENDED) if EXTENDED in plain.elements else b""
    return Pixels(
        tag=tag,
        image=image,
        start=head.pixel_offset + start,
        length=None if encapsulated else length,
        width=width,
        frame_bits=bits,
        extended=struct.unpack(f"<{len(offsets) // 8}Q", offsets[: len(offsets) // 8 * 8]),
        known={
            each: (plain.vr(each), raw)
            for each in NEEDED
            if (raw := plain.raw(each)) is not None and each in plain.elements
        },
    )


def _element(data: bytes, form: int) -> tuple[int, str, int, int]:
    """Return tag, VR, size of the header, and length of the pixel element."""
    if len(data) < 8:
        raise UnfitError("it has no pixels")
    group, number = struct.unpack(">HH" if form == EXPLICIT_BE else "<HH", data[:4])
    tag = group << 16 | number
    if tag not in (PIXELS, FLOAT, DOUBLE):
        raise UnfitError("it has no pixels")
    if form == IMPLICIT_LE:
        return tag, "OW", 8, int.from_bytes(data[4:8], "little")
    order = ">I" if form == EXPLICIT_BE else "<I"
    if data[4:6] not in (b"OB", b"OW", b"OF", b"OD", b"UN") or len(data) < HEADER_BYTES:
        raise UnfitError("its pixels are coded in no way that is known")
    return tag, data[4:6].decode(), HEADER_BYTES, int(struct.unpack(order, data[8:12])[0])


def _explicit(head: Head, form: int) -> Head:
    if form == EXPLICIT_LE:
        return head
    data = recode(head.data, Way(form, EXPLICIT_LE), Scope())
    return Head.from_bytes(data, EXPLICIT_VR_LE, tail_missing=True)


def native_place(pixels: Pixels, number: int) -> tuple[int, int]:
    """Return offset and size of what holds an uncompressed frame.  number: from 0 on."""
    first = pixels.frame_bits * number
    stop = first + pixels.frame_bits
    unit = max(pixels.width, 1)
    begin = first // 8 // unit * unit
    return pixels.start + begin, -(-((stop + 7) // 8) // unit) * unit - begin


def is_direct(pixels: Pixels) -> bool:
    """Tell whether native frames are sent as they lie in the file."""
    return pixels.width == 1 and pixels.frame_bits % 8 == 0


def native(pixels: Pixels, number: int, data: bytes) -> bytes:
    """Return the frame out of the bytes that `native_place` leads to."""
    if pixels.width > 1:
        data = swapped(data, pixels.width)
    begin = native_place(pixels, number)[0] - pixels.start
    shift = pixels.frame_bits * number - begin * 8
    if shift % 8 == 0 and pixels.frame_bits % 8 == 0:
        return data[shift // 8 : shift // 8 + pixels.frame_bytes]
    # The first pixel of a byte is its lowest bit (PS3.5 section 8.1.1).
    whole = int.from_bytes(data, "little") >> shift & ((1 << pixels.frame_bits) - 1)
    return whole.to_bytes(pixels.frame_bytes, "little")


def small(pixels: Pixels, frames: Sequence[bytes], *, compressed: bool) -> bytes:
    """Return a data set in explicit little endian with these frames alone."""
    known = pixels.known | {_FRAMES: ("IS", str(len(frames)).encode())}
    head = compose(known, EXPLICIT_VR_LE)
    if not compressed:
        value = b"".join(frames)
        value += b"\0" * (len(value) % 2)
        vr = {FLOAT: "OF", DOUBLE: "OD"}.get(
            pixels.tag, "OB" if pixels.image.allocated <= 8 else "OW"
        )
        return head + header(pixels.tag, vr, len(value), EXPLICIT_LE) + value
    parts = [head, header(PIXELS, "OB", UNDEFINED, EXPLICIT_LE), _ITEM.pack(0xFFFE, 0xE000, 0)]
    for frame in frames:
        padded = frame + b"\0" * (len(frame) % 2)
        parts += [_ITEM.pack(0xFFFE, 0xE000, len(padded)), padded]
    return b"".join([*parts, _END])


def decoded_size(pixels: Pixels, n_frames: int) -> tuple[int, int]:
    """Return bytes of one decoded frame, and of all with their padding."""
    one = replace(pixels.image, frames=n_frames)
    return one.frame_bytes, one.total_bytes + one.total_bytes % 2
