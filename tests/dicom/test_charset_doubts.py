"""One warning about the text of a data set, and values back into bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dicom.building import BIG, EXPLICIT, el, item, seq
from waystation.dicom.charset_doubts import doubts, warning_of
from waystation.dicom.charset_terms import Fault
from waystation.dicom.charsets import CharsetError
from waystation.dicom.head import Head
from waystation.dicom.value_bytes import value_bytes
from waystation.dicom.values import decode_values


def head_of(*elements: bytes, syntax: str = EXPLICIT) -> Head:
    return Head.from_bytes(b"".join(elements), syntax)


@pytest.mark.req("T-24", "T-25")
def test_one_warning_names_the_elements_of_every_depth() -> None:
    inside = item(el(0x00080104, "LO", b"\xc4ther "))
    head = head_of(
        el(0x00081030, "LO", b"\xc4 "), seq(0x00082218, inside), el(0x00100010, "PN", b"M\xfcller")
    )
    assert doubts(head) == {Fault.GUESSED: [0x00081030, 0x00080104, 0x00100010]}
    assert warning_of(head) == (
        "character set: StudyDescription, CodeMeaning, PatientName: "
        "no character set is named, so its text is a guess"
    )


@pytest.mark.req("T-24")
def test_sound_text_and_ascii_give_no_warning() -> None:
    latin = el(0x00080005, "CS", b"ISO_IR 100")
    assert warning_of(head_of(latin, el(0x00100010, "PN", b"M\xfcller"))) == ""
    assert warning_of(head_of(el(0x00100010, "PN", b"Doe "))) == ""
    misspelt = el(0x00080005, "CS", b"ISO-IR 100")
    assert warning_of(head_of(misspelt, el(0x00100010, "PN", b"M\xfcller"))) == (
        "character set: PatientName: (0008,0005) misspells a term"
    )
    many = [el(0x00081030 + n, "LO", b"\xc4 ") for n in (0, 0x0E, 0x10, 0x20)]
    assert warning_of(head_of(*many)).count("and 1 more") == 1


@given(
    st.sampled_from(["US", "SS", "UL", "SL", "UV", "SV"]),
    st.lists(st.integers(0, 2**15 - 1), max_size=4),
    st.booleans(),
)
def test_numbers_come_back(vr: str, numbers: list[int], big: bool) -> None:
    raw = value_bytes([str(number) for number in numbers], vr, big_endian=big)
    assert decode_values(raw, vr, big_endian=big) == numbers


@pytest.mark.parametrize(
    ("values", "vr"),
    [(["70000"], "US"), (["x"], "SL"), (["1e39"], "FL"), (["1"], "OB"), (["-1"], "UL")],
)
def test_what_a_vr_cannot_hold_is_refused(values: list[str], vr: str) -> None:
    with pytest.raises(ValueError):
        value_bytes(values, vr)


def test_text_tags_and_floats_come_back() -> None:
    assert value_bytes(["山", "田"], "LO", "\\ISO 2022 IR 87").count(b"\x1b(B") == 2
    with pytest.raises(CharsetError):
        value_bytes(["山"], "LO", "ISO_IR 100")
    assert value_bytes(["", ""], "LO") == b""
    assert value_bytes(["(0018,1063)"], "AT") == b"\x18\0\x63\x10"
    raw = value_bytes(["1.5", "-2"], "FD", big_endian=True)
    assert head_of(el(0x00189087, "FD", raw, BIG), syntax=BIG).values("(0018,9087)") == [1.5, -2]
