"""Edits: before and after, byte for byte where nothing was named."""

from typing import Any

import pytest

from tests.dicom.building import BIG, EXPLICIT, IMPLICIT, el, item, seq
from tests.transforms.editing import again, failed, head_of, treated
from waystation.dicom.head import Head
from waystation.model.delivery import HoldReason
from waystation.transforms.edit_limits import ORIGINAL_ATTRIBUTES
from waystation.transforms.lookup import LookupTable, read_table

pytestmark = pytest.mark.req("R-65")

ID, NAME, STATION, DESCRIPTION = 0x00100020, 0x00100010, 0x00081010, 0x00081030
WARDS = read_table("wards", "id,ward,site\n123,Nord,Süd\n124,West,Ost\n")


def plain(head: Head) -> bytes:
    """Return a head without its record of changes."""
    from waystation.dicom.splice import replace

    return replace(head, {ORIGINAL_ATTRIBUTES: None})


def edited(edit: dict[str, Any], *elements: bytes, syntax: str = EXPLICIT, **more: Any) -> Head:
    """Return a head after one edit."""
    head = head_of(*elements, syntax=syntax)
    return again(treated(head, edit, **more), head)


PATIENT = el(ID, "LO", b"123 ")
CASES: list[tuple[dict[str, Any], str, list[str] | None]] = [
    ({"set": "PatientID", "to": "X"}, "PatientID", ["X"]),
    ({"set": "PatientID", "to": "{PatientID}-{calling_ae}"}, "PatientID", ["123-CT1"]),
    ({"set": "PatientID", "to": "{{{PatientID}}}"}, "PatientID", ["{123}"]),
    ({"set": "PatientComments", "to": "{AccessionNumber}none"}, "PatientComments", ["none"]),
    ({"set": "OtherPatientNames", "to": ["A^B", "C"]}, "OtherPatientNames", ["A^B", "C"]),
    ({"set": "PatientID", "to": ""}, "PatientID", []),
    ({"set": "SeriesNumber", "to": 7}, "SeriesNumber", ["7"]),
    ({"set": "(0018,9073)", "to": 7}, "", None),
    ({"set": "SimpleFrameList", "to": [1, 2]}, "SimpleFrameList", [1, 2]),  # type: ignore[list-item]
    ({"default": "PatientID", "to": "X"}, "PatientID", ["123"]),
    ({"default": "IssuerOfPatientID", "to": "HOME"}, "IssuerOfPatientID", ["HOME"]),
    ({"default": "StationName", "to": "NEW"}, "StationName", ["NEW"]),
    ({"remove": "PatientID"}, "PatientID", None),
    ({"remove": "AccessionNumber"}, "AccessionNumber", None),
    ({"copy": "PatientID", "to": "AccessionNumber"}, "AccessionNumber", ["123"]),
    ({"copy": "AccessionNumber", "to": "PatientID"}, "PatientID", ["123"]),
    ({"move": "PatientID", "to": "AccessionNumber"}, "AccessionNumber", ["123"]),
    ({"move": "PatientID", "to": "AccessionNumber"}, "PatientID", None),
    ({"replace": "PatientID", "pattern": "^1", "with": "9"}, "PatientID", ["923"]),
    (
        {"replace": "PatientID", "pattern": "([0-9])([0-9])", "with": r"\2\1"},
        "PatientID",
        ["213"],
    ),
    ({"replace": "StudyDescription", "upper": True}, "StudyDescription", ["THORAX AP"]),
    ({"replace": "StudyDescription", "lower": True}, "StudyDescription", ["thorax ap"]),
    (
        {"replace": "StudyDescription", "strip": True, "prefix": "<", "suffix": ">", "cut": 5},
        "StudyDescription",
        ["<Thor"],
    ),
    (
        {"lookup": "wards", "key": "PatientID", "to": {"InstitutionName": "ward"}},
        "InstitutionName",
        ["Nord"],
    ),
    ({"ae_titles": {"OLD": "NEW"}}, "StationAETitle", None),
]


@pytest.mark.req("RT-11")
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
@pytest.mark.parametrize(("edit", "path", "expected"), [c for c in CASES if c[1]])
def test_each_operation_does_what_it_says(
    edit: dict[str, Any], path: str, expected: list[str] | None, syntax: str
) -> None:
    after = edited(
        edit,
        el(STATION, "SH", b"", syntax),
        el(DESCRIPTION, "LO", b"Thorax AP ", syntax),
        el(ID, "LO", b"123 ", syntax),
        syntax=syntax,
        tables={"wards": WARDS},
    )
    assert after.values(path) == expected


def test_what_is_not_named_stays_byte_for_byte() -> None:
    odd = el(0x00090011, "LO", b"odd")
    inner = seq(0x00081140, item(odd, is_open=True), is_open=True)
    after = edited({"set": "PatientID", "to": "X"}, inner, odd, el(0x00100030, "DA", b"x "))
    begun = el(0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.2\0")
    assert plain(after) == (begun + inner + odd + el(ID, "LO", b"X ") + el(0x00100030, "DA", b"x "))


def test_an_edit_that_changes_nothing_gives_the_same_bytes() -> None:
    head = head_of(PATIENT)
    assert treated(head, {"set": "PatientID", "to": "123"}).head is head.data
    assert treated(head, {"remove": "AccessionNumber"}).head is head.data


def test_edits_reach_into_sequences_and_make_what_is_missing() -> None:
    rows = seq(0x00400275, item(el(0x00400009, "SH", b"A ")), item(el(0x00400009, "SH", b"B ")))
    head = head_of(rows)
    path = "RequestAttributesSequence.ScheduledProcedureStepID"
    every = again(treated(head, {"set": path, "to": "X"}), head)
    assert every.values(path) == ["X", "X"]
    second = again(
        treated(head, {"set": path.replace("Sequence.", "Sequence[1]."), "to": "X"}), head
    )
    assert second.values(path) == ["A", "X"]
    made = again(treated(head, {"set": "AnatomicRegionSequence.CodeValue", "to": "T-1"}), head)
    assert made.values("AnatomicRegionSequence.CodeValue") == ["T-1"]
    gone = again(treated(head, {"remove": path}), head)
    assert gone.values(path) is None
    assert failed(head, {"set": "RequestAttributesSequence[5].StudyID", "to": "1"}).why


def test_private_elements_are_found_by_creator_and_made_in_a_free_block() -> None:
    head = head_of(
        el(0x00190010, "LO", b"ACME"), el(0x00190011, "LO", b"OTHER "), el(0x00191105, "LO", b"v ")
    )
    after = again(treated(head, {"set": "(0019,OTHER,05)", "to": "w"}), head)
    assert after.text(0x00191105) == "w"
    made = again(treated(head, {"set": "(0019,NEW,01)", "to": "n"}), head)
    assert (made.text(0x00190012), made.text(0x00191201)) == ("NEW", "n")
    gone = again(treated(head, {"remove": "(0019,OTHER,*)"}), head)
    assert [tag for tag in gone.elements if tag >> 16 == 0x19] == [0x00190010]


@pytest.mark.parametrize(
    ("pattern", "gone"),
    [
        ("(0019,*)", {0x00190010, 0x00191001}),
        ("private", {0x00190010, 0x00191001, 0x00290010}),
        ("(60xx,3000)", {0x60003000, 0x60023000}),
    ],
)
def test_patterns_remove_at_every_depth(pattern: str, gone: set[int]) -> None:
    rows = [
        *(el(0x00190010, "LO", b"ACME"), el(0x00191001, "LO", b"v "), el(0x00290010, "LO", b"SI")),
        *(el(0x60003000, "OW", b"ab"), el(0x60023000, "OW", b"ab")),
    ]
    head = head_of(seq(0x00081140, item(b"".join(rows))), *rows)
    after = again(treated(head, {"remove": pattern}), head)
    assert head.elements.keys() - after.elements.keys() == gone
    (inside,) = after.items(0x00081140)
    assert (
        inside.elements.keys()
        == {0x00190010, 0x00191001, 0x00290010, 0x60003000, 0x60023000} - gone
    )


def test_new_uids_are_the_same_everywhere_and_well_known_ones_stay() -> None:
    study, instance = b"1.2.3.4\0", b"1.2.3.4.5\0"
    reference = seq(
        0x00081140,
        item(el(0x00081150, "UI", b"1.2.840.10008.5.1.4.1.1.2\0") + el(0x00081155, "UI", instance)),
    )
    first = head_of(el(0x00080018, "UI", instance), el(0x0020000D, "UI", study))
    other = head_of(el(0x00080018, "UI", b"9.9\0"), reference, el(0x0020000D, "UI", study))
    one, two = (again(treated(h, {"new_uids": True}), h) for h in (first, other))
    assert one.text(0x0020000D) == two.text(0x0020000D) != "1.2.3.4"
    assert two.values("ReferencedImageSequence.ReferencedSOPInstanceUID") == [one.text(0x00080018)]
    classes = two.values("ReferencedImageSequence.ReferencedSOPClassUID")
    assert classes == ["1.2.840.10008.5.1.4.1.1.2"]
    for uid in (one.text(0x0020000D), one.text(0x00080018)):
        assert uid.startswith("2.25.")
        assert len(uid) <= 44
        number = int(uid.removeprefix("2.25."))
        assert (number >> 76 & 0xF, number >> 62 & 3) == (8, 2)
    assert treated(first, {"new_uids": True}).identity.study_uid == one.text(0x0020000D)


def test_application_entity_titles_are_mapped_wherever_they_stand() -> None:
    head = head_of(el(0x00080054, "AE", b"OLD\\OTHER "), el(0x00080055, "AE", b"OLD "))
    after = again(treated(head, {"ae_titles": {"OLD": "NEW"}}), head)
    assert after.values("RetrieveAETitle") == ["NEW", "OTHER"]
    assert after.text(0x00080055) == "NEW"


def test_a_key_without_a_row_goes_as_the_table_or_the_edit_says() -> None:
    head = head_of(el(0x00080080, "LO", b"OLD "), el(ID, "LO", b"999 "))
    edit = {"lookup": "wards", "key": "PatientID", "to": {"InstitutionName": "ward"}}
    assert failed(head, edit, tables={"wards": WARDS}).reason is HoldReason.RULE_ERROR
    for missing, expected in (("keep", "OLD"), ("empty", ""), ({"value": "?"}, "?")):
        done = treated(head, edit | {"missing": missing}, tables={"wards": WARDS})
        assert again(done, head).text(0x00080080) == expected
    assert failed(head, edit).transient


def test_a_table_that_grew_another_column_is_told_by_name() -> None:
    edit = {"lookup": "wards", "key": "PatientID", "to": {"InstitutionName": "nowhere"}}
    why = failed(head_of(PATIENT), edit, tables={"wards": WARDS}).why
    assert why == 'lookup "wards" has no column "nowhere"'


MISFITS: list[tuple[str, Any, str]] = [
    ("StationName", "x" * 17, "SH holds 16 characters, the value has 17"),
    ("PatientSex", "male", "the value is no CS"),
    ("StudyDate", "20261301", "the value is no DA"),
    ("SeriesNumber", "one", "the value is no IS"),
    ("SeriesNumber", "9999999999", "the value is no IS"),
    ("SliceLocation", "1,5", "cannot be edited: it describes the geometry"),
    ("PatientSize", "1,5", "the value is no DS"),
    ("PatientName", "A=B=C=D", "at most three groups"),
    ("PatientName", "A^B^C^D^E^F", "five components"),
    ("PatientName", "a" * 65, "a group of a name holds 64"),
    ("PatientID", "a\nb", "control character"),
    ("SimpleFrameList", "x", "no number that fits UL"),
    ("StationAETitle", "Ü", "ISO 646 only"),
]


@pytest.mark.req("R-66")
@pytest.mark.parametrize(("path", "value", "why"), MISFITS)
def test_a_value_that_does_not_fit_holds_and_is_not_shown(path: str, value: str, why: str) -> None:
    head = head_of(el(0x00104000, "LT", value.encode()), charset=b"ISO_IR 192")
    if path == "SliceLocation":
        with pytest.raises(ValueError, match=why):
            treated(head, {"set": path, "to": "{PatientComments}"})
        return
    done = failed(head, {"set": path, "to": "{PatientComments}"})
    assert done.reason is HoldReason.RULE_ERROR
    assert why in done.why
    assert "male" not in done.why
    with pytest.raises(ValueError, match=why.replace("^", ".")):
        treated(head, {"set": path, "to": value})


@pytest.mark.req("R-66")
def test_more_values_than_the_element_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="takes one value, not 2"):
        treated(head_of(), {"set": "PatientID", "to": ["1", "2"]})
    assert (
        "takes one value"
        in failed(
            head_of(el(0x00101001, "PN", b"A\\B ")),
            {"copy": "OtherPatientNames", "to": "PatientName"},
        ).why
    )


FORBIDDEN: list[tuple[dict[str, Any], str]] = [
    ({"set": "SOPClassUID", "to": "1.2"}, "what kind of object"),
    ({"set": "StudyInstanceUID", "to": "1.2"}, "only new_uids"),
    ({"set": "ReferencedImageSequence.ReferencedSOPInstanceUID", "to": "1"}, "only new_uids"),
    ({"remove": "StudyInstanceUID"}, "only new_uids"),
    ({"set": "Rows", "to": 5}, "how the pixels are to be read"),
    ({"remove": "PixelSpacing"}, "how the pixels are to be read"),
    ({"set": "ImagePositionPatient", "to": ["1", "2", "3"]}, "geometry"),
    ({"remove": "PerFrameFunctionalGroupsSequence"}, "geometry"),
    ({"remove": "PerFrameFunctionalGroupsSequence.FrameContentSequence"}, "geometry"),
    ({"remove": "PixelData"}, "holds the pixels"),
    ({"remove": "DigitalSignaturesSequence"}, "behind the pixels"),
    ({"set": "TransferSyntaxUID", "to": "1.2"}, "written anew"),
    ({"set": "SpecificCharacterSet", "to": "ISO_IR 100"}, 'charset = "utf-8"'),
    ({"remove": "OriginalAttributesSequence"}, "earlier changes"),
    ({"set": "(0008,0000)", "to": "1"}, "group length"),
    ({"remove": "(0028,*)"}, "would remove"),
    ({"remove": "(0020,*)"}, "would remove"),
    ({"remove": "(00xx,*)"}, "would remove"),
]


@pytest.mark.req("R-66")
@pytest.mark.parametrize(("edit", "why"), FORBIDDEN)
def test_what_no_edit_may_touch_is_refused_when_it_is_read(edit: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        treated(head_of(), edit)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ({"set": "PatientID", "remove": "PatientID"}, "two things at once"),
        ({"sett": "PatientID"}, "does nothing known"),
        ({"set": "PatientID"}, "needs the value"),
        ({"set": "PatientID", "too": "x", "to": "y"}, 'unknown key "too"'),
        ({"set": "PatientID", "to": "{PatientNam}"}, "PatientNam"),
        ({"set": "PatientID", "to": "{"}, "does not close"),
        ({"set": "PatientID", "to": "}"}, "was not opened"),
        ({"set": "PatientID", "to": "x", "charset": "latin"}, "charset"),
        ({"set": "PatientID", "to": "x", "reason": "because"}, "reason"),
        ({"set": "ReferencedImageSequence", "to": "x"}, "is a sequence"),
        ({"copy": "PatientID"}, "needs the other element"),
        ({"replace": "PatientID"}, "changes nothing"),
        ({"replace": "PatientID", "pattern": "(", "with": ""}, "regular expression"),
        ({"replace": "PatientID", "pattern": "(a)", "with": r"\2"}, "regular expression"),
        ({"replace": "PatientID", "pattern": "a" * 1025, "with": ""}, "at most 1024 bytes"),
        ({"replace": "PatientID", "cut": 0}, "cut"),
        ({"lookup": "t", "to": {"PatientID": "a"}}, "needs the key"),
        ({"lookup": "t", "key": "PatientID"}, "expected to"),
        ({"new_uids": "yes"}, "new_uids = true"),
        ({"new_uids": True, "key": "secret"}, "key = { file"),
        ({"ae_titles": {"A": "far too long a title"}}, "1 to 16"),
    ],
)
def test_an_edit_that_cannot_be_understood_says_what_to_write(
    edit: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        treated(head_of(), edit)


@pytest.mark.req("R-66")
def test_a_long_name_is_counted_in_characters() -> None:
    head = head_of(charset=b"ISO_IR 192")
    after = again(treated(head, {"set": "PatientName", "to": "ä" * 64}), head)
    assert after.values("PatientName") == ["ä" * 64]


def test_lookup_tables_are_values() -> None:
    assert isinstance(WARDS, LookupTable)
    assert WARDS.row(" 123 ") == {"id": "123", "ward": "Nord", "site": "Süd"}
