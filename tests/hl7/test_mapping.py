"""Fields into attributes: the table of T-60, and the operator's lines over it."""

from datetime import UTC, timedelta, timezone

import pytest

from tests.hl7.building import message, msh, order, pid
from waystation.hl7.errors import Hl7Error
from waystation.hl7.mapping import FieldMap, Value, default_map, mapped
from waystation.hl7.message import parse
from waystation.hl7.values import stamp


def said(*segments: str, by: FieldMap | None = None) -> dict[str, Value]:
    found = mapped(parse(message(msh(), *segments)), by or default_map(), UTC)
    return {word: given.value for word, given in found.items()}


@pytest.mark.req("T-60")
def test_an_order_gives_what_a_modality_needs() -> None:
    found = mapped(parse(order(7)), default_map(), UTC)
    values = {word: given.value for word, given in found.items()}
    assert values == {
        "PatientID": "P7",
        "IssuerOfPatientID": "HOSP",
        "PatientName": "Müller^Jörg",
        "PatientBirthDate": "19700102",
        "PatientSex": "M",
        "CurrentPatientLocation": "ROOM1",
        "ReferringPhysicianName": "Referring^Rita",
        "RequestingPhysician": "Asking^Anna",
        "AccessionNumber": "ACC7",
        "RequestedProcedureID": "RP7",
        "ScheduledProcedureStepID": "SPS7",
        "StudyInstanceUID": "1.2.826.0.1.7",
        "Modality": "CT",
        "ScheduledProcedureStepStartDate": "20260102",
        "ScheduledProcedureStepStartTime": "101500",
        "RequestedProcedurePriority": "ROUTINE",
        "RequestedProcedureDescription": "CT head",
        "RequestedProcedureCodeSequence": (
            {"CodeValue": "CTH", "CodingSchemeDesignator": "LOC", "CodeMeaning": "CT head"},
        ),
        "ScheduledProcedureStepDescription": "Protocol 1",
        "ScheduledProtocolCodeSequence": (
            {"CodeValue": "PR1", "CodingSchemeDesignator": "LOC", "CodeMeaning": "Protocol 1"},
        ),
        "PlacerOrderNumberImagingServiceRequest": "PL7",
        "FillerOrderNumberImagingServiceRequest": "FI7",
    }
    assert found["PatientSex"].origin == "sex(PID-8)"
    assert found["ScheduledProcedureStepStartTime"].origin == "ORC-7.4"


@pytest.mark.req("T-60")
def test_the_first_source_that_has_a_value_counts() -> None:
    ipc = "IPC|ACC-I|RP-I|1.2.3|SPS-I|MR|P^Knee^L|MR1^Magnet|ROOM|MR_AE"
    found = said("OBR|1|||||||||||||||||ACC-O|RP-O|SPS-O||||CT", ipc)
    assert found["AccessionNumber"] == "ACC-I"
    assert found["RequestedProcedureID"] == "RP-I"
    assert found["ScheduledProcedureStepID"] == "SPS-I"
    assert found["Modality"] == "MR"
    assert found["ScheduledStationAETitle"] == "MR_AE"
    assert said("ORC|NW||FILL")["AccessionNumber"] == "FILL"


@pytest.mark.req("T-60")
@pytest.mark.parametrize(
    ("segments", "date", "clock"),
    [
        (("TQ1|1||||||20260301083000",), "20260301", "083000"),
        (("ORC|NW||||||^^^202603010830",), "20260301", "083000"),
        (("OBR|1" + "|" * 26 + "^^^20260301",), "20260301", None),
        (("AIS|1|A|CT|20260301083000",), "20260301", "083000"),
        # A time belongs to the date of its own field.
        (("TQ1|1||||||20260301", "ORC|NW||||||^^^20260405083000"), "20260301", None),
    ],
)
def test_date_and_time_come_from_one_field(
    segments: tuple[str, ...], date: str, clock: str | None
) -> None:
    found = said(*segments)
    assert found["ScheduledProcedureStepStartDate"] == date
    assert found.get("ScheduledProcedureStepStartTime") == clock


@pytest.mark.req("T-60")
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Doe^John^M^Jr^Dr", "Doe^John^M^Dr^Jr"),
        (
            "Yamada^Tarou^^^^^L^A~山田^太郎^^^^^L^I~やまだ^たろう^^^^^L^P",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        ("Née^Anna^^^^^M~Doe^Anna^^^^^L", "Doe^Anna"),
        ("van der Berg&van der&Berg^Jan", "van der Berg^Jan"),
        (r"A\S\B^C", "A B^C"),
    ],
)
def test_names_become_person_names(name: str, meant: str) -> None:
    raw = message(msh(charset="UNICODE UTF-8"), pid(name=name), codec="utf-8")
    assert mapped(parse(raw), default_map())["PatientName"].value == meant


@pytest.mark.req("T-60")
@pytest.mark.parametrize(
    ("sex", "meant"), [("F", "F"), ("A", "O"), ("N", "O"), ("U", ""), ("f", "F"), ('""', "")]
)
def test_sex_is_said_in_the_words_of_dicom(sex: str, meant: str) -> None:
    assert said(f"PID|1||P1||A^B|||{sex}")["PatientSex"] == meant


@pytest.mark.req("T-60")
def test_measures_alerts_and_pregnancy_come_along() -> None:
    found = said(
        "PV1|1|O|||||||||||||B6",
        "AL1|1||PEN^Penicillin",
        "AL1|2||^Latex",
        "OBX|1|NM|29463-7^Weight^LN||154|lb",
        "OBX|2|NM|8302-2^Height^LN||172|cm",
    )
    assert found["PatientWeight"] == "69.8532"
    assert found["PatientSize"] == "1.72"
    assert found["Allergies"] == ("Penicillin", "Latex")
    assert found["PregnancyStatus"] == "3"


@pytest.mark.req("T-61")
def test_two_quotation_marks_take_a_value_away_and_nothing_leaves_it() -> None:
    found = said('PID|1||P1||Doe||""|')
    assert found["PatientBirthDate"] == ""
    assert "PatientSex" not in found


@pytest.mark.req("T-60")
def test_the_repetition_of_the_configured_authority_is_the_patient_id() -> None:
    by = FieldMap.of({}, authority="CITY")
    line = "PID|1||1^^^HOSP~2^^^CITY&1.2&ISO||Doe"
    assert said(line)["PatientID"] == "1"
    assert (said(line, by=by)["PatientID"], said(line, by=by)["IssuerOfPatientID"]) == ("2", "CITY")
    with pytest.raises(Hl7Error, match="PID-3"):
        said("PID|1||1^^^HOSP||Doe", by=by)


@pytest.mark.req("T-61")
def test_lines_of_the_configuration_lie_over_the_table() -> None:
    by = FieldMap.of(
        {
            "AccessionNumber": ["OBR-3.1"],
            "ScheduledStationAETitle": ["rooms(PV1-3.1)", "aes(Modality)"],
            "PatientComments": ["NTE-3"],
            "Allergies": [],
        },
        {"rooms": {"R1": "CT_ONE"}, "aes": {"CT": "CT_ANY", "*": "OTHER"}},
    )
    lines = ["PV1|1|O|R9", "OBR|1||F1|||||||||||||||A1||||||CT", "NTE|1||old", "AL1|1||X"]
    found = said(*lines, by=by)
    assert found["AccessionNumber"] == "F1"
    assert found["ScheduledStationAETitle"] == "CT_ANY"
    assert found["PatientComments"] == "old"
    assert "Allergies" not in found
    lines[0] = "PV1|1|O|R1"
    assert said(*lines, by=by)["ScheduledStationAETitle"] == "CT_ONE"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ({"PatientNme": ["PID-5"]}, "PatientName"),
        ({"PatientName": ["PID5"]}, '"PID5" is no field'),
        ({"Modality": ["rooms(OBR-24)"]}, 'there is no table "rooms"'),
        ({"Modality": ["PatientSex"]}, "a_table(PatientSex)"),
    ],
)
def test_a_line_that_means_nothing_is_said_when_the_file_is_read(
    lines: dict[str, list[str]], problem: str
) -> None:
    with pytest.raises(ValueError) as wrong:
        FieldMap.of(lines)
    assert problem in str(wrong.value)


@pytest.mark.parametrize("text", ["20261301", "20260230", "tomorrow", "2026010125", "2026-01-01"])
def test_a_date_that_does_not_exist_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(Hl7Error) as refused:
        said(f"PID|1||P1||Doe||{text}")
    assert refused.value.where == "PID-7"
    assert text not in str(refused.value)


def test_a_year_alone_is_no_birth_date_and_no_fault() -> None:
    assert "PatientBirthDate" not in said("PID|1||P1||Doe||1950")


def test_an_offset_is_brought_to_the_zone_of_the_node() -> None:
    zone = timezone(timedelta(hours=1))
    assert stamp("20260101233000-0500", zone) == ("20260102", "053000")
    assert stamp("202601012330", zone) == ("20260101", "233000")


def test_free_text_that_is_too_long_is_cut_and_says_so() -> None:
    raw = message(msh(), f"OBR|1|||X^{'long ' * 20}")
    found = mapped(parse(raw), default_map())["RequestedProcedureDescription"]
    assert found.cut
    assert len(str(found.value)) <= 64
