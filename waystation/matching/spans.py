"""Dates and times as spans of microseconds, and the ranges that keys ask for (T-7).

Contract: a value denotes the span of its precision: ``1015`` is 10:15:00 to 10:15:59.999999, a
date its whole day; a fraction of a second is one instant.  A stored value matches a key if their
spans overlap.  Dates count from 0001-01-01, times from midnight; both ends belong to a span.
None: the text is no such value.  PS3.5 6.2 (DA, TM, DT), PS3.4 C.2.2.2.5.
"""

import re
from calendar import monthrange
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
LOW, HIGH = -(1 << 62), 1 << 62

_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_OLD_DATE = re.compile(r"(\d{4})\.(\d{2})\.(\d{2})", re.ASCII)
_TIME = re.compile(r"(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,6}))?)?)?", re.ASCII)
_OLD_TIME = re.compile(r"(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?", re.ASCII)
_DATE_TIME = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?))?)?)?"
    r"([+-]\d{4})?",
    re.ASCII,
)
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})", re.ASCII)


class Span(NamedTuple):
    """From ``low`` to ``high``, both included."""

    low: int
    high: int

    def overlaps(self, other: "Span") -> bool:
        return self.low <= other.high and other.low <= self.high

    def moved(self, by: int) -> "Span":
        return Span(self.low + by, self.high + by)


class Moment(NamedTuple):
    """A date and time, with its offset from UTC in minutes if it names one."""

    span: Span
    zone: int | None = None


@lru_cache(maxsize=4096)
def date_span(text: str, *, stored: bool = False) -> Span | None:
    """Return the day of a DA; ``stored``: the form with dots of ACR-NEMA is understood too."""
    found = _DATE.fullmatch(text) or (_OLD_DATE.fullmatch(text) if stored else None)
    day = _ordinal(*map(int, found.groups())) if found else None
    return None if day is None else Span(day * DAY, day * DAY + DAY - 1)


def _ordinal(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return None


def time_span(text: str, *, stored: bool = False) -> Span | None:
    """Return the span of a TM; ``stored``: the form with colons is understood too."""
    found = _TIME.fullmatch(text) or (_OLD_TIME.fullmatch(text) if stored else None)
    if found is None:
        return None
    hour, minute, second = (int(part) if part else 0 for part in found.groups()[:3])
    if hour > 23 or minute > 59 or second > 60:
        return None
    # A leap second shares its number with the one before it.
    low = hour * HOUR + minute * MINUTE + min(second, 59) * SECOND
    if found[4]:
        low += int(found[4].ljust(6, "0"))
        return Span(low, low)
    unit = SECOND if found[3] else MINUTE if found[2] else HOUR
    return Span(low, low + unit - 1)


def moment(text: str) -> Moment | None:
    """Return what a DT denotes, in its own zone."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, time, offset = found.groups()
    zone = offset_minutes(offset) if offset else None
    if offset and zone is None:
        return None
    first = _ordinal(int(year), int(month or 1), int(day or 1))
    if first is None:
        return None
    if time:
        clock = time_span(time)
        return None if clock is None else Moment(clock.moved(first * DAY), zone)
    days = 1 if day else monthrange(int(year), int(month))[1] if month else _days_of(int(year))
    return Moment(Span(first * DAY, (first + days) * DAY - 1), zone)


def _days_of(year: int) -> int:
    return date(year, 12, 31).timetuple().tm_yday


def offset_minutes(text: str) -> int | None:
    """Return an offset from UTC (``+0100``) in minutes; None if it is none (-1200 to +1400)."""
    found = _OFFSET.fullmatch(text.strip())
    if found is None or int(found[3]) > 59:
        return None
    minutes = int(found[2]) * 60 + int(found[3])
    if minutes > (840 if found[1] == "+" else 720):
        return None
    return minutes if found[1] == "+" else -minutes


def is_range(text: str, vr: str) -> bool:
    """Tell whether a key of DA, TM or DT is a range rather than one value."""
    return "-" in text and (vr != "DT" or moment(text) is None)


def key_span(text: str, vr: str) -> Span | None:
    """Return what a key of DA or TM asks for.

    A reversed range keeps its order: low lies above high, and the caller says what that means.
    """
    read = date_span if vr == "DA" else time_span
    if "-" not in text:
        return read(text)
    first, _, last = text.partition("-")
    from_, to = read(first.strip()), read(last.strip())
    if (first.strip() and from_ is None) or (last.strip() and to is None):
        return None
    if from_ is None and to is None:
        return None
    return Span(from_.low if from_ else LOW, to.high if to else HIGH)


def key_moments(text: str) -> tuple[Moment | None, Moment | None] | None:
    """Return first and last moment that a DT key asks for, None for an open end.

    A hyphen with four digits up to 1200 behind it is an offset, not the end of the first value.
    """
    whole = moment(text)
    if whole:
        return whole, whole
    for at in [n for n, one in enumerate(text) if one == "-"]:
        first, last = text[:at].strip(), text[at + 1 :].strip()
        from_, to = moment(first), moment(last)
        if (from_ or not first) and (to or not last) and (from_ or to):
            return from_, to
    return None
