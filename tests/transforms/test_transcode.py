"""Pixels in another coding: what comes out is what went in (R-62, RT-10)."""

import io
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from tests.objects import public
from tests.objects.elements import element, encapsulated, header
from tests.objects.files import Stored
from tests.objects.samples import compressed
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.transforms.decode import DECODERS
from waystation.transforms.encode import ENCODERS
from waystation.transforms.errors import UnfitError
from waystation.transforms.transcode import transcode

PIXELS, COLOURS, PLANAR, LOSSY = 0x7FE00010, 0x00280004, 0x00280006, 0x00282110
COMPRESSED = {name: one for name, one in public.public().items() if one.transfer_syntax in DECODERS}
NATIVE = ("CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "examples_rgb_color.dcm")
NATIVE_FILES = [name for name in NATIVE if name in public.public()]


def converted(one: Stored, wanted: str, seen: list[int] | None = None) -> tuple[Stored, list[str]]:
    """Return the object in another syntax, and what changed."""
    out = io.BytesIO()
    ticks = seen if seen is not None else []
    ways = (one.transfer_syntax, wanted)
    changes = transcode(io.BytesIO(one.data_set), io.BytesIO(), out, ways, ticks.append)
    return replace(one, transfer_syntax=wanted, data_set=out.getvalue()), changes


def by_pydicom(one: Stored) -> Any:
    """Return the pixels as pydicom decodes them (colours as RGB), None where it cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return public.as_dataset(one).pixel_array
        except (RuntimeError, NotImplementedError):
            return None


@pytest.mark.req("RT-10", "R-62")
@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("wanted", [public.EXPLICIT, public.IMPLICIT])
def test_a_public_file_is_decompressed_to_what_pydicom_reads_in_it(name: str, wanted: str) -> None:
    one = COMPRESSED[name]
    made, changes = converted(one, wanted)
    assert "PixelData decompressed" in changes
    touched = frozenset({PIXELS, COLOURS, PLANAR, LOSSY})
    assert public.values(made, leave_out=touched) == public.values(one, leave_out=touched)
    expected = by_pydicom(one)
    if expected is not None:
        assert np.array_equal(public.pixels(made), expected)
    else:
        assert public.pixels(made).size


@pytest.mark.parametrize(
    ("name", "colours"),
    [
        ("examples_ybr_color.dcm", "RGB"),  # YBR_FULL_422 in JPEG
        ("examples_jpeg2k.dcm", "RGB"),  # YBR_RCT
        ("SC_rgb_rle.dcm", "RGB"),
        ("MR_small_RLE.dcm", "MONOCHROME2"),
    ],
)
def test_colours_are_named_as_they_are_afterwards(name: str, colours: str) -> None:
    made, changes = converted(COMPRESSED[name], public.EXPLICIT)
    data_set = public.parsed(made.data_set, public.EXPLICIT)
    assert data_set.PhotometricInterpretation == colours
    assert data_set.get("PlanarConfiguration", 0) == 0
    before = public.parsed(COMPRESSED[name].data_set, public.EXPLICIT).PhotometricInterpretation
    assert (before != colours) is any("PhotometricInterpretation" in word for word in changes)


@pytest.mark.req("R-62")
def test_what_lost_something_says_so_afterwards_and_the_instance_stays() -> None:
    one = COMPRESSED["JPEGLSNearLossless_08.dcm"]
    made, changes = converted(one, public.IMPLICIT)
    data_set = public.parsed(made.data_set, public.IMPLICIT)
    assert data_set.LossyImageCompression == "01"
    assert data_set.SOPInstanceUID == one.sop_instance
    assert "LossyImageCompression now 01" in changes
    kept, _ = converted(COMPRESSED["JPEG-lossy.dcm"], public.EXPLICIT)
    before = public.parsed(COMPRESSED["JPEG-lossy.dcm"].data_set, public.EXPLICIT)
    after = public.parsed(kept.data_set, public.EXPLICIT)
    for keyword in ("LossyImageCompression", "BitsAllocated", "BitsStored", "HighBit"):
        assert after.get(keyword) == before.get(keyword)


@pytest.mark.req("RT-10", "R-62")
@pytest.mark.parametrize("name", [*NATIVE_FILES, "examples_ybr_color.dcm", "SC_rgb_rle_2frame.dcm"])
@pytest.mark.parametrize("wanted", ENCODERS)
def test_what_is_compressed_comes_back_bit_for_bit(name: str, wanted: str) -> None:
    one = public.public()[name]
    plain, _ = converted(one, public.EXPLICIT)
    packed, changes = converted(one, wanted)
    assert "PixelData compressed without loss" in changes
    again, _ = converted(packed, public.EXPLICIT)
    assert np.array_equal(public.pixels(again), public.pixels(plain))
    data_set = public.parsed(packed.data_set, wanted)
    assert data_set[PIXELS].VR == "OB"
    frames = list(
        generate_frames(data_set[PIXELS].value, number_of_frames=data_set.get("NumberOfFrames", 1))
    )
    assert len(frames) == int(data_set.get("NumberOfFrames", 1))


def multiframe(table: bool, extended: bool = False) -> Stored:
    """Return two frames of RLE with or without offset tables."""
    one = public.public()["SC_rgb_rle_2frame.dcm"]
    data_set = public.as_dataset(one)
    frames = list(generate_frames(data_set.PixelData, number_of_frames=2))
    packed = encapsulated(frames)
    head = one.data_set[: one.data_set.index(b"\xe0\x7f\x10\x00OB")]
    if extended:
        offsets = b"".join(
            n.to_bytes(8, "little") for n in (0, 8 + len(frames[0]) + len(frames[0]) % 2)
        )
        lengths = b"".join(len(frame).to_bytes(8, "little") for frame in frames)
        head += header(0x7FE00001, "OB", len(offsets)).replace(b"OB", b"OV") + offsets
        head += header(0x7FE00002, "OB", len(lengths)).replace(b"OB", b"OV") + lengths
    if not table:
        packed = packed[:12] + b"\xfe\xff\x00\xe0" + bytes(4) + packed[12 + 8 + 8 :]
    return replace(one, data_set=head + packed)


@pytest.mark.parametrize(
    "one",
    [multiframe(True), multiframe(False), multiframe(False, True)],
    ids=["basic table", "no table", "extended table"],
)
def test_frames_are_found_by_whatever_table_there_is(one: Stored) -> None:
    ticks: list[int] = []
    made, _ = converted(one, public.EXPLICIT, ticks)
    wanted = by_pydicom(public.public()["SC_rgb_rle_2frame.dcm"])
    assert np.array_equal(public.pixels(made), wanted)
    data_set = public.parsed(made.data_set, public.EXPLICIT)
    assert 0x7FE00001 not in data_set
    assert 0x7FE00002 not in data_set
    assert ticks[:2] == [0, 1]


def test_colours_by_plane_are_interleaved_when_compressed() -> None:
    one = public.public()["SC_rgb_rle.dcm"]
    plain, _ = converted(one, public.EXPLICIT)
    data_set = public.as_dataset(plain)
    planes = data_set.pixel_array.transpose(2, 0, 1).tobytes()
    data_set.PlanarConfiguration = 1
    data_set.PixelData = planes
    out = io.BytesIO()
    pydicom.dcmwrite(out, data_set)
    content = out.getvalue()
    by_plane = replace(plain, data_set=content[content.index(b"\x08\x00\x05\x00CS") :])
    packed, changes = converted(by_plane, "1.2.840.10008.1.2.4.90")
    assert "PlanarConfiguration 1 now 0" in changes
    again, _ = converted(packed, public.EXPLICIT)
    assert np.array_equal(public.pixels(again), public.pixels(plain))


def test_an_object_without_pixels_in_a_compressed_syntax_only_changes_its_coding() -> None:
    report = public.public()["test-SR.dcm"]
    assert report.transfer_syntax == public.EXPLICIT
    one = replace(report, transfer_syntax="1.2.840.10008.1.2.4.50")
    made, changes = converted(one, public.IMPLICIT)
    assert changes == []
    assert public.values(made) == public.values(report)
    with pytest.raises(UnfitError, match="no pixels"):
        converted(one, "1.2.840.10008.1.2.5")


def test_noise_in_fragments_is_unfit_in_every_syntax() -> None:
    for syntax in DECODERS:
        one = compressed(syntax, seed=syntax)
        try:
            made, _ = converted(one, public.EXPLICIT)
        except (UnfitError, DatasetError):
            continue
        assert syntax == "1.2.840.10008.1.2.1.98", f"{syntax} decoded noise"
        assert public.pixels(made).shape == (16, 16)


def test_more_or_fewer_frames_than_announced_are_unfit() -> None:
    one = multiframe(True)
    for announced in (b"3 ", b"1 "):
        data = one.data_set.replace(
            element(0x00280008, "IS", "2"), header(0x00280008, "IS", 2) + announced
        )
        assert data != one.data_set
        with pytest.raises(UnfitError):
            converted(replace(one, data_set=data), public.EXPLICIT)


def with_icon(one: Stored, icon: bytes) -> Stored:
    """Return the object with an Icon Image Sequence of one item."""
    item = b"\xfe\xff\x00\xe0" + len(icon).to_bytes(4, "little") + icon
    at = one.data_set.index(b"\xe0\x7f\x10\x00")
    head = one.data_set[:at] + header(0x00880200, "SQ", len(item)) + item
    return replace(one, data_set=head + one.data_set[at:])


@pytest.mark.parametrize("wanted", [public.EXPLICIT, public.IMPLICIT, "1.2.840.10008.1.2.4.90"])
def test_an_icon_that_is_compressed_too_is_decompressed_too(wanted: str) -> None:
    one = public.public()["MR_small_RLE.dcm"]
    head = Head.from_bytes(one.data_set, one.transfer_syntax)
    _, start, length = head.elements[PIXELS]
    described = b"".join(
        element(tag, vr, head.raw(tag) or b"")
        for tag, vr in (
            *((0x00280002, "US"), (0x00280004, "CS"), (0x00280010, "US"), (0x00280011, "US")),
            *((0x00280100, "US"), (0x00280101, "US"), (0x00280102, "US"), (0x00280103, "US")),
        )
    )
    fragments = header(PIXELS, "OB", 0xFFFFFFFF) + one.data_set[start : start + length]
    made, changes = converted(with_icon(one, described + fragments), wanted)
    assert "IconImageSequence decompressed" in changes
    (icon,) = public.parsed(made.data_set, wanted).IconImageSequence
    assert icon[PIXELS].value == by_pydicom(one).tobytes()


def test_an_icon_that_cannot_be_decoded_makes_the_object_unfit() -> None:
    one = public.public()["MR_small_RLE.dcm"]
    with pytest.raises(UnfitError, match="description"):
        converted(with_icon(one, encapsulated([b"1234"])), public.IMPLICIT)
