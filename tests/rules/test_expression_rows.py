"""`if` expressions row by row: expression, head, answer, reason (R-31)."""

from dataclasses import replace
from typing import Any

import pytest

from tests.rules.asking import FACTS, head_of
from waystation.rules.conditions import Look
from waystation.rules.expression import StudyFacts, expression, study_expression
from waystation.rules.known import Known

CT = {"Modality": "CT"}
NONE = {"Modality": ""}
TWO = {"ImageType": "ORIGINAL\\PRIMARY"}
ROWS = {"Rows": 512}
SPACING = {"PixelSpacing": "0.5\\9"}
DESCRIPTION = {"StudyDescription": "CT CHEST"}
DAY = {"StudyDate": "20260329"}
DOE = {"PatientName": "Doe^John"}
CLASS = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}
STEPS = {
    "RequestAttributesSequence": [
        {"ScheduledProcedureStepID": "S1"},
        {"ScheduledProcedureStepID": "S2"},
    ]
}
STEP = "RequestAttributesSequence.ScheduledProcedureStepID"
Row = tuple[str, dict[str, Any], bool, str]


class Shut:
    def is_open(self, at: float) -> bool:
        return False


class Open(Shut):
    def is_open(self, at: float) -> bool:
        return at == FACTS.received_at


KNOWN = Known(schedules=["day", "night"], tables={"wards": {"77": "ICU", "Doe^John": "B2"}})
WINDOWS = {"day": Open(), "night": Shut()}

EQUAL: list[Row] = [
    ("Modality == 'CT'", {}, False, "Modality absent"),
    ("Modality == 'CT'", NONE, False, "Modality empty"),
    ("Modality == 'CT'", CT, True, 'Modality "CT" is "CT"'),
    ('Modality == "ct"', CT, False, 'Modality "CT" is not "ct"'),
    ("'CT' == Modality", CT, True, '"CT" is Modality "CT"'),
    ("Modality != 'CT'", {}, True, "Modality absent"),
    ("Modality != 'CT'", NONE, True, "Modality empty"),
    ("Modality != 'CT'", CT, False, 'Modality "CT" is "CT"'),
    ("Modality != 'MR'", CT, True, 'Modality "CT" is not "MR"'),
    ("not Modality == 'MR'", CT, True, 'Modality "CT" is not "MR"'),
    ("ImageType == 'PRIMARY'", TWO, True, 'ImageType "ORIGINAL", "PRIMARY" is "PRIMARY"'),
    ("ImageType != 'PRIMARY'", TWO, False, 'ImageType "ORIGINAL", "PRIMARY" is "PRIMARY"'),
    ("ImageType != 'AXIAL'", TWO, True, 'ImageType "ORIGINAL", "PRIMARY" is not "AXIAL"'),
    ("ImageType[0] == 'PRIMARY'", TWO, False, 'ImageType[0] "ORIGINAL" is not "PRIMARY"'),
    ("ImageType[1] == 'PRIMARY'", TWO, True, 'ImageType[1] "PRIMARY" is "PRIMARY"'),
    (f"{STEP} == 'S2'", STEPS, True, f'{STEP} "S1", "S2" is "S2"'),
    (
        "RequestAttributesSequence[0].ScheduledProcedureStepID == 'S2'",
        STEPS,
        False,
        'RequestAttributesSequence[0].ScheduledProcedureStepID "S1" is not "S2"',
    ),
    ("PatientName == 'DOE^JOHN'", DOE, True, 'PatientName "Doe^John" is "DOE^JOHN"'),
    ("PatientName == 'DOE'", DOE, False, 'PatientName "Doe^John" is not "DOE"'),
    ("SOPClassUID == 'CTImageStorage'", CLASS, True, f'SOPClassUID "{CLASS["SOPClassUID"]}" is'
     ' "CTImageStorage"'),
    ("StudyID == 'A\\\\B'", {"StudyID": "x"}, False, 'StudyID "x" is not "A\\B"'),
    ("StudyID == 'it\\'s'", {"StudyID": "it's"}, True, 'StudyID "it\'s" is "it\'s"'),
    ("tls == False", {}, True, "tls false is False"),
    ("tls", {}, False, "tls false"),
    ("(Rows > 5) == True", ROWS, True, "(Rows > 5) is True"),
    ("weekday == 'wed'", {}, True, 'weekday Wed is "wed"'),
    ("StudyID == SeriesNumber", {"StudyID": "1", "SeriesNumber": "1"}, False,
     'StudyID "1" is not SeriesNumber 1: text and a number do not compare'),
]  # fmt: skip
NUMBERS: list[Row] = [
    ("Rows >= 512", {}, False, "Rows absent"),
    ("Rows >= 512", {"Rows": b""}, False, "Rows empty"),
    ("Rows >= 512", ROWS, True, "Rows 512 >= 512"),
    ("Rows > 512", ROWS, False, "Rows 512 not > 512"),
    ("Rows < 513", ROWS, True, "Rows 512 < 513"),
    ("Rows <= 511.5", ROWS, False, "Rows 512 not <= 511.5"),
    ("512 == Rows", ROWS, True, "512 is Rows 512"),
    ("SliceThickness == 0.5", {"SliceThickness": "0.50"}, True, "SliceThickness 0.50 is 0.5"),
    ("SliceThickness > 1", {"SliceThickness": "abc"}, False, "SliceThickness abc is not a number"),
    ("SliceThickness > 1", {"SliceThickness": "x\\2"}, True, "SliceThickness x, 2 > 1"),
    ("PixelSpacing > 5", SPACING, True, "PixelSpacing 0.5, 9 > 5"),
    ("1 <= PixelSpacing < 5", SPACING, False, "not 1 <= PixelSpacing 0.5, 9 < 5"),
    ("PixelSpacing >= 1 and PixelSpacing < 5", SPACING, True,
     "PixelSpacing 0.5, 9 >= 1 · PixelSpacing 0.5, 9 < 5"),
    ("0 < PixelSpacing < 1 == 1", SPACING, True, "0 < PixelSpacing 0.5, 9 < 1 == 1"),
    ("Rows * 2 == 1024", ROWS, True, "Rows * 2 1024 is 1024"),
    ("Rows - 12 / 2 * 2 + 1 == 501", ROWS, True, "Rows - 12 / 2 * 2 + 1 501 is 501"),
    ("(Rows - 12) / 2 == 250", ROWS, True, "(Rows - 12) / 2 250 is 250"),
    ("-Rows < -511", ROWS, True, "-Rows -512 < -511"),
    ("-7 % 3 == 2", {}, True, "-7 % 3 2 is 2"),
    ("PixelSpacing * 2 == 18", SPACING, True, "PixelSpacing * 2 1, 18 is 18"),
    ("Rows / 0 == 1", ROWS, False, "Rows / 0: division by zero"),
    ("Rows % 0 == 1", ROWS, False, "Rows % 0: division by zero"),
    ("not Rows / 0 == 1", ROWS, True, "Rows / 0: division by zero"),
    ("Columns / 2 > 1", ROWS, False, "Columns absent"),
    ("1 + 'a' == 2", {}, False, "1 + 'a': a number and text do not go together"),
    ("'a' < 5", {}, False, '"a" not < 5: text and a number do not compare'),
    ("number(StudyID) + 1 == 78", {"StudyID": "77"}, True, "number(StudyID) + 1 78 is 78"),
    ("number(StudyID) > 1", {"StudyID": "x"}, False, 'StudyID "x" is not a number'),
    ("number(StudyID) > 1", {}, False, "StudyID absent"),
    ("hour + 1 == 11", {}, True, "hour + 1 11 is 11"),
    ("1e2 == 100 and .5 == 0.50", {}, True, "1e2 is 100 · .5 is 0.50"),
]  # fmt: skip
DATES: list[Row] = [
    ("StudyDate >= '20260101'", DAY, True, 'StudyDate "20260329" >= "20260101"'),
    ("StudyDate == '2026'", DAY, True, 'StudyDate "20260329" is "2026"'),
    ("StudyDate > '2026'", DAY, False, 'StudyDate "20260329" not > "2026"'),
    ("'2026' <= StudyDate", DAY, True, '"2026" <= StudyDate "20260329"'),
    ("'2025' < StudyDate < '2027'", DAY, True, '"2025" < StudyDate "20260329" < "2027"'),
    ("StudyDate < '2027'", {"StudyDate": "x"}, False, 'StudyDate "x" is not a date'),
    ("StudyDate < '2027'", {"StudyDate": ""}, False, "StudyDate empty"),
    ("StudyTime == '10'", {"StudyTime": "1015"}, True, 'StudyTime "1015" is "10"'),
    ("StudyDate == SeriesDate", {**DAY, "SeriesDate": "20260329"}, True,
     'StudyDate "20260329" is SeriesDate "20260329"'),
    ("StudyDate <= SeriesDate", {**DAY, "SeriesDate": "20260330"}, True,
     'StudyDate "20260329" <= SeriesDate "20260330"'),
    ("StudyDate > SeriesDate", {**DAY, "SeriesDate": "20260330"}, False,
     'StudyDate "20260329" not > SeriesDate "20260330"'),
    ("received_at >= '20260401'", {}, True, 'received_at "20260401101530+0000" >= "20260401"'),
    ("date(received_at) > StudyDate", DAY, True,
     'date(received_at) 20260401 > StudyDate "20260329"'),
    ("date('20260329') == StudyDate", DAY, True,
     'date(\'20260329\') 20260329 is StudyDate "20260329"'),
    ("date(StudyID) == '2026'", {"StudyID": "x"}, False, 'StudyID "x" is not a date'),
    ("days_since(StudyDate) == 3", DAY, True, "days_since(StudyDate) 3 is 3"),
    ("days_since(StudyDate) == 3", {}, False, "StudyDate absent"),
    ("days_since(received_at) == 0", {}, True, "days_since(received_at) 0 is 0"),
    ("days_since('20260331') < 2", {}, True, "days_since('20260331') 1 < 2"),
]  # fmt: skip
INSIDE: list[Row] = [
    ("Modality in ['CT', 'MR']", CT, True, 'Modality "CT" in [CT, MR]'),
    ("Modality in ['DX']", CT, False, 'Modality "CT" not in [DX]'),
    ("Modality in ['CT']", {}, False, "Modality absent"),
    ("Modality not in ['CT']", {}, True, "Modality absent"),
    ("Modality not in ['CT']", CT, False, 'Modality "CT" in [CT]'),
    ("Modality not in ['MR']", CT, True, 'Modality "CT" not in [MR]'),
    ("Rows in [256, 512]", ROWS, True, "Rows 512 in [256, 512]"),
    ("Rows in [Columns, 1 + 1]", {**ROWS, "Columns": 512}, True, "Rows 512 in [Columns, 1 + 1]"),
    ("StudyDate in ['2025', '202603']", DAY, True, 'StudyDate "20260329" in [2025, 202603]'),
    ("SOPClassUID in ['CTImageStorage']", CLASS, True,
     f'SOPClassUID "{CLASS["SOPClassUID"]}" in [CTImageStorage]'),
    ("PatientName in ['doe^john']", DOE, True, 'PatientName "Doe^John" in [doe^john]'),
    ("'C' in Modality", CT, False, '"C" not in Modality "CT"'),
    ("'CT' in Modality", CT, True, '"CT" in Modality "CT"'),
    ("'CT1' in calling_ae", {}, False, '"CT1" not in calling_ae "CT1A"'),
    ("'CTImageStorage' in SOPClassUID", CLASS, True,
     f'"CTImageStorage" in SOPClassUID "{CLASS["SOPClassUID"]}"'),
    ("'CHEST' in StudyDescription", DESCRIPTION, True, '"CHEST" in StudyDescription "CT CHEST"'),
    ("'TEST' in StudyDescription", DESCRIPTION, False,
     '"TEST" not in StudyDescription "CT CHEST"'),
    ("'TEST' in StudyDescription", {}, False, "StudyDescription absent"),
    ("'TEST' not in StudyDescription", {}, True, "StudyDescription absent"),
    ("'oe^j' in PatientName", DOE, True, '"oe^j" in PatientName "Doe^John"'),
    ("Modality in StudyDescription", {**CT, **DESCRIPTION}, True,
     'Modality "CT" in StudyDescription "CT CHEST"'),
    ("512 in Rows", ROWS, True, "512 in Rows 512"),
    ("'10.1.' in address", {}, True, '"10.1." in address "10.1.2.14"'),
]  # fmt: skip
CALLS: list[Row] = [
    ("present(Rows)", ROWS, True, "Rows 512 is present"),
    ("present(Rows)", {}, False, "Rows absent"),
    ("absent(Rows)", {}, True, "Rows absent"),
    ("absent(Modality)", NONE, True, "Modality empty"),
    ("absent(Rows)", ROWS, False, "Rows 512 is present"),
    ("present(SliceThickness)", {"SliceThickness": "x"}, True,
     "SliceThickness x is present"),
    ("present(ICCProfile)", {"ICCProfile": b"\1\2"}, True,
     "ICCProfile present is present"),
    ("present(RequestAttributesSequence)", STEPS, True,
     "RequestAttributesSequence 2 items is present"),
    ("count(RequestAttributesSequence) == 2", STEPS, True,
     "count(RequestAttributesSequence) 2 is 2"),
    ("count(ImageType) >= 2", {}, False, "count(ImageType) 0 not >= 2"),
    ("count(ImageType) >= 2", TWO, True, "count(ImageType) 2 >= 2"),
    ("first(ImageType) == 'PRIMARY'", TWO, False, 'first(ImageType) "ORIGINAL" is not "PRIMARY"'),
    ("first(ImageType) == 'ORIGINAL'", TWO, True, 'first(ImageType) "ORIGINAL" is "ORIGINAL"'),
    ("first(ImageType) == 'A'", {}, False, "ImageType absent"),
    ("every(ImageType) == 'PRIMARY'", TWO, False,
     'every ImageType "ORIGINAL", "PRIMARY" is not "PRIMARY"'),
    ("every(ImageType) in ['PRIMARY', 'ORIGINAL']", TWO, True,
     'every ImageType "ORIGINAL", "PRIMARY" in [PRIMARY, ORIGINAL]'),
    ("every(ImageType) == 'A'", {"ImageType": "A\\A"}, True, 'every ImageType "A", "A" is "A"'),
    ("every(ImageType) == 'A'", {}, False, "ImageType absent"),
    ("every(ImageType) == 'A'", {"ImageType": "A\\\\A"}, False,
     'every ImageType "A", "", "A" is not "A"'),
    ("0 < every(PixelSpacing) < 9", SPACING, False, "not 0 < every PixelSpacing 0.5, 9 < 9"),
    ("0 < every(PixelSpacing) <= 9", SPACING, True, "0 < every PixelSpacing 0.5, 9 <= 9"),
    ("lower(StudyDescription) == 'ct chest'", DESCRIPTION, True,
     'lower(StudyDescription) "ct chest" is "ct chest"'),
    ("upper(StudyID) == 'A'", {"StudyID": "a"}, True, 'upper(StudyID) "A" is "A"'),
    ("lower(PatientName) == 'DOE^JOHN'", DOE, True, 'PatientName "Doe^John" is "DOE^JOHN"'),
    ("strip(' a ') == 'a'", {}, True, 'strip(\' a \') "a" is "a"'),
    ("strip(StudyComments) == 'a'", {"StudyComments": " a"}, True, 'strip(StudyComments) "a"'
     ' is "a"'),
    ("startswith(StudyDescription, 'CT')", DESCRIPTION, True,
     'StudyDescription "CT CHEST" starts with "CT"'),
    ("startswith(StudyDescription, Modality)", {**CT, **DESCRIPTION}, True,
     'StudyDescription "CT CHEST" starts with Modality "CT"'),
    ("endswith(StudyDescription, 'CT')", DESCRIPTION, False,
     'StudyDescription "CT CHEST" not ends with "CT"'),
    ("endswith(StudyDescription, 'CT')", {}, False, "StudyDescription absent"),
    ("startswith(PatientName, 'DOE')", DOE, True, 'PatientName "Doe^John" starts with "DOE"'),
    (r"matches(StudyID, '\d+')", {"StudyID": "77"}, True, r'StudyID "77" ~ /\d+/'),
    ("matches(StudyID, '7')", {"StudyID": "77"}, False, 'StudyID "77" not ~ /7/'),
    ("matches(PatientName, 'DOE.*')", DOE, True, 'PatientName "Doe^John" ~ /DOE.*/'),
    ("wildcard(StudyDescription, '*CH?ST')", DESCRIPTION, True,
     'StudyDescription "CT CHEST" ~ *CH?ST'),
    ("wildcard(StudyDescription, 'CH*')", DESCRIPTION, False,
     'StudyDescription "CT CHEST" not ~ CH*'),
    ("lookup('wards', StudyID) == 'ICU'", {"StudyID": "77"}, True,
     'lookup(\'wards\', StudyID) "ICU" is "ICU"'),
    ("lookup('wards', StudyID) == 'ICU'", {"StudyID": "78"}, False,
     'StudyID "78" not in lookup wards'),
    ("present(lookup('wards', PatientName))", DOE, True,
     'lookup(\'wards\', PatientName) "B2" is present'),
    ("open('day')", {}, True, "schedule day is open"),
    ("open('night')", {}, False, "schedule night is shut"),
    ("not open('night')", {}, True, "schedule night is shut"),
]  # fmt: skip
JOINED: list[Row] = [
    ("Rows >= 512 and not 'TEST' in StudyDescription", {**ROWS, **DESCRIPTION}, True,
     'Rows 512 >= 512 · "TEST" not in StudyDescription "CT CHEST"'),
    ("Rows >= 512 and Modality == 'MR'", {**ROWS, **CT}, False, 'Modality "CT" is not "MR"'),
    ("Rows > 600 or Modality == 'CT'", {**ROWS, **CT}, True, 'Modality "CT" is "CT"'),
    ("Rows > 600 or Modality == 'MR'", {**ROWS, **CT}, False,
     'Rows 512 not > 600 · Modality "CT" is not "MR"'),
    ("Rows > 600 or Rows > 1 and Modality == 'CT'", {**ROWS, **CT}, True,
     'Rows 512 > 1 · Modality "CT" is "CT"'),
    ("not (Rows > 600 or Modality == 'MR')", {**ROWS, **CT}, True,
     'Rows 512 not > 600 · Modality "CT" is not "MR"'),
    ("True", {}, True, "True"),
    ("False", {}, False, "False"),
    ("StudyID + '-' + Modality == '77-CT'", {**CT, "StudyID": "77"}, True,
     "StudyID + '-' + Modality \"77-CT\" is \"77-CT\""),
]  # fmt: skip


def ask(text: str, head: dict[str, Any]) -> tuple[bool, str]:
    compiled = expression(text, "if", KNOWN)
    return compiled.judge(Look(head_of(head), replace(FACTS, windows=WINDOWS)))


@pytest.mark.req("R-31", "RT-5")
@pytest.mark.parametrize(
    ("text", "head", "holds", "clause"), EQUAL + NUMBERS + DATES + INSIDE + CALLS + JOINED
)
def test_an_expression_holds_as_the_table_says(
    text: str, head: dict[str, Any], holds: bool, clause: str
) -> None:
    assert ask(text, head) == (holds, "if: " + clause)


@pytest.mark.req("R-31")
def test_joined_text_has_a_limit() -> None:
    long = {"StudyComments": "x" * 600}
    assert ask("StudyComments + StudyComments != ''", long) == (
        True,
        "if: StudyComments + StudyComments: longer than 1,024 characters",
    )


def test_a_schedule_that_is_not_at_hand_is_shut() -> None:
    compiled = expression("open('day')", "if", KNOWN)
    assert not compiled.holds(Look(head_of({}), FACTS))


STUDY = StudyFacts(
    instances=212, series=4, modalities=("CT", "SR"), peers=("ct1",), complete_by="release"
)
COMPLETE: list[tuple[str, bool, str]] = [
    ("study.instances > 1", True, "study.instances 212 > 1"),
    ("study.series == 1", False, "study.series 4 is not 1"),
    ("'SR' in study.modalities", True, '"SR" in study.modalities "CT", "SR"'),
    ("'S' in study.modalities", False, '"S" not in study.modalities "CT", "SR"'),
    ("study.complete_by != 'force'", True, 'study.complete_by "release" is not "force"'),
    ("study.peers == 'ct1' and count(study.modalities) == 2", True,
     'study.peers "ct1" is "ct1" · count(study.modalities) 2 is 2'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "holds", "clause"), COMPLETE)
def test_a_complete_study_is_asked_in_the_same_words(text: str, holds: bool, clause: str) -> None:
    asked = study_expression(text, "if_complete")
    assert asked.judge(STUDY) == (holds, "if_complete: " + clause)
