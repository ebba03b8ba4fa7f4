"""Uncompressed pixels in every layout: the rectangles are black, every other byte is as it was."""

import io
import zlib
from dataclasses import replace

import numpy as np
import pytest

from tests.objects.elements import element
from tests.objects.files import Stored
from tests.objects.layouts import Array, Picture
from tests.objects.public import BIG, DEFLATED, EXPLICIT, IMPLICIT, parsed, public
from waystation.dicom.head import Head
from waystation.transforms.errors import UnfitError
from waystation.transforms.redact import redact
from waystation.transforms.redact_job import Rectangle, RedactJob
from waystation.transforms.transcode import transcode

BOX, CORNER = Rectangle(2, 1, 6, 3), Rectangle(12, 9, 4, 3)
JOB = RedactJob(rectangles=(BOX, CORNER))
COLOUR = Picture(samples=3, photometric="RGB")
LUMA = replace(COLOUR, photometric="YBR_FULL")
HALVED = replace(COLOUR, photometric="YBR_FULL_422", subsampled=True)

# name → picture, black as the numbers that a viewer gets
LAYOUTS: dict[str, tuple[Picture, tuple[float, ...]]] = {
    "8 bits": (Picture(), (0,)),
    "8 bits, odd size": (Picture(rows=13, columns=17), (0,)),
    "8 bits, signed": (Picture(kind="i"), (-128,)),
    "7 of 8 bits": (Picture(stored=7), (0,)),
    "MONOCHROME1": (Picture(photometric="MONOCHROME1"), (255,)),
    "12 of 16 bits": (Picture(allocated=16, stored=12), (0,)),
    "12 of 16 bits, MONOCHROME1": (
        Picture(allocated=16, stored=12, photometric="MONOCHROME1"),
        (4095,),
    ),
    "12 of 16 bits, signed": (Picture(allocated=16, stored=12, kind="i"), (-2048,)),
    "12 of 16 bits, signed, MONOCHROME1": (
        Picture(allocated=16, stored=12, kind="i", photometric="MONOCHROME1"),
        (2047,),
    ),
    "12 high bits of 16": (Picture(allocated=16, stored=12, high=15), (0,)),
    "12 high bits of 16, signed": (Picture(allocated=16, stored=12, high=15, kind="i"), (-2048,)),
    "16 bits": (Picture(allocated=16), (0,)),
    "16 bits, signed": (Picture(allocated=16, kind="i"), (-32768,)),
    "32 bits": (Picture(allocated=32), (0,)),
    "32 bits, signed": (Picture(allocated=32, kind="i"), (-(1 << 31),)),
    "frames": (Picture(frames=3, allocated=16, stored=10), (0,)),
    "palette": (Picture(photometric="PALETTE COLOR"), (0,)),
    "RGB": (COLOUR, (0, 0, 0)),
    "RGB by plane": (replace(COLOUR, planar=1), (0, 0, 0)),
    "RGB by plane, frames": (replace(COLOUR, planar=1, frames=2), (0, 0, 0)),
    "RGB of 16 bits": (replace(COLOUR, allocated=16), (0, 0, 0)),
    "YBR_FULL": (LUMA, (0, 128, 128)),
    "YBR_FULL by plane": (replace(LUMA, planar=1), (0, 128, 128)),
    "YBR_FULL of 16 bits": (replace(LUMA, allocated=16), (0, 32768, 32768)),
    "YBR_FULL_422": (HALVED, (0, 128, 128)),
    "YBR_FULL_422, frames": (replace(HALVED, frames=2), (0, 128, 128)),
    "YBR_FULL_422 that is whole": (replace(LUMA, photometric="YBR_FULL_422"), (0, 128, 128)),
    "YBR_PARTIAL_422": (replace(HALVED, photometric="YBR_PARTIAL_422"), (16, 128, 128)),
    "one bit": (Picture(allocated=1), (0,)),
    "one bit, MONOCHROME1": (Picture(allocated=1, photometric="MONOCHROME1"), (1,)),
    "one bit, frames between bytes": (Picture(allocated=1, rows=13, columns=17, frames=19), (0,)),
    "float": (Picture(allocated=32, kind="f"), (0.0,)),
    "double": (Picture(allocated=64, kind="f", frames=2), (0.0,)),
}


def done(data_set: bytes, syntax: str, job: RedactJob) -> tuple[bytes, str, list[str]]:
    out = io.BytesIO()
    made, changes = redact(
        io.BytesIO(data_set), io.BytesIO(), out, (syntax, job), lambda number: None
    )
    return out.getvalue(), made, changes


def expected(picture: Picture, numbers: Array, black: tuple[float, ...], job: RedactJob) -> Array:
    """Return the numbers with the job done, as a person with a pencil would."""
    after = numbers.copy()
    for left, top, width, height in job.rectangles:
        if picture.subsampled:
            right = left + width + (left + width) % 2
            left -= left % 2
            width = right - left
        after[:, top : top + height, left : left + width] = black
    return after


@pytest.mark.req("D-34")
@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_rectangles_are_black_and_nothing_else_changes(name: str, implicit: bool) -> None:
    picture, black = LAYOUTS[name]
    numbers = picture.numbers()
    before = picture.data_set(picture.laid_out(numbers), implicit=implicit)
    wanted = picture.laid_out(expected(picture, numbers, black, JOB))
    syntax = IMPLICIT if implicit else EXPLICIT
    after, kept, changes = done(before, syntax, JOB)
    assert after == picture.data_set(wanted, implicit=implicit)
    assert after != before
    assert (kept, changes) == (syntax, ["PixelData blacked"])


@pytest.mark.req("D-33", "D-34")
def test_everything_outside_of_what_is_kept_goes() -> None:
    picture = Picture(frames=2, allocated=16, stored=12)
    numbers = picture.numbers()
    job = RedactJob(keep=(BOX, CORNER), rectangles=(Rectangle(3, 2, 1, 1),))
    wanted = np.zeros_like(numbers)
    for left, top, width, height in (BOX, CORNER):
        area = (slice(None), slice(top, top + height), slice(left, left + width))
        wanted[area] = numbers[area]
    wanted[:, 2, 3] = 0
    after, _, _ = done(picture.data_set(picture.laid_out(numbers)), EXPLICIT, job)
    assert after == picture.data_set(picture.laid_out(wanted))


@pytest.mark.req("D-34")
@pytest.mark.parametrize("syntax", [BIG, DEFLATED])
@pytest.mark.parametrize("name", ["12 of 16 bits, signed", "RGB by plane", "frames", "float"])
def test_other_uncompressed_syntaxes_stay_what_they_are(name: str, syntax: str) -> None:
    picture, black = LAYOUTS[name]
    numbers = picture.numbers()
    plain = picture.data_set(picture.laid_out(numbers))
    source, wanted = io.BytesIO(), io.BytesIO()
    transcode(io.BytesIO(plain), io.BytesIO(), source, (EXPLICIT, syntax), lambda _: None)
    blacked = picture.data_set(picture.laid_out(expected(picture, numbers, black, JOB)))
    transcode(io.BytesIO(blacked), io.BytesIO(), wanted, (EXPLICIT, syntax), lambda _: None)
    after, kept, _ = done(source.getvalue(), syntax, JOB)
    assert kept == syntax
    if syntax == DEFLATED:
        assert zlib.decompress(after, -15) == zlib.decompress(wanted.getvalue(), -15)
    else:
        assert after == wanted.getvalue()


def palette(lightness: bytes) -> bytes:
    """Return the elements of a palette of 256 grey entries, which begins at 0."""
    said = b"\0\1\0\0\x08\0"
    descriptors = [element(0x00281101 + n, "US", said) for n in range(3)]
    return b"".join([*descriptors, *(element(0x00281201 + n, "OW", lightness) for n in range(3))])


@pytest.mark.req("D-34")
def test_black_of_a_palette_is_its_darkest_entry() -> None:
    picture = Picture(photometric="PALETTE COLOR")
    numbers = picture.numbers()
    light = bytearray(range(255, -1, -1))
    light[200], light[255] = 0, 9
    for table in (bytes(light), b"".join(bytes((n, n)) for n in light)):
        before = picture.data_set(picture.laid_out(numbers), more=palette(table))
        after, _, _ = done(before, EXPLICIT, JOB)
        wanted = picture.laid_out(expected(picture, numbers, (200,), JOB))
        assert after == picture.data_set(wanted, more=palette(table))


@pytest.mark.req("D-34")
def test_what_tells_of_the_pixels_as_they_were_goes_and_padding_stays() -> None:
    picture = Picture(allocated=16, stored=12)
    extremes = b"".join(element(0x00280100 + n, "US", n) for n in (4, 5, 6, 7, 8, 9, 0x10, 0x11))
    padding = element(0x00280120, "US", 4000)
    icon = element(0x00880200, "SQ", b"")
    numbers = picture.numbers()
    before = picture.data_set(picture.laid_out(numbers), more=extremes + padding + icon)
    after, _, _ = done(before, EXPLICIT, JOB)
    wanted = picture.laid_out(expected(picture, numbers, (0,), JOB))
    assert after == picture.data_set(wanted, more=padding)


@pytest.mark.req("D-20")
@pytest.mark.parametrize("kind", ["u", "i"])
@pytest.mark.parametrize("high", [11, 15])
@pytest.mark.parametrize("job", [RedactJob(unused_bits=True), replace(JOB, unused_bits=True)])
def test_bits_that_are_not_stored_are_zeroed(kind: str, high: int, job: RedactJob) -> None:
    picture = Picture(allocated=16, stored=12, high=high, kind=kind)
    used = 0x0FFF << (high - 11)
    noise = np.random.default_rng(3).integers(0, 1 << 16, (12, 16)).astype("<u2")
    after, _, changes = done(picture.data_set(noise.tobytes()), EXPLICIT, job)
    wanted = noise & used
    black = (1 << high) if kind == "i" else 0
    for left, top, width, height in job.rectangles:
        wanted[top : top + height, left : left + width] = black
    assert after == picture.data_set(wanted.tobytes())
    assert "unused bits of PixelData zeroed" in changes


def test_what_follows_the_pixels_stays() -> None:
    picture = Picture(rows=3, columns=3)
    job = RedactJob(rectangles=(Rectangle(0, 0, 2, 2),))
    rest = element(0xFFFCFFFC, "OB", b"abcd")
    before = picture.data_set(picture.laid_out(picture.numbers())) + rest
    after, _, _ = done(before, EXPLICIT, job)
    assert after.endswith(rest)
    assert len(after) == len(before)


@pytest.mark.req("D-33", "D-39")
@pytest.mark.parametrize(
    "rectangle", [(15, 0, 2, 1), (0, 11, 1, 2), (-1, 0, 2, 2), (0, 0, 0, 1), (0, 0, 1, 0)]
)
@pytest.mark.parametrize("keeps", [False, True])
def test_a_rectangle_outside_the_image_is_unfit(
    rectangle: tuple[int, int, int, int], keeps: bool
) -> None:
    picture = Picture()
    one = (Rectangle(*rectangle),)
    job = RedactJob(keep=one) if keeps else RedactJob(rectangles=one)
    with pytest.raises(UnfitError, match="outside the image of 16 x 12"):
        done(picture.data_set(picture.laid_out(picture.numbers())), EXPLICIT, job)


@pytest.mark.req("D-39")
@pytest.mark.parametrize(
    ("picture", "spoil", "why"),
    [
        (Picture(), b"\0\0", "its pixels take"),
        (Picture(photometric="CMYK", samples=4), b"", "not known"),
        (Picture(photometric="HSV", samples=3), b"", "not known"),
        (Picture(photometric=""), b"", "not known"),
        (Picture(allocated=16, stored=12, high=7), b"", "High Bit"),
        (replace(COLOUR, kind="i"), b"", "not known"),
        (replace(COLOUR, allocated=1), b"", "one bit"),
    ],
)
def test_what_cannot_be_blacked_for_sure_is_unfit(picture: Picture, spoil: bytes, why: str) -> None:
    numbers = np.zeros((1, picture.rows, picture.columns, picture.samples), np.int64)
    raw = (
        picture.laid_out(numbers)
        if picture.highest_bit + 1 >= picture.bits
        else bytes(2 * numbers.size)
    )
    with pytest.raises(UnfitError, match=why):
        done(picture.data_set(raw + spoil), EXPLICIT, JOB)


@pytest.mark.req("D-39")
def test_pixels_that_are_there_twice_are_unfit() -> None:
    picture = Picture()
    raw = picture.laid_out(picture.numbers())
    before = picture.data_set(raw)
    with pytest.raises(UnfitError, match="more than once"):
        done(before + element(0x7FE00010, "OB", raw), EXPLICIT, JOB)
    with pytest.raises(UnfitError, match="or none"):
        done(picture.head(), EXPLICIT, JOB)
    with pytest.raises(UnfitError, match="names no pixels"):
        done(before, EXPLICIT, RedactJob())


NATIVE = [
    name
    for name, one in public().items()
    if one.transfer_syntax in (EXPLICIT, IMPLICIT, BIG, DEFLATED)
    and {0x7FE00010, 0x7FE00008, 0x7FE00009}
    & set(Head.from_bytes(one.data_set, one.transfer_syntax).elements)
]
# More bytes than its head describes; a Number of Frames that is none.
UNFIT = {"MR_small_padded.dcm", "badVR.dcm"}


@pytest.mark.req("D-34")
@pytest.mark.parametrize("name", NATIVE)
def test_a_public_file_keeps_its_size_and_all_but_the_box(name: str) -> None:
    one: Stored = public()[name]
    job = RedactJob(rectangles=(Rectangle(0, 0, 3, 1),))
    if name in UNFIT:
        with pytest.raises(UnfitError):
            done(one.data_set, one.transfer_syntax, job)
        return
    after, syntax, _ = done(one.data_set, one.transfer_syntax, job)
    assert syntax == one.transfer_syntax
    old, new = (parsed(data, syntax) for data in (one.data_set, after))
    key = next(k for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData") if k in new)
    assert len(new[key].value) == len(old[key].value)
    changed = sum(a != b for a, b in zip(old[key].value, new[key].value, strict=True))
    frames = int(new.get("NumberOfFrames", 1) or 1)
    assert changed <= 3 * frames * new.SamplesPerPixel * max(1, new.BitsAllocated // 8) + frames
