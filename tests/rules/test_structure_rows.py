"""Presence, counts, negation, sequences, nesting: condition, head, answer, reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.objects.elements import EXPLICIT_LITTLE, element
from tests.rules.asking import FACTS, Row, ask, head_of
from waystation.dicom.head import Head
from waystation.rules.conditions import Look, condition

CT = {"Modality": "CT"}
NONE = {"Modality": ""}
TWO = {"ImageType": "ORIGINAL\\PRIMARY"}
STEPS = {
    "RequestAttributesSequence": [
        {"ScheduledProcedureStepID": "S1"},
        {"ScheduledProcedureStepID": "S2"},
    ]
}
ID = "RequestAttributesSequence.ScheduledProcedureStepID"
BULK = {"ICCProfile": b"\1\2\3\4"}

QUESTIONS: list[Row] = [
    ({"Modality": {"present": True}}, {}, False, "Modality absent"),
    ({"Modality": {"present": True}}, NONE, False, "Modality empty"),
    ({"Modality": {"present": True}}, CT, True, 'Modality "CT" is present'),
    ({"ImageType": {"present": True}}, TWO, True, 'ImageType "ORIGINAL", "PRIMARY" is present'),
    ({"StudyDate": {"present": True}}, {"StudyDate": "x"}, True, 'StudyDate "x" is present'),
    ({"Modality": {"present": False}}, {}, True, "Modality absent"),
    ({"Modality": {"present": False}}, NONE, True, "Modality empty"),
    ({"Modality": {"present": False}}, CT, False, 'Modality "CT" is present'),
    ({"Modality": {"empty": True}}, {}, False, "Modality absent"),
    ({"Modality": {"empty": True}}, NONE, True, "Modality empty"),
    ({"Modality": {"empty": True}}, {"Modality": "  "}, True, "Modality empty"),
    ({"Modality": {"empty": True}}, CT, False, 'Modality "CT" is not empty'),
    ({"ImageType": {"empty": True}}, TWO, False, 'ImageType "ORIGINAL", "PRIMARY" is not empty'),
    ({"StudyDate": {"empty": True}}, {"StudyDate": "x"}, False, 'StudyDate "x" is not empty'),
    ({"Modality": {"empty": False}}, {}, True, "Modality absent"),
    ({"Modality": {"empty": False}}, NONE, False, "Modality empty"),
    ({"Modality": {"empty": False}}, CT, True, 'Modality "CT" is not empty'),
    ({"ImageType": {"count": {"ge": 2}}}, {}, False, "ImageType absent"),
    ({"ImageType": {"count": 0}}, {}, True, "ImageType absent"),
    ({"ImageType": {"count": 0}}, {"ImageType": ""}, True, "ImageType empty"),
    ({"ImageType": {"count": 1}}, {"ImageType": "A"}, True, 'ImageType "A" count is 1'),
    (
        {"ImageType": {"count": {"ge": 2}}},
        TWO,
        True,
        'ImageType "ORIGINAL", "PRIMARY" count >= 2',
    ),
    (
        {"ImageType": {"count": "3..4"}},
        TWO,
        False,
        'ImageType "ORIGINAL", "PRIMARY" count not in 3..4',
    ),
    (
        {"ImageType": {"count": 3}},
        {"ImageType": "A\\\\B"},
        True,
        'ImageType "A", "", "B" count is 3',
    ),
    (
        {"PixelSpacing": {"count": 2}},
        {"PixelSpacing": "x\\1"},
        True,
        "PixelSpacing x, 1 count is 2",
    ),
]
NOT_AND_ALL: list[Row] = [
    ({"Modality": {"not": "CT"}}, {}, True, "Modality absent"),
    ({"Modality": {"not": "CT"}}, NONE, True, "Modality empty"),
    ({"Modality": {"not": "CT"}}, CT, False, 'Modality "CT" is "CT"'),
    ({"Modality": {"not": "MG"}}, CT, True, 'Modality "CT" is not "MG"'),
    (
        {"ImageType": {"not": "PRIMARY"}},
        TWO,
        False,
        'ImageType "ORIGINAL", "PRIMARY" is "PRIMARY"',
    ),
    (
        {"ImageType": {"not": "AXIAL"}},
        TWO,
        True,
        'ImageType "ORIGINAL", "PRIMARY" is not "AXIAL"',
    ),
    ({"Modality": {"not": ["CT", "MR"]}}, CT, False, 'Modality "CT" in [CT, MR]'),
    ({"Modality": {"not": {"not": "CT"}}}, CT, True, 'Modality "CT" is "CT"'),
    ({"Rows": {"not": {"ge": 512}}}, {"Rows": 511}, True, "Rows 511 not >= 512"),
    ({"StudyDate": {"not": "2026"}}, {"StudyDate": "x"}, True, 'StudyDate "x" is not a date'),
    ({"Modality": {"not": {"present": True}}}, {}, True, "Modality absent"),
    ({"ImageType": {"all": "*R*"}}, {}, False, "ImageType absent"),
    ({"ImageType": {"all": "*"}}, {"ImageType": ""}, False, "ImageType empty"),
    ({"ImageType": {"all": "O*"}}, {"ImageType": "OX"}, True, 'ImageType "OX" all O*'),
    ({"ImageType": {"all": "*R*"}}, TWO, True, 'ImageType "ORIGINAL", "PRIMARY" all *R*'),
    ({"ImageType": {"all": "P*"}}, TWO, False, 'ImageType "ORIGINAL", "PRIMARY" not all P*'),
    ({"ImageType": {"all": "*"}}, {"ImageType": "A\\"}, False, 'ImageType "A", "" not all *'),
    ({"ImageType": {"all": {"not": "X"}}}, TWO, True, 'ImageType "ORIGINAL", "PRIMARY" all not X'),
    ({"ImageType": {"all": {"not": "X"}}}, {}, False, "ImageType absent"),
    (
        {"PixelSpacing": {"all": {"gt": 0}}},
        {"PixelSpacing": "1\\2"},
        True,
        "PixelSpacing 1, 2 all > 0",
    ),
    (
        {"PixelSpacing": {"all": {"gt": 0}}},
        {"PixelSpacing": "1\\x"},
        False,
        "PixelSpacing 1, x is not a number",
    ),
]
SEQUENCES: list[Row] = [
    ({ID: "S2"}, {}, False, f"{ID} absent"),
    ({ID: "S2"}, {"RequestAttributesSequence": []}, False, f"{ID} absent"),
    ({ID: "S2"}, {"RequestAttributesSequence": [{}]}, False, f"{ID} absent"),
    (
        {ID: "S2"},
        {"RequestAttributesSequence": [{"ScheduledProcedureStepID": ""}]},
        False,
        f"{ID} empty",
    ),
    ({ID: "S2"}, STEPS, True, f'{ID} "S1", "S2" is "S2"'),
    ({ID: "S3"}, STEPS, False, f'{ID} "S1", "S2" is not "S3"'),
    ({ID: {"not": "S2"}}, STEPS, False, f'{ID} "S1", "S2" is "S2"'),
    ({ID: {"all": "S?"}}, STEPS, True, f'{ID} "S1", "S2" all S?'),
    ({ID: {"count": 2}}, STEPS, True, f'{ID} "S1", "S2" count is 2'),
    (
        {"RequestAttributesSequence[0].ScheduledProcedureStepID": "S2"},
        STEPS,
        False,
        'RequestAttributesSequence[0].ScheduledProcedureStepID "S1" is not "S2"',
    ),
    (
        {"RequestAttributesSequence[1].ScheduledProcedureStepID": "S2"},
        STEPS,
        True,
        'RequestAttributesSequence[1].ScheduledProcedureStepID "S2" is "S2"',
    ),
    (
        {"RequestAttributesSequence[2].ScheduledProcedureStepID": "S2"},
        STEPS,
        False,
        "RequestAttributesSequence[2].ScheduledProcedureStepID absent",
    ),
    (
        {"RequestAttributesSequence": {"count": {"ge": 2}}},
        STEPS,
        True,
        "RequestAttributesSequence 2 items count >= 2",
    ),
    (
        {"RequestAttributesSequence": {"present": True}},
        {"RequestAttributesSequence": []},
        False,
        "RequestAttributesSequence empty",
    ),
    (
        {"RequestAttributesSequence[1]": {"present": True}},
        STEPS,
        True,
        "RequestAttributesSequence[1] 1 item is present",
    ),
    (
        {"RequestAttributesSequence[2]": {"present": True}},
        STEPS,
        False,
        "RequestAttributesSequence[2] empty",
    ),
    ({"ICCProfile": {"present": True}}, BULK, True, "ICCProfile present is present"),
    ({"ICCProfile": {"present": True}}, {"ICCProfile": b""}, False, "ICCProfile empty"),
    ({"ICCProfile": {"count": 1}}, BULK, True, "ICCProfile present count is 1"),
    ({"ICCProfile": {"not": {"present": True}}}, {}, True, "ICCProfile absent"),
    (
        {"TextValue": {"present": True}},
        {"TextValue": b"x" * 70_000},
        True,
        "TextValue present is present",
    ),
]
TABLES: list[tuple[object, dict[str, Any], bool, str]] = [
    ({}, CT, True, "no conditions"),
    (
        {"Modality": "CT", "StudyID": "7"},
        {**CT, "StudyID": "7"},
        True,
        'Modality "CT" is "CT" · StudyID "7" is "7"',
    ),
    ({"Modality": "CT", "StudyID": "7"}, CT, False, "StudyID absent"),
    ([{"Modality": "MR"}, {"Modality": "CT"}], CT, True, 'Modality "CT" is "CT"'),
    (
        [{"Modality": "MR"}, {"Modality": "MG"}],
        CT,
        False,
        'Modality "CT" is not "MR" · Modality "CT" is not "MG"',
    ),
    ({"any": [{"Modality": "MR"}, {"Modality": "CT"}]}, CT, True, 'Modality "CT" is "CT"'),
    ({"any": [{"Modality": "MR"}]}, CT, False, 'Modality "CT" is not "MR"'),
    ({"all": [{"Modality": "CT"}, {"StudyID": "7"}]}, CT, False, "StudyID absent"),
    ({"not": {"Modality": "CT"}}, CT, False, 'Modality "CT" is "CT"'),
    ({"not": {"Modality": "MR", "StudyID": "7"}}, CT, True, 'Modality "CT" is not "MR"'),
    ({"not": [{"Modality": "MR"}, {"Modality": "CT"}]}, CT, False, 'Modality "CT" is "CT"'),
    ({"not": {"not": {"Modality": "CT"}}}, CT, True, 'Modality "CT" is "CT"'),
    (
        {"Modality": "CT", "any": [{"StudyID": "7"}, {"not": {"StudyID": "8"}}]},
        CT,
        True,
        'Modality "CT" is "CT" · StudyID absent',
    ),
]


@pytest.mark.req("R-23", "R-24")
@pytest.mark.parametrize(("when", "head", "holds", "clause"), QUESTIONS + NOT_AND_ALL)
def test_questions_hold_as_the_table_says(
    when: dict[str, object], head: dict[str, object], holds: bool, clause: str
) -> None:
    assert ask(when, head) == (holds, clause)


@pytest.mark.req("R-23", "R-29")
@pytest.mark.parametrize(("when", "head", "holds", "clause"), SEQUENCES)
def test_sequences_and_bulk_hold_as_the_table_says(
    when: dict[str, object], head: dict[str, object], holds: bool, clause: str
) -> None:
    assert ask(when, head) == (holds, clause)


@pytest.mark.parametrize(("when", "head", "holds", "clause"), TABLES)
def test_tables_and_lists_nest(
    when: object, head: dict[str, Any], holds: bool, clause: str
) -> None:
    assert ask(when, head) == (holds, clause)


def test_a_sequence_broken_inside_fails_the_test_and_raises_nothing() -> None:
    # A sequence that an unknown-length UN hides is only walked when somebody asks.
    broken = element(0x00400275, "SQ", b"\xfe\xff\x00\xe0\xf0\x00\x00\x00")
    head = Head.from_bytes(element(0x00080060, "CS", "CT"), EXPLICIT_LITTLE)
    head.data += broken
    head.elements[0x00400275] = ("SQ", len(head.data) - 8, 8)
    seen = Look(head, FACTS)
    for right in ("x", {"present": True}):
        asked = condition({ID: right}, "when", [])
        assert asked.judge(seen) == (False, f"{ID} unreadable")


VALUES = st.text(st.sampled_from("ABab*? ^=\\19.-"), max_size=8)
RIGHT = st.recursive(
    st.one_of(
        st.text(st.sampled_from("ABab*?1"), min_size=1, max_size=4),
        st.fixed_dictionaries({"contains": st.text(st.sampled_from("AB1"), min_size=1)}),
        st.fixed_dictionaries({"present": st.booleans()}),
        st.fixed_dictionaries({"count": st.integers(0, 3)}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3), st.fixed_dictionaries({"not": inner})
    ),
    max_leaves=6,
)


@pytest.mark.req("R-23", "R-24")
@given(VALUES, RIGHT)
def test_not_is_the_plain_opposite_of_everything(value: str, right: object) -> None:
    head = {"ImageType": value}
    assert ask({"ImageType": {"not": right}}, head)[0] is not ask({"ImageType": right}, head)[0]
    assert ask({"not": {"ImageType": right}}, head)[0] is not ask({"ImageType": right}, head)[0]


@pytest.mark.req("R-22", "R-27", "R-28")
@given(
    st.binary(max_size=40),
    st.sampled_from(
        ["StudyDate", "StudyTime", "PixelSpacing", "PatientName", "AcquisitionDateTime"]
    ),
)
def test_no_bytes_make_a_condition_raise(value: bytes, keyword: str) -> None:
    right: dict[str, object] = {"not": "1"} if keyword == "PixelSpacing" else {"not": "2026"}
    if keyword == "StudyTime":
        right = {"not": "10"}
    seen = Look(head_of({keyword: value}), FACTS)
    asked = condition({keyword: right}, "when", [])
    assert asked.judge(seen) == asked.judge(seen)
