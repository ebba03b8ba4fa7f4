"""What the options keep, which objects are held, and what marks say (D-12, D-21, D-37)."""

from typing import Any

import pytest

from tests.dicom.building import EXPLICIT, el
from tests.transforms.deid.treating import (
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
from waystation.transforms.deid.result import DeidFacts

MODIFIED = "retain_modified_dates"
DESCRIPTION, COMMENTS = 0x0008103E, 0x00204000
ALLOW: dict[str, Any] = {"text": {"mode": "allow-list"}}


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


@pytest.mark.req("D-37", "D-14")
def test_nothing_hides_in_earlier_marks() -> None:
    code: list[Row] = [
        (0x00080100, "SH", "113100"),
        (0x00080102, "SH", "DCM"),
        (0x00090010, "LO", "ACME"),
        (0x00091001, "LO", "Secret"),
        (0x00100010, "PN", "Secret"),
    ]
    rows: list[Row] = [(0x00120064, "SQ", [code]), (0x00120063, "LO", b"M\xfcll")]
    for more in ([], [(0x00120062, "SQ", [code])]):
        result = done(engine(), head_of(*rows, *more))
        assert b"Secret" not in result.head
        assert b"M\xfc" not in result.head


@pytest.mark.req("D-37")
def test_burned_in_is_denied_only_where_every_frame_was_handled() -> None:
    data = encoded(object_of((0x00280301, "CS", "YES"))) + el(0x7FE00010, "OW", b"\0\1")
    head = Head.from_bytes(data, EXPLICIT)
    who = engine("clean_pixel_data")
    assert "burned-in" in why_held(who, head)
    result = done(who, head, DeidFacts(approved=True))
    assert said(tree_of(result, head), 0x00280301) == "NO"
    assert "clean_pixel_data" in result.report.methods
    assert "does not clean" in why_held(engine(), head)


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
