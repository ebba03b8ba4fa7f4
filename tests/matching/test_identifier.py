"""Identifiers as they come: read, refused, survived (T-14, T-15, TT-12)."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dicom.building import BIG, EXPLICIT, IMPLICIT, el, item, nested, seq
from waystation.matching.identifier import read_identifier
from waystation.matching.keys import BadIdentifier, first_fault
from waystation.matching.match import Matcher
from waystation.model.query import STUDY, WORKLIST, Key, Options, Query, Row

STEPS = 0x00400100


def read(*elements: bytes, syntax: str = EXPLICIT, strict: bool = False) -> Query:
    found = read_identifier(b"".join(elements), syntax, strict=strict)
    assert isinstance(found, Query), found
    return found


def refused(*elements: bytes, strict: bool = False, options: Options | None = None) -> str:
    found = read_identifier(b"".join(elements), EXPLICIT, strict=strict, options=options)
    assert isinstance(found, BadIdentifier), found
    assert found.status == 0xA900
    assert len(found.comment) <= 64
    return found.comment


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_keys_are_read_in_every_form(syntax: str) -> None:
    level = el(0x00080052, "CS", b"STUDY ", syntax)
    rows = el(0x00280010, "US", b"\2\0" if syntax == BIG else b"\0\2", syntax)
    modality = el(0x00080060, "CS", b"CT\\MR ", syntax)
    inside = seq(STEPS, item(modality, syntax), syntax=syntax)
    query = read(level, el(0x00100010, "PN", b"Doe^*", syntax), rows, inside, syntax=syntax)
    assert query.level == STUDY
    assert query.keys == (
        Key(0x00100010, "PN", ("Doe^*",)),
        Key(0x00280010, "US", ("512",)),
        Key(STEPS, "SQ", (), (Key(0x00080060, "CS", ("CT", "MR")),)),
    )
    assert query.first(0x00100010) == "Doe^*"
    assert query.first(0x00100020) == ""


@pytest.mark.req("T-2", "T-15")
def test_character_set_time_zone_and_group_lengths_are_no_keys() -> None:
    query = read(
        el(0x00080000, "UL", b"\0\0\0\0"),
        el(0x00080005, "CS", b"ISO_IR 100"),
        el(0x00080201, "SH", b"-0330 "),
        el(0x00100010, "PN", b"B\xf6hm*"),
    )
    assert query.keys == (Key(0x00100010, "PN", ("Böhm*",)),)
    assert query.charset == "ISO_IR 100"
    assert query.zone == -210
    assert query.unknown == ()


@pytest.mark.req("T-14", "L8")
def test_uid_lists_may_be_long_other_text_has_a_limit() -> None:
    uids = b"\\".join(b"1.2.3.%d" % number for number in range(8_000))
    uids += b"\0" * (len(uids) % 2)
    long = el(0x0020000D, "UN", uids)
    assert len(read(el(0x00100010, "PN", b"*" + b"a" * 65_533), long).keys) == 2
    half = b"a" * 33_000
    comment = refused(el(0x00081030, "LO", half), el(0x00100010, "PN", half))
    assert comment == "PatientName: too much text to look for"


@pytest.mark.req("T-15")
def test_what_cannot_be_looked_up_is_left_out_and_named() -> None:
    private = el(0x00190010, "LO", b"ACME") + el(0x00191001, "LO", b"x ")
    strange = seq(STEPS, item(el(0x00400FFF, "LO", b"x ") + el(0x00080060, "CS", b"CT")))
    query = read(private, el(0x00100020, "LO", b"P1"), strange)
    assert [key.tag for key in query.keys] == [0x00100020, STEPS]
    assert query.keys[1].keys == (Key(0x00080060, "CS", ("CT",)),)
    assert query.unknown == (
        (0x00191001, "(0019,1001)"),
        (0x00400FFF, "ScheduledProcedureStepSequence.(0040,0FFF)"),
    )
    # Left out means: it neither filters nor finds.
    assert Matcher(query.with_keys([])).matches(Row())
    assert refused(private, strict=True) == "(0019,1001): not a key of this service"


@pytest.mark.req("T-15")
def test_the_service_says_what_it_knows() -> None:
    def known(path: tuple[int, ...]) -> bool:
        return path != (0x00080016,)

    data = el(0x00080016, "UI", b"1.2\0") + el(0x00100020, "LO", b"P1")
    query = read_identifier(data, EXPLICIT, level=WORKLIST, known=known)
    assert isinstance(query, Query)
    assert query.level == WORKLIST
    assert query.unknown == ((0x00080016, "SOPClassUID"),)


@pytest.mark.req("T-14")
@pytest.mark.parametrize(
    ("element", "comment"),
    [
        (el(0x00080020, "DA", b"2003-05-05"), "StudyDate: write YYYYMMDD or a range of it"),
        (el(0x00080020, "DA", b"20231301"), "StudyDate: write YYYYMMDD or a range of it"),
        (el(0x00080020, "DA", b"2003.05.05"), "StudyDate: write YYYYMMDD or a range of it"),
        (el(0x00080020, "DA", b"2003*"), "StudyDate: no wild card in VR DA"),
        (el(0x00080020, "DA", b"-"), "StudyDate: write YYYYMMDD or a range of it"),
        (el(0x00080030, "TM", b"25:99 "), "StudyTime: write HHMMSS or a range of it"),
        (el(0x00080030, "TM", b"10-11-12"), "StudyTime: write HHMMSS or a range of it"),
        (el(0x0008002A, "DT", b"2003-05-06"), "AcquisitionDateTime: write YYYYMMDDHHMMSS or a "),
        (el(0x0020000D, "UI", b"*\0"), "StudyInstanceUID: no wild card in VR UI"),
        (el(0x0020000D, "UI", b"1.2.x\0"), "StudyInstanceUID: write UIDs of digits and dots"),
        (el(0x00200011, "IS", b"1.5 "), "SeriesNumber: write a whole number"),
        (el(0x00180050, "DS", b"thin"), "SliceThickness: write a number"),
        (el(0x00101010, "AS", b"0*"), "PatientAge: no wild card in VR AS"),
        (seq(STEPS, item(b""), item(b"")), "ScheduledProcedureStepSequence: more than one item"),
        (seq(STEPS, item(el(0x00400002, "DA", b"May "))), "ScheduledProcedureStepStartDate: writ"),
    ],
)
def test_bad_values_name_the_key_and_its_form_never_the_value(element: bytes, comment: str) -> None:
    said = refused(element)
    assert said.startswith(comment)
    found = read_identifier(element, EXPLICIT)
    assert isinstance(found, BadIdentifier)
    assert found.element
    assert found.kind == ("form" if "item" in comment else "value")


@pytest.mark.req("T-14")
def test_characters_a_vr_does_not_allow_match_nothing_and_are_bad_when_strict() -> None:
    element = el(0x00080060, "CS", b"ct")
    query = read(element)
    assert not Matcher(query).matches(Row({0x00080060: ("CT",)}))
    assert refused(element, strict=True).startswith("Modality: characters or length")
    assert refused(el(0x00080050, "SH", b"x" * 18), strict=True).startswith("AccessionNumber")
    name = el(0x00080005, "CS", b"ISO_IR 192") + el(0x00100010, "PN", ("山" * 64).encode())
    assert read(name, strict=True).first(0x00100010) == "山" * 64


@pytest.mark.req("T-11", "T-12")
def test_what_negotiation_allows_is_no_bad_value() -> None:
    both = Options(empty_value=True, multiple_values=True)
    quotes = el(0x00080020, "DA", b'""')
    assert isinstance(read_identifier(quotes, EXPLICIT, options=both), Query)
    assert refused(quotes).startswith("StudyDate")
    stars = el(0x00080061, "CS", b"C*\\MR ")
    assert refused(stars, options=both) == "ModalitiesInStudy: no wild card among several values"
    assert isinstance(read_identifier(stars, EXPLICIT), Query)


@pytest.mark.req("T-14")
def test_keys_of_a_web_query_are_judged_alike() -> None:
    fault = first_fault([Key(0x00080020, "DA", ("2026-13-01",))], Options())
    assert fault
    assert fault.comment.startswith("StudyDate")
    assert first_fault([Key(0x00080020, "DA", ("20260101-",))], Options()) is None
    opaque = first_fault([Key(0x00282000, "OB", ("x",))], Options())
    assert opaque
    assert opaque.kind == "key"


@pytest.mark.req("T-10", "TT-12")
def test_sequences_nested_too_deep_are_refused() -> None:
    deep = read_identifier(nested(40), EXPLICIT)
    assert isinstance(deep, BadIdentifier)
    assert isinstance(read_identifier(nested(12), EXPLICIT), Query)


VRS = (
    *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "OB", "OW", "PN"),
    *("SH", "SL", "SQ", "SS", "ST", "TM", "UC", "UI", "UL", "UN", "UR", "US", "UT"),
)
TAGS = (
    *(0x00080005, 0x00080020, 0x00080030, 0x00080052, 0x00080060, 0x00080201, 0x0008002A),
    *(0x00100010, 0x00100020, 0x0020000D, 0x00200011, 0x00280010, STEPS, 0x00400002, 0x00400003),
    *(0x00091001, 0x00090010, 0x7FE00010, 0x00080000, 0x00081140, 0xFFFEE000, 0x00189087),
)
VALUES = (
    *(b"", b"*", b"?", b"-", b"20240101-", b"1015-0900", b'""', b"1.2.3\0", b"ISO 2022 IR 87\\x"),
    *(b"\xff\xfe", b"\x1b$B;3", b"a\\b\\", b"=^=", b"+9999", b"2009-0500-", b"\xfe\xff\x00\xe0"),
    b"STUDY ",
)
SYNTAXES = (EXPLICIT, IMPLICIT, BIG)


def generated(chance: random.Random, depth: int, syntax: str) -> bytes:
    """Return elements in any order, lengths sometimes wrong, sequences in sequences."""
    found = []
    for _ in range(chance.randint(0, 4)):
        tag, vr = chance.choice(TAGS), chance.choice(VRS)
        if depth and chance.random() < 0.35:
            inner = [
                item(generated(chance, depth - 1, syntax), syntax, is_open=chance.random() < 0.5)
                for _ in range(chance.choice((0, 1, 1, 2)))
            ]
            is_open = chance.random() < 0.5
            found.append(seq(chance.choice((STEPS, 0x00081140, tag)), *inner, syntax=syntax,
                             is_open=is_open, vr=chance.choice(("SQ", "SQ", "UN"))))  # fmt: skip
        else:
            value = chance.choice(VALUES) if chance.random() < 0.8 else chance.randbytes(6)
            size = chance.choice((-1, -1, -1, -1, 0, 1, 0xFFFE))
            found.append(el(tag, vr, value, syntax, size))
    data = b"".join(found)
    return data[: chance.randint(0, len(data))] if chance.random() < 0.1 else data


@pytest.mark.req("TT-12", "T-10", "T-14")
def test_ten_thousand_generated_identifiers_give_a_query_or_a_refusal() -> None:
    chance = random.Random(12)
    record = Row(
        {
            0x00080020: ("20240101",),
            0x00080030: ("1015",),
            0x00100010: ("Doe^A",),
            0x0008002A: ("2024",),
        },
        {STEPS: (Row({0x00080060: ("CT",)}),)},
    )
    ends = {Query: 0, BadIdentifier: 0}
    for _ in range(10_000):
        syntax = chance.choice(SYNTAXES)
        options = Options(fuzzy=chance.random() < 0.3, time_zone=chance.random() < 0.3)
        found = read_identifier(generated(chance, 3, syntax), syntax, options=options)
        ends[type(found)] += 1
        if isinstance(found, Query):
            matcher = Matcher(found)
            assert matcher.explain(record).matched is matcher.matches(record)
    assert min(ends.values()) > 1000
    assert isinstance(read_identifier(el(0x00100020, "LO", b"P1"), EXPLICIT), Query)


@given(st.binary(max_size=200), st.sampled_from(SYNTAXES))
def test_any_bytes_give_a_query_or_a_refusal(data: bytes, syntax: str) -> None:
    assert isinstance(read_identifier(data, syntax), Query | BadIdentifier)
