"""Character sets, pseudonyms, UIDs, dates, and what never leaves (D-3, D-22 to D-29)."""

from typing import Any

import pytest

from tests.dicom.building import EXPLICIT, el, item, mark, seq
from tests.transforms.deid.treating import (
    INSTANCE,
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
    assert said(tree, 0x00080022) == ""
    assert said(tree, 0x00080032) == ""
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
