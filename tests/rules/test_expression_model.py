"""Generated expressions against a direct model: Python's own parser and a walk over its tree.

The shared subset: numbers and texts, arithmetic, comparisons and chains, lists, and / or / not.
An element has none, one or two values, and a comparison holds when one choice of values makes
all its links true (R-23, R-31).
"""

import ast
import itertools
import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.asking import FACTS, head_of
from waystation.rules.conditions import Look
from waystation.rules.expression import expression

NUMBERS = ("Rows", "PixelSpacing", "SeriesNumber")
TEXTS = ("StudyID", "ImageComments")
HEADS: list[dict[str, Any]] = [
    {},
    {"Rows": 2, "PixelSpacing": "0.5\\3", "SeriesNumber": "-1", "StudyID": "ab"},
    {"Rows": 0, "SeriesNumber": "2\\2", "StudyID": "a", "ImageComments": "abc"},
    {"Rows": 3, "PixelSpacing": "", "StudyID": "", "ImageComments": "b"},
]
Env = dict[str, list[Any]]


def env_of(head: dict[str, Any]) -> Env:
    env: Env = {name: [] for name in (*NUMBERS, *TEXTS)}
    for name, value in head.items():
        parts = str(value).split("\\") if value != "" else []
        env[name] = [Fraction(part) for part in parts] if name in NUMBERS else parts
    return env


SIGNS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def values(node: ast.AST, env: Env) -> Sequence[Any]:
    """Return all values that a side of a comparison may have."""
    match node:
        case ast.Constant(value=bool() as value):
            return [value]
        case ast.Constant(value=int() | float() as value):
            return [Fraction(str(value))]
        case ast.Constant(value=value):
            return [value]
        case ast.Name(id=name):
            return env[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return [-value for value in values(operand, env)]
        case ast.BinOp(left=left, op=sign, right=right):
            found = []
            for one, other in itertools.product(values(left, env), values(right, env)):
                if not (isinstance(sign, ast.Div | ast.Mod) and other == 0):
                    found.append(SIGNS[type(sign)](one, other))
            return found
        case ast.List(elts=entries):
            return [[value for entry in entries for value in values(entry, env)]]
    return [truth(node, env)]


def link(sign: ast.cmpop, one: Any, other: Any) -> bool:
    if isinstance(sign, ast.In):
        return bool(one in other)
    return bool(SIGNS[type(sign)](one, other))


def truth(node: ast.AST, env: Env) -> bool:
    """Return the answer of the model."""
    match node:
        case ast.Expression(body=body):
            return truth(body, env)
        case ast.Constant(value=value):
            return bool(value)
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(truth(part, env) for part in parts)
        case ast.BoolOp(values=parts):
            return any(truth(part, env) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not truth(operand, env)
        case ast.Compare(left=left, ops=[ast.NotEq()], comparators=[right]):
            return not any(
                one == other for one in values(left, env) for other in values(right, env)
            )
        case ast.Compare(left=left, ops=[ast.NotIn()], comparators=[right]):
            return not any(
                one in other for one in values(left, env) for other in values(right, env)
            )
        case ast.Compare(left=left, ops=signs, comparators=rights):
            sides = [values(side, env) for side in (left, *rights)]
            return any(
                all(
                    link(sign, *pair)
                    for sign, pair in zip(signs, itertools.pairwise(chosen), strict=True)
                )
                for chosen in itertools.product(*sides)
            )
    raise AssertionError(ast.dump(node))


number_atoms = st.sampled_from([*NUMBERS, "0", "1", "2", "2.5", "10"])
numbers = st.recursive(
    number_atoms,
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from("+-*"), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner),
        st.builds("{} {} {}".format, inner, st.sampled_from("/%"), st.sampled_from("0245")),
        st.builds("-{}".format, number_atoms),
    ),
    max_leaves=4,
)
text_atoms = st.sampled_from([*TEXTS, "'a'", "'ab'", "'b'", '"abc"'])
texts = text_atoms | st.builds("{} + {}".format, text_atoms, text_atoms)
orders = st.sampled_from(["==", "<", "<=", ">", ">="])


def over(sides: st.SearchStrategy[str], plain: Sequence[str]) -> st.SearchStrategy[str]:
    entries = st.lists(sides, min_size=1, max_size=3).map(lambda found: f"[{', '.join(found)}]")
    return st.one_of(
        st.builds("{} {} {}".format, sides, st.sampled_from(plain), sides),
        st.builds("{} {} {} {} {}".format, sides, orders, sides, orders, sides),
        st.builds("{} {} {}".format, sides, st.sampled_from(["in", "not in"]), entries),
    )


comparisons = st.one_of(
    over(numbers, ["==", "!=", "<", "<=", ">", ">="]),
    over(texts, ["==", "!=", "<", "<=", ">", ">=", "in", "not in"]),
    st.sampled_from(["True", "False"]),
)
expressions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds("{} and {}".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
        st.builds("not ({})".format, inner),
        st.builds("({})".format, inner),
        st.builds("({}) == ({})".format, inner, inner),
    ),
    max_leaves=4,
)


@pytest.mark.req("R-31", "RT-5")
@given(expressions, st.sampled_from(HEADS))
def test_our_evaluator_says_what_the_direct_model_says(text: str, head: dict[str, Any]) -> None:
    compiled = expression(text, "if")
    assert compiled.holds(Look(head_of(head), FACTS)) is truth(
        ast.parse(text, mode="eval"), env_of(head)
    )


@pytest.mark.req("R-31")
@given(expressions, st.sampled_from(HEADS))
def test_the_reason_is_told_for_either_answer(text: str, head: dict[str, Any]) -> None:
    compiled = expression(text, "if")
    held, clause = compiled.judge(Look(head_of(head), FACTS))
    assert compiled.explain(Look(head_of(head), FACTS), held) == clause
    assert len(clause) > len("if: ")
