"""Rows L9 to L12: at the limit accepted, one above refused (large ones with the limit lowered)."""

import tracemalloc
import zlib

import pytest

from tests.dicom.building import (
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG,
    OPEN,
    el,
    encapsulated,
    item,
    mark,
    nested,
    seq,
    small,
)
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.limits import DEFAULT_LIMITS, WalkLimits
from waystation.dicom.walk import Walker


def walk(data: bytes, syntax: str, limits: WalkLimits, size: int = 1 << 20) -> Head:
    walker = Walker(syntax, limits=limits)
    for at in range(0, len(data), size):
        walker.feed(data[at : at + size])
    return walker.finish()


def refusal(data: bytes, syntax: str, limits: WalkLimits) -> str:
    with pytest.raises(DatasetError) as caught:
        walk(data, syntax, limits)
    return caught.value.limit


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(data) + packer.flush()


def test_defaults_are_those_of_the_specification() -> None:
    assert DEFAULT_LIMITS.elements == DEFAULT_LIMITS.fragments == 10**6
    assert DEFAULT_LIMITS.depth == 64
    assert DEFAULT_LIMITS.indexed_bytes == 64 * 1024
    assert DEFAULT_LIMITS.head_bytes == 16 * 1024**2
    assert (DEFAULT_LIMITS.inflate_ratio, DEFAULT_LIMITS.inflate_grace) == (100, 1024**2)
    assert DEFAULT_LIMITS.inflated_bytes == 512 * 1024**2


@pytest.mark.req("L9", "R-5")
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_elements_at_all_levels_are_counted(syntax: str) -> None:
    limits = WalkLimits(elements=10)
    one = el(0x00100020, "LO", b"", syntax)
    flat = one * 10
    # One sequence, two items, seven elements.
    deep = seq(0x00081140, item(one * 3, syntax), item(one * 4, syntax), syntax=syntax)
    for data in (flat, deep):
        walk(data, syntax, limits)
        assert refusal(data + one, syntax, limits) == "L9"
    in_item = seq(0x00081140, item(one * 4, syntax), item(one * 4, syntax), syntax=syntax)
    assert refusal(in_item, syntax, limits) == "L9"


@pytest.mark.req("L9", "R-5")
def test_a_million_elements_and_no_more() -> None:
    one = el(0x00100020, "LO")
    walk(one * 10**6, EXPLICIT, DEFAULT_LIMITS)
    assert refusal(one * (10**6 + 1), EXPLICIT, DEFAULT_LIMITS) == "L9"


@pytest.mark.req("L9", "R-5")
def test_fragments_are_counted() -> None:
    limits = WalkLimits(fragments=5)
    walk(encapsulated(*[b"ab"] * 5), JPEG, limits)
    assert refusal(encapsulated(*[b"ab"] * 6), JPEG, limits) == "L9"


@pytest.mark.req("L10", "R-5", "S-37")
@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize(
    ("syntax", "vr"), [(EXPLICIT, "SQ"), (IMPLICIT, "SQ")], ids=["explicit", "implicit"]
)
def test_sequences_may_be_nested_64_deep(syntax: str, vr: str, is_open: bool) -> None:
    walk(nested(64, syntax, is_open=is_open, vr=vr), syntax, DEFAULT_LIMITS)
    deeper = nested(65, syntax, is_open=is_open, vr=vr)
    assert refusal(deeper, syntax, DEFAULT_LIMITS) == "L10"


@pytest.mark.req("L10", "S-37")
def test_depth_is_refused_without_recursion() -> None:
    opening = el(0x00081140, "SQ", size=OPEN) + mark(0xFFFEE000, OPEN)
    assert refusal(opening * 100_000, EXPLICIT, DEFAULT_LIMITS) == "L10"


@pytest.mark.req("L11")
def test_a_declared_length_without_bytes_is_refused_and_allocates_nothing() -> None:
    tracemalloc.start()
    data = el(0x00100020, "LO", b"ID") + el(0x00420011, "OB", b"", size=0xFFFFFFF0)
    assert refusal(data + bytes(100), EXPLICIT, DEFAULT_LIMITS) == "L11"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.req("L11")
def test_a_value_too_long_to_index_is_present_but_not_read() -> None:
    limit = 64 * 1024
    for size, read in ((limit, True), (limit + 2, False)):
        head = walk(el(0x00204000, "UT", b"x" * size), EXPLICIT, DEFAULT_LIMITS)
        assert head.has("(0020,4000)")
        assert (head.raw(0x00204000) is not None) is read
        assert (head.values("(0020,4000)") is not None) is read


@pytest.mark.req("L11")
@pytest.mark.parametrize("piece", [1, 7, 64, 10_000])
def test_a_head_beyond_its_limit_is_walked_but_not_kept(piece: int) -> None:
    limits = WalkLimits(head_bytes=200)
    first = el(0x00080060, "CS", b"CT") + el(0x00100020, "LO", b"x" * 182)
    assert len(first) == 200
    last = el(0x00420010, "ST", b"t ")
    for data, whole in ((first, True), (first + last, False)):
        head = walk(data + el(0x7FE00010, "OB", b"abcd"), EXPLICIT, limits, piece)
        assert (head.data, head.whole) == (first, whole)
        assert 0x7FE00010 in head.elements
    bulk = first + el(0x00420011, "OB", b"pdf!" * 1000) + last
    head = walk(bulk, EXPLICIT, limits, piece)
    assert head.data == first
    assert head.elements[0x00420010] == ("ST", len(bulk) - 2, 2)
    sequence = first + seq(0x52009229, *[item(last, is_open=True)] * 99, is_open=True) + last
    head = walk(sequence, EXPLICIT, limits, piece)
    assert (head.data, head.whole, head.total_length) == (first, False, len(sequence))


@pytest.mark.req("L11", "L9")
def test_a_head_of_many_elements_is_walked_but_not_kept() -> None:
    limits = WalkLimits(head_elements=100)
    rows = [el(0x00110000 + number, "LO", b"x ") for number in range(1000)]
    head = walk(b"".join(rows[:100]), EXPLICIT, limits)
    assert head.whole
    head = walk(b"".join(rows), EXPLICIT, limits)
    assert not head.whole
    assert len(head.elements) == 100
    assert head.data == b"".join(rows[:100])
    assert head.total_length == 10_000
    padded = walk(small() + bytes(8) * 1000, EXPLICIT, limits)
    assert padded.whole
    assert len(padded.repeated) <= 100


@pytest.mark.req("R-5", "S-37")
def test_bytes_inside_pixels_are_never_kept() -> None:
    piece = bytes(512 << 10)
    count = 64
    walker = Walker(EXPLICIT)
    start = small(pixels=b"")[:-4] + (len(piece) * count).to_bytes(4, "little")
    walker.feed(start)
    tracemalloc.start()
    for _ in range(count):
        walker.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000
    assert walker.finish().total_length == len(start) + len(piece) * count


@pytest.mark.req("L12")
def test_total_of_inflated_bytes_is_limited() -> None:
    data = small(pixels=bytes(range(256)) * 40)
    walk(deflate(data), DEFLATED, WalkLimits(inflated_bytes=len(data)))
    assert refusal(deflate(data), DEFLATED, WalkLimits(inflated_bytes=len(data) - 1)) == "L12"


@pytest.mark.req("L12")
def test_a_deflate_bomb_is_refused_after_its_first_megabyte() -> None:
    data = small(pixels=bytes(64 << 20))
    bomb = deflate(data)
    assert len(data) > 100 * len(bomb)
    walker = Walker(DEFLATED)
    with pytest.raises(DatasetError) as caught:
        walker.feed(bomb)
    assert caught.value.limit == "L12"
    assert walker.length < 2 << 20
    small_one = small(pixels=bytes((1 << 20) - len(small()) + 4))
    assert len(small_one) == 1 << 20
    walk(deflate(small_one), DEFLATED, DEFAULT_LIMITS)


@pytest.mark.req("L12")
def test_the_ratio_itself_is_allowed() -> None:
    data = small(pixels=bytes(3 << 20))
    packed = deflate(data)
    ratio = -(-len(data) // len(packed))
    walk(packed, DEFLATED, WalkLimits(inflate_ratio=4 * ratio))
    assert refusal(packed, DEFLATED, WalkLimits(inflate_ratio=ratio - 1)) == "L12"
