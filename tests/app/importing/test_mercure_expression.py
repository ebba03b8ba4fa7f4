"""mercure's selection rules as `if`: never wider (R-83, RT-16)."""

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.asking import FACTS, head_of
from waystation.app.importing.mercure_expression import Unsayable, translate
from waystation.rules.conditions import Look
from waystation.rules.expression import expression

HEAD = {
    "Modality": "CT",
    "ImageType": "ORIGINAL\\PRIMARY\\AXIAL",
    "StudyDescription": "CT Chest 100%",
    "SeriesDescription": "CINE 2ch",
    "SliceThickness": "1.5",
    "SeriesNumber": "12",
    "StudyDate": "20260301",
    "PatientName": "Doe^John",
}
# The rule, our words, and whether HEAD has it.
SAID = [
    ("True", "", True),
    ("False", "False", False),
    ("'CINE' in tags.SeriesDescription", "'CINE' in SeriesDescription", True),
    ("'cine' in @SeriesDescription@.lower()", "wildcard(lower(SeriesDescription), '*cine*')", True),
    ('tags["Modality"] == "CT"', "Modality == 'CT'", True),
    ("'MR' == tags.Modality", "Modality == 'MR'", False),
    ("tags.Modality != 'CT'", "not (Modality == 'CT')", False),
    ("'C' in tags.Modality", "wildcard(Modality, '*C*')", True),
    ("'100%' in tags.StudyDescription", "'100%' in StudyDescription", True),
    ("'T' not in tags.Modality", "not (wildcard(Modality, '*T*'))", False),
    ("tags.Modality in ['CT', 'MR']", "Modality in ['CT', 'MR']", True),
    ("tags.Modality in ('PT',)", "Modality in ['PT']", False),
    (
        "float(tags.SliceThickness) < 2.0",
        "present(SliceThickness) and (number(SliceThickness) < 2.0)",
        True,
    ),
    (
        "1 <= float(@SliceThickness@) < 1.2",
        "present(SliceThickness) and (1 <= number(SliceThickness) < 1.2)",
        False,
    ),
    (
        "('CT' in @Modality@) | (@Modality@ == 'MR')",
        "(wildcard(Modality, '*CT*')) or (Modality == 'MR')",
        True,
    ),
    (
        "tags.Modality == 'CT' and not 'Head' in tags.StudyDescription",
        "(Modality == 'CT') and (not ('Head' in StudyDescription))",
        True,
    ),
    ("tags.BodyPartExamined == ''", "absent(BodyPartExamined)", True),
    ("tags.BodyPartExamined", "present(BodyPartExamined)", False),
    ("'x' in tags.BodyPartExamined or True", None, True),
    ("tags.ImageType == 'ORIGINAL'", "count(ImageType) == 1 and ImageType == 'ORIGINAL'", False),
    ("'AXIAL' in tags.ImageType", "wildcard(ImageType, '*AXIAL*')", True),
    ("tags.SeriesNumber == '12'", "SeriesNumber == 12", True),
    ("tags.StudyDate >= '20260101'", "StudyDate >= '20260101'", True),
    ("tags.StudyDescription.startswith('CT')", "startswith(StudyDescription, 'CT')", True),
    ("tags.PatientName == 'doe^john'", "PatientName == 'doe^john'", True),
    ("tags.SenderAET == 'CT1A'", "calling_ae == 'CT1A'", True),
    ("'it\\'s' in tags.StudyDescription", "'it\\'s' in StudyDescription", False),
]


def holds(text: str, head: dict[str, Any]) -> bool:
    return not text or expression(text, "if").holds(Look(head_of(head), FACTS))


@pytest.mark.req("R-83", "RT-16")
@pytest.mark.parametrize(("rule", "ours", "held"), SAID)
def test_a_rule_is_said_in_our_words(rule: str, ours: str | None, held: bool) -> None:
    said = translate(rule).text
    assert ours is None or said == ours
    assert holds(said, HEAD) is held


@pytest.mark.req("RT-16")
@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("tags.Modality = 'CT'", "no expression of Python"),
        ("", "no expression of Python"),
        ("@Modality@ == 'CT' &&", "no expression of Python"),
        ("'@Modality@' == 'CT'", "in the middle of a text"),
        ("tags.Modalty == 'CT'", "did you mean Modality?"),
        ("tags.CodeValue == 'x'", "inside a sequence"),
        ("tags.Modality in 'CT MR'", "in is asked of something else"),
        ("tags.Modality < 'D'", "it orders texts"),
        ("not float(tags.SliceThickness) < 2", "below a not"),
        ("float(tags.ImageType) < 2", "may have several values"),
        ("tags.Modality.find('C') == 0", "has no counterpart"),
        ("'C' in tags.Modality | 'M' in tags.Modality", ""),
        ("[t for t in tags]", "ListComp"),
        ("__import__('os').system('true')", ""),
        ("tags.Modality.__class__ == 'x'", ""),
        ("(lambda: True)()", ""),
        ("tags.SeriesNumber == 'many'", "is a number and is compared with a word"),
        ("'A\\\\B' in tags.ImageType", "backslash"),
        ("'x\\n' in tags.StudyDescription", "cannot be printed"),
        ("5 > 'x'", ""),
        ("tags.Modality is 'CT'", "is and is not"),
        ("(" * 5000 + ")" * 5000, "longer than 4 KiB"),
        ("(" * 900 + "1" + ")" * 900, ""),
    ],
)
def test_what_cannot_be_said_has_a_reason(rule: str, why: str) -> None:
    with pytest.raises(Unsayable) as caught:
        translate(rule)
    assert why in str(caught.value)


WORDS = st.sampled_from(["'A'", "'AB'", "'b'", "''", "'A*'"])
TAGS = st.sampled_from(["Modality", "StudyDescription", "ImageType", "BodyPartExamined"])
ATOMS = st.one_of(
    st.builds("{} in tags.{}".format, WORDS, TAGS),
    st.builds("tags.{} == {}".format, TAGS, WORDS),
    st.builds("tags.{} != {}".format, TAGS, WORDS),
    st.builds("tags.{} in [{}, 'C']".format, TAGS, WORDS),
    st.builds("tags.{}.startswith({})".format, TAGS, WORDS),
    st.builds("float(tags.SliceThickness) > {}".format, st.integers(0, 2)),
)
RULES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=5,
)
VALUES = st.sampled_from(["", "A", "AB", "bA", "A*B", "C"])
HEADS = st.fixed_dictionaries(
    {
        "Modality": VALUES,
        "StudyDescription": VALUES,
        "ImageType": st.lists(VALUES.filter(bool), max_size=2).map("\\".join),
        "SliceThickness": st.sampled_from(["", "1.5"]),
    }
)


class FailedError(Exception):
    """What makes mercure take a rule for false."""


def mercure_held(rule: str, head: dict[str, str]) -> bool:
    """The rule by mercure's lights, over the few forms that the strategy makes."""

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=constant):
                return constant
            case ast.Attribute(value=ast.Name(id="tags"), attr=name):
                return head.get(name, "")
            case ast.List(elts=entries):
                return [value(entry) for entry in entries]
            case ast.Call(func=ast.Name(id="float"), args=[inner]):
                try:
                    return float(value(inner))
                except ValueError:
                    raise FailedError from None
            case ast.Call(func=ast.Attribute(value=inner), args=[part]):
                return value(inner).startswith(value(part))
            case ast.BoolOp(op=ast.And(), values=values):
                return all(value(one) for one in values)
            case ast.BoolOp(values=values):
                return any(value(one) for one in values)
            case ast.UnaryOp(operand=inner):
                return not value(inner)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                one, other = value(left), value(right)
                if isinstance(op, ast.In):
                    return one in other
                if isinstance(op, ast.Gt):
                    return one > other
                return (one == other) is isinstance(op, ast.Eq)
        raise AssertionError(ast.dump(node))

    try:
        return bool(value(ast.parse(rule, mode="eval").body))
    except FailedError:
        return False


@pytest.mark.req("R-83", "RT-16")
@given(RULES, HEADS)
def test_a_translated_rule_takes_nothing_that_it_did_not_take(
    rule: str, head: dict[str, str]
) -> None:
    try:
        said = translate(rule).text
    except Unsayable:
        return
    if holds(said, head):
        assert mercure_held(rule, head), said


@given(st.text(max_size=80) | RULES.map(lambda rule: rule.replace("'", '"')))
def test_any_text_is_translated_or_has_a_reason(rule: str) -> None:
    said = ""
    try:
        said = translate(rule).text
    except Unsayable as reason:
        said = f"'{len(str(reason))}' == '0'"
    assert not said or expression(said, "if")
