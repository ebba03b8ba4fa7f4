"""Right sides written without a keyword: a text, a number, `true` or `false`.

What a text means follows from the left side: a pattern for text and UIDs, a name for PN, a
number or a range `1..5` for numbers, an interval or a range `20260101-20260331` for dates and
times.  What cannot mean anything there is a `ConfigError` at load (R-28, R-29).
"""

import ipaddress
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Any

from waystation.dicom import dictionary
from waystation.dicom.uids import sop_classes, transfer_syntaxes, uid_for
from waystation.model.errors import ConfigError
from waystation.rules import intervals
from waystation.rules.facts import Facts
from waystation.rules.matchers import (
    Claim,
    Matcher,
    PlainTest,
    any_plain,
    any_value,
    one_of_texts,
)
from waystation.rules.patterns import literal, wildcard
from waystation.rules.subjects import WEEKDAYS, Kind, Subject, number, person_name

Written = Callable[[tzinfo], intervals.Interval]

_RANGE = re.compile(r"\s*([^\s.]\S*?)?\s*\.\.\s*(\S+)?\s*")
_DT_RANGE = re.compile(rf"({intervals.DATE_TIME})?-({intervals.DATE_TIME})?", re.ASCII)
_DATED = {Kind.DATE: "YYYYMMDD", Kind.TIME: "HHMM", Kind.DATETIME: "YYYYMMDDHHMM"}


def from_text(left: Subject, right: str, where: str) -> Matcher:
    """Return what a bare text means beside ``left``."""
    if left.kind in _DATED:
        return _interval(left, right, where)
    if left.kind is Kind.UNKNOWN and _RANGE.fullmatch(right):
        return _number_text(left, right, where)
    if left.kind not in TEXTS:
        raise ConfigError(where, f'{left.name} is {left.kind.value}: "{right}" means nothing there')
    return TEXTS[left.kind](left, right, where)


def from_number(left: Subject, right: float, where: str) -> Matcher:
    """Return the test for equality with a number."""
    if left.kind not in (Kind.NUMBER, Kind.UNKNOWN):
        raise ConfigError(where, f'{left.name} is {left.kind.value}: write "{right}" in quotes')
    wanted = as_number(left, right, where)
    return _equal(left, wanted, f"{right}")


def _equal(left: Subject, wanted: Decimal, right: str) -> Matcher:
    compare = plain_number(left, lambda value: value == wanted)
    return any_plain(
        compare, right, f"is {right}", f"is not {right}", between(left, wanted, wanted)
    )


def plain_number(left: Subject, compare: Callable[[Decimal], bool]) -> PlainTest:
    """Return the test of a number; only values of unknown type still need reading."""
    if left.kind is Kind.NUMBER:
        return compare

    def test(value: object) -> bool:
        read = number(value)
        return read is not None and compare(read)

    return test


def between(left: Subject, low: Decimal | None, high: Decimal | None) -> Claim | None:
    """Return the claim of a range of numbers; none where the values may turn out to be text."""
    return Claim(low=low, high=high) if left.kind is Kind.NUMBER else None


def from_flag(left: Subject, right: bool, where: str) -> Matcher:
    """Return the test for true or false."""
    if left.kind is not Kind.FLAG:
        raise ConfigError(where, f"{left.name} is {left.kind.value}, not true or false")
    brief = str(right).lower()
    return any_value(lambda value, facts: value is right, brief, f"is {brief}", f"is not {brief}")


def pattern(left: Subject, right: str, where: str) -> Matcher:
    """Return the test of a wildcard pattern."""
    whole = literal(right, where)
    if whole is not None:
        found = one_of_texts(frozenset([whole]), whole)
        return _say(found, f'is "{whole}"', f'is not "{whole}"')
    test = wildcard(right, where)
    plain = test if left.kind is not Kind.UNKNOWN else lambda value: test(str(value))
    return any_plain(plain, right, f"~ {right}", f"is not ~ {right}")


def name(left: Subject, right: str, where: str) -> Matcher:
    """Return the test of a person name against each component group (R-26)."""
    if "=" in right:
        raise ConfigError(where, "write one component group of a name, without =")
    wanted = person_name(right)
    test = wildcard(wanted, where)
    return any_value(
        lambda value, facts: any(test(group) for group in value),
        right,
        f'is "{right}"',
        f'is not "{right}"',
    )


def _uid(left: Subject, right: str, where: str) -> Matcher:
    if re.fullmatch(r"[0-9.*?]+", right):
        return pattern(left, right, where)
    if literal(right, where) is not None:
        try:
            named = {uid_for(right)}
        except ValueError as error:
            raise ConfigError(where, str(error)) from error
        return _say(one_of_texts(frozenset(named), right), f"is {right}", f"is not {right}")
    test = wildcard(right, where)
    named = {uid for uid, words in _named_uids() if any(map(test, words))}
    if not named:
        raise ConfigError(where, f'"{right}" names no UID')
    return _say(one_of_texts(frozenset(named), right), f"~ {right}", f"is not ~ {right}")


def _named_uids() -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield ``(uid, (keyword, name))`` of every registered UID."""
    for table in (transfer_syntaxes(), sop_classes()):
        yield from ((uid, entry[:2]) for uid, entry in table.items())
    yield from ((uid, (entry[4], entry[0])) for uid, entry in dictionary.uids().items())


def _number_text(left: Subject, right: str, where: str) -> Matcher:
    ends = _RANGE.fullmatch(right)
    if ends is None:
        return _equal(left, as_number(left, right, where), right)
    low, high = (as_number(left, end, where) if end else None for end in ends.groups())
    if low is None and high is None:
        raise ConfigError(where, "a range needs at least one end")
    if low is not None and high is not None and low > high:
        raise ConfigError(where, f'the range "{right}" ends before it begins')

    def inside(value: Decimal) -> bool:
        return (low is None or low <= value) and (high is None or value <= high)

    claim = between(left, low, high)
    compare = plain_number(left, inside)
    return any_plain(compare, right, f"in {right}", f"not in {right}", claim)


def as_number(left: Subject, right: object, where: str) -> Decimal:
    """Return a right side as the number that values of ``left`` are compared with."""
    wanted = number(right)
    if wanted is None:
        raise ConfigError(where, f'{left.name} is {left.kind.value}, and "{right}" is no number')
    if left.vr == "FL":
        # An FL value is the nearest single-precision number to what was meant; so must ours be.
        try:
            wanted = Decimal(repr(struct.unpack("<f", struct.pack("<f", wanted))[0]))
        except OverflowError:
            raise ConfigError(where, f"{right} is larger than any FL value") from None
    return wanted


def _interval(left: Subject, right: str, where: str) -> Matcher:
    whole = interval_reader(left, right)
    if whole is not None:
        return _inside(whole, whole, right, f"is {right}", f"is not {right}")
    ends = _ends(left, right)
    readers = [interval_reader(left, end) if end else None for end in ends or ()]
    if not any(ends or ()) or any(
        r is None for r, end in zip(readers, ends or (), strict=True) if end
    ):
        raise ConfigError(
            where, f'"{right}" is not {left.kind.value}: write {_DATED[left.kind]}, or two with -'
        )
    low, high = readers
    if low is not None and high is not None and low(UTC)[0] > high(UTC)[0]:
        raise ConfigError(where, f'the range "{right}" ends before it begins: write two ranges')
    return _inside(low, high, right, f"in {right}", f"not in {right}")


def _ends(left: Subject, right: str) -> tuple[str, ...] | None:
    """Return both ends of a written range ("" if open), or None if it is no range."""
    if left.kind is Kind.DATETIME:
        found = _DT_RANGE.fullmatch(right)
        return tuple(end or "" for end in found.groups()) if found else None
    parts = tuple(part.strip() for part in right.split("-"))
    return parts if len(parts) == 2 else None


def interval_reader(left: Subject, text: str) -> Written | None:
    """Return how to get the interval of a written date or time, or None if it is none."""
    if left.kind is Kind.DATETIME:
        if intervals.read_datetime(text, UTC) is None:
            return None
        return lambda zone: intervals.read_datetime(text, zone) or (0, 0)
    read = intervals.read_date if left.kind is Kind.DATE else intervals.read_time
    found = read(text)
    return None if found is None else lambda zone: found


def _inside(low: Written | None, high: Written | None, brief: str, yes: str, no: str) -> Matcher:
    def inside(value: Any, facts: Facts) -> bool:
        if low is not None and value[0] < low(facts.zone)[0]:
            return False
        return high is None or value[1] <= high(facts.zone)[1]

    return any_value(inside, brief, yes, no)


def _weekday(left: Subject, right: str, where: str) -> Matcher:
    ends = [end.strip().title() for end in right.split("-")]
    unknown = [end for end in ends if end not in WEEKDAYS]
    if unknown or len(ends) > 2:
        raise ConfigError(where, f'"{right}" is no day: write Mon, or Mon-Fri')
    first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
    days = [WEEKDAYS[(first + step) % 7] for step in range((last - first) % 7 + 1)]
    words = ("is", "is not") if len(ends) == 1 else ("in", "not in")
    return _say(one_of_texts(frozenset(days), right), f"{words[0]} {right}", f"{words[1]} {right}")


def _address(left: Subject, right: str, where: str) -> Matcher:
    if "/" not in right:
        return pattern(left, right, where)
    try:
        network = ipaddress.ip_network(right)
    except ValueError as error:
        raise ConfigError(where, f'"{right}" is no network: {error}') from error

    def inside(value: Any, facts: Facts) -> bool:
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return any_value(inside, right, f"in {right}", f"not in {right}")


def _say(found: Matcher, yes: str, no: str) -> Matcher:
    return replace(found, yes=yes, no=no)


TEXTS: dict[Kind, Callable[[Subject, str, str], Matcher]] = {
    Kind.TEXT: pattern,
    Kind.UID: _uid,
    Kind.NAME: name,
    Kind.NUMBER: _number_text,
    Kind.WEEKDAY: _weekday,
    Kind.ADDRESS: _address,
    Kind.UNKNOWN: pattern,
}
