"""`if` expressions that mean nothing: refused at load, with the column and what to write (R-32)."""

import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.asking import FACTS, head_of
from waystation.model.errors import ConfigError
from waystation.rules.conditions import STEP_LIMIT, Look
from waystation.rules.expression import expression
from waystation.rules.expression_calls import CALLS
from waystation.rules.faults import StepsError
from waystation.rules.known import Known

KNOWN = Known(schedules=["night"], tables={"wards": {"77": "ICU"}})
LOST = "expected a keyword, a fact, a number, a text or a bracket, got "
FAULTS = [
    ("", "column 1: an empty expression says nothing"),
    ("Rows >", f"column 7: {LOST}the end"),
    ("Rows > 5 Modality", 'column 10: expected and, or, a comparison or the end, got "Modality"'),
    ("(Rows > 1", 'column 10: expected ")", got the end'),
    ("Rows > 1)", 'column 9: expected and, or, a comparison or the end, got ")"'),
    ("Rows = 5", 'column 6: "=" has no meaning here: write == to compare'),
    ("Rows > 1 && tls", 'column 10: "&" has no meaning here: write and'),
    ("!tls", 'column 1: "!" has no meaning here: write not'),
    ("Rows == 'a", "column 9: a text without its closing quote"),
    ("Rows > 1\n and Row > 2",
     'line 2 column 6: unknown keyword or fact "Row" (did you mean "Rows"?)'),
    ("Modalty == 'CT'", 'column 1: unknown keyword or fact "Modalty" (did you mean "Modality"?)'),
    ("calling_ea == 'A'",
     'column 1: unknown keyword or fact "calling_ea" (did you mean "calling_ae"?)'),
    ("true", 'column 1: unknown keyword or fact "true": write True'),
    ("prsent(Rows)", 'column 1: unknown function "prsent" (did you mean "present"?)'),
    ("lower == 'a'", 'column 1: "lower" is a function: write lower(...)'),
    # Everything that a language has and a rule must not.
    ("__import__('os')", 'column 1: "__import__": no name begins with an underscore'),
    ("Rows._x == 1", 'column 6: "_x": no name begins with an underscore'),
    ("1_000 == Rows", 'column 1: "1" is followed by letters or an underscore'),
    ("'abc'.upper() == 'ABC'",
     'column 6: a text has no parts: "." follows keywords only'),
    ("StudyDescription.upper() == 'A'",
     'column 23: expected and, or, a comparison or the end, got "("'),
    ("StudyDescription.Rows == 1",
     "column 1: StudyDescription is no sequence, so nothing is inside it"),
    ("'abc'[0] == 'a'", 'column 6: a text has no parts: "[" follows keywords only'),
    ("lower(StudyID)[0] == 'a'",
     'column 15: what a function gives has no parts: "[" follows keywords only'),
    ("(StudyID)[0] == 'a'", 'column 10: a bracket has no parts: "[" follows keywords only'),
    ("ImageType[0][1] == 'a'", "column 13: one value has no values of its own"),
    ("ImageType[-1] == 'a'",
     'column 11: expected a whole number from 0, as in ImageType[0], got "-"'),
    ("lambda: Rows", 'column 7: ":" has no meaning here: lambdas, slices and blocks are not known'),
    ("[x for x in ImageType]", 'column 4: expected ",", got "for"'),
    ("f'{Rows}' == '5'", 'column 1: a text has no letter before it: leave out the "f"'),
    ("startswith(text=StudyID)", 'column 16: "=" has no meaning here: write == to compare'),
    ("Rows if tls else 5", 'column 6: expected and, or, a comparison or the end, got "if"'),
    ("Rows ** 2 > 1", f'column 7: {LOST}"*"'),
    ("not not tls", f'column 5: {LOST}"not"'),
    ("tls == not tls", f'column 8: {LOST}"not"'),
    ("{'a': 1} == 1", 'column 1: "{" has no meaning here: write a list in [ ]'),
    # Kinds.
    ("Modality", "column 1: Modality is text, no condition: compare it with something"),
    ("Rows + 1", "column 1: Rows + 1 is a number, no condition: compare it with something"),
    ("tls and 'CT'", "column 9: 'CT' is text, no condition: compare it with something"),
    ("Modality < 5", 'column 12: Modality is text: write "5" in quotes'),
    ("Rows == '512'", 'column 9: Rows is a number: write "512" without quotes'),
    ("first(Rows) in [1, '2']", 'column 20: Rows is a number: write "2" without quotes'),
    ("StudyDate > '2026-01-01'",
     'column 13: "2026-01-01" is not a date: write it as "YYYYMMDD"'),
    ("StudyDate > 2026", 'column 13: "2026" is not a date: write it as "YYYYMMDD"'),
    ("date('x') == StudyDate", 'column 6: "x" is not a date: write it as "YYYYMMDD"'),
    ("weekday == 'Monday'",
     'column 12: "Monday" is no day: write one of Mon, Tue, Wed, Thu, Fri, Sat, Sun'),
    ("SOPClassUID == 'CTImageStorag'",
     "column 16: no UID is called 'CTImageStorag' (did you mean 'CTImageStorage'?)"),
    ("ICCProfile == 'x'", "column 1: ICCProfile is bulk data: only present and count"),
    ("RequestAttributesSequence == 'x'",
     "column 1: RequestAttributesSequence is a sequence: only present and count"),
    ("present(PixelData)",
     "column 9: PixelData is pixel data or comes after it: rules see the head"),
    ("address in '10.0.0.0/8'",
     'column 12: ask for a network in when = { address = "10.1.2.0/24" }'),
    ("['CT'] == Modality", "column 1: a list stands to the right of in"),
    ("Modality == ['CT']", "column 13: a list stands to the right of in: write in, not =="),
    ("Modality in []", "column 13: an empty list holds for nothing"),
    ("every(Rows) + 1 > 5", "column 1: every(...) stands beside a comparison sign"),
    ("lower(every(StudyID)) == 'a'", "column 7: every(...) stands beside a comparison sign"),
    ("lower(Rows) == '5'", "column 7: lower() takes text, and Rows is a number"),
    ("days_since(Rows) > 5", "column 12: days_since() takes a date, and Rows is a number"),
    ("number(StudyDate) > 5", "column 8: number() takes text, and StudyDate is a date"),
    ("present()", "column 1: write present(x)"),
    ("matches(StudyID)", "column 1: write matches(text, expression)"),
    ("matches(StudyID, Modality)", "column 18: matches() takes a regular expression in quotes"),
    ("matches(StudyID, '(?=a)')",
     "column 18: regular expression: invalid perl operator: (?="),
    ("wildcard(StudyID, '')",
     "column 19: an empty pattern matches nothing: use { empty = true }"),
    ("open('nigt')",
     'column 1: no [schedule.NAME] table is named "nigt" (did you mean "night"?)'),
    ("open(StudyID)", "column 6: open() takes the name of a [schedule.NAME] table in quotes"),
    ("lookup('ward', StudyID) == 'a'",
     'column 8: no [lookup.NAME] table is named "ward" (did you mean "wards"?)'),
    # Limits.
    ("(" * 33 + "tls" + ")" * 33, "column 33: nested deeper than 32"),
    ("lower(" * 33 + "StudyID" + ")" * 33 + " == 'a'", "column 198: nested deeper than 32"),
    ("tls or " * 700, "an expression has at most 4 KiB"),
    ("Rows < 1e99999", "column 8: a number this large means nothing"),
]  # fmt: skip


@pytest.mark.req("R-32", "N-24")
@pytest.mark.parametrize(("text", "fault"), FAULTS)
def test_what_is_no_expression_is_refused_with_its_column(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        expression(text, "rule.a.if", KNOWN)
    assert str(caught.value) == f"rule.a.if: {fault}"


@pytest.mark.req("R-32")
def test_a_tree_at_the_limit_of_depth_is_evaluated() -> None:
    deep = "(" * 32 + "True" + ")" * 32
    assert expression(deep, "if").holds(Look(head_of({}), FACTS))


@pytest.mark.req("R-32")
def test_an_evaluation_ends_after_ten_thousand_steps() -> None:
    values = "\\".join(["1"] * 110)
    seen = Look(head_of({"PixelSpacing": values}), FACTS)
    assert STEP_LIMIT < 110 * 110
    with pytest.raises(StepsError, match="more than 10,000 steps"):
        expression("PixelSpacing + PixelSpacing == 3", "if").holds(seen)
    # The limit is one of each evaluation, not of the object.
    once = expression("PixelSpacing * 2 == 3", "if")
    assert [once.holds(seen) for _ in range(200)] == [False] * 200


HEADS = [
    head_of({}),
    head_of({"Modality": "CT", "Rows": 512, "ImageType": "A\\B", "StudyDate": "x", "StudyID": "7"}),
]
PIECES = [
    *CALLS,
    *("(", ")", "[", "]", ",", ".", "'", '"', "==", "!=", "<", "<=", ">", ">=", " in ", " not "),
    *(" and ", " or ", "+", "-", "*", "/", "%", "1", "0", "2.5", "'CT'", "'a'", "''", "True", " "),
    *("Modality", "Rows", "ImageType", "StudyDate", "StudyID", "PatientName", "SOPClassUID"),
    *("ImageType[0]", "tls", "hour", "weekday", "received_at", "RequestAttributesSequence", "_x"),
]


def is_load_error_or_boolean(text: str) -> bool:
    """Compile and evaluate; anything but a load error or an answer raises."""
    try:
        compiled = expression(text, "if", KNOWN)
    except ConfigError as error:
        return error.where == "if"
    for head in HEADS:
        held, clause = compiled.judge(Look(head, FACTS))
        assert type(held) is bool
        assert clause.startswith("if: ")
    return True


MANY = 100_000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 20_000


@pytest.mark.req("R-32", "N-24", "RT-5")
def test_random_bytes_are_a_load_error_or_a_boolean() -> None:
    """A fifth of them by default; HYPOTHESIS_PROFILE=nightly runs all 10^5 (RT-5)."""
    source = random.Random(5)
    for _ in range(MANY):
        data = source.randbytes(source.randrange(40))
        assert is_load_error_or_boolean(data.decode("utf-8", "surrogateescape"))
        assert is_load_error_or_boolean(data.decode("latin-1"))


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_words_in_any_order_are_a_load_error_or_a_boolean(text: str) -> None:
    assert is_load_error_or_boolean(text)


@given(st.text(max_size=40), st.text(max_size=8))
def test_any_text_between_quotes_is_only_text(inner: str, value: str) -> None:
    quoted = inner.replace("\\", "\\\\").replace("'", "\\'")
    compiled = expression(f"StudyComments == '{quoted}'", "if")
    head = head_of(
        {"SpecificCharacterSet": "ISO_IR 192", "StudyComments": value.encode("utf-8", "replace")}
    )
    assert compiled.holds(Look(head, FACTS)) in (True, False)
