"""Validations: what is wrong, with both sides, in words that show no value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dicom.building import el
from tests.transforms.editing import FACTS, again, head_of, tools_of
from waystation.dicom.head import Head
from waystation.model.delivery import HoldReason
from waystation.transforms.lookup import TableError, read_table
from waystation.transforms.steps import Failed, StepFacts, Treated, apply, check
from waystation.transforms.validate import Earlier, Person
from waystation.transforms.validate_names import errors, nearly_same, normalised, same_name
from waystation.transforms.validate_numbers import CHECKS
from waystation.transforms.validate_read import read_validation

pytestmark = pytest.mark.req("R-68")

ID, NAME, BIRTH = 0x00100020, 0x00100010, 0x00100030
PATIENTS = read_table("patients", "id,name,birth\n123,Doe^John,19700101\n")
LISTED = {
    "source": "csv",
    "table": "patients",
    "compare": {"PatientName": {"column": "name", "errors": 1}, "PatientBirthDate": "birth"},
}


def patient(number: bytes = b"123 ", name: bytes = b"Doe^John", birth: bytes = b"19700101") -> Head:
    return head_of(el(NAME, "PN", name), el(ID, "LO", number), el(BIRTH, "DA", birth))


def judged(
    head: Head, said: dict[str, Any], *, earlier: Earlier | None = None, tables: bool = True
) -> Treated | Failed:
    validation = read_validation("ids", said)
    tools = tools_of(tables={"patients": PATIENTS} if tables else {}, validations=(validation,))
    facts = StepFacts(now=FACTS.now, system="w", source="CT1", earlier=earlier)
    return apply(head, tools, facts)


def why(done: Treated | Failed) -> str:
    return done.why if isinstance(done, Failed) else ""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"required": ["PatientName"]}, ""),
        ({"required": ["AccessionNumber"]}, "ids: mismatch: AccessionNumber is missing"),
        ({"patterns": {"PatientID": "[0-9]+"}}, ""),
        ({"patterns": {"PatientID": "[0-9]"}}, "ids: mismatch: PatientID does not match its"),
        ({"patterns": {"AccessionNumber": "[0-9]"}}, ""),
        ({"check": {"PatientID": "luhn"}}, "ids: mismatch: PatientID has a wrong check digit"),
        (
            {"required": ["StudyID"], "patterns": {"PatientID": "x"}},
            "ids: mismatch: StudyID is missing; PatientID does not match its pattern",
        ),
    ],
)
def test_an_object_is_judged_by_itself(said: dict[str, Any], expected: str) -> None:
    done = judged(patient(), said)
    assert why(done).startswith(expected)
    assert bool(why(done)) == bool(expected)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (patient(), ""),
        (patient(name=b"DOE^JOHN"), ""),
        (patient(name=b"Deo^John"), ""),
        (patient(name=b"Dooe^Jon"), "ids: mismatch: PatientName differs"),
        (patient(birth=b"19700102"), "ids: mismatch: PatientBirthDate differs"),
        (patient(number=b"124 "), "ids: unknown: PatientID is not in patients"),
    ],
)
def test_an_object_is_compared_with_a_list(head: Head, expected: str) -> None:
    assert why(judged(head, LISTED)) == expected


def test_a_table_that_is_not_there_is_a_source_that_is_down() -> None:
    done = judged(patient(), LISTED, tables=False)
    assert isinstance(done, Failed)
    assert (done.reason, done.transient) == (HoldReason.VALIDATION, True)
    assert done.why == 'ids: source-down: table "patients" is not there'


def test_both_sides_are_kept_for_those_who_may_see_them_and_out_of_the_words() -> None:
    done = judged(patient(name=b"Miller^A"), LISTED)
    assert isinstance(done, Failed)
    assert '["PatientName", "Miller^A", "Doe^John"]' in done.detail
    assert "Miller" not in done.why


def test_an_earlier_object_of_the_same_patient_is_compared() -> None:
    said = {"source": "earlier"}
    known = Person(said={"PatientName": "Doe^John", "PatientBirthDate": "19700101"})
    assert why(judged(patient(), said, earlier=Earlier())) == ""
    assert why(judged(patient(), said, earlier=Earlier(person=known))) == ""
    other = judged(patient(name=b"Roe^Jane"), said, earlier=Earlier(person=known))
    assert why(other) == "ids: mismatch: PatientName differs"
    two = judged(patient(), said, earlier=Earlier(person=known, others=True))
    assert why(two) == "ids: mismatch: another Patient ID was received in this study"
    assert "source-down" in why(judged(patient(), said))


def test_a_mismatch_is_corrected_tagged_or_passed_as_wanted() -> None:
    head = patient(birth=b"19800101")
    corrected = judged(head, LISTED | {"on_mismatch": "correct"})
    assert isinstance(corrected, Treated)
    after = again(corrected, head)
    assert after.text(BIRTH) == "19700101"
    record = "OriginalAttributesSequence."
    assert after.values(record + "ModifiedAttributesSequence.PatientBirthDate") == ["19800101"]
    assert after.values(record + "ReasonForTheAttributeModification") == ["CORRECT"]
    tag = {"tag": "PatientComments", "text": "CHECK {PatientID}"}
    tagged = judged(head, LISTED | {"on_mismatch": tag})
    assert isinstance(tagged, Treated)
    assert again(tagged, head).values("PatientComments") == ["CHECK 123"]
    passed = judged(head, LISTED | {"on_mismatch": "pass"})
    assert isinstance(passed, Treated)
    assert passed.head is head.data
    assert passed.passed == ("ids: mismatch: PatientBirthDate differs",)


def test_only_what_rejects_refuses_before_the_answer() -> None:
    head = patient(birth=b"19800101")
    for action, refused in (("hold", False), ("reject", True), ("pass", False)):
        validation = read_validation("ids", LISTED | {"on_mismatch": action})
        tools = tools_of(tables={"patients": PATIENTS}, validations=(validation,))
        found = check(head, tools, FACTS)
        assert (found is not None) is refused


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"source": "worklist", "key": "StudyDate"}, "expected key"),
        ({"source": "worklist", "compare": ["StudyDate"]}, "PatientID, PatientName"),
        ({"source": "hl7"}, "expected source"),
        ({}, "checks nothing"),
        ({"patterns": {"PatientID": "("}}, "regular expression"),
        ({"patterns": {"PatientIDs": "x"}}, "PatientIDs"),
        ({"check": {"PatientID": "mod97"}}, "expected one of luhn, mod11, nhs"),
        ({"source": "csv"}, "needs the table"),
        ({"source": "earlier", "table": "x"}, "only for source"),
        ({"source": "earlier", "compare": ["StudyDate"]}, "PatientName, PatientBirthDate"),
        ({"required": ["StudyID"], "compare": {"StudyID": "x"}}, "compare needs a source"),
        ({"required": ["StudyID"], "on_mismatch": "correct"}, "nothing to correct"),
        ({"required": ["StudyID"], "on_mismatch": "refuse"}, "expected one of hold, reject"),
        ({"required": ["StudyID"], "on_source_down": "reject"}, "says nothing about the object"),
        ({"required": ["StudyID"], "on_mismatch": {"tag": "Rows", "text": "x"}}, "pixels"),
        (LISTED | {"compare": {"PatientID": {"column": "id", "errors": 1}}}, 'how = "pn"'),
        (LISTED | {"compare": {"PatientID": {"column": "id", "how": "fuzzy"}}}, "expected how"),
        (LISTED | {"compare": {"PatientName": {"column": "n", "errors": 9}}}, "0 to 5"),
    ],
)
def test_what_cannot_be_meant_says_what_to_write(said: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected.replace("(", ".")):
        read_validation("ids", said)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("luhn", ["79927398713", "4539 1488 0343 6467"], ["79927398710", "", "7", "x9927398713"]),
        ("mod11", ["0365327", "036-532-7"], ["0365328", "X", "12a4"]),
        ("nhs", ["943 476 5919", "4010232137"], ["9434765918", "943476591", "943476591O"]),
    ],
)
def test_check_digits(kind: str, good: list[str], bad: list[str]) -> None:
    for number in good:
        assert CHECKS[kind](number), number
    for number in bad:
        assert not CHECKS[kind](number), number


@pytest.mark.parametrize("kind", list(CHECKS))
@given(number=st.integers(10**8, 10**9 - 1), place=st.integers(0, 8), step=st.integers(1, 9))
def test_one_wrong_digit_is_always_found(kind: str, number: int, place: int, step: int) -> None:
    body = str(number)
    whole = next((body + end for end in "0123456789X" if CHECKS[kind](body + end)), "")
    if not whole:
        return
    digit = str((int(whole[place]) + step) % 10)
    assert not CHECKS[kind](whole[:place] + digit + whole[place + 1 :])


def test_names_are_the_same_without_case_accents_and_marks() -> None:
    assert same_name("Müller-Lüdenscheid^Hans", "MULLER LUDENSCHEID^HANS^^")
    assert not same_name("Müller^Hans", "Hans^Müller")
    assert normalised("Yamada^Tarou=山田^太郎") == "yamada^tarou"
    assert nearly_same(2)("Schmidt^Anna", "Schmitt^Ana")
    assert not nearly_same(1)("Schmidt^Anna", "Schmitt^Ana")


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_typing_errors_are_counted_alike_from_both_sides(one: str, other: str) -> None:
    assert errors(one, other) == errors(other, one)
    assert (errors(one, other) == 0) == (one == other)
    assert errors(one, other) <= max(len(one), len(other))


@pytest.mark.req("R-67")
@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "is empty"),
        ("id,name\n1,a\n1,b\n", 3, "the key of line 2 stands here again"),
        ("id,name\n1,a\n2\n", 3, "has 1 columns, the header has 2"),
        ("id,id\n", 1, 'the column "id" stands there twice'),
        ("id,\n", 1, "a column has no name"),
        ('id,name\n1,"a\n', 2, "is no CSV"),
        ("id,name\n1,\0\n", 2, "a NUL"),
    ],
)
def test_a_table_that_is_none_says_where(text: str, line: int, problem: str) -> None:
    with pytest.raises(TableError, match=problem) as found:
        read_table("t", text)
    assert found.value.line == line


@pytest.mark.req("R-67")
def test_a_table_is_read_by_the_column_that_is_its_key() -> None:
    table = read_table("t", '\ufeffname, id \r\nAnna, 1 \r\n\r\n"Bob, B",2\r\n', key="id")
    assert table.row("2") == {"name": "Bob, B", "id": "2"}
    assert table.row("3") is None
    assert table.lines == {"1": 2, "2": 4}
    with pytest.raises(TableError, match="there are name, id"):
        read_table("t", "name,id\n", key="nr")
