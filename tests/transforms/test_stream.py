"""From one uncompressed syntax into another: values stay, only their coding changes (R-62)."""

import zlib
from dataclasses import replace

import numpy as np
import pytest

from tests.objects import public
from tests.objects.elements import element, encapsulated, header
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.walk import Walker
from waystation.transforms.errors import UnfitError
from waystation.transforms.stream import Recoder, recoded

PIXELS = 0x7FE00010
SYNTAXES = sorted(public.PLAIN)
FILES = {name: one for name, one in public.public().items() if one.transfer_syntax in public.PLAIN}


@pytest.mark.req("RT-10", "R-62", "R-63", "N-22")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("target", SYNTAXES)
def test_a_public_file_has_the_same_values_in_every_uncompressed_syntax(
    name: str, target: str
) -> None:
    one = FILES[name]
    made = recoded(one.data_set, one.transfer_syntax, target)
    walker = Walker(target)
    walker.feed(made)
    walker.finish()
    there = replace(one, transfer_syntax=target, data_set=made)
    only_values = frozenset({PIXELS})
    assert public.values(there, leave_out=only_values) == public.values(one, leave_out=only_values)
    assert np.array_equal(public.pixels(there), public.pixels(one))


@pytest.mark.req("R-63")
@pytest.mark.parametrize("name", [n for n, one in FILES.items() if public.pixels(one) is not None])
def test_pixel_bytes_stay_the_same_but_for_big_endian(name: str) -> None:
    one = FILES[name]
    target = public.IMPLICIT if one.transfer_syntax != public.IMPLICIT else public.EXPLICIT
    before = public.parsed(one.data_set, one.transfer_syntax)
    after = public.parsed(recoded(one.data_set, one.transfer_syntax, target), target)
    old, new = before[PIXELS].value, after[PIXELS].value
    if one.transfer_syntax != public.BIG or before[PIXELS].VR == "OB":
        assert new == old + b"\0" * (len(old) % 2)
    else:
        width = max(before.BitsAllocated // 8, 2)
        assert len(new) == len(old)
        assert new[:width] == old[:width][::-1]


def test_private_values_keep_their_bytes() -> None:
    one = FILES["CT_small.dcm"]
    made = recoded(one.data_set, one.transfer_syntax, public.IMPLICIT)
    before = Head.from_bytes(one.data_set, one.transfer_syntax)
    after = Head.from_bytes(made, public.IMPLICIT)
    private = [tag for tag in before.elements if tag >> 16 & 1]
    assert len(private) > 50
    for tag in private:
        assert after.raw(tag) == before.raw(tag)


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
@pytest.mark.parametrize("target", SYNTAXES)
def test_pieces_of_any_size_give_the_same_data_set(size: int, target: str) -> None:
    one = FILES["MR_small_bigendian.dcm"]
    whole = recoded(one.data_set, one.transfer_syntax, target)
    recoder = Recoder(one.transfer_syntax, target)
    made = b"".join(
        piece
        for at in range(0, len(one.data_set), size)
        for piece in recoder.feed(one.data_set[at : at + size])
    ) + b"".join(recoder.finish())
    if target == public.DEFLATED:
        whole, made = (zlib.decompress(data, -zlib.MAX_WBITS) for data in (whole, made))
    assert made == whole


def test_pixels_leave_before_their_end_has_come() -> None:
    head = element(0x00080060, "CS", "CT") + element(0x00280100, "US", 16)
    recoder = Recoder(public.EXPLICIT, public.IMPLICIT)
    made = b"".join(recoder.feed(head + header(PIXELS, "OW", 1 << 30) + b"12345678"))
    assert made.endswith(b"12345678")


ITEM = b"\xfe\xff\x00\xe0"
SEQUENCE_CASES = {
    "defined": header(0x00400275, "SQ", 24)
    + ITEM
    + b"\x10\0\0\0"
    + element(0x00400007, "LO", "A" * 8),
    "open": header(0x00400275, "SQ", 0xFFFFFFFF)
    + ITEM
    + b"\xff\xff\xff\xff"
    + element(0x00400007, "LO", "AB")
    + b"\xfe\xff\x0d\xe0\0\0\0\0"
    + b"\xfe\xff\xdd\xe0\0\0\0\0",
    "empty": header(0x00400275, "SQ", 0),
}


@pytest.mark.parametrize("case", SEQUENCE_CASES)
@pytest.mark.parametrize("target", [public.IMPLICIT, public.BIG])
def test_a_sequence_keeps_its_style_and_comes_back_byte_for_byte(case: str, target: str) -> None:
    data = element(0x00080060, "CS", "CT") + SEQUENCE_CASES[case]
    there = recoded(data, public.EXPLICIT, target)
    assert there != data
    assert recoded(there, target, public.EXPLICIT) == data


def test_a_private_sequence_that_nobody_knows_stays_one() -> None:
    data = (
        element(0x00090010, "LO", "NOBODY KNOWS", implicit=True)
        + header(0x00091001, "SQ", 0xFFFFFFFF, implicit=True)
        + ITEM
        + b"\x0a\0\0\0"
        + element(0x00091002, "UN", "AB", implicit=True)
        + b"\xfe\xff\xdd\xe0\0\0\0\0"
    )
    made = public.parsed(recoded(data, public.IMPLICIT, public.EXPLICIT), public.EXPLICIT)
    assert made[0x00091001].VR == "SQ"
    assert made[0x00091001].value[0][0x00091002].value == b"AB"


def test_a_value_too_long_for_its_vr_becomes_un() -> None:
    long = b"1\\" * 40_000
    data = header(0x00181041, "DS", len(long), implicit=True) + long
    made = recoded(data, public.IMPLICIT, public.EXPLICIT)
    assert made[4:6] == b"UN"
    assert recoded(made, public.EXPLICIT, public.IMPLICIT) == data


def test_signed_numbers_and_lookup_tables_get_the_vr_of_their_image() -> None:
    data = (
        element(0x00280103, "US", b"\1\0", implicit=True)
        + element(0x00280106, "US", b"\xff\xff", implicit=True)
        + element(0x00283002, "US", b"\0\1\0\0\x10\0", implicit=True)
    )
    made = public.parsed(recoded(data, public.IMPLICIT, public.EXPLICIT), public.EXPLICIT)
    assert made.SmallestImagePixelValue == -1
    assert made[0x00283002].VR == "SS"


def test_group_lengths_are_dropped_and_elements_keep_their_order() -> None:
    data = (
        element(0x00080000, "UL", 10)
        + element(0x00080060, "CS", "CT")
        + element(0x00080020, "DA", "20260101")
    )
    made = recoded(data, public.EXPLICIT, public.EXPLICIT)
    assert made == element(0x00080060, "CS", "CT") + element(0x00080020, "DA", "20260101")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (element(0x00080060, "CS", "CT") * 2, "twice"),
        (element(0x00080060, "CS", "CT") + encapsulated([b"1234"]), "compressed"),
        (element(0x00080060, "CS", "CT") + header(PIXELS, "OW", 10) + b"12", "ends inside"),
    ],
)
def test_what_would_have_to_be_guessed_is_not_done(data: bytes, why: str) -> None:
    with pytest.raises(UnfitError, match=why):
        recoded(data, public.EXPLICIT, public.IMPLICIT)


def test_a_broken_data_set_is_refused_as_such() -> None:
    with pytest.raises(DatasetError):
        recoded(element(0x00080060, "CS", "CT")[:-1], public.EXPLICIT, public.IMPLICIT)


def test_a_compressed_syntax_is_not_for_this_way() -> None:
    with pytest.raises(UnfitError):
        Recoder("1.2.840.10008.1.2.4.50", public.EXPLICIT)
