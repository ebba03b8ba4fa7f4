"""What becomes of single attributes: actions, depth, dates, names, references, marks."""

from typing import Any

import pytest

from tests.dicom.building import EXPLICIT, IMPLICIT, el, item, mark, seq
from tests.transforms.deid.treating import (
    FORMS,
    INSTANCE,
    MR,
    PRIVATE_CLASS,
    STUDY,
    Row,
    done,
    encoded,
    engine,
    head_of,
    object_of,
    said,
    treated,
    tree_of,
    why_held,
)
from waystation.dicom.head import Head
from waystation.dicom.limits import WalkLimits
from waystation.transforms.deid.engine import tail_end
from waystation.transforms.deid.pseudonyms import Pseudonym
from waystation.transforms.deid.result import DeidFacts
from waystation.transforms.deid.uids import new_uid

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


@pytest.mark.req("D-15")
def test_dates_names_and_uids_that_no_table_lists_are_treated_all_the_same() -> None:
    unlisted: list[Row] = [
        (0x00180072, "DS", "5"),
        (0x00189074, "DT", "20200310"),
        (0x0018A807, "DA", "20200310"),
        (0x00280304, "UI", "1.2.3.4.5.77"),
        (0x00080117, "UI", "1.2.3.4.5.78"),
        (0x00404034, "PN", "Doe^Jane"),
    ]
    date = (0x00404011, "DT", "20200310")
    tree = treated(engine(), head_of(*unlisted, date, (0x00080119, "UC", "x")))
    assert said(tree, 0x00280304) not in (None, "1.2.3.4.5.77")
    assert said(tree, 0x00080117) == "1.2.3.4.5.78"
    assert said(tree, 0x00180072) == "5"
    for kind in ("DA", "TM", "DT", "PN"):
        wrong = head_of((0x00189999, kind, "20200310"), (0x00280010, "US", b"\1\0"))
        assert said(treated(engine(), wrong), 0x00189999) is None
    kept = treated(engine("retain_uids"), head_of(*unlisted))
    assert said(kept, 0x00280304) == "1.2.3.4.5.77"
    assert said(kept, 0x00080018) == INSTANCE


@pytest.mark.req("D-15")
def test_dates_outside_the_table_follow_the_option() -> None:
    # Date of Installation (0018,1205) is listed; Calibration Date/Time of a display is not.
    unlisted = (0x30100063, "DT", "20200310")
    from waystation.dicom.tags import vr_of
    from waystation.transforms.deid_table import row_of

    tag = next(
        tag
        for tag in range(0x00080000, 0x00430000)
        if row_of(tag) is None and tag & 0xFFFF and not tag & 0x10000 and vr_of(tag) == "DA"
    )
    head = head_of((tag, "DA", "20200310"), (0x00080020, "DA", "20200310"))
    assert unlisted[0] not in treated(engine(), head)
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


@pytest.mark.req("D-12", "D-20")
def test_graphics_of_an_object_that_a_person_looked_at_stay_without_their_texts() -> None:
    graphic = [(0x00700009, "SQ", [[(0x00700022, "FL", bytes(8))]])]
    text: list[Row] = [(0x00700008, "SQ", [[(0x00700006, "ST", "Doe")]])]
    rows: list[Row] = [
        (0x60000010, "US", b"\2\0"),
        (0x60000022, "LO", "Overlay of Doe chest"),
        (0x60003000, "OW", b"\0\1"),
        (0x60020010, "US", b"\2\0"),
        (0x00700001, "SQ", [[*text, *graphic], text]),
        (0x00280010, "US", b"\1\0"),
    ]
    data = encoded(object_of(*rows)) + el(0x7FE00010, "OW", b"\0\1")
    head = Head.from_bytes(data, EXPLICIT)
    who = engine("clean_graphics", "clean_pixel_data", **ALLOW)
    tree = treated(who, head, DeidFacts(approved=True))
    assert said(tree, 0x60000022) == "of chest"
    assert 0x60003000 in tree
    assert 0x60020010 not in tree
    annotations = tree.get(0x00700001)
    items = annotations.items if annotations is not None else None
    assert items is not None
    assert [[e.tag for e in one.elements] for one in items] == [[0x00700009]]
    assert 0x60003000 not in treated(who, head)


@pytest.mark.req("D-23", "D-26")
def test_one_uid_has_one_successor_everywhere() -> None:
    rows: list[Row] = [
        (0x00081140, "SQ", [[(0x00081155, "UI", INSTANCE)]]),
        (0x00189999, "UI", STUDY),
        (0x00280304, "UI", INSTANCE + "\\" + STUDY),
        (0x00081190, "UR", f"https://pacs.example/studies/{STUDY}"),
        (0x00181160, "SH", f"of {INSTANCE}"),
    ]
    first = done(engine(), head_of(*rows))
    tree = tree_of(first, head_of(*rows))
    own, study = first.identity.sop_instance_uid, first.identity.study_uid
    assert said(tree, 0x00081140, 0x00081155) in (own, None)
    assert said(tree, 0x00280304) == f"{own}\\{study}"
    assert said(tree, 0x00081190) == f"https://pacs.example/studies/{study}"
    assert said(tree, 0x00181160) == f"of {own}"
    other = done(engine(), head_of((0x00080018, "UI", "1.2.3.4.5.9")))
    assert other.identity.study_uid == study
    assert other.identity.sop_instance_uid != own


@pytest.mark.req("D-22")
def test_text_that_its_character_set_cannot_say_goes_and_is_reported() -> None:
    tag = 0x00181160
    for charset, raw in (
        ("ISO_IR 192", b"M\xfcller"),
        ("", b"\xff\xfe\x80"),
        ("ISO_IR 87", b"\x1b$Bx"),
    ):
        head = head_of(
            (0x00080005, "CS", charset), (tag, "SH", raw), (0x00180015, "CS", b"H\xc4ND")
        )
        result = done(engine(), head)
        tree = tree_of(result, head)
        assert raw not in result.head
        assert 0x00180015 not in tree
        assert result.report.unreadable >= 1


@pytest.mark.req("D-22")
@pytest.mark.parametrize(
    ("declared", "text", "expected"),
    [
        ("ISO_IR 192", "FLAT", None),
        ("ISO_IR 192", "Fläche", "ISO_IR 192"),
        ("ISO 2022 IR 100\\ISO 2022 IR 126", "Fläche", "ISO_IR 100"),
        ("ISO 2022 IR 6\\ISO 2022 IR 87", "胸部", "ISO_IR 192"),
    ],
)
def test_the_smallest_character_set_that_fits_is_declared(
    declared: str, text: str, expected: str | None
) -> None:
    from waystation.dicom.charsets import decode, encode

    inner: list[Row] = [
        (0x00080005, "CS", declared),
        (0x00181160, "SH", encode(text, declared, "SH")),
    ]
    head = head_of(
        (0x00080005, "CS", declared),
        (0x00181160, "SH", encode(text, declared, "SH")),
        (0x00189346, "SQ", [inner]),
    )
    tree = treated(engine(), head)
    assert said(tree, 0x00080005) == expected
    for place in (tree, (tree.get(0x00189346) or tree.elements[0]).items[0]):  # type: ignore[index]
        elem = place.get(0x00181160)
        assert elem is not None
        assert decode(elem.value or b"", expected or "", "SH").strip() == text
    assert said(tree, 0x00189346, 0x00080005) is None


@pytest.mark.req("D-27", "D-29")
def test_name_and_id_get_one_pseudonym_and_other_patients_another() -> None:
    other: list[Row] = [(0x00100010, "PN", "Twin^A"), (0x00100020, "LO", "PID-4712")]
    same: list[Row] = [(0x00100010, "PN", "Muster^E"), (0x00100020, "LO", " PID-4711")]
    nameless: list[Row] = [(0x00100010, "PN", "Nobody")]
    head = head_of((0x00082112, "SQ", [other, same, nameless]), sop_class=PRIVATE_CLASS)
    tree = treated(engine(pseudonym={"prefix": "LUNG-"}), head)
    name = said(tree, 0x00100020)
    assert name is not None
    assert name.startswith("LUNG-")
    assert said(tree, 0x00100010) == name
    twin = said(tree, (0x00082112, 0), 0x00100020)
    assert twin == said(tree, (0x00082112, 0), 0x00100010)
    assert twin != name
    assert said(tree, (0x00082112, 1), 0x00100010) == name
    assert said(tree, (0x00082112, 2), 0x00100010) == ""


@pytest.mark.req("D-27")
def test_no_patient_id_is_held_or_the_study_stands_for_the_patient() -> None:
    head = head_of((0x00100020, "LO", " "))
    assert "no Patient ID" in why_held(engine(), head)
    tree = treated(engine(missing_id="study"), head)
    assert said(tree, 0x00100020) == said(tree, 0x00100010) != ""
    other = treated(
        engine(missing_id="study"), head_of((0x00100020, "LO", ""), (0x0020000D, "UI", "1.9"))
    )
    assert said(other, 0x00100020) != said(tree, 0x00100020)


@pytest.mark.req("D-29")
def test_pseudonyms_of_a_table_come_with_the_facts() -> None:
    who = engine(MODIFIED, pseudonym={"source": "csv"})
    head = head_of((0x00080020, "DA", "20200310"))
    assert "no pseudonym" in why_held(who, head)
    found = who.patient(head)
    assert found is not None
    assert (found.issuer, found.patient_id) == ("", "PID-4711")
    tree = treated(who, head, DeidFacts(pseudonym=Pseudonym("S-1", "Subject^One", -1)))
    assert (said(tree, 0x00100020), said(tree, 0x00100010)) == ("S-1", "Subject^One")
    assert said(tree, 0x00080020) == "20200309"
    calculated = engine(pseudonym={"source": "csv", "missing": "hmac"})
    assert said(treated(calculated, head), 0x00100020) == said(treated(engine(), head), 0x00100020)
    assert engine().patient(head) is None


@pytest.mark.req("D-29")
def test_an_empty_pseudonym_is_what_the_table_says() -> None:
    tree = treated(engine(pseudonym={"source": "empty"}), head_of())
    assert (said(tree, 0x00100010), said(tree, 0x00100020)) == ("", "")


@pytest.mark.req("D-29")
def test_codes_for_subject_accession_and_study_are_stable() -> None:
    who = engine(pseudonym={"prefix": "P-", "also": ["subject", "accession", "study"]})
    rows: list[Row] = [
        (0x00080050, "SH", "ACC-1"),
        (0x00120040, "LO", "S-9"),
        (0x00200010, "SH", "7"),
        (0x00400275, "SQ", [[(0x00080050, "SH", "ACC-1")]]),
    ]
    tree = treated(who, head_of(*rows))
    assert said(tree, 0x00120040) == said(tree, 0x00100020)
    for tag in (0x00080050, 0x00200010):
        code = said(tree, tag)
        assert code is not None
        assert len(code) == 12
    again = treated(who, head_of(*rows, (0x00080020, "DA", "20200101")))
    assert said(again, 0x00080050) == said(tree, 0x00080050)


@pytest.mark.req("D-28")
def test_dates_move_together_and_unreadable_ones_go() -> None:
    rows: list[Row] = [
        (0x00080020, "DA", "20200310"),
        (0x0008002A, "DT", "20200312101112+0100"),
        (0x00080021, "DA", "2020.03.11"),
        (0x00080030, "TM", "101112"),
        (0x00080022, "DA", "yesterday"),
        (0x00080032, "TM", "Miller"),
        (0x00080201, "SH", "+0100"),
        (0x00100030, "DA", "19500101"),
        (0x00081140, "SQ", [[(0x00080023, "DA", "20200310")]]),
    ]
    head = head_of(*rows, sop_class=PRIVATE_CLASS)
    result = done(engine(MODIFIED), head)
    tree = tree_of(result, head)
    first = said(tree, 0x00080020)
    assert first is not None
    assert first != "20200310"
    assert int(said(tree, 0x0008002A)[:8]) - int(first) in (2, 73, 74, 72, 71)  # type: ignore[index]
    assert said(tree, 0x0008002A)[8:] == "101112"  # type: ignore[index]
    assert said(tree, 0x00080030) == "101112"
    assert said(tree, 0x00080022) == "19000101"
    assert said(tree, 0x00080032) == "000000"
    assert 0x00080201 not in tree
    assert said(tree, 0x00100030) == ""
    assert said(tree, 0x00081140, 0x00080023) == first
    assert result.report.unreadable == 2
    kept = engine(MODIFIED, dates={"keep_timezone": True})
    assert said(treated(kept, head), 0x00080201) == "+0100"


@pytest.mark.req("D-28", "D-39")
def test_a_date_that_would_fall_before_1900_holds_the_object() -> None:
    why = why_held(engine(MODIFIED), head_of((0x00080020, "DA", "19000102")))
    assert "before 1900" in why
    assert "19000102" not in why


@pytest.mark.req("D-12")
def test_ages_are_capped_and_ae_titles_get_aliases() -> None:
    ages = engine("retain_patient_characteristics")
    for age, expected in (("089Y", "089Y"), ("090Y", "090Y"), ("104Y", "090Y"), ("011M", "011M")):
        assert said(treated(ages, head_of((0x00101010, "AS", age))), 0x00101010) == expected
    assert 0x00101010 not in treated(ages, head_of((0x00101010, "AS", "old")))
    titles = engine("retain_device_identity")
    tree = treated(titles, head_of((0x00080055, "AE", "CT_1\\CT_2"), (0x00080054, "AE", "CT_1")))
    one, two = (said(tree, 0x00080055) or "").split("\\")
    assert said(tree, 0x00080054) == one != two
    assert max(len(one), len(two)) <= 16


@pytest.mark.req("D-12", "D-13")
def test_descriptors_keep_known_words_and_registered_codes() -> None:
    code: list[Row] = [(0x00080100, "SH", "T-1"), (0x00080102, "SH", "SCT")]
    local: list[Row] = [
        (0x00080100, "SH", "X"),
        (0x00080102, "SH", "99MUC"),
        (0x00080104, "LO", "Doe"),
    ]
    rows: list[Row] = [
        (DESCRIPTION, "LO", "Chest for Miller Erika"),
        (COMMENTS, "LT", "call Miller"),
        (0x00081084, "SQ", [code, local]),
        (0x00082218, "SQ", [local]),
    ]
    head = head_of(*rows)
    result = done(engine("clean_descriptors", **ALLOW), head)
    tree = tree_of(result, head)
    assert said(tree, DESCRIPTION) == "Chest for"
    assert COMMENTS not in tree
    kept = tree.get(0x00081084)
    assert kept is not None
    assert [one.text(0x00080102) for one in kept.items or ()] == ["SCT"]
    assert 0x00082218 not in tree
    assert result.report.tokens_removed >= 3
    assert DESCRIPTION not in treated(engine("clean_descriptors"), head)


@pytest.mark.req("D-12", "D-21")
def test_content_trees_keep_codes_and_numbers_and_lose_persons_and_texts() -> None:
    def content(kind: str, concept: tuple[str, str], *rows: Row) -> list[Row]:
        scheme, code = concept
        name: list[Row] = [(0x00080100, "SH", code), (0x00080102, "SH", scheme)]
        return sorted(
            [(0x0040A040, "CS", kind), (0x0040A043, "SQ", [name]), *rows], key=lambda row: row[0]
        )

    coded: list[Row] = [(0x00080100, "SH", "1"), (0x00080102, "SH", "SCT")]
    local: list[Row] = [(0x00080100, "SH", "1"), (0x00080102, "SH", "99X")]
    old: list[Row] = [(0x0040A30A, "DS", "95")]
    items = [
        content("TEXT", ("DCM", "121106"), (0x0040A160, "UT", "chest of Miller")),
        content("PNAME", ("DCM", "121008"), (0x0040A123, "PN", "Doe^Jane")),
        content("PNAME", ("LN", "18774-0"), (0x0040A123, "PN", "Doe^Jane")),
        content("TEXT", ("99X", "1"), (0x0040A160, "UT", "chest")),
        content("CODE", ("DCM", "121401"), (0x0040A168, "SQ", [coded])),
        content("CODE", ("DCM", "121401"), (0x0040A168, "SQ", [local])),
        content("NUM", ("DCM", "121033"), (0x0040A300, "SQ", [old])),
        content("TEXT", ("DCM", "121013"), (0x0040A160, "UT", "scan")),
        content(
            "CONTAINER",
            ("DCM", "121070"),
            (0x0040A730, "SQ", [content("TEXT", ("DCM", "121030"), (0x0040A160, "UT", "chest"))]),
        ),
    ]
    head = head_of(
        (0x0040A730, "SQ", items), sop_class="1.2.840.10008.5.1.4.1.1.88.33", modality="SR"
    )
    who = engine(
        "clean_structured_content",
        "retain_patient_characteristics",
        "retain_modified_dates",
        **ALLOW,
    )
    result = done(who, head)
    tree = tree_of(result, head)
    left = (tree.get(0x0040A730) or tree.elements[0]).items or []
    assert [one.text(0x0040A040) for one in left] == ["TEXT", "PNAME", "CODE", "CONTAINER"]
    assert left[0].text(0x0040A160) == "chest of"
    assert left[1].text(0x0040A123) == "REMOVED"
    assert 0x0040A730 not in left[3]
    assert b"Doe" not in result.head
    assert b"Miller" not in result.head
    assert "structured report" in why_held(engine(), head)
    dummy = tree_of(done(engine(documents="dummy"), head), head)
    assert said(dummy, 0x0040A730, 0x0040A160) == "REMOVED"
    assert len((dummy.get(0x0040A730) or dummy.elements[0]).items or []) == 1


@pytest.mark.req("D-21")
def test_encapsulated_documents_are_held_or_replaced() -> None:
    pdf = "1.2.840.10008.5.1.4.1.1.104.1"
    rows: list[Row] = [(0x00420011, "OB", b"%PDF secret"), (0x00420015, "UL", bytes(4))]
    head = head_of(*rows, sop_class=pdf, modality="DOC")
    assert "encapsulated document" in why_held(engine(), head)
    result = done(engine(documents="dummy"), head)
    assert b"secret" not in result.head
    assert b"(REMOVED) Tj" in result.head
    other = head_of(*rows, sop_class="1.2.840.10008.5.1.4.1.1.104.3", modality="DOC")
    assert said(treated(engine(documents="dummy"), other), 0x00420011) == ""


@pytest.mark.req("D-21")
@pytest.mark.parametrize("name", ["9.4.1", "9.4.2", "77.1.1.1", "77.1.2.1", "77.1.4.1"])
def test_audio_and_video_are_held_unless_the_profile_names_them(name: str) -> None:
    uid = "1.2.840.10008.5.1.4.1.1." + name
    head = head_of(sop_class=uid)
    assert "audio and video" in why_held(engine(), head)
    rule = {"sop_class": uid, "do": "keep", "loosen": "synthetic voices"}
    assert done(engine(rule=[rule]), head).report.loosened == ("synthetic voices",)


@pytest.mark.req("D-12")
def test_faces_are_held_unless_a_person_saw_none() -> None:
    who = engine("clean_recognizable_visual_features")
    head = head_of((0x00180015, "CS", "HEAD"))
    assert "recognizable" in why_held(who, head)
    assert "recognizable" in why_held(who, head_of())
    assert "recognizable" in why_held(who, head_of((0x00180015, "CS", "HAND"), modality="XC"))
    assert 0x00280302 not in treated(who, head_of((0x00180015, "CS", "HAND")))
    result = done(who, head, DeidFacts(unrecognizable=True))
    assert said(tree_of(result, head), 0x00280302) == "NO"
    assert "clean_recognizable_visual_features" in result.report.methods
    knee = engine("clean_recognizable_visual_features", visual={"body_parts": ["KNEE"]})
    assert 0x00280302 not in treated(knee, head)


@pytest.mark.req("D-3", "D-18", "D-20")
def test_what_lies_behind_the_pixels_does_not_leave() -> None:
    pixels = el(0x7FE00010, "OW", b"\1\2\3\4")
    fragments = el(0x7FE00010, "OB", size=0xFFFFFFFF) + mark(0xFFFEE000, 4) + b"abcd"
    fragments += mark(0xFFFEE0DD)
    signature = seq(0xFFFAFFFA, item(el(0x04000120, "OB", b"\1\2")))
    for train, syntax in ((pixels, EXPLICIT), (fragments, "1.2.840.10008.1.2.4.50")):
        data = encoded(object_of()) + train + signature
        head = Head.from_bytes(data, syntax)
        result = done(engine(), head)
        assert data[head.pixel_offset : result.tail_end] == train
        again = Head.from_bytes(result.head + train, syntax)
        assert again.text(0x00120062) == "YES"
    cut = Head.from_bytes(data[: head.pixel_offset + 12], syntax, tail_missing=True)
    assert "not read to the end" in why_held(engine(), cut)
    told = done(engine(), cut, DeidFacts(tail_end=tail_end(head)))
    assert told.tail_end == result.tail_end
    misplaced = encoded(object_of()) + pixels + el(0x00100010, "PN", b"Doe^Jane")
    assert "behind the pixels" in why_held(engine(), Head.from_bytes(misplaced, EXPLICIT))


@pytest.mark.req("D-3")
def test_the_original_is_not_touched() -> None:
    head = head_of((0x00082112, "SQ", [[(0x00100010, "PN", "Doe^Jane")]]))
    before = bytes(head.data)
    done(engine(), head)
    assert head.data == before


@pytest.mark.req("D-19", "D-39")
def test_what_cannot_be_an_object_is_held() -> None:
    assert "DICOMDIR" in why_held(engine(), head_of(sop_class="1.2.840.10008.1.3.10"))
    assert "what it is" in why_held(engine(), head_of((0x00080018, "UI", "")))
    data = encoded(object_of((0x00204000, "LT", "x" * 400)))
    head = Head.from_bytes(data, EXPLICIT, limits=WalkLimits(head_bytes=200))
    assert "too large" in why_held(engine(), head)


@pytest.mark.req("D-37")
def test_marks_say_what_was_done_and_keep_what_was_said_before() -> None:
    earlier: list[Row] = [
        (0x00120063, "LO", "Scrubber 3"),
        (0x00120064, "SQ", [[(0x00080100, "SH", "113100"), (0x00080102, "SH", "DCM")]]),
        (0x00280303, "CS", "REMOVED"),
    ]
    who = engine(MODIFIED, "clean_pixel_data", "retain_uids")
    head = head_of()
    tree = treated(who, head)
    assert said(tree, 0x00120062) == "YES"
    methods = (said(tree, 0x00120063) or "").split("\\")
    assert methods[0].startswith("Waystation 1")
    assert methods[1] == f"profile test {who.profile.digest[:16]}"
    assert max(map(len, methods)) <= 64
    codes = [said(tree, (0x00120064, n), 0x00080100) for n in range(4)]
    assert codes == ["113100", "113107", "113110", None]
    assert said(tree, 0x00280303) == "MODIFIED"
    assert 0x00280301 not in tree
    again = treated(who, head_of(*earlier))
    assert (said(again, 0x00120063) or "").startswith("Scrubber 3\\Waystation")
    assert said(again, (0x00120064, 1), 0x00080100) == "113107"
    assert said(again, 0x00280303) == "REMOVED"
    assert said(treated(engine(), head), 0x00280303) == "REMOVED"
    assert said(treated(engine("retain_full_dates"), head), 0x00280303) == "UNMODIFIED"


@pytest.mark.req("D-37")
def test_burned_in_is_denied_only_where_every_frame_was_handled() -> None:
    data = encoded(object_of((0x00280301, "CS", "YES"))) + el(0x7FE00010, "OW", b"\0\1")
    head = Head.from_bytes(data, EXPLICIT)
    who = engine("clean_pixel_data")
    assert "burned-in" in why_held(who, head)
    result = done(who, head, DeidFacts(approved=True))
    assert said(tree_of(result, head), 0x00280301) == "NO"
    assert "clean_pixel_data" in result.report.methods
    assert said(treated(engine(), head), 0x00280301) == "YES"


@pytest.mark.req("D-11")
def test_a_profiles_own_rules_come_before_the_table() -> None:
    rules = [
        {"tag": "ProtocolName", "do": "keep", "loosen": "reviewed"},
        {"tag": "SeriesDescription", "do": "remove"},
        {"tag": "PatientSex", "do": "dummy", "value": "F"},
        {"tag": "(0018,1160)", "do": "uid"},
        {"tag": "BodyPartExamined", "do": "empty"},
        {"tag": "ScanOptions", "do": "dummy"},
        {"tag": "FilterMaterial", "do": "clean"},
    ]
    rows: list[Row] = [
        (0x00181030, "LO", "Protocol 7"),
        (DESCRIPTION, "LO", "chest"),
        (0x00100040, "CS", "M"),
        (0x00181160, "SH", "x"),
        (0x00180015, "CS", "HEAD"),
        (0x00180022, "CS", "AXIAL"),
        (0x00187050, "CS", "COPPER"),
    ]
    result = done(engine("clean_descriptors", rule=rules, **ALLOW), head_of(*rows))
    tree = tree_of(result, head_of(*rows))
    assert said(tree, 0x00181030) == "Protocol 7"
    assert DESCRIPTION not in tree
    assert said(tree, 0x00100040) == "F"
    assert said(tree, 0x00180015) == ""
    assert said(tree, 0x00180022) == "UNKNOWN"
    assert result.report.loosened == ("reviewed",)
    assert ("X", "rule", DESCRIPTION) in result.report.changed


@pytest.mark.req("D-40", "D-25")
def test_the_report_counts_and_never_quotes() -> None:
    head = head_of((0x00080080, "LO", "Secret Hospital"), (0x00100030, "DA", "19500101"))
    result = done(engine("retain_uids"), head)
    text = str(result.report.as_dict())
    for secret in ("Secret", "Muster", "4711", "19500101", INSTANCE):
        assert secret not in text
    assert result.report.key_id == "key"
    assert b"key" not in result.head
    assert result.report.notes == ("UIDs were retained: originals can be matched",)
    assert result.report.edition == "2026c"


@pytest.mark.req("D-26")
def test_uids_are_those_of_the_key() -> None:
    from tests.transforms.deid.treating import SECRET
    from waystation.transforms.deid.keys import derive

    result = done(engine(), head_of())
    key = derive(SECRET, "key").uid
    assert result.identity.sop_instance_uid.encode() == new_uid(key, INSTANCE.encode())
