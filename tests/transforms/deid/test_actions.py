"""What becomes of single attributes: actions, depth, what no table lists (D-8 to D-20)."""

from typing import Any

import pytest

from tests.dicom.building import EXPLICIT, IMPLICIT, el, item, seq
from tests.transforms.deid.treating import (
    FORMS,
    INSTANCE,
    MR,
    PRIVATE_CLASS,
    Row,
    done,
    encoded,
    engine,
    head_of,
    object_of,
    said,
    treated,
    tree_of,
)
from waystation.dicom.head import Head

MODIFIED = "retain_modified_dates"
DESCRIPTION, COMMENTS = 0x0008103E, 0x00204000
ALLOW: dict[str, Any] = {"text": {"mode": "allow-list"}}


@pytest.mark.req("D-8")
@pytest.mark.parametrize(
    ("tag", "vr", "value", "expected"),
    [
        (0x00100021, "LO", "Hospital", None),  # X
        (0x00102160, "SH", "any", None),
        (0x00080050, "SH", "ACC-1", ""),  # Z
        (0x00100030, "DA", "19500101", ""),
        (0x00120010, "LO", "Sponsor", "REMOVED"),  # D
        (0x0040A123, "PN", "Doe^Jane", "REMOVED"),
        (0x00340007, "OB", b"\1\2\3\4", ""),
        (0x0072005E, "AE", "PACS", "REMOVED"),
        (0x0072005F, "AS", "045Y", "000Y"),
        (0x00720061, "DA", "20200310", "19000101"),
        (0x0072006B, "TM", "1234", "000000"),
        (0x00720063, "DT", "20200310", "19000101000000"),
        (0x0008009C, "PN", "Doe^Jane", ""),
    ],
)
def test_codes_of_the_table_do_what_they_say(
    tag: int, vr: str, value: str | bytes, expected: str | None
) -> None:
    tree = treated(engine(), head_of((tag, vr, value)))
    assert said(tree, tag) == expected
    inside = treated(engine(), head_of((0x52009229, "SQ", [[(tag, vr, value)]])))
    assert said(inside, 0x52009229, tag) == expected


@pytest.mark.req("D-8", "D-9")
def test_a_choice_depends_on_the_type_in_this_kind_of_object() -> None:
    rows: list[Row] = [(0x00080023, "DA", "20200310"), (0x00181000, "LO", "SN-1")]
    ct = treated(engine(), head_of(*rows))
    assert (said(ct, 0x00080023), said(ct, 0x00181000)) == ("", None)
    unknown = treated(engine(), head_of(*rows, sop_class=PRIVATE_CLASS))
    assert (said(unknown, 0x00080023), said(unknown, 0x00181000)) == ("19000101", "REMOVED")


@pytest.mark.req("D-10")
def test_dummies_fill_nothing_that_was_empty_or_absent() -> None:
    rows: list[Row] = [(0x00720061, "DA", ""), (0x00120010, "LO", "")]
    tree = treated(engine(), head_of(*rows, sop_class=MR))
    assert said(tree, 0x00720061) == ""
    assert said(tree, 0x00120010) == "REMOVED"  # of Type 1
    assert said(tree, 0x0012001F) is None
    assert said(tree, 0x00120020) is None


@pytest.mark.req("D-8")
def test_sequences_keep_cleaned_items_or_go_with_them() -> None:
    name: list[Row] = [(0x00100010, "PN", "Doe^Jane"), (0x00280010, "US", b"\1\0")]
    rows: list[Row] = [
        (0x00081140, "SQ", [[(0x00081155, "UI", "1.2.3.4.9")]]),
        (0x0040A073, "SQ", [name]),
        (0x00400275, "SQ", [name]),
        (0x00400610, "SQ", [name]),
    ]
    tree = treated(engine(), head_of(*rows, sop_class=PRIVATE_CLASS))
    assert said(
        tree,
        0x00081140,
        0x00081155,
    ) not in (None, "1.2.3.4.9")
    assert said(tree, 0x0040A073, 0x00100010) == ""
    assert said(tree, 0x0040A073, 0x00280010) is not None
    assert 0x00400275 not in tree
    emptied = tree.get(0x00400610)
    assert emptied is not None
    assert emptied.items == []


@pytest.mark.req("D-14")
@pytest.mark.parametrize("depth", [1, 5, 30])
@pytest.mark.parametrize("syntax", FORMS)
def test_every_depth_is_reached(depth: int, syntax: str) -> None:
    inner: list[Row] = [(0x00100010, "PN", "Doe^Jane"), (0x00081155, "UI", INSTANCE)]
    for _ in range(depth):
        inner = [(0x52009230, "SQ", [inner, inner])] if depth < 3 else [(0x52009230, "SQ", [inner])]
    head = head_of(*inner, syntax=syntax)
    result = done(engine(), head)
    assert b"Doe" not in result.head
    assert INSTANCE.encode() not in result.head
    path = (0x52009230,) * depth
    assert said(tree_of(result, head), *path, 0x00081155) == result.identity.sop_instance_uid


@pytest.mark.req("D-14", "D-7")
def test_items_inside_un_are_reached_too() -> None:
    name = el(0x00100010, "PN", b"Doe^Jane", IMPLICIT)
    rows = object_of(sop_class=PRIVATE_CLASS)
    hidden = seq(0x00081140, item(name, IMPLICIT, is_open=True), vr="UN", is_open=True)
    data = encoded(rows[:1]) + hidden + encoded(rows[1:])
    assert b"Doe" not in done(engine(), Head.from_bytes(data, EXPLICIT)).head
    plain = seq(0x00081140, item(name, IMPLICIT), vr="UN")
    data = encoded(rows[:1]) + plain + encoded(rows[1:])
    assert b"Doe" not in done(engine(), Head.from_bytes(data, EXPLICIT)).head


@pytest.mark.req("D-7")
@pytest.mark.parametrize("tag", [0x00080059, 0x0072FFF0, 0x10FF0010])
def test_what_no_dictionary_knows_goes(tag: int) -> None:
    for vr in ("UN", "LO", "ZZ"):
        data = [*object_of()[:2], (tag, vr, "Secret"), *object_of()[2:]]
        rows = sorted(data, key=lambda row: row[0])
        assert b"Secret" not in done(engine(), Head.from_bytes(encoded(rows), EXPLICIT)).head
    assert b"Secret" not in done(engine(), head_of((tag, "LO", "Secret"), syntax=IMPLICIT)).head


@pytest.mark.req("D-7", "D-8")
def test_an_element_written_as_un_is_treated_by_its_tag() -> None:
    tree = treated(
        engine(), head_of((0x00100010, "UN", "Doe^Jane"), (0x00080020, "UN", "20200310"))
    )
    assert said(tree, 0x00100010) == said(tree, 0x00100020)
    assert said(tree, 0x00080020) == ""


@pytest.mark.req("D-8")
def test_items_where_a_value_belongs_go_and_values_where_items_belong() -> None:
    rows: list[Row] = [(0x00100010, "SQ", [[(0x00104000, "LT", "Secret")]])]
    assert b"Secret" not in done(engine(), head_of(*rows)).head
    assert b"Secret" not in done(engine(), head_of((0x00082218, "LO", "Secret"))).head


@pytest.mark.req("D-16", "D-20")
def test_pixels_where_none_belong_and_text_where_numbers_belong_go() -> None:
    inner: list[Row] = [(0x00280010, "US", b"\1\0"), (0x7FE00010, "OW", b"face")]
    rows: list[Row] = [
        (0x00280008, "LT", "Secret"),
        (0x52009229, "SQ", [inner]),
        (0x7F000010, "OW", b"face"),
    ]
    made = done(engine(), head_of(*rows)).head
    assert b"face" not in made
    assert b"Secret" not in made
    for row in ((0x00280010, "LT", "Secret"), (0x00180050, "DS", "1\\2Secret3")):
        assert b"Secret" not in done(engine(), head_of(row)).head
    kept = done(engine(), head_of((0x00180050, "DS", "-1.5e+3\\ 2")))
    assert b"-1.5e+3\\ 2" in kept.head


@pytest.mark.req("D-15")
def test_dates_outside_the_table_follow_the_option() -> None:
    tag = 0x00143076  # Date of Gain Calibration: the table does not name it
    head = head_of((tag, "DA", "20200310"), (0x00080020, "DA", "20200310"))
    assert said(treated(engine(), head), tag) is None
    moved = treated(engine(MODIFIED), head)
    assert said(moved, tag) == said(moved, 0x00080020) != "20200310"
    assert said(treated(engine("retain_full_dates"), head), tag) == "20200310"


@pytest.mark.req("D-16")
def test_other_attributes_stay_or_go_as_the_profile_says() -> None:
    rows: list[Row] = [
        (0x00280010, "US", b"\2\0"),
        (0x00181160, "SH", "FLAT chest Miller"),
        (0x00180050, "DS", "5"),
    ]
    keep, clean, remove = (
        treated(engine(unlisted=word, **ALLOW), head_of(*rows))
        for word in ("keep", "clean", "remove")
    )
    assert said(keep, 0x00181160) == "FLAT chest Miller"
    assert said(clean, 0x00181160) == "chest"
    assert 0x00181160 not in remove
    for tree in (keep, clean, remove):
        assert 0x00280010 in tree
        assert said(tree, 0x00180050) == "5"


@pytest.mark.req("D-20")
def test_overlays_curves_icons_and_signatures_go() -> None:
    rows: list[Row] = [
        (0x50000010, "US", b"\2\0"),
        (0x50002500, "LO", "Curve of Doe"),
        (0x60020010, "US", b"\2\0"),
        (0x60020022, "LO", "Overlay of Doe"),
        (0x60023000, "OW", b"\0\1"),
        (0x00880200, "SQ", [[(0x00280010, "US", b"\2\0")]]),
        (0x04000561, "SQ", [[(0x04000562, "DT", "2020")]]),
        (0x04000500, "SQ", [[(0x04000520, "OB", b"\1\2")]]),
        (0x4FFE0001, "SQ", [[(0x04000015, "CS", "SHA1")]]),
        (0xFFFAFFFA, "SQ", [[(0x04000120, "OB", b"\1\2")]]),
        (0xFFFCFFFC, "OB", b"\0\0"),
    ]
    for options in ((), ("retain_uids", "retain_full_dates", "clean_graphics")):
        tree = treated(engine(*options), head_of(*rows))
        assert not {row[0] for row in rows} & {elem.tag for elem in tree.elements}


@pytest.mark.req("D-16", "D-39")
@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00280106, "OB"),  # a number
        (0x00280106, "CS"),
        (0x00180050, "OB"),  # a number as text
        (0x00180050, "CS"),
        (0x00180015, "OB"),  # a code
        (0x00180020, "UT"),
        (0x0008010C, "UI"),  # a UID that is kept
        (0x0008010C, "LO"),
    ],
)
def test_no_text_hides_behind_another_vr_than_that_of_its_attribute(tag: int, vr: str) -> None:
    who = engine(verify="off")
    secret = "Bloggs^Joe born 19610203"
    assert secret.encode() not in done(who, head_of((tag, vr, secret))).head
