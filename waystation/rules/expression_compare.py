"""Comparisons of an `if` expression: `== != < <= > >= in`, chains of them, and their words.

Contract (R-31): a comparison holds when one value of each side makes it true; `every(x)` asks all
values of x, and at least one.  In a chain the same value must pass both links.  ``!=`` and
``not in`` are the plain opposites.  Kinds that do not compare make it false, with the reason; a
literal that cannot mean anything beside an element is a `ConfigError`.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any

from waystation.dicom.uids import uid_for
from waystation.model.errors import ConfigError
from waystation.rules import intervals
from waystation.rules.conditions import Claims, Condition, Look
from waystation.rules.expression_tokens import Source
from waystation.rules.expression_values import TEXTS, Operand, Values
from waystation.rules.facts import Facts
from waystation.rules.matchers import Claim
from waystation.rules.shorthand import as_number
from waystation.rules.subjects import WEEKDAYS, Kind, person_name

Pair = Callable[[Any, Any, Facts], bool]
Compare = Callable[[Any, Any], bool]
OPPOSITES = {"!=": "==", "not in": "in"}
ORDERS: dict[str, Compare] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
Spans = Callable[[intervals.Interval, intervals.Interval], bool]
INTERVALS = (Kind.DATE, Kind.TIME, Kind.DATETIME)
WRITTEN = {Kind.DATE: "YYYYMMDD", Kind.TIME: "HHMM", Kind.DATETIME: "YYYYMMDDHHMM"}


# A value beside what the operator wrote: the whole value lies on the asked side.
_SPANS: dict[str, Spans] = {
    "==": lambda one, ours: one[0] >= ours[0] and one[1] <= ours[1],
    ">=": lambda one, ours: one[0] >= ours[0],
    ">": lambda one, ours: one[0] >= ours[1],
    "<=": lambda one, ours: one[1] <= ours[1],
    "<": lambda one, ours: one[1] <= ours[0],
}
# Two values that were both read: neither is more to be believed.
_BOTH_READ: dict[str, Spans] = {
    "==": operator.eq,
    ">=": lambda one, other: one[0] >= other[0] and one[1] >= other[1],
    ">": lambda one, other: one[0] >= other[1],
    "<=": lambda one, other: one[0] <= other[0] and one[1] <= other[1],
    "<": lambda one, other: one[1] <= other[0],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One comparison.  pairs: for each entry on the right, how a pair of values compares."""

    sign: str
    left: Operand
    right: Operand
    pairs: tuple[tuple[Operand, Pair], ...]
    negative: bool

    def related(self, lefts: Values, seen: Look) -> bool:
        """Tell whether the plain (not the opposite) comparison holds."""
        if self.left.every and (not lefts or None in lefts):
            return False
        rights = [(pair, entry.values(seen)) for entry, pair in self.pairs]
        seen.spend(len(lefts) * sum(len(values) for _, values in rights))
        facts = seen.facts
        all_right = self.right.every
        if all_right and (not rights[0][1] or None in rights[0][1]):
            return False

        def passes(one: Any) -> bool:
            if one is None:
                return False
            answers = (
                other is not None and pair(one, other, facts)
                for pair, values in rights
                for other in values
            )
            return all(answers) if all_right else any(answers)

        return all(map(passes, lefts)) if self.left.every else any(map(passes, lefts))

    def left_over(self, lefts: Values, seen: Look) -> Values:
        """Return the values on the right that the next link of a chain may use."""
        values = self.right.values(seen)
        if self.negative or self.right.every:
            return values
        seen.spend(len(lefts) * len(values))
        pair, facts = self.pairs[0][1], seen.facts
        usable = [one for one in lefts if one is not None]
        return [
            other
            for other in values
            if other is not None and any(pair(one, other, facts) for one in usable)
        ]


def comparison(source: Source, operands: Sequence[Operand], signs: Sequence[str]) -> Condition:
    """Return the condition of one comparison or a chain."""
    links = [
        _link(source, left, sign, right)
        for left, sign, right in zip(operands, signs, operands[1:], strict=False)
    ]
    if len(links) == 1:
        return _single(links[0])

    def holds(seen: Look) -> bool:
        values = operands[0].values(seen)
        for link in links:
            if link.related(values, seen) is link.negative:
                return False
            values = link.left_over(values, seen)
        return True

    def explain(seen: Look, held: bool) -> str:
        lacks = "" if held else next(filter(None, (one.lacks(seen) for one in operands)), "")
        if lacks:
            return lacks
        words = operands[0].shown(seen)
        for link in links:
            words += f" {link.sign} {link.right.shown(seen)}"
        return words if held else f"not {words}"

    return Condition(holds, explain, tuple(c for link in links for c in _claims(link)[0]))


def _single(link: Link) -> Condition:
    def holds(seen: Look) -> bool:
        return link.related(link.left.values(seen), seen) is not link.negative

    yes, no = WORDS.get(link.sign, (link.sign, f"not {link.sign}"))

    def explain(seen: Look, held: bool) -> str:
        left, right = link.left, link.right
        related = held is not link.negative
        lacks = "" if related else left.lacks(seen) or right.lacks(seen)
        if lacks:
            return lacks
        words = f"{left.shown(seen)} {yes if held else no} {right.shown(seen)}"
        if not link.pairs and not right.entries:
            words += f": {left.kind.value} and {right.kind.value} do not compare"
        return words

    claims, denials = _claims(link)
    return Condition(_fast(link) or holds, explain, claims, denials)


WORDS = {
    "==": ("is", "is not"),
    "!=": ("is not", "is"),
    "not in": ("not in", "in"),
}


def _fast(link: Link) -> Callable[[Look], bool] | None:
    """Return a shorter way for the commonest of all: a path beside one literal."""
    found, right = link.left.found, link.right
    if found is None or right.constant is None or len(link.pairs) != 1:
        return None
    pair, wanted, related = link.pairs[0][1], right.constant, not link.negative

    def holds(seen: Look) -> bool:
        facts = seen.facts
        for value in found(seen).values:
            if value is not None and pair(value, wanted, facts):
                return related
        return not related

    return holds


def _link(source: Source, left: Operand, sign: str, right: Operand) -> Link:
    plain = OPPOSITES.get(sign, sign)
    if left.entries:
        raise source.fault(left.at, "a list stands to the right of in")
    if right.entries and plain != "in":
        raise source.fault(right.at, "a list stands to the right of in: write in, not ==")
    entries = right.entries or (right,)
    found = []
    for entry in entries:
        one_by_one = plain == "in" and not right.entries
        pair = _inside(source, left, entry) if one_by_one else None
        if pair is None:
            pair = _pair(source, left, "==" if plain == "in" else plain, entry)
        if pair is not None:
            found.append((entry, pair))
    return Link(sign=sign, left=left, right=right, pairs=tuple(found), negative=plain != sign)


def _inside(source: Source, left: Operand, right: Operand) -> Pair | None:
    """Return how a text is looked for inside another, or None where `in` means equality."""
    if left.kind is Kind.ADDRESS and isinstance(right.constant, str) and "/" in right.constant:
        raise source.fault(right.at, 'ask for a network in when = { address = "10.1.2.0/24" }')
    if left.kind is not Kind.TEXT or right.exact:
        return None
    if right.kind is Kind.NAME:
        return lambda part, name, facts: any(part.casefold() in group for group in name)
    if right.kind in (Kind.TEXT, Kind.ADDRESS):
        return lambda part, whole, facts: part in whole
    return None


def _pair(source: Source, left: Operand, sign: str, right: Operand) -> Pair | None:
    """Return how two values compare, or None if their kinds do not."""
    kinds = (left.kind, right.kind)
    for side, other in ((left, right), (right, left)):
        _meaningful(source, side, other)
    if kinds == (Kind.NUMBER, Kind.NUMBER):
        return _numbers(source, left, sign, right)
    if left.kind in INTERVALS or right.kind in INTERVALS:
        return _intervals(left, sign, right)
    if sign == "==" and kinds == (Kind.FLAG, Kind.FLAG):
        return lambda one, other, facts: one is other
    if Kind.NAME in kinds:
        return _names(left, right) if sign == "==" else None
    if left.kind not in TEXTS or right.kind not in TEXTS:
        return None
    if sign != "==":
        ordered = {Kind.UID, Kind.WEEKDAY}.isdisjoint(kinds)
        return _by(ORDERS[sign]) if ordered else None
    return _texts(source, left, right)


def _meaningful(source: Source, side: Operand, other: Operand) -> None:
    """Refuse a literal that can never be equal to what an element holds (R-28)."""
    wanted, what = other.constant, side.kind.value
    if wanted is None:
        return
    if side.kind in INTERVALS:
        text = wanted if isinstance(wanted, str) else None
        if text is None or _read(side.kind, text, UTC) is None:
            raise source.fault(
                other.at, f'"{wanted}" is not {what}: write it as "{WRITTEN[side.kind]}"'
            )
    if side.subject is None:
        return
    name = side.subject.name
    if side.kind is Kind.NUMBER and isinstance(wanted, str):
        raise source.fault(other.at, f'{name} is a number: write "{wanted}" without quotes')
    if side.kind in (*TEXTS, Kind.NAME) and not isinstance(wanted, str | bool):
        raise source.fault(other.at, f'{name} is {what}: write "{other.text}" in quotes')


def _by(compare: Compare) -> Pair:
    return lambda one, other, facts: compare(one, other)


def _numbers(source: Source, left: Operand, sign: str, right: Operand) -> Pair:
    compare: Compare = ORDERS.get(sign) or operator.eq
    for side, other in ((left, right), (right, left)):
        if side.subject is not None and other.constant is not None:
            # What was meant by a literal depends on the precision of the element (FL).
            try:
                wanted = as_number(side.subject, other.constant, "")
            except ConfigError as error:
                raise source.fault(other.at, error.problem) from error
            if other is right:
                return lambda one, _, facts: compare(one, wanted)
            return lambda _, other_value, facts: compare(wanted, other_value)
    return _by(compare)


def _names(left: Operand, right: Operand) -> Pair | None:
    if not {left.kind, right.kind} <= {Kind.NAME, Kind.TEXT}:
        return None

    def groups(value: Any) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else (person_name(value),)

    return lambda one, other, facts: not set(groups(one)).isdisjoint(groups(other))


def _texts(source: Source, left: Operand, right: Operand) -> Pair:
    for side, other in ((left, right), (right, left)):
        wanted = other.constant
        if wanted is None or side.kind is Kind.TEXT:
            continue
        if side.kind is Kind.UID:
            wanted = _uid(source, wanted, other.at)
        elif side.kind is Kind.WEEKDAY:
            wanted = _weekday(source, wanted, other.at)
        if other is right:
            return lambda one, _, facts: bool(one == wanted)
        return lambda _, other_value, facts: bool(wanted == other_value)
    return _by(operator.eq)


def _uid(source: Source, text: str, at: int) -> str:
    if text.replace(".", "").isdecimal():
        return text
    try:
        return uid_for(text)
    except ValueError as error:
        raise source.fault(at, str(error)) from error


def _weekday(source: Source, text: str, at: int) -> str:
    if text.title() not in WEEKDAYS:
        raise source.fault(at, f'"{text}" is no day: write one of {", ".join(WEEKDAYS)}')
    return text.title()


def _swapped(pair: Pair) -> Pair:
    return lambda one, other, facts: pair(other, one, facts)


def _read(kind: Kind, text: str, zone: Any) -> intervals.Interval | None:
    if kind is Kind.DATETIME:
        return intervals.read_datetime(text, zone)
    return (intervals.read_date if kind is Kind.DATE else intervals.read_time)(text)


def _intervals(left: Operand, sign: str, right: Operand) -> Pair | None:
    """Dates and times compare as intervals of their written precision (R-27)."""
    kind = left.kind if left.kind in INTERVALS else right.kind
    if not {left.kind, right.kind} <= {kind, Kind.TEXT}:
        return None
    if left.constant is not None and right.constant is None:
        mirrored = _intervals(right, MIRRORED[sign], left)
        return None if mirrored is None else _swapped(mirrored)
    compare: Spans = _SPANS[sign] if right.constant is not None else _BOTH_READ[sign]
    if right.constant is not None and kind is not Kind.DATETIME:
        wanted = _read(kind, right.constant, UTC)
        assert wanted is not None
        return lambda one, _, facts: compare(one, wanted)

    def pair(one: Any, other: Any, facts: Facts) -> bool:
        mine = _read(kind, one, facts.zone) if isinstance(one, str) else one
        ours = _read(kind, other, facts.zone) if isinstance(other, str) else other
        return mine is not None and ours is not None and compare(mine, ours)

    return pair


def _claims(link: Link) -> tuple[Claims, Claims]:
    """Return what is certain where the link holds, and where it does not."""
    left, right, sign = link.left, link.right, OPPOSITES.get(link.sign, link.sign)
    if left.found is None and right.found is not None and sign in MIRRORED:
        left, right, sign = right, left, MIRRORED[sign]
    entries = right.entries or (right,)
    wanted = [entry.constant for entry in entries]
    if left.found is None or left.subject is None or None in wanted:
        return (), ()
    claim = denial = None
    if left.kind is Kind.TEXT and (sign == "==" or right.entries):
        texts = frozenset(text for text in wanted if isinstance(text, str))
        claim, denial = Claim(texts=texts), Claim(banned=texts)
    elif left.kind is Kind.NUMBER and not right.entries and isinstance(wanted[0], Decimal):
        low = wanted[0] if sign in ("==", ">", ">=") else None
        high = wanted[0] if sign in ("==", "<", "<=") else None
        claim = Claim(low=low, high=high) if low is not None or high is not None else None
    plain: Claims = ((left.subject, claim),) if claim is not None else ()
    contrary: Claims = ((left.subject, denial),) if denial is not None else ()
    return (contrary, plain) if link.negative else (plain, contrary)
