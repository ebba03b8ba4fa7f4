import pytest

from tests.dicom.building import BIG, EXPLICIT, IMPLICIT, el, item, seq, small
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.paths import Step, parse_path
from waystation.dicom.tags import format_tag, keyword_of, tag_for, vr_of
from waystation.dicom.values import Value


def head_of(*elements: bytes, syntax: str = EXPLICIT) -> Head:
    return Head.from_bytes(b"".join(elements), syntax)


def step_id(text: bytes, syntax: str = EXPLICIT) -> bytes:
    return item(el(0x00400009, "SH", text, syntax), syntax, is_open=len(text) > 2)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_values_are_read_through_sequences(syntax: str) -> None:
    requests = seq(0x00400275, step_id(b"S1", syntax), step_id(b"S2  ", syntax), syntax=syntax)
    head = head_of(requests, syntax=syntax)
    path = "RequestAttributesSequence.ScheduledProcedureStepID"
    assert head.values(path) == ["S1", "S2"]
    assert head.values("RequestAttributesSequence[1].ScheduledProcedureStepID") == ["S2"]
    assert head.values("(0040,0275)[0].(0040,0009)") == ["S1"]
    assert head.values("RequestAttributesSequence[2].ScheduledProcedureStepID") is None
    assert head.values("RequestAttributesSequence.PatientID") is None
    assert head.has(path)
    assert not head.has("RequestAttributesSequence.PatientID")


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (el(0x00080008, "CS", b"ORIGINAL\\PRIMARY\\ AXIAL "), ["ORIGINAL", "PRIMARY", "AXIAL"]),
        (el(0x00080060, "CS"), []),
        (el(0x00180050, "DS", b"1.50"), ["1.50"]),
        (el(0x00204000, "LT", b" a\\b "), [" a\\b"]),
        (el(0x00280010, "US", b"\0\2"), [512]),
        (el(0x00280010, "US", b"\0\2\1"), [512]),
        (el(0x00280009, "AT", b"\x18\0\x63\x10"), ["(0018,1063)"]),
        (el(0x00189087, "FD", b"\0\0\0\0\0\0\xf8?"), [1.5]),
        (el(0x00281201, "OW", b"\0\0"), []),
        (seq(0x00081140, item(b"")), []),
    ],
)
def test_values_by_vr(element: bytes, expected: list[Value]) -> None:
    head = head_of(element)
    (tag,) = head.elements
    assert head.values(format_tag(tag)) == expected
    assert head.values("PatientID") is None


def test_one_value_can_be_picked() -> None:
    head = head_of(el(0x00080008, "CS", b"ORIGINAL\\PRIMARY"))
    assert head.values("ImageType[1]") == ["PRIMARY"]
    assert head.values("ImageType[2]") == []


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("block", [0x10, 0x42, 0xFF])
def test_a_private_element_is_found_in_whatever_block_its_creator_took(
    syntax: str, block: int
) -> None:
    creator = b"SIEMENS MR HEADER "
    head = head_of(
        el(0x00190000 | block, "LO", creator, syntax),
        el(0x00190000 | block << 8 | 8, "CS", b"IMAGE NUM 4 ", syntax),
        syntax=syntax,
    )
    assert head.values("(0019,SIEMENS MR HEADER,08)") == ["IMAGE NUM 4"]
    assert head.values("(0019,Hologic, Inc.,08)") is None


@pytest.mark.parametrize(
    ("charset", "raw", "name"),
    [
        (b"", b"M\xfcller", "Müller"),
        (b"ISO_IR 100", b"M\xfcller", "Müller"),
        (b"ISO_IR 192", "Müller".encode(), "Müller"),
        (b"ISO_IR 144", "Люк".encode("iso8859-5"), "Люк"),
        (b"GB18030", "王\\小".encode("gb18030"), "王\\小"),
        (b"\\ISO 2022 IR 87", b"Yamada=\x1b$B;3ED\x1b(B", "Yamada=山田"),
        (b"no such set", b"M\xfcller", "Müller"),
    ],
)
def test_text_is_read_in_its_character_set(charset: bytes, raw: bytes, name: str) -> None:
    head = head_of(el(0x00080005, "CS", charset), el(0x00100010, "PN", raw))
    assert head.values("PatientName") == name.split("\\")


def test_items_inherit_the_character_set_or_have_their_own() -> None:
    utf8 = el(0x00080005, "CS", b"ISO_IR 192 ")
    name = el(0x00080104, "LO", "Ä".encode())
    head = head_of(el(0x00080005, "CS", b"ISO_IR 100"), seq(0x00082218, item(utf8 + name)))
    assert head.values("(0008,2218).CodeMeaning") == ["Ä"]
    head = head_of(el(0x00080005, "CS", b"ISO_IR 192"), seq(0x00082218, item(name)))
    assert head.values("(0008,2218).CodeMeaning") == ["Ä"]


def test_signed_values_are_signed_where_the_dictionary_leaves_it_open() -> None:
    signed = el(0x00280103, "US", b"\1\0", IMPLICIT)
    smallest = el(0x00280106, "SS", b"\xff\xff", IMPLICIT)
    assert head_of(signed, smallest, syntax=IMPLICIT).values("(0028,0106)") == [-1]
    assert head_of(smallest, syntax=IMPLICIT).values("(0028,0106)") == [65535]


def test_a_sequence_broken_inside_is_told_when_somebody_looks_into_it() -> None:
    broken = seq(0x00400275, b"\xfe\xff\x00\xe0\x90\0\0\0abcdefgh", syntax=IMPLICIT)
    head = head_of(broken, syntax=IMPLICIT)
    with pytest.raises(DatasetError):
        head.values("RequestAttributesSequence.ScheduledProcedureStepID")


@pytest.mark.parametrize("path", ["", "PatientID.", ".PatientID", "PatientID[x]", "a b", "(0010)"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError):
        parse_path(path)


def test_paths_and_tags_have_names() -> None:
    assert parse_path("(0019,ACME 1.1,0A)[2]") == (Step(0x0019000A, "ACME 1.1", 2),)
    with pytest.raises(ValueError, match="odd group"):
        parse_path("(0018,ACME,08)")
    with pytest.raises(ValueError, match="did you mean PatientID"):
        tag_for("PatientId")
    assert tag_for("PatientID") == tag_for("(0010,0020)") == tag_for("00100020") == 0x00100020
    assert keyword_of(0x00100020) == "PatientID"
    assert keyword_of(0x00190010) == ""
    assert vr_of(0x00100010) == "PN"
    assert vr_of(0x00180060) == "DS"
    assert vr_of(0x00100000) == "UL"
    assert vr_of(0x00190010) == "LO"
    assert vr_of(0x00191008) == vr_of(0x00080000 | 0xFFFE) == "UN"


def test_common_vrs_are_those_of_the_dictionary() -> None:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    from waystation.dicom.tags import _common

    words, vrs = _common()
    for word, tag in words.items():
        assert tag_for_keyword(word) == tag
        assert dictionary_VR(tag) == vrs[tag]


def test_text_is_the_first_value_without_padding() -> None:
    head = Head.from_bytes(small(), EXPLICIT)
    assert head.text(0x00080018) == "1.2.3.4"
    assert head.text(0x00180060) == ""
    assert head_of(el(0x00080008, "CS", b" A \\B")).text(0x00080008) == "A"
