"""Compressed pixels with rectangles blacked: the codings, their proofs, and hostile streams."""

import io
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom.encaps import generate_frames

from tests.objects import public
from tests.objects.elements import encapsulated
from tests.objects.files import Stored
from tests.objects.layouts import Picture
from tests.objects.samples import compressed
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.transforms import encode as encoding
from waystation.transforms.decode import DECODERS
from waystation.transforms.encode import ENCODERS
from waystation.transforms.errors import NoEncoderError, UnfitError
from waystation.transforms.redact import redact
from waystation.transforms.redact_job import LOSSY_SYNTAXES, Rectangle, RedactJob
from waystation.transforms.transcode import transcode

BOX = Rectangle(3, 2, 20, 9)
JOB = RedactJob(rectangles=(BOX,))
TINY = RedactJob(rectangles=(Rectangle(0, 1, 2, 1),))
SMALL = RedactJob(rectangles=(Rectangle(1, 1, 4, 4),))
COMPRESSED = {name: one for name, one in public.public().items() if one.transfer_syntax in DECODERS}


def redacted(one: Stored, job: RedactJob = JOB) -> tuple[Stored, list[str]]:
    out = io.BytesIO()
    what = (one.transfer_syntax, job)
    syntax, changes = redact(io.BytesIO(one.data_set), io.BytesIO(), out, what, lambda _: None)
    return replace(one, transfer_syntax=syntax, data_set=out.getvalue()), changes


def plain(one: Stored) -> Any:
    """Return the pixels of an object, shape (frames, rows, columns, samples)."""
    if one.transfer_syntax in DECODERS:
        out = io.BytesIO()
        ways = (one.transfer_syntax, public.EXPLICIT)
        transcode(io.BytesIO(one.data_set), io.BytesIO(), out, ways, lambda _: None)
        one = replace(one, transfer_syntax=public.EXPLICIT, data_set=out.getvalue())
    said = described(one)
    kind = f"<{'i' if said.PixelRepresentation else 'u'}{said.BitsAllocated // 8}"
    shape = (int(said.get("NumberOfFrames", 1)), said.Rows, said.Columns, said.SamplesPerPixel)
    count = shape[0] * shape[1] * shape[2] * shape[3]
    return np.frombuffer(said.PixelData, kind, count).reshape(shape).copy()


def described(one: Stored) -> Any:
    """Return an object as pydicom reads it; some of the files are in implicit VR, wrongly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return public.parsed(one.data_set, one.transfer_syntax)


def fitting(one: Stored) -> RedactJob:
    said = described(one)
    if said.Rows >= 12 and said.Columns >= 24:
        return JOB
    return SMALL if min(said.Rows, said.Columns) >= 5 else TINY


@pytest.mark.req("D-35")
@pytest.mark.parametrize("name", COMPRESSED)
def test_a_public_file_is_black_in_the_box_and_equal_outside(name: str) -> None:
    one = COMPRESSED[name]
    job = fitting(one)
    made, _ = redacted(one, job)
    before, after = plain(one), plain(made)
    left, top, width, height = job.rectangles[0]
    box = (slice(None), slice(top, top + height), slice(left, left + width))
    said, old = described(made), described(one)
    inside = after[box].reshape(-1, after.shape[-1])
    if said.PhotometricInterpretation in ("RGB", "MONOCHROME2") and not said.PixelRepresentation:
        assert not inside.any()
    assert len(np.unique(inside, axis=0)) == 1
    before[box] = after[box] = 0
    assert np.array_equal(before, after)
    # PS3.5 8.2.2 knows no RLE of 32 bits.
    keeps = one.transfer_syntax in ENCODERS and old.BitsAllocated <= 16
    assert made.transfer_syntax == (one.transfer_syntax if keeps else public.EXPLICIT)
    assert said.SOPInstanceUID == old.SOPInstanceUID
    if one.transfer_syntax in LOSSY_SYNTAXES and old.get("LossyImageCompression") == "01":
        assert said.LossyImageCompression == "01"


@pytest.mark.req("D-35")
@pytest.mark.parametrize("syntax", ENCODERS)
@pytest.mark.parametrize(
    "picture",
    [
        Picture(rows=36, columns=40, allocated=16, stored=12, frames=3),
        Picture(rows=36, columns=40, allocated=16, stored=12, kind="i"),
        Picture(rows=36, columns=40, allocated=16, kind="i", photometric="MONOCHROME1"),
        Picture(rows=36, columns=40, samples=3, photometric="RGB", planar=1, frames=2),
        Picture(rows=36, columns=40, samples=3, photometric="YBR_FULL"),
        Picture(rows=36, columns=40, photometric="PALETTE COLOR"),
    ],
    ids=["12 bits", "signed", "MONOCHROME1", "planes", "YBR_FULL", "palette"],
)
def test_lossless_syntaxes_stay_and_their_frames_are_found(syntax: str, picture: Picture) -> None:
    numbers = picture.numbers()
    native = picture.data_set(picture.laid_out(numbers))
    packed = io.BytesIO()
    transcode(io.BytesIO(native), io.BytesIO(), packed, (public.EXPLICIT, syntax), lambda _: None)
    one = Stored(sop_class="", sop_instance="", transfer_syntax=syntax, data_set=packed.getvalue())
    made, changes = redacted(one)
    assert made.transfer_syntax == syntax
    assert "PixelData compressed without loss" in changes
    head = Head.from_bytes(made.data_set, syntax)
    _, start, length = head.elements[0x7FE00010]
    content = made.data_set[start : start + length]
    frames = list(generate_frames(content, number_of_frames=picture.frames))
    assert len(frames) == picture.frames
    before, after = plain(one), plain(made)
    lowest, highest = (-2048, 2047) if picture.stored == 12 else (-32768, 32767)
    black: Any = lowest if picture.kind == "i" else 0
    if picture.photometric == "MONOCHROME1":
        black = highest
    if picture.photometric == "YBR_FULL":
        black = (0, 128, 128)
    before[:, 2:11, 3:23] = black
    assert np.array_equal(before, after)


@pytest.mark.req("D-35")
def test_without_an_encoder_it_becomes_explicit_vr_little_endian(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(frame: bytes, image: object) -> bytes:
        raise NoEncoderError("not here")

    one = COMPRESSED["SC_rgb_rle_2frame.dcm"]
    monkeypatch.setitem(encoding.ENCODERS, one.transfer_syntax, fails)
    made, changes = redacted(one)
    assert made.transfer_syntax == public.EXPLICIT
    assert "PixelData decompressed" in changes
    assert not plain(made)[:, 2:11, 3:23].any()


@pytest.mark.req("D-35")
def test_an_encoder_that_changes_something_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = COMPRESSED["MR_small_RLE.dcm"]
    real = encoding.ENCODERS[one.transfer_syntax]

    def careless(frame: bytes, image: Any) -> bytes:
        return real(bytes([frame[0] ^ 1]) + frame[1:], image)

    monkeypatch.setitem(encoding.ENCODERS, one.transfer_syntax, careless)
    made, _ = redacted(one)
    assert made.transfer_syntax == public.EXPLICIT
    before, after = plain(one), plain(made)
    before[:, 2:11, 3:23] = after[:, 2:11, 3:23] = 0
    assert np.array_equal(before, after)


@pytest.mark.req("D-35")
def test_what_was_compressed_with_loss_may_be_held() -> None:
    job = replace(JOB, lossy="hold")
    with pytest.raises(UnfitError, match="with loss"):
        redacted(COMPRESSED["JPEG-lossy.dcm"], job)
    made, _ = redacted(COMPRESSED["MR_small_RLE.dcm"], job)
    assert made.data_set


@pytest.mark.req("D-20", "D-35")
def test_video_and_hidden_bits_of_compressed_pixels_are_unfit() -> None:
    video = compressed("1.2.840.10008.1.2.4.102")
    with pytest.raises(UnfitError, match="no codec"):
        redacted(video, SMALL)
    with pytest.raises(UnfitError, match="unused bits"):
        redacted(COMPRESSED["MR_small_RLE.dcm"], RedactJob(unused_bits=True))


@pytest.mark.req("D-39")
@pytest.mark.parametrize("syntax", DECODERS)
def test_a_hostile_stream_is_unfit_or_black(syntax: str) -> None:
    noise = compressed(syntax, seed=syntax)
    at = noise.data_set.index(b"\xe0\x7f\x10\x00OB")
    for frames in ([b""], [b"\xff\xd8\xff\xd9"], [b"\xff\x4f\xff\x51" + bytes(60)], None):
        one = noise
        if frames is not None:
            one = replace(noise, data_set=noise.data_set[:at] + encapsulated(frames))
        try:
            made, _ = redacted(one, SMALL)
        except (UnfitError, DatasetError):
            continue
        assert not plain(made)[:, 1:5, 1:5].any()


@pytest.mark.req("D-39")
@pytest.mark.parametrize(
    "name",
    [
        *("MR_small_RLE.dcm", "JPEG2000.dcm", "examples_ybr_color.dcm"),
        *("JPEGLSNearLossless_08.dcm", "SC_rgb_jpeg_dcmtk.dcm"),
    ],
)
def test_truncated_real_streams_never_show_the_box(name: str) -> None:
    one = COMPRESSED[name]
    at = one.data_set.index(b"\xe0\x7f\x10\x00O")
    _, start, length = Head.from_bytes(one.data_set, one.transfer_syntax).elements[0x7FE00010]
    frames = int(described(one).get("NumberOfFrames", 1))
    codes = list(generate_frames(one.data_set[start : start + length], number_of_frames=frames))
    for cut in (2, 10):
        torn = [code[: len(code) // cut] for code in codes]
        less = replace(one, data_set=one.data_set[:at] + encapsulated(torn))
        try:
            made, _ = redacted(less)
        except (UnfitError, DatasetError):
            continue
        inside = plain(made)[:, 2:11, 3:23]
        assert len(np.unique(inside)) == 1
