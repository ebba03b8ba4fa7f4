"""The functions of an `if` expression; `CALLS` holds them by name, greppably (R-31).

Contract: each takes the compiled arguments and returns what it gives, as an `Operand`; a wrong
number or kind of arguments is a `ConfigError` with the column.  To add one: a function, a line in
`CALLS`, rows in the tables of `tests/rules`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from waystation.model.errors import ConfigError
from waystation.rules import intervals, patterns
from waystation.rules.conditions import Condition, Look, opposite
from waystation.rules.expression_tokens import Source
from waystation.rules.expression_values import TEXTS, Operand, Values, derived
from waystation.rules.facts import Facts
from waystation.rules.faults import did_you_mean
from waystation.rules.known import Known
from waystation.rules.predicates import key_in, keys_of, local_day
from waystation.rules.subjects import Kind, number

WORDS = (*TEXTS, Kind.NAME)


@dataclass(frozen=True, slots=True)
class Called:
    """One call: where it stands, its arguments, and the names that it may use."""

    source: Source
    name: str
    text: str
    at: int
    arguments: tuple[Operand, ...]
    known: Known

    def fault(self, problem: str, place: int = -1) -> ConfigError:
        at = self.arguments[place].at if place >= 0 else self.at
        return self.source.fault(at, problem)

    def takes(self, *what: str) -> None:
        """Raise unless there are as many arguments as words; none of them may be `every`."""
        if len(self.arguments) != len(what):
            raise self.fault(f"write {self.name}({', '.join(what)})")
        for place, argument in enumerate(self.arguments):
            if argument.every:
                raise self.fault("every(...) stands beside a comparison sign", place)
            if argument.entries:
                raise self.fault("a list stands to the right of in", place)

    def of_kind(self, place: int, *kinds: Kind) -> Operand:
        """Return an argument; raise if it is of another kind."""
        argument = self.arguments[place]
        if argument.kind not in kinds:
            raise self.fault(
                f"{self.name}() takes {kinds[0].value}, and {argument.text} is"
                f" {argument.kind.value}",
                place,
            )
        return argument

    def constant(self, place: int, what: str) -> str:
        """Return an argument that must be written out as text."""
        text = self.arguments[place].constant
        if not isinstance(text, str):
            raise self.fault(f"{self.name}() takes {what} in quotes", place)
        return text


def answer(
    called: Called, holds: Callable[[Look], bool], words: Callable[[Look, bool], str]
) -> Operand:
    """Return a call that says yes or no."""
    test = Condition(holds, words)
    return Operand(
        text=called.text,
        at=called.at,
        kind=Kind.FLAG,
        values=lambda seen: (holds(seen),),
        shown=lambda seen: called.text,
        test=test,
    )


def present(called: Called) -> Operand:
    """`present(x)`: has a value."""
    called.takes("x")
    (inner,) = called.arguments
    found = inner.found

    def holds(seen: Look) -> bool:
        return found(seen).size > 0 if found is not None else inner.has_value(seen)

    def words(seen: Look, held: bool) -> str:
        return f"{inner.shown(seen)} is present" if held else inner.why(seen)

    return answer(called, holds, words)


def absent(called: Called) -> Operand:
    """`absent(x)`: has no value, there or not."""
    has_one = present(called).test
    assert has_one is not None
    none = opposite(has_one)
    return answer(called, none.holds, none.explain)


def count(called: Called) -> Operand:
    """`count(x)`: how many values or items, 0 for none."""
    called.takes("x")
    (inner,) = called.arguments
    found = inner.found

    def values(seen: Look) -> Values:
        return (Decimal(found(seen).size if found is not None else len(inner.values(seen))),)

    return derived(called.text, called.at, Kind.NUMBER, values, inner.why)


def first(called: Called) -> Operand:
    """`first(x)`: the first value alone."""
    called.takes("x")
    inner = _with_values(called)
    shown = derived(
        called.text, called.at, inner.kind, lambda seen: inner.values(seen)[:1], inner.why
    )
    return replace(shown, subject=inner.subject, exact=inner.exact)


def every(called: Called) -> Operand:
    """`every(x)`: in a comparison, all values and at least one."""
    called.takes("x")
    inner = _with_values(called)
    return replace(
        inner,
        text=called.text,
        at=called.at,
        shown=lambda seen: f"every {inner.shown(seen)}",
        found=None,
        constant=None,
        every=True,
    )


def _with_values(called: Called) -> Operand:
    inner = called.arguments[0]
    if inner.kind in (Kind.SEQUENCE, Kind.BULK):
        raise called.fault(f"{inner.text} is {inner.kind.value}: only present and count", 0)
    return inner


def mapped(
    called: Called,
    inner: Operand,
    kind: Kind,
    change: Callable[[Any, Facts], Any],
    problem: str,
) -> Operand:
    """Return ``inner`` with every value changed; None where ``change`` cannot."""

    def values(seen: Look) -> Values:
        there, facts = inner.values(seen), seen.facts
        seen.spend(len(there))
        return [None if value is None else change(value, facts) for value in there]

    def why(seen: Look) -> str:
        return f"{inner.shown(seen)} {problem}" if inner.has_value(seen) else inner.why(seen)

    return derived(called.text, called.at, kind, values, why, exact=inner.exact)


def _texts(change: Callable[[str], str]) -> Callable[[Called], Operand]:
    def call(called: Called) -> Operand:
        called.takes("text")
        inner = called.of_kind(0, *WORDS)
        if inner.kind is Kind.NAME:
            # Names are compared without case and padding as it is.
            return inner
        return mapped(
            called, inner, Kind.TEXT, lambda value, facts: change(value) or None, "is empty"
        )

    return call


def _edges(test: Callable[[str, str], bool], verb: str) -> Callable[[Called], Operand]:
    """Return ``startswith`` or ``endswith``."""

    def call(called: Called) -> Operand:
        called.takes("text", "part")
        whole, part = called.of_kind(0, *WORDS), called.of_kind(1, *TEXTS)
        is_name = whole.kind is Kind.NAME

        def passes(value: Any, wanted: str) -> bool:
            if is_name:
                return any(test(group, wanted.casefold()) for group in value)
            return test(value, wanted)

        def holds(seen: Look) -> bool:
            values, parts = whole.values(seen), part.values(seen)
            seen.spend(len(values) * len(parts))
            return any(
                passes(value, wanted)
                for value in values
                if value is not None
                for wanted in parts
                if wanted is not None
            )

        return _asked(called, whole, holds, lambda seen: f"{verb} {part.shown(seen)}")

    return call


def _asked(
    called: Called, whole: Operand, holds: Callable[[Look], bool], words: Callable[[Look], str]
) -> Operand:
    def explain(seen: Look, held: bool) -> str:
        if not held and (lacks := whole.lacks(seen)):
            return lacks
        return f"{whole.shown(seen)} {'' if held else 'not '}{words(seen)}"

    return answer(called, holds, explain)


def _pattern(called: Called, test: Callable[[str], bool], shown: str) -> Operand:
    whole = called.of_kind(0, *WORDS)
    is_name = whole.kind is Kind.NAME

    def holds(seen: Look) -> bool:
        values = whole.values(seen)
        seen.spend(len(values))
        if is_name:
            return any(any(map(test, value)) for value in values if value is not None)
        return any(test(value) for value in values if value is not None)

    return _asked(called, whole, holds, lambda seen: shown)


def matches(called: Called) -> Operand:
    """`matches(x, "...")`: the whole value matches a regular expression (RE2, R-30)."""
    called.takes("text", "expression")
    text = called.constant(1, "a regular expression")
    ignore = called.arguments[0].kind is Kind.NAME
    try:
        test = patterns.regex(text, "", ignore_case=ignore)
    except ConfigError as error:
        raise called.fault(error.problem, 1) from error
    return _pattern(called, test, f"~ /{text}/")


def wildcard(called: Called) -> Operand:
    """`wildcard(x, "CHEST*")`: the value equals a pattern with `*` and `?`."""
    called.takes("text", "pattern")
    text = called.constant(1, "a pattern")
    fold = str.casefold if called.arguments[0].kind is Kind.NAME else str
    try:
        test = patterns.wildcard(text, "", fold)
    except ConfigError as error:
        raise called.fault(error.problem, 1) from error
    return _pattern(called, test, f"~ {text}")


def as_number(called: Called) -> Operand:
    """`number(x)`: a text read as a number."""
    called.takes("x")
    inner = called.of_kind(0, *TEXTS, Kind.NUMBER)
    return mapped(called, inner, Kind.NUMBER, lambda value, facts: number(value), "is not a number")


def _day(kind: Kind) -> Callable[[Any, Facts], int | None]:
    """Return how to get the day (proleptic ordinal) of a value."""

    def day(value: Any, facts: Facts) -> int | None:
        if isinstance(value, str):
            read = intervals.read_date(value)
            return None if read is None else read[0]
        return local_day(kind, value, facts)

    return day


DATED = (Kind.DATE, Kind.DATETIME, *TEXTS)


def as_date(called: Called) -> Operand:
    """`date(x)`: the day of a date and time or of a text, on the node's calendar."""
    called.takes("x")
    inner = called.of_kind(0, *DATED)
    if inner.constant is not None and intervals.read_date(inner.constant) is None:
        raise called.fault(f'"{inner.constant}" is not a date: write it as "YYYYMMDD"', 0)
    day = _day(inner.kind)

    def change(value: Any, facts: Facts) -> intervals.Interval | None:
        if inner.kind is Kind.DATE:
            return (int(value[0]), int(value[1]))
        if isinstance(value, str):
            return intervals.read_date(value)
        start = day(value, facts)
        return None if start is None else (start, start + 1)

    return mapped(called, inner, Kind.DATE, change, "is not a date")


def days_since(called: Called) -> Operand:
    """`days_since(x)`: whole days from a date to the arrival's local date."""
    called.takes("date")
    inner = called.of_kind(0, *DATED)
    day = _day(inner.kind)

    def change(value: Any, facts: Facts) -> Decimal | None:
        start = day(value, facts)
        return None if start is None else Decimal(facts.local().toordinal() - start)

    return mapped(called, inner, Kind.NUMBER, change, "is not a date")


def lookup(called: Called) -> Operand:
    """`lookup("wards", x)`: the text that a table has under x."""
    called.takes('"table"', "key")
    name = called.constant(0, "the name of a [lookup.NAME] table")
    tables = called.known.tables
    if name not in tables:
        raise called.fault(
            f'no [lookup.NAME] table is named "{name}"{did_you_mean(name, tables)}', 0
        )
    inner = called.of_kind(1, *WORDS, Kind.NUMBER)
    keys = keys_of(tables[name], inner.kind)
    return mapped(
        called, inner, Kind.TEXT, lambda value, facts: key_in(keys, value), f"not in lookup {name}"
    )


def window(called: Called) -> Operand:
    """`open("night")`: the schedule is open when the object arrives."""
    called.takes('"schedule"')
    name = called.constant(0, "the name of a [schedule.NAME] table")
    known = called.known.schedules
    if name not in known:
        raise called.fault(f'no [schedule.NAME] table is named "{name}"{did_you_mean(name, known)}')

    def holds(seen: Look) -> bool:
        asked = seen.facts.windows.get(name)
        # What cannot be asked is shut.
        return asked is not None and asked.is_open(seen.facts.received_at)

    return answer(
        called, holds, lambda seen, held: f"schedule {name} is {'open' if held else 'shut'}"
    )


CALLS: dict[str, Callable[[Called], Operand]] = {
    "present": present,
    "absent": absent,
    "count": count,
    "first": first,
    "every": every,
    "lower": _texts(str.lower),
    "upper": _texts(str.upper),
    "strip": _texts(str.strip),
    "startswith": _edges(str.startswith, "starts with"),
    "endswith": _edges(str.endswith, "ends with"),
    "matches": matches,
    "wildcard": wildcard,
    "number": as_number,
    "date": as_date,
    "days_since": days_since,
    "lookup": lookup,
    "open": window,
}
