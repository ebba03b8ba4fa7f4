import pytest

from tests.dicom.building import BIG, EXPLICIT, IMPLICIT, el, item, seq, small
from waystation.dicom.head import Head
from waystation.dicom.limits import WalkLimits
from waystation.dicom.splice import replace

FORMS = [EXPLICIT, IMPLICIT, BIG]


@pytest.mark.req("N-4")
@pytest.mark.parametrize("syntax", FORMS)
def test_only_what_is_named_changes(syntax: str) -> None:
    before = el(0x00080060, "CS", b"CT", syntax)
    odd = el(0x00090011, "LO", b"odd", syntax)
    patient = el(0x00100020, "LO", b"OLD ", syntax)
    sequence = seq(0x00400275, item(odd, syntax, is_open=True), syntax=syntax, is_open=True)
    head = Head.from_bytes(before + odd + patient + sequence, syntax)
    new = replace(
        head,
        {0x00100020: b"NEW", 0x00080050: b"ACC1", 0x00080060: None, 0x00880140: b"1.2", 0x8: None},
    )
    assert new == (
        el(0x00080050, "SH", b"ACC1", syntax)
        + odd
        + el(0x00100020, "LO", b"NEW ", syntax)
        + sequence
        + el(0x00880140, "UI", b"1.2\0", syntax)
    )
    assert replace(head, {}) is head.data


def test_head_and_tail_fit_together_again() -> None:
    data = small()
    head = Head.from_bytes(data, EXPLICIT)
    new = replace(head, {0x00100010: b"Anonymous", 0x00400275: None})
    again = Head.from_bytes(new + data[head.pixel_offset :], EXPLICIT)
    assert again.text(0x00100010) == "Anonymous"
    assert again.elements.keys() == head.elements.keys()
    assert again.total_length == len(new) + len(data) - head.pixel_offset


def test_group_lengths_of_touched_groups_are_dropped_and_others_stay() -> None:
    lengths = [el(group << 16, "UL", b"\x10\0\0\0") for group in (0x0008, 0x0010, 0x0018)]
    rows = [
        *(lengths[0], el(0x00080001, "UL", b"\0\1\0\0"), el(0x00080060, "CS", b"CT")),
        *(lengths[1], el(0x00100020, "LO", b"X "), lengths[2], el(0x00180015, "CS", b"HEAD")),
    ]
    head = Head.from_bytes(b"".join(rows), EXPLICIT)
    new = replace(head, {0x00100020: b"Y "})
    assert new == rows[0] + rows[2] + el(0x00100020, "LO", b"Y ") + rows[5] + rows[6]


def test_no_occurrence_of_a_repeated_element_survives() -> None:
    name = el(0x00100010, "PN", b"Secret")
    head = Head.from_bytes(name + el(0x00080060, "CS", b"CT") + name + name, EXPLICIT)
    assert b"Secret" not in replace(head, {0x00100010: None})
    assert replace(head, {0x00100010: b"X "}) == (
        el(0x00100010, "PN", b"X ") + el(0x00080060, "CS", b"CT")
    )


def test_a_vr_may_be_given_and_the_old_one_is_kept() -> None:
    head = Head.from_bytes(el(0x00280106, "SS", b"\xff\xff"), EXPLICIT)
    assert replace(head, {0x00280106: b"\1\0"}) == el(0x00280106, "SS", b"\1\0")
    assert replace(head, {0x00091001: ("DS", b"1.5")}).startswith(el(0x00091001, "DS", b"1.5 "))


def test_what_lies_in_the_tail_cannot_be_changed() -> None:
    pixels = el(0x7FE00010, "OB", b"ab")
    patient = el(0x00100020, "LO", b"A ")
    head = Head.from_bytes(patient + pixels + patient + el(0x00080050, "SH"), EXPLICIT)
    for tag in (0x7FE00010, 0xFFFCFFFC, 0x00100020, 0x00080050):
        with pytest.raises(ValueError, match="tail"):
            replace(head, {tag: None})
    cut = Head.from_bytes(patient * 9, EXPLICIT, limits=WalkLimits(head_elements=5))
    assert not cut.whole
    with pytest.raises(ValueError, match="tail"):
        replace(cut, {0x00200010: b"1 "})


def test_an_empty_last_element_belongs_to_the_head() -> None:
    data = el(0x00080060, "CS") + el(0x7FE00010, "OB", b"ab")
    head = Head.from_bytes(data, EXPLICIT)
    assert replace(head, {0x00080060: b"CT"}) == el(0x00080060, "CS", b"CT")


def test_a_value_too_long_for_its_vr_is_refused() -> None:
    head = Head.from_bytes(b"", EXPLICIT)
    with pytest.raises(ValueError, match="cannot hold"):
        replace(head, {0x00100020: bytes(65_536)})
