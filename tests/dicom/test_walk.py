import zlib

import pytest

from tests.dicom.building import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    OPEN,
    el,
    encapsulated,
    item,
    mark,
    seq,
    small,
)
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, Identity, identity
from waystation.dicom.walk import Walker

FORMS = [EXPLICIT, IMPLICIT, BIG]


def walk(data: bytes, syntax: str = EXPLICIT, size: int = 0) -> Head:
    walker = Walker(syntax)
    for at in range(0, len(data), size or len(data) or 1):
        walker.feed(data[at : at + (size or len(data))])
    return walker.finish()


def same(one: Head, other: Head) -> bool:
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("data", "elements", "pixel_offset", "total_length", "whole", "repeated")
    )


@pytest.mark.req("R-5")
@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("syntax", FORMS)
def test_identity_and_pixel_offset_are_found_in_every_form(syntax: str, is_open: bool) -> None:
    data = small(syntax, is_open=is_open)
    head = walk(data, syntax)
    assert identity(head) == Identity(
        "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4", "1.2.3", "1.2.3.1", "PID 7", "CT"
    )
    pixel_header = 8 if syntax == IMPLICIT else 12
    assert head.pixel_offset == len(data) - 4 - pixel_header
    assert head.data == data[: head.pixel_offset]
    assert head.total_length == len(data)
    assert head.elements[0x7FE00010][1:] == (len(data) - 4, 4)
    assert 0x00080100 not in head.elements, "elements of items are not top level"


@pytest.mark.req("R-5")
def test_the_whole_span_of_an_open_sequence_is_known() -> None:
    sequence = seq(0x00081140, item(b"", is_open=True), is_open=True)
    head = walk(sequence + el(0x00100020, "LO", b"X "))
    assert head.elements[0x00081140] == ("SQ", 12, len(sequence) - 12)
    assert head.text(0x00100020) == "X"


@pytest.mark.req("R-5")
@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 11, 12, 13, 50, 1000])
@pytest.mark.parametrize(
    ("data", "syntax"),
    [
        (small(), EXPLICIT),
        (small(is_open=True), EXPLICIT),
        (small(IMPLICIT), IMPLICIT),
        (small(IMPLICIT, is_open=True), IMPLICIT),
        (small(BIG, is_open=True), BIG),
        (encapsulated(b"", b"abcd", b"ef" * 40, tail=el(0xFFFCFFFC, "OB", b"\0" * 9)), JPEG),
    ],
)
def test_pieces_of_any_size_give_the_same_head(data: bytes, syntax: str, size: int) -> None:
    assert same(walk(data, syntax, size), walk(data, syntax))


@pytest.mark.req("R-5", "L11")
@pytest.mark.parametrize(
    ("data", "syntax"),
    [
        (small(), EXPLICIT),
        (small(is_open=True), EXPLICIT),
        (small(IMPLICIT), IMPLICIT),
        (small(IMPLICIT, is_open=True), IMPLICIT),
        (small(BIG), BIG),
        (encapsulated(b"abcd", b"efgh", tail=el(0xFFFCFFFC, "OB", b"\0" * 9)), JPEG),
    ],
)
def test_a_cut_is_refused_unless_it_falls_between_two_elements(data: bytes, syntax: str) -> None:
    whole = walk(data, syntax)
    boundaries = {0} | {start + size for _, start, size in whole.elements.values()}
    for end in range(len(data)):
        if end in boundaries:
            assert walk(data[:end], syntax).total_length == end
        else:
            with pytest.raises(DatasetError):
                walk(data[:end], syntax)


@pytest.mark.req("N-4")
@pytest.mark.parametrize(
    ("element", "vr", "size"),
    [
        (el(0x00090010, "LO", b"ODD"), "LO", 3),
        (el(0x00090010, "ZZ", b"\0\0" + b"\6\0\0\0" + b"future", size=0), "ZZ", 6),
        (el(0x00090010, "ZZ", b"short!"), "ZZ", 6),
        (el(0x00090010, "??", b"query!"), "UN", 6),
        (el(0x00090010, "", b"implic", IMPLICIT), None, 6),
        (el(0x00280010, "US", b"\1\2\3"), "US", 3),
        (el(0x00280010, "DS", b"1\\2\\3\\4\\5\\not a number"), "DS", 22),
    ],
)
def test_odd_elements_are_passed_on_as_they_are(element: bytes, vr: str | None, size: int) -> None:
    if vr == "ZZ" and b"future" in element:
        element = element[:6] + b"\0\0" + element[10:]
    data = el(0x00080060, "CS", b"CT") + element + el(0x00300010, "LO", b"Z ")
    head = walk(data)
    found, _, length = next(
        head.elements[tag] for tag in head.elements if tag not in (0x00080060, 0x00300010)
    )
    assert (found, length) == (vr, size)
    assert head.data == data
    assert head.text(0x00300010) == "Z"


@pytest.mark.req("N-4")
def test_order_and_repetition_do_not_matter_and_the_first_counts() -> None:
    data = el(0x00100020, "LO", b"A ") + el(0x00080060, "CS", b"CT") + el(0x00100020, "LO", b"B ")
    head = walk(data)
    assert head.text(0x00100020) == "A"
    assert head.text(0x00080060) == "CT"
    assert head.repeated == [(0x00100020, 28, 2)]


@pytest.mark.req("R-5", "N-4")
@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
def test_unknown_of_undefined_length_is_implicit_little_endian_inside(syntax: str) -> None:
    content = item(el(0x00100020, "LO", b"IN", IMPLICIT), IMPLICIT, is_open=True)
    data = (
        el(0x00091001, "UN", content, syntax, OPEN)
        + mark(0xFFFEE0DD)
        + el(0x00100020, "LO", b"ID", syntax)
    )
    head = walk(data, syntax)
    assert head.elements[0x00091001] == ("UN", 12, len(content) + 8)
    assert [one.text(0x00100020) for one in head.items(0x00091001)] == ["IN"]


@pytest.mark.req("N-4")
@pytest.mark.parametrize("size", [0, 1, 9])
def test_a_plain_value_that_only_looks_like_a_sequence_is_a_plain_value(size: int) -> None:
    lookalike = mark(0xFFFEE000, 400) + b"but no item follows"
    for vr, syntax in (("UN", EXPLICIT), ("", IMPLICIT)):
        data = el(0x00091001, vr, lookalike, syntax) + el(0x00100020, "LO", b"ID", syntax)
        head = walk(data, syntax, size)
        assert head.raw(0x00091001) == lookalike
        assert head.text(0x00100020) == "ID"


@pytest.mark.req("N-4")
def test_delimiters_where_none_is_needed_are_tolerated() -> None:
    inside = el(0x00100020, "LO", b"ID") + mark(0xFFFEE00D)
    data = seq(0x00081140, item(inside), mark(0xFFFEE00D), mark(0xFFFEE0DD))
    assert walk(data + el(0x00100020, "LO", b"X ")).text(0x00100020) == "X"


@pytest.mark.req("R-5", "S-37")
@pytest.mark.parametrize(
    "data",
    [
        seq(0x00081140, mark(0xFFFEE000, 9) + b"12345678"),
        seq(0x00081140, item(el(0x00100020, "LO", b"ID", size=3))),
        seq(0x00081140, item(el(0x00100020, "LO", b"ID") + b"1234")),
        seq(0x00081140, el(0x00100020, "LO", b"IDIDID")),
        seq(0x00081140, item(mark(0xFFFEE0DD), is_open=True), is_open=True),
        seq(0x00081140, item(b"", is_open=True), is_open=True)[:-8] + b"\0" * 8,
        encapsulated()[:-8] + mark(0xFFFEE000, OPEN) + mark(0xFFFEE0DD),
        encapsulated()[:-8] + el(0x00100020, "LO", b"ID") + mark(0xFFFEE0DD),
    ],
)
def test_what_does_not_fit_its_surroundings_is_refused(data: bytes) -> None:
    with pytest.raises(DatasetError) as caught:
        walk(data)
    assert len(caught.value.comment) <= 64
    assert caught.value.comment.startswith(caught.value.limit)


@pytest.mark.req("R-5")
def test_elements_after_the_pixels_are_walked_but_not_kept() -> None:
    data = encapsulated(b"abcd", tail=el(0xFFFCFFFC, "OB", b"\0" * 8))
    head = walk(data, JPEG)
    assert 0xFFFCFFFC in head.elements
    assert head.raw(0xFFFCFFFC) is None
    assert len(head.data) == head.pixel_offset < len(data)


@pytest.mark.parametrize("tag", [0x7FE00008, 0x7FE00009])
def test_float_pixels_begin_the_tail_too(tag: int) -> None:
    head = walk(el(0x00080060, "CS", b"CT") + el(tag, "OF", b"\0" * 8))
    assert head.pixel_offset == 10


@pytest.mark.req("R-5")
@pytest.mark.parametrize("size", [0, 1, 10])
def test_a_deflated_data_set_is_walked_inflated(size: int) -> None:
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(small()) + packer.flush()
    head = walk(data + b"\0" * (len(data) % 2), DEFLATED, size)
    assert same(head, walk(small()))
    for end in range(len(data) - 1):
        with pytest.raises(DatasetError):
            walk(data[:end], DEFLATED)
    with pytest.raises(DatasetError, match="follow"):
        walk(data + b"\0" * 10, DEFLATED)
    with pytest.raises(DatasetError, match="damaged"):
        walk(b"\xff" * 20, DEFLATED)


def test_a_head_without_its_tail_is_read_when_the_caller_says_so() -> None:
    data = small(pixels=b"\0" * 100)
    cut = len(data) - 50
    with pytest.raises(DatasetError):
        Head.from_bytes(data[:cut], EXPLICIT)
    assert Head.from_bytes(data[:cut], EXPLICIT, tail_missing=True).data == walk(data).data
    with pytest.raises(DatasetError):
        Head.from_bytes(data[:30], EXPLICIT, tail_missing=True)


def test_an_empty_data_set_is_a_head_without_elements() -> None:
    assert walk(b"").elements == {}
