"""Worklist entries: what they lack, how they are changed, what a form may hold."""

from datetime import date

import pytest

from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.dicom.uids import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from waystation.matching.entry import columns_of, dumped, entry, flat, loaded, read_entry, texts
from waystation.matching.entry_data import encoded, entry_data, laid_over, recoded, split
from waystation.matching.entry_form import faults, unreadable
from waystation.matching.entry_ids import form_fault, written
from waystation.matching.entry_keys import filtered
from waystation.matching.identifier import read_identifier
from waystation.matching.keys import BadIdentifier
from waystation.model.query import WORKLIST
from waystation.model.step import StepState, Values

WHOLE: Values = {
    "PatientName": "Doe^John",
    "PatientID": "1",
    "StudyInstanceUID": "1.2.3",
    "RequestedProcedureID": "R1",
    "RequestedProcedureDescription": "head",
    "Modality": "CT",
    "ScheduledStationAETitle": ["CT1", "CT2"],
    "ScheduledProcedureStepStartDate": "20260301",
    "ScheduledProcedureStepStartTime": "0900",
    "ScheduledProcedureStepID": "S1",
    "ScheduledProcedureStepDescription": "head",
}
STEP = 0x00400100


def text(data: bytes, path: str) -> str:
    values = Head.from_bytes(data, EXPLICIT_VR_LE).values(path) or [""]
    return str(values[0])


@pytest.mark.req("T-51")
@pytest.mark.parametrize("keyword", list(WHOLE))
def test_each_attribute_that_an_entry_must_have_is_missed(keyword: str) -> None:
    whole = laid_over(b"", WHOLE)
    assert columns_of(read_entry(whole)).missing == ()
    without = laid_over(whole, {keyword: ""})
    if keyword.endswith("Description") and keyword.startswith("Scheduled"):
        assert columns_of(read_entry(without)).missing == (keyword,)
        code = {"ScheduledProtocolCodeSequence": [{"CodeValue": "1"}]}
        assert columns_of(read_entry(laid_over(without, code))).missing == ()
        code = {"ScheduledProtocolCodeSequence": [{"CodeMeaning": "no code"}]}
        assert columns_of(read_entry(laid_over(without, code))).missing == (keyword,)
    else:
        assert columns_of(read_entry(without)).missing == (keyword,)


@pytest.mark.req("T-51")
def test_a_date_that_is_none_is_no_date() -> None:
    data = encoded(
        {"ScheduledProcedureStepSequence": [{"ScheduledProcedureStepStartDate": "soon"}]}
    )
    found = columns_of(read_entry(data))
    assert "ScheduledProcedureStepStartDate" in found.missing
    assert found.start == "99999999"


@pytest.mark.req("T-26")
def test_a_change_touches_no_other_byte_while_the_text_fits() -> None:
    latin = b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100\x10\x00\x10\x00PN\x04\x00B\xf6hm"
    changed = laid_over(latin, {"PatientID": "7", "PatientComments": "caf\u00e9"})
    assert changed.startswith(latin)
    assert text(changed, "SpecificCharacterSet") == "ISO_IR 100"
    assert Head.from_bytes(changed, EXPLICIT_VR_LE).raw(0x00104000) == b"caf\xe9"
    wider = laid_over(latin, {"PatientComments": "\u5c71"})
    assert text(wider, "SpecificCharacterSet") == "ISO_IR 192"
    assert text(wider, "PatientName") == "B\u00f6hm"
    assert text(wider, "PatientComments") == "\u5c71"


@pytest.mark.req("T-25")
def test_bytes_without_a_declared_set_stay_as_they_are() -> None:
    unnamed = b"\x10\x00\x10\x00PN\x04\x00B\xf6hm"
    assert laid_over(unnamed, {"PatientID": "7"}).startswith(unnamed)


def test_values_go_to_the_step_or_to_the_entry() -> None:
    data = laid_over(b"", WHOLE)
    assert text(data, "ScheduledProcedureStepSequence.Modality") == "CT"
    assert text(data, "PatientName") == "Doe^John"
    assert not Head.from_bytes(data, EXPLICIT_VR_LE).has("Modality")
    assert flat(data)["ScheduledStationAETitle"] == ("CT1", "CT2")
    assert texts(data)["ScheduledStationAETitle"] == ["CT1", "CT2"]
    assert "ScheduledProcedureStepSequence" not in texts(data)


def test_what_is_decoded_once_reads_the_same_again() -> None:
    data = laid_over(b"", {**WHOLE, "PatientName": "M\u00fcller=\u5c71"})
    row = read_entry(data)
    assert loaded(dumped(row)) == row


@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LE, EXPLICIT_VR_BE])
def test_every_syntax_gives_the_same_entry(syntax: str) -> None:
    data = laid_over(b"", {**WHOLE, "PregnancyStatus": "2"})
    assert entry_data(Head.from_bytes(recoded(data, syntax), syntax)) == data


@pytest.mark.req("T-54")
def test_an_entry_with_two_steps_gives_two_with_the_same_order() -> None:
    items = [{"Modality": "CT"}, {"Modality": "PT"}]
    data = laid_over(b"", {"PatientID": "1", "ScheduledProcedureStepSequence": items})
    assert [flat(part) for part in split(data)] == [
        {"PatientID": ("1",), "Modality": ("CT",)},
        {"PatientID": ("1",), "Modality": ("PT",)},
    ]


@pytest.mark.req("T-53")
def test_pregnancy_is_unknown_where_nobody_says_and_codes_without_code_are_none() -> None:
    empty = {"RequestedProcedureCodeSequence": [{"CodeMeaning": "x"}]}
    row = entry(read_entry(laid_over(b"", empty)), StepState.SCHEDULED)
    assert row.values(0x001021C0, "US") == ("4",)
    assert row.items(0x00321064) == ()
    said = entry(read_entry(laid_over(b"", {"PregnancyStatus": "2"})), StepState.SCHEDULED)
    assert said.values(0x001021C0, "US") == ("2",)


@pytest.mark.req("T-62")
@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"PatientBirthDate": "1970-01-01"}, "PatientBirthDate", "write it as YYYYMMDD"),
        ({"PatientBirthDate": "20260230"}, "PatientBirthDate", "no date"),
        ({"ScheduledProcedureStepStartTime": "25"}, "ScheduledProcedureStepStartTime", "no time"),
        ({"Modality": "ct"}, "Modality", "capital letters"),
        ({"PatientID": "x" * 65}, "PatientID", "65 characters, 64"),
        ({"PatientID": ["1", "2"]}, "PatientID", "one value only"),
        ({"PatientID": "a\\b"}, "PatientID", "backslash"),
        ({"PatientName": "a\x07"}, "PatientName", "control character"),
        ({"PatientName": "a=b=c=d"}, "PatientName", "three groups"),
        ({"PatientName": "a^b^c^d^e^f"}, "PatientName", "five parts"),
        ({"PatientName": "\u5c71" * 65}, "PatientName", "65 characters, 64"),
        ({"StudyInstanceUID": "1..2"}, "StudyInstanceUID", "no UID"),
        ({"ScheduledStationAETitle": "M\u00dcNCHEN"}, "ScheduledStationAETitle", "no AE title"),
        ({"PatientWeight": "heavy"}, "PatientWeight", "no number"),
        ({"PregnancyStatus": "-1"}, "PregnancyStatus", "whole number from 0"),
        ({"Fooo": "1"}, "Fooo", "no element"),
        ({"SpecificCharacterSet": "ISO_IR 100"}, "SpecificCharacterSet", "follows the text"),
        ({"TransferSyntaxUID": "1.2"}, "TransferSyntaxUID", "cannot be part"),
        ({"RequestedProcedureCodeSequence": "x"}, "RequestedProcedureCodeSequence", "list of"),
        ({"PixelData": "x"}, "PixelData", "cannot be entered"),
        (
            {"RequestedProcedureCodeSequence": [{"CodeValue": "1" * 17}]},
            "RequestedProcedureCodeSequence[0].CodeValue",
            "17 characters, 16",
        ),
    ],
)
def test_each_fault_is_told_beside_its_field_and_never_with_the_value(
    values: Values, field: str, words: str
) -> None:
    (fault,) = faults(values)
    assert fault.keyword == field
    assert words in fault.text
    said = next(iter(values.values()))
    assert not isinstance(said, str) or len(said) < 3 or said not in fault.text


@pytest.mark.req("T-62", "T-28")
def test_what_is_in_order_has_no_fault() -> None:
    assert faults({**WHOLE, "PatientName": "\u5c71" * 64, "PatientComments": "a\\b\nc"}) == ()
    assert faults({"PatientName": "", "RequestedProcedureCodeSequence": []}) == ()


@pytest.mark.req("T-62", "T-27")
def test_a_form_can_warn_of_what_a_station_cannot_show() -> None:
    values: Values = {"PatientName": "M\u00fcller^\u5c71", "PatientID": "1"}
    (fault,) = unreadable(values, "ISO_IR 100")
    assert (fault.keyword, fault.text) == (
        "PatientName",
        "\u5c71 cannot be shown in ISO_IR 100",
    )
    assert unreadable(values, "ISO_IR 192") == ()


@pytest.mark.req("T-54")
def test_forms_of_ids_make_at_most_sixteen_characters() -> None:
    day = date(2026, 3, 1)
    assert written("A{yy}{n:06}", 42, day) == "A26000042"
    assert written("{yyyy}{mm}{dd}-{n}", 7, day) == "20260301-7"
    assert form_fault("A{n:06}") == ""
    assert "{n}" in form_fault("ABC")
    assert "more than 16" in form_fault("{yyyy}{mm}{dd}{n:09}")
    assert "expected ASCII" in form_fault("{n}{x}")


@pytest.mark.req("T-15", "T-52")
def test_a_value_in_a_key_that_is_none_filters_nothing_and_is_named() -> None:
    raw = encoded(
        {
            "PatientName": "Doe",
            "PatientWeight": "70",
            "ScheduledProcedureStepSequence": [{"Modality": "CT", "PreMedication": "x"}],
        }
    )
    found = read_identifier(raw, EXPLICIT_VR_LE, level=WORKLIST)
    assert not isinstance(found, BadIdentifier)
    query = filtered(found)
    assert query.first(tags.PATIENT_NAME) == "Doe"
    assert query.first(0x00101030) == ""
    step = query.key(STEP)
    assert step is not None
    assert [(key.tag, key.values) for key in step.keys] == [
        (tags.MODALITY, ("CT",)),
        (0x00400012, ()),
    ]
    assert [name for _, name in query.unknown] == [
        "PatientWeight",
        "ScheduledProcedureStepSequence.PreMedication",
    ]
