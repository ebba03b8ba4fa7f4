"""What the parts of an `if` expression are worth for one object.

Contract: an `Operand` gives all the values that it may have (a path with two values has two, a
missing element none), each ready to compare; None stands for one that could not be read.  Its
words show the actual values.  Nothing here raises but `StepsError`: what cannot be calculated has
no value, and says why.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any

from waystation.rules.conditions import Condition, Look
from waystation.rules.subjects import SHOWN_LETTERS, SHOWN_VALUES, Found, Kind, Subject

Values = Sequence[Any]
TEXT_LIMIT = 1024
TEXTS = (Kind.TEXT, Kind.UID, Kind.ADDRESS, Kind.WEEKDAY)
# A private context: neither the precision nor the traps of the process may change an answer.
EXACT = Context(prec=60, traps=[InvalidOperation, DivisionByZero, Overflow])


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """One side of a comparison, or an argument.

    text: as it is written; at: where.  why: the words where there is no value.  constant: its
    value if it is a literal.  subject: the element or fact, for a bare path and `first` or
    `every` of one; found: what a bare path finds.
    every: all values must pass.  exact: `in` asks for equality instead of a part of the text.
    entries: those of a list.  test: the answer, if it is one.
    """

    text: str
    at: int
    kind: Kind
    values: Callable[[Look], Values]
    shown: Callable[[Look], str]
    why: Callable[[Look], str] = lambda seen: ""
    constant: Any = None
    subject: Subject | None = None
    found: Callable[[Look], Found] | None = None
    every: bool = False
    exact: bool = False
    entries: tuple["Operand", ...] = ()
    test: Condition | None = None

    def has_value(self, seen: Look) -> bool:
        """Tell whether there is anything to compare."""
        return any(value is not None for value in self.values(seen))

    def lacks(self, seen: Look) -> str:
        """Return why a comparison failed already on this side, or ""."""
        if self.entries or self.constant is not None:
            return ""
        unread = self.found is not None and self.found(seen).bad
        return self.why(seen) if unread or not self.has_value(seen) else ""


def literal(text: str, at: int, kind: Kind, value: Any) -> Operand:
    """Return a number, a text, True or False as written."""
    values = (value,)
    shown = f'"{value}"' if kind is Kind.TEXT else text
    return Operand(
        text=text,
        at=at,
        kind=kind,
        values=lambda seen: values,
        shown=lambda seen: shown,
        constant=value,
    )


def path(left: Subject, at: int) -> Operand:
    """Return an element or a fact."""
    name = left.name

    def found(seen: Look) -> Found:
        return seen.found.get(name) or seen.read(left)

    def shown(seen: Look) -> str:
        return f"{name} {found(seen).shown}"

    return Operand(
        text=name,
        at=at,
        kind=left.kind,
        values=lambda seen: found(seen).values,
        shown=shown,
        why=lambda seen: f"{shown(seen)} {found(seen).bad}".rstrip(),
        subject=left,
        found=found,
        exact=left.vr in ("AE", "CS", "UI") or left.name in EXACT_FACTS,
    )


EXACT_FACTS = frozenset(
    {
        *("calling_ae", "called_ae", "transfer_syntax", "weekday", "way_in", "priority"),
        *("study.modalities", "study.peers", "study.complete_by"),
    }
)


def derived(
    text: str,
    at: int,
    kind: Kind,
    values: Callable[[Look], Values],
    why: Callable[[Look], str],
    *,
    exact: bool = False,
) -> Operand:
    """Return something calculated; ``why`` says why there is no value."""

    def shown(seen: Look) -> str:
        there = values(seen)
        if any(value is not None for value in there):
            return f"{text} {show(kind, there)}"
        return why(seen)

    return Operand(text=text, at=at, kind=kind, values=values, shown=shown, why=why, exact=exact)


def show(kind: Kind, values: Values) -> str:
    """Return calculated values as a person reads them."""
    parts = [_show(kind, value) for value in values[:SHOWN_VALUES]]
    return ", ".join([*parts, "…"] if len(values) > SHOWN_VALUES else parts)


def _show(kind: Kind, value: Any) -> str:
    if value is None:
        return "(not read)"
    if kind is Kind.NUMBER:
        return plain(value)
    if kind is Kind.DATE:
        return date.fromordinal(value[0]).strftime("%Y%m%d")
    if kind is Kind.FLAG:
        return str(value).lower()
    text = "=".join(value) if kind is Kind.NAME else str(value)
    return f'"{text[:SHOWN_LETTERS]}…"' if len(text) > SHOWN_LETTERS else f'"{text}"'


def plain(value: Decimal) -> str:
    """Return a number without needless zeros."""
    text = str(value)
    return text.rstrip("0").rstrip(".") if "." in text and "E" not in text else text


def arithmetic(text: str, sign: str, left: Operand, right: Operand) -> Operand:
    """Return the values of ``left sign right``: one for each pair of values."""
    numbers = left.kind is right.kind is Kind.NUMBER
    joins = sign == "+" and left.kind in TEXTS and right.kind in TEXTS
    if not numbers and not joins:
        mixed = f"{text}: {left.kind.value} and {right.kind.value} do not go together"
        return derived(text, left.at, Kind.NUMBER, lambda seen: (), lambda seen: mixed)
    calculate = CALCULATE[sign] if numbers else _join

    def values(seen: Look) -> Values:
        lefts, rights = left.values(seen), right.values(seen)
        seen.spend(len(lefts) * len(rights))
        pairs = ((a, b) for a in lefts if a is not None for b in rights if b is not None)
        results = [_calculated(calculate, a, b) for a, b in pairs]
        return [result for result in results if result is not None]

    def why(seen: Look) -> str:
        for side in (left, right):
            if not side.has_value(seen):
                return side.why(seen)
        if joins:
            return f"{text}: longer than {TEXT_LIMIT:,} characters"
        zero = sign in "/%" and any(value == 0 for value in right.values(seen))
        return f"{text}: {'division by zero' if zero else 'cannot be calculated'}"

    return derived(text, left.at, Kind.NUMBER if numbers else Kind.TEXT, values, why)


def _calculated(calculate: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    try:
        return calculate(a, b)
    except ArithmeticError:
        return None


def _join(a: str, b: str) -> str | None:
    return a + b if len(a) + len(b) <= TEXT_LIMIT else None


def _modulo(a: Decimal, b: Decimal) -> Decimal:
    """Return the remainder with the sign of ``b``, as of a clock."""
    rest = EXACT.remainder(a, b)
    return EXACT.add(rest, b) if rest and (rest < 0) != (b < 0) else rest


CALCULATE: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": EXACT.add,
    "-": EXACT.subtract,
    "*": EXACT.multiply,
    "/": EXACT.divide,
    "%": _modulo,
}
