"""Text, UIDs and names against every right-side form: condition, head, answer, reason."""

import pytest

from tests.rules.asking import Row, ask
from waystation.rules.known import Known

CT = {"Modality": "CT"}
NONE = {"Modality": ""}
TWO = {"ImageType": "ORIGINAL\\PRIMARY"}
UTF8 = {"SpecificCharacterSet": "ISO_IR 192"}

PATTERNS: list[Row] = [
    ({"Modality": "CT"}, {}, False, "Modality absent"),
    ({"Modality": "CT"}, NONE, False, "Modality empty"),
    ({"Modality": "CT"}, CT, True, 'Modality "CT" is "CT"'),
    ({"Modality": "MG"}, CT, False, 'Modality "CT" is not "MG"'),
    ({"Modality": "ct"}, CT, False, 'Modality "CT" is not "ct"'),
    ({"Modality": "C"}, CT, False, 'Modality "CT" is not "C"'),
    ({"ImageType": "PRIMARY"}, TWO, True, 'ImageType "ORIGINAL", "PRIMARY" is "PRIMARY"'),
    ({"ImageType": "AXIAL"}, TWO, False, 'ImageType "ORIGINAL", "PRIMARY" is not "AXIAL"'),
    ({"ImageType[0]": "PRIMARY"}, TWO, False, 'ImageType[0] "ORIGINAL" is not "PRIMARY"'),
    ({"ImageType[1]": "PRIMARY"}, TWO, True, 'ImageType[1] "PRIMARY" is "PRIMARY"'),
    ({"ImageType[2]": "PRIMARY"}, TWO, False, "ImageType[2] empty"),
    ({"ImageType": "A"}, {"ImageType": "\\A"}, True, 'ImageType "", "A" is "A"'),
    ({"ImageType": "*"}, {"ImageType": "\\"}, False, "ImageType empty"),
    ({"Modality": "C*"}, {}, False, "Modality absent"),
    ({"Modality": "C*"}, NONE, False, "Modality empty"),
    ({"Modality": "*"}, NONE, False, "Modality empty"),
    ({"Modality": "C*"}, CT, True, 'Modality "CT" ~ C*'),
    ({"Modality": "M*"}, CT, False, 'Modality "CT" is not ~ M*'),
    ({"Modality": "*T"}, CT, True, 'Modality "CT" ~ *T'),
    ({"Modality": "*R"}, CT, False, 'Modality "CT" is not ~ *R'),
    ({"Modality": "C?"}, CT, True, 'Modality "CT" ~ C?'),
    ({"Modality": "C??"}, CT, False, 'Modality "CT" is not ~ C??'),
    ({"Modality": "?"}, CT, False, 'Modality "CT" is not ~ ?'),
    ({"ImageType": "*RIM*"}, TWO, True, 'ImageType "ORIGINAL", "PRIMARY" ~ *RIM*'),
    ({"ImageType": "P*Y"}, TWO, True, 'ImageType "ORIGINAL", "PRIMARY" ~ P*Y'),
    ({"ImageType": "O*Y"}, TWO, False, 'ImageType "ORIGINAL", "PRIMARY" is not ~ O*Y'),
    ({"StudyID": "A\\*B"}, {"StudyID": "A*B"}, True, 'StudyID "A*B" is "A*B"'),
    ({"StudyID": "A\\*B"}, {"StudyID": "AxB"}, False, 'StudyID "AxB" is not "A*B"'),
    ({"StudyID": "A\\?*"}, {"StudyID": "A?9"}, True, 'StudyID "A?9" ~ A\\?*'),
    ({"StudyID": "A.B*"}, {"StudyID": "AxB"}, False, 'StudyID "AxB" is not ~ A.B*'),
    ({"StudyID": "a(b?"}, {"StudyID": "a(bc"}, True, 'StudyID "a(bc" ~ a(b?'),
    ({"StudyID": "1..5"}, {"StudyID": "1..5"}, True, 'StudyID "1..5" is "1..5"'),
    ({"StudyID": "77"}, {"StudyID": " 77 "}, True, 'StudyID "77" is "77"'),
    (
        {"StudyDescription": "Tête"},
        {**UTF8, "StudyDescription": "Te\u0302te"},
        True,
        'StudyDescription "Tête" is "Tête"',
    ),
    (
        {"StudyDescription": "T?te"},
        {**UTF8, "StudyDescription": "Tête"},
        True,
        'StudyDescription "Tête" ~ T?te',
    ),
    (
        {"StudyDescription": "Tête"},
        {"SpecificCharacterSet": "ISO_IR 100", "StudyDescription": b"T\xeate"},
        True,
        'StudyDescription "Tête" is "Tête"',
    ),
    (
        {"StudyDescription": "x"},
        {"StudyDescription": b"a\r\nb"},
        False,
        'StudyDescription "a\ufffd\ufffdb" is not "x"',
    ),
    (
        {"TextValue": "*far"},
        {"TextValue": b"x" * 70_000 + b"far"},
        False,
        "TextValue present cannot be read",
    ),
    (
        {"StudyDescription": "A*"},
        {"StudyDescription": "B" * 70},
        False,
        f'StudyDescription "{"B" * 64}…" is not ~ A*',
    ),
]
LISTS: list[Row] = [
    ({"Modality": ["CT", "MR"]}, {}, False, "Modality absent"),
    ({"Modality": ["CT", "MR"]}, NONE, False, "Modality empty"),
    ({"Modality": ["CT", "MR"]}, CT, True, 'Modality "CT" in [CT, MR]'),
    ({"Modality": ["CR", "DX"]}, CT, False, 'Modality "CT" not in [CR, DX]'),
    ({"Modality": ["MR*", "C?"]}, CT, True, 'Modality "CT" in [MR*, C?]'),
    ({"Modality": ["MR*"]}, CT, False, 'Modality "CT" not in [MR*]'),
    ({"ImageType": ["X", "PRIMARY"]}, TWO, True, 'ImageType "ORIGINAL", "PRIMARY" in [X, PRIMARY]'),
    ({"ImageType": ["X", "Y"]}, TWO, False, 'ImageType "ORIGINAL", "PRIMARY" not in [X, Y]'),
    ({"Modality": ["MR", {"is": "CT"}]}, CT, True, 'Modality "CT" in [MR, "CT"]'),
    ({"Modality": ["MR", {"not": "CT"}]}, CT, False, 'Modality "CT" not in [MR, not CT]'),
]
WORDS: list[Row] = [
    ({"StudyID": {"is": "A*B"}}, {}, False, "StudyID absent"),
    ({"StudyID": {"is": "A*B"}}, {"StudyID": ""}, False, "StudyID empty"),
    ({"StudyID": {"is": "A*B"}}, {"StudyID": "A*B"}, True, 'StudyID "A*B" is "A*B"'),
    ({"StudyID": {"is": "A*B"}}, {"StudyID": "AxB"}, False, 'StudyID "AxB" is not "A*B"'),
    ({"ImageType": {"is": "PRIMARY"}}, TWO, True, 'ImageType "ORIGINAL", "PRIMARY" is "PRIMARY"'),
    ({"Modality": {"is": "ct", "ignore_case": True}}, CT, True, 'Modality "CT" is "ct"'),
    ({"Modality": {"is": "ct", "ignore_case": False}}, CT, False, 'Modality "CT" is not "ct"'),
    (
        {"StudyDescription": {"is": "tete", "ignore_case": True, "fold_accents": True}},
        {**UTF8, "StudyDescription": "Tête"},
        True,
        'StudyDescription "Tête" is "tete"',
    ),
    (
        {"StudyDescription": {"is": "Tête", "fold_accents": True}},
        {"StudyDescription": "Tete"},
        True,
        'StudyDescription "Tete" is "Tête"',
    ),
    ({"Modality": {"contains": "T"}}, {}, False, "Modality absent"),
    ({"Modality": {"contains": "T"}}, NONE, False, "Modality empty"),
    ({"Modality": {"contains": "T"}}, CT, True, 'Modality "CT" contains "T"'),
    ({"Modality": {"contains": "t"}}, CT, False, 'Modality "CT" without "t"'),
    ({"Modality": {"contains": "t", "ignore_case": True}}, CT, True, 'Modality "CT" contains "t"'),
    (
        {"ImageType": {"contains": "RIMA"}},
        TWO,
        True,
        'ImageType "ORIGINAL", "PRIMARY" contains "RIMA"',
    ),
    (
        {"ImageType": {"contains": "L\\P"}},
        TWO,
        False,
        'ImageType "ORIGINAL", "PRIMARY" without "L\\P"',
    ),
    ({"Modality": {"regex": "C[TR]"}}, {}, False, "Modality absent"),
    ({"Modality": {"regex": ".*"}}, NONE, False, "Modality empty"),
    ({"Modality": {"regex": "C[TR]"}}, CT, True, 'Modality "CT" ~ /C[TR]/'),
    ({"Modality": {"regex": "C"}}, CT, False, 'Modality "CT" is not ~ /C/'),
    ({"Modality": {"regex": "c[tr]"}}, CT, False, 'Modality "CT" is not ~ /c[tr]/'),
    ({"Modality": {"regex": "c[tr]", "ignore_case": True}}, CT, True, 'Modality "CT" ~ /c[tr]/'),
    ({"ImageType": {"regex": "P.*"}}, TWO, True, 'ImageType "ORIGINAL", "PRIMARY" ~ /P.*/'),
    (
        {"ImageType": {"regex": "O.*Y"}},
        TWO,
        False,
        'ImageType "ORIGINAL", "PRIMARY" is not ~ /O.*Y/',
    ),
    (
        {"StudyDescription": {"regex": "T.te", "fold_accents": True}},
        {**UTF8, "StudyDescription": "Tête"},
        True,
        'StudyDescription "Tête" ~ /T.te/',
    ),
    (
        {"Modality": {"contains": "T", "not": "CT"}},
        CT,
        False,
        'Modality "CT" not (contains "T" and not CT)',
    ),
]
CLASS = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}
UIDS: list[Row] = [
    ({"SOPClassUID": "CTImageStorage"}, {}, False, "SOPClassUID absent"),
    ({"SOPClassUID": "CTImageStorage"}, {"SOPClassUID": ""}, False, "SOPClassUID empty"),
    (
        {"SOPClassUID": "CTImageStorage"},
        CLASS,
        True,
        'SOPClassUID "1.2.840.10008.5.1.4.1.1.2" is CTImageStorage',
    ),
    (
        {"SOPClassUID": "CT Image Storage"},
        CLASS,
        True,
        'SOPClassUID "1.2.840.10008.5.1.4.1.1.2" is CT Image Storage',
    ),
    (
        {"SOPClassUID": "MRImageStorage"},
        CLASS,
        False,
        'SOPClassUID "1.2.840.10008.5.1.4.1.1.2" is not MRImageStorage',
    ),
    (
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"},
        CLASS,
        True,
        'SOPClassUID "1.2.840.10008.5.1.4.1.1.2" is "1.2.840.10008.5.1.4.1.1.2"',
    ),
    (
        {"SOPClassUID": "1.2.840.*"},
        CLASS,
        True,
        'SOPClassUID "1.2.840.10008.5.1.4.1.1.2" ~ 1.2.840.*',
    ),
    (
        {"SOPClassUID": "*CT*Storage"},
        CLASS,
        True,
        'SOPClassUID "1.2.840.10008.5.1.4.1.1.2" ~ *CT*Storage',
    ),
    (
        {"SOPClassUID": "MR*"},
        CLASS,
        False,
        'SOPClassUID "1.2.840.10008.5.1.4.1.1.2" is not ~ MR*',
    ),
    (
        {"SOPClassUID": ["MRImageStorage", "CTImageStorage"]},
        CLASS,
        True,
        'SOPClassUID "1.2.840.10008.5.1.4.1.1.2" in [MRImageStorage, CTImageStorage]',
    ),
    (
        {"SOPClassUID": "CTImageStorage"},
        {"SOPClassUID": "no uid"},
        False,
        'SOPClassUID "no uid" is not CTImageStorage',
    ),
    (
        {"transfer_syntax": "JPEG2000*"},
        {},
        True,
        'transfer_syntax "1.2.840.10008.1.2.4.90" ~ JPEG2000*',
    ),
    (
        {"transfer_syntax": "RLELossless"},
        {},
        False,
        'transfer_syntax "1.2.840.10008.1.2.4.90" is not RLELossless',
    ),
]


@pytest.mark.req("R-23", "R-24", "R-25", "RT-5")
@pytest.mark.parametrize(("when", "head", "holds", "clause"), PATTERNS + LISTS + WORDS)
def test_text_holds_as_the_table_says(
    when: dict[str, object], head: dict[str, object], holds: bool, clause: str
) -> None:
    assert ask(when, head) == (holds, clause)


TABLES = Known(tables={"wards": {"77": "ICU", "DOE^JOHN": "B2", " 5 ": "C"}})
WARD = {"lookup": "wards"}
LOOKED_UP: list[Row] = [
    ({"StudyID": WARD}, {}, False, "StudyID absent"),
    ({"StudyID": WARD}, {"StudyID": ""}, False, "StudyID empty"),
    ({"StudyID": WARD}, {"StudyID": "77"}, True, 'StudyID "77" in lookup wards'),
    ({"StudyID": WARD}, {"StudyID": "7"}, False, 'StudyID "7" not in lookup wards'),
    ({"StudyID": {"not": WARD}}, {"StudyID": "7"}, True, 'StudyID "7" not in lookup wards'),
    ({"ImageType": WARD}, {"ImageType": "A\\77"}, True, 'ImageType "A", "77" in lookup wards'),
    ({"PatientName": WARD}, {"PatientName": "Doe^John^"}, True,
     'PatientName "Doe^John^" in lookup wards'),
    ({"SeriesNumber": WARD}, {"SeriesNumber": "5"}, True, "SeriesNumber 5 in lookup wards"),
    ({"SeriesNumber": WARD}, {"SeriesNumber": "x"}, False, "SeriesNumber x is not a number"),
]  # fmt: skip


@pytest.mark.parametrize(("when", "head", "holds", "clause"), LOOKED_UP)
def test_a_value_may_be_a_key_of_a_table(
    when: dict[str, object], head: dict[str, object], holds: bool, clause: str
) -> None:
    assert ask(when, head, known=TABLES) == (holds, clause)


@pytest.mark.req("R-29")
@pytest.mark.parametrize(("when", "head", "holds", "clause"), UIDS)
def test_uids_may_be_named(
    when: dict[str, object], head: dict[str, object], holds: bool, clause: str
) -> None:
    assert ask(when, head) == (holds, clause)
