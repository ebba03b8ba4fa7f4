"""Any bytes, in any pieces, under any syntax: a Head or a DatasetError, and nothing else."""

import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dicom.building import BIG, DEFLATED, EXPLICIT, IMPLICIT, JPEG, encapsulated, small
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, identity
from waystation.dicom.limits import WalkLimits
from waystation.dicom.part10 import file_meta, read_meta
from waystation.dicom.splice import replace
from waystation.dicom.walk import Walker

SYNTAXES = st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED, JPEG, "1.2.3.private"])
LIMITS = WalkLimits(elements=50, fragments=5, depth=4, head_bytes=300, head_elements=20)
TEMPLATES = [
    (small(), EXPLICIT),
    (small(is_open=True), EXPLICIT),
    (small(IMPLICIT), IMPLICIT),
    (small(IMPLICIT, is_open=True), IMPLICIT),
    (small(BIG, is_open=True), BIG),
    (encapsulated(b"abcd", b"efgh"), JPEG),
]
# Words of the Standard, so that random bytes get past the first header.
WORDS = st.sampled_from(
    [
        *(b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0", b"\xff\xff\xff\xff"),
        *(b"\0\0\0\0", b"\x04\0\0\0", b"\x08\0\x16\0", b"\x08\0\x40\x11", b"\xe0\x7f\x10\0"),
        *(b"SQ\0\0", b"UN\0\0", b"OB\0\0", b"LO\x04\0", b"ZZ\x02\0", b"UI\0\0", b"\0\x08\0\x16"),
    ]
)
STREAMS = st.lists(st.one_of(WORDS, WORDS, st.binary(max_size=6)), max_size=60).map(b"".join)


def walk(data: bytes, syntax: str, cuts: list[int], limits: WalkLimits) -> Head | str:
    walker = Walker(syntax, limits=limits)
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    try:
        for begin, end in pairwise(edges):
            walker.feed(memoryview(data)[begin:end])
        return walker.finish()
    except DatasetError as error:
        return error.comment


CUTS = st.lists(st.integers(0, 10_000), max_size=8)


@pytest.mark.req("S-37", "R-5")
@settings(max_examples=500, deadline=None)
@given(STREAMS, SYNTAXES, CUTS, st.sampled_from([LIMITS, WalkLimits()]))
def test_any_bytes_give_a_head_or_a_dataset_error(
    data: bytes, syntax: str, cuts: list[int], limits: WalkLimits
) -> None:
    in_pieces = walk(data, syntax, cuts, limits)
    at_once = walk(data, syntax, [], limits)
    if syntax == DEFLATED:
        deflated = zlib.compressobj(wbits=-15)
        walk(deflated.compress(data) + deflated.flush(), syntax, cuts, limits)
    assert isinstance(in_pieces, Head) or len(in_pieces) <= 64
    assert isinstance(in_pieces, Head) is isinstance(at_once, Head)
    if isinstance(in_pieces, Head) and isinstance(at_once, Head):
        assert in_pieces.total_length == at_once.total_length == len(data) or syntax == DEFLATED
        if at_once.whole and in_pieces.whole:
            assert in_pieces.elements == at_once.elements
            assert in_pieces.data == at_once.data


@pytest.mark.req("S-37", "R-5")
@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(TEMPLATES),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    CUTS,
)
def test_damaged_objects_give_a_head_or_a_dataset_error(
    template: tuple[bytes, str], damage: list[tuple[int, int]], cuts: list[int]
) -> None:
    data = bytearray(template[0])
    for at, byte in damage:
        data[at % len(data)] = byte
    head = walk(bytes(data), template[1], cuts, WalkLimits())
    if isinstance(head, Head):
        identity(head)
        for path in ("PatientName", "(0008,2218).CodeValue", "Rows", "(0009,ACME,01)"):
            try:
                head.values(path)
            except DatasetError:
                assert damage
        if not head.repeated:
            assert replace(head, {}) == head.data


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), STREAMS), st.booleans())
def test_any_beginning_of_a_file_gives_its_meta_or_a_dataset_error(
    data: bytes, prefixed: bool
) -> None:
    try:
        meta = read_meta(bytes(128) + b"DICM" + data if prefixed else data)
    except DatasetError:
        return
    assert meta.data_set_offset <= len(data) + 132


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 300))
def test_cut_file_meta_is_refused_or_read_to_an_element(end: int) -> None:
    whole = file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", EXPLICIT, source_ae="MODALITY")
    try:
        meta = read_meta(whole[:end])
    except DatasetError:
        assert end < len(whole)
    else:
        assert meta.data_set_offset == min(end, len(whole))
