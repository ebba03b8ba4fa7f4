"""What cannot be meant is refused at load, with its address and a suggestion."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.asking import FACTS, ask, faults_of, head_of
from waystation.rules.conditions import Look, condition
from waystation.rules.predicates import PREDICATES

FAULTS: list[tuple[dict[str, object], str]] = [
    (
        {"Modalty": "CT"},
        'when.Modalty: unknown keyword or fact "Modalty" (did you mean "Modality"?)',
    ),
    (
        {"caling_ae": "X"},
        'when.caling_ae: unknown keyword or fact "caling_ae" (did you mean "calling_ae"?)',
    ),
    (
        {"(0018,ACME,01)": "x"},
        "when.(0018,ACME,01): (0018,ACME,01): private elements have an odd group",
    ),
    (
        {"PixelData": {"present": True}},
        "when.PixelData: PixelData is pixel data or comes after it: rules see the head",
    ),
    (
        {"TransferSyntaxUID": "x"},
        "when.TransferSyntaxUID: TransferSyntaxUID is not part of the data set: "
        "use transfer_syntax",
    ),
    ({"Modality.Rows": 1}, "when.Modality.Rows: Modality is no sequence, so nothing is inside it"),
    ({"Modality": ""}, "when.Modality: an empty pattern matches nothing: use { empty = true }"),
    ({"Modality": "C\\"}, 'when.Modality: "C\\" ends in a lone backslash'),
    ({"Modality": 5}, 'when.Modality: Modality is text: write "5" in quotes'),
    ({"Modality": True}, "when.Modality: Modality is text, not true or false"),
    ({"Modality": []}, "when.Modality: an empty list holds for nothing"),
    ({"Modality": {}}, "when.Modality: an empty table says nothing"),
    ({"Modality": {"ge": "A"}}, "when.Modality.ge: Modality is text: has no order"),
    (
        {"Modality": {"contain": "A"}},
        'when.Modality.contain: unknown test "contain" (did you mean "contains"?)',
    ),
    (
        {"Modality": {"is": ""}},
        "when.Modality.is: an empty text matches nothing: use { empty = true }",
    ),
    ({"Modality": {"is": 5}}, "when.Modality.is: expected text"),
    ({"Modality": {"present": "yes"}}, "when.Modality.present: expected true or false"),
    (
        {"Modality": {"present": True, "ignore_case": True}},
        "when.Modality.ignore_case: stands beside is, contains or regex",
    ),
    (
        {"Modality": {"is": "x", "ignore_case": 1}},
        "when.Modality.ignore_case: expected true or false",
    ),
    ({"Modality": {"family": "x"}}, "when.Modality.family: Modality is text, not a name"),
    ({"Modality": {"age_days": 1}}, "when.Modality.age_days: Modality is text, not a date"),
    (
        {"Modality": {"all": {"present": True}}},
        "when.Modality.all: present cannot be asked of each value",
    ),
    (
        {"Modality": date(2026, 1, 1)},
        "when.Modality: expected text, number, list or table, got date; a date or a time stands in"
        ' quotes, like "20260131"',
    ),
    ({"Rows": "many"}, 'when.Rows: Rows is a number, and "many" is no number'),
    ({"Rows": ".."}, "when.Rows: a range needs at least one end"),
    ({"Rows": "5..1"}, 'when.Rows: the range "5..1" ends before it begins'),
    ({"Rows": {"ge": True}}, "when.Rows.ge: expected a number"),
    ({"Rows": float("nan")}, 'when.Rows: Rows is a number, and "nan" is no number'),
    ({"Rows": {"contains": "5"}}, "when.Rows.contains: Rows is a number, not text"),
    (
        {"StudyDate": "2026-03-29"},
        'when.StudyDate: "2026-03-29" is not a date: write YYYYMMDD, or two with -',
    ),
    (
        {"StudyDate": "20260230"},
        'when.StudyDate: "20260230" is not a date: write YYYYMMDD, or two with -',
    ),
    ({"StudyDate": "-"}, 'when.StudyDate: "-" is not a date: write YYYYMMDD, or two with -'),
    ({"StudyDate": 20260329}, 'when.StudyDate: StudyDate is a date: write "20260329" in quotes'),
    (
        {"StudyDate": "2026-2025"},
        'when.StudyDate: the range "2026-2025" ends before it begins: write two ranges',
    ),
    (
        {"StudyTime": "2200-0600"},
        'when.StudyTime: the range "2200-0600" ends before it begins: write two ranges',
    ),
    ({"StudyDate": {"ge": "soon"}}, 'when.StudyDate.ge: "soon" is not a date'),
    (
        {"SOPClassUID": "CTImageStorag"},
        "when.SOPClassUID: no UID is called 'CTImageStorag' (did you mean 'CTImageStorage'?)",
    ),
    ({"SOPClassUID": "Foo*"}, 'when.SOPClassUID: "Foo*" names no UID'),
    ({"ICCProfile": "x"}, "when.ICCProfile: ICCProfile is bulk data: only present and count"),
    (
        {"ICCProfile": {"empty": True}},
        "when.ICCProfile.empty: ICCProfile is bulk data: only present and count",
    ),
    (
        {"RequestAttributesSequence": "x"},
        "when.RequestAttributesSequence: RequestAttributesSequence is a sequence: "
        "only present and count",
    ),
    ({"tls": "yes"}, 'when.tls: tls is true or false: "yes" means nothing there'),
    ({"weekday": "Monday"}, 'when.weekday: "Monday" is no day: write Mon, or Mon-Fri'),
    (
        {"address": "10.1.2.3/24"},
        'when.address: "10.1.2.3/24" is no network: 10.1.2.3/24 has host bits set',
    ),
    (
        {"StudyID": {"lookup": "wards"}},
        'when.StudyID.lookup: no [lookup.NAME] table is named "wards"',
    ),
    (
        {"StudyDate": {"lookup": "wards"}},
        "when.StudyDate.lookup: StudyDate is a date, not text",
    ),
    ({"any": {"Modality": "CT"}}, "when.any: expected a list of tables"),
    ({"any": [{}]}, "when.any[0]: expected a table with at least one condition"),
    ({"not": {}}, "when.not: expected a table with at least one condition"),
]


@pytest.mark.req("R-28", "R-29")
@pytest.mark.parametrize(("when", "fault"), FAULTS)
def test_what_cannot_be_meant_is_refused(when: dict[str, object], fault: str) -> None:
    assert faults_of(when) == [fault]


def test_all_faults_are_told_at_once() -> None:
    when = [{"Modality": 5, "Rows": "x"}, {"all": [{"Foo": "1"}, {"StudyDate": "x"}]}]
    assert [line.split(":")[0] for line in faults_of(when)] == [
        "when[0].Modality",
        "when[0].Rows",
        "when[1].all[0].Foo",
        "when[1].all[1].StudyDate",
    ]


@pytest.mark.parametrize("when", ["Modality", 5, [], [1], [{}]])
def test_when_is_a_table_or_a_list_of_tables(when: object) -> None:
    assert len(faults_of(when)) == 1


@pytest.mark.parametrize("opening", ["not", "any"])
def test_nesting_is_limited(opening: str) -> None:
    when: object = {"Modality": "CT"}
    right: object = "CT"
    for _ in range(40):
        when = {"not": when} if opening == "not" else {"any": [when]}
        right = {"not": right} if opening == "not" else [right]
    assert "nested deeper than 32" in faults_of(when)[0]
    assert "nested deeper than 32" in faults_of({"Modality": right})[0]


@pytest.mark.req("R-30")
@pytest.mark.parametrize("pattern", ["(a)\\1", "(?=a)", "(?<=a)b", "(?!a)", "(", "a" * 1025])
def test_expressions_that_are_not_linear_are_refused(pattern: str) -> None:
    assert faults_of({"StudyDescription": {"regex": pattern}})[0].startswith(
        "when.StudyDescription.regex: "
    )


@pytest.mark.req("R-30")
@pytest.mark.parametrize("right", [{"regex": "(a+)+$"}, "*a*a*a*a*a*a*?c"])
def test_hostile_values_end_at_once(right: object) -> None:
    # A backtracking matcher would need 2 ** 60000 steps here, and the suite's time-out end it.
    asked = condition({"TextValue": right}, "when", [])
    assert not asked.holds(Look(head_of({"TextValue": b"a" * 60_000 + b"b"}), FACTS))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*PREDICATES, "any", "ignore_case"]) | st.text(), inner
            )
        ),
        max_leaves=8,
    ),
    st.sampled_from(
        ["Modality", "Rows", "StudyDate", "PatientName", "SOPClassUID", "peer", "(0019,A,01)"]
    ),
)
def test_any_right_side_is_a_condition_or_a_fault(right: object, keyword: str) -> None:
    faults = faults_of({keyword: right})
    if not faults:
        assert ask({keyword: right}, {})[0] in (True, False)
        assert ask({keyword: right}, {"Modality": "A\\B", "PatientName": "A^B"})[0] in (True, False)
