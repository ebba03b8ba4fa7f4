"""One key against the values of one record (T-3 to T-9, T-11 to T-13).

Contract: a `Condition` is made once from a key that `keys.fault_of` found good; `holds` tells
whether a record's attribute is as the key wants it.  A record without a value fails every
condition but those that ask for nothing or for emptiness.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Protocol

from waystation.matching.folding import plain
from waystation.matching.keys import NUMBERS, RANGES, WILD, is_number
from waystation.matching.names import NameKey
from waystation.matching.spans import (
    DAY,
    HIGH,
    LOW,
    MINUTE,
    SECOND,
    Moment,
    Span,
    date_span,
    key_moments,
    key_span,
    moment,
    time_span,
)
from waystation.matching.wildcard import Pattern, is_wild
from waystation.model.query import Key, Options, Record

Predicate = Callable[[str], bool]
_AGE = re.compile(r"0*(\d+)([DWMY])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Zones:
    """Where clocks stand: ``asked`` in minutes where the request's offset counts (T-9), and the
    node's zone for records that name none.
    """

    asked: int | None = None
    home: tzinfo | None = None

    def of(self, zone: int | None, local: int) -> int | None:
        """Return a record's offset in minutes at a local instant, None if nobody knows it."""
        if zone is not None or self.home is None:
            return zone
        seconds, days = local % DAY // SECOND, max(1, min(local // DAY, 3_652_058))
        clock = datetime.fromordinal(days).replace(
            hour=seconds // 3600, minute=seconds // 60 % 60, second=seconds % 60, tzinfo=self.home
        )
        offset = clock.utcoffset()
        return None if offset is None else int(offset.total_seconds()) // 60

    def shift(self, zone: int | None, local: int) -> int:
        """Return what makes a record's local instant one of the zone asked for."""
        if self.asked is None:
            return 0
        own = self.of(zone, local)
        return 0 if own is None else (self.asked - own) * MINUTE


class Condition(Protocol):
    """What one key, or a pair of them, wants."""

    def holds(self, record: Record, zone: int | None) -> bool:
        """``zone``: the record's offset from UTC, or that of what it lies in."""
        ...


class Anything:
    """Universal: every record, also one that lacks the attribute."""

    def holds(self, record: Record, zone: int | None) -> bool:
        return True


class Empty:
    """Records without a value."""

    def __init__(self, key: Key) -> None:
        self._key = key

    def holds(self, record: Record, zone: int | None) -> bool:
        return not any(record.values(self._key.tag, self._key.vr))


class Values:
    """Text, numbers, names: some value of the record is one of those asked for.

    With ``each`` every value asked for must occur (C.2.2.2.8).
    """

    def __init__(self, key: Key, predicates: Sequence[Predicate], *, each: bool) -> None:
        self._tag, self._vr = key.tag, key.vr
        self._predicates = predicates
        self._each = each

    def holds(self, record: Record, zone: int | None) -> bool:
        found = [value for value in record.values(self._tag, self._vr) if value]
        if self._each:
            return all(any(map(wanted, found)) for wanted in self._predicates)
        return any(wanted(value) for wanted in self._predicates for value in found)


class Uids:
    """Any of a list, of thousands if need be."""

    def __init__(self, key: Key) -> None:
        self._tag = key.tag
        self._wanted = frozenset(filter(None, (value.strip("\0 ") for value in key.values)))

    def holds(self, record: Record, zone: int | None) -> bool:
        return any(uid.strip("\0 ") in self._wanted for uid in record.values(self._tag, "UI"))


class Clock:
    """DA or TM on its own.  ``partner``: the other half in the record, for time zones."""

    def __init__(self, key: Key, partner: int, zones: Zones) -> None:
        self._tag, self._vr = key.tag, key.vr
        spans = (key_span(value, key.vr) for value in key.values if value)
        self._wanted = [span for span in spans if span]
        self._partner, self._zones = partner, zones

    def holds(self, record: Record, zone: int | None) -> bool:
        read = date_span if self._vr == "DA" else time_span
        spans = [read(value, stored=True) for value in record.values(self._tag, self._vr)]
        if self._zones.asked is not None and len(spans) == 1 and spans[0]:
            spans = [self._shifted(spans[0], record, zone)]
        return any(self._is_in(span, wanted) for span in spans if span for wanted in self._wanted)

    def _shifted(self, span: Span, record: Record, zone: int | None) -> Span:
        """Return the span as the clock of the requester shows it."""
        other = _only(record, self._partner, "TM" if self._vr == "DA" else "DA")
        if self._vr == "DA":
            if other is None:
                return span
            local = Span(span.low + other.low, span.low + other.high)
        else:
            local = span.moved(other.low if other else 0)
        moved = local.moved(self._zones.shift(zone, local.low))
        return moved if self._vr == "DA" else moved.moved(-(moved.low // DAY) * DAY)

    def _is_in(self, span: Span, wanted: Span) -> bool:
        if self._vr == "DA":
            return wanted.low <= wanted.high and span.overlaps(wanted)
        if wanted.low <= wanted.high:
            over_midnight = span.high >= DAY and span.moved(-DAY).overlaps(wanted)
            return over_midnight or span.overlaps(wanted)
        return span.high >= wanted.low or span.low <= wanted.high


class Interval:
    """A date range and a time range that are one interval (C.2.2.2.5, K.6-1)."""

    def __init__(self, day: Key, time: Key, zones: Zones) -> None:
        days, times = key_span(day.values[0], "DA"), key_span(time.values[0], "TM")
        self._day, self._time = day.tag, time.tag
        self._zones = zones
        low, high = LOW, HIGH
        if days and days.low != LOW:
            low = days.low + (times.low if times and times.low != LOW else 0)
        if days and days.high != HIGH:
            last = days.high - DAY + 1
            high = last + (times.high if times and times.high != HIGH else DAY - 1)
        self._wanted = Span(low, high)

    def holds(self, record: Record, zone: int | None) -> bool:
        day, time = _only(record, self._day, "DA"), _only(record, self._time, "TM")
        if day is None or time is None or self._wanted.low > self._wanted.high:
            return False
        local = time.moved(day.low)
        return local.moved(self._zones.shift(zone, local.low)).overlaps(self._wanted)


class Moments:
    """DT: compared in UTC where offsets are known."""

    def __init__(self, key: Key, zones: Zones) -> None:
        self._tag, self._zones = key.tag, zones
        self._wanted = [ends for value in key.values if value and (ends := key_moments(value))]

    def holds(self, record: Record, zone: int | None) -> bool:
        found = (moment(value) for value in record.values(self._tag, "DT"))
        return any(self._is_in(one, ends, zone) for one in found if one for ends in self._wanted)

    def _is_in(
        self, one: Moment, ends: tuple[Moment | None, Moment | None], zone: int | None
    ) -> bool:
        own = one.zone if one.zone is not None else self._zones.of(zone, one.span.low)
        first, last = (end and self._as_asked(end, own) for end in ends)
        if (first.span.low if first else LOW) > (last.span.high if last else HIGH):
            return False
        span = one.span.moved(-(own or 0) * MINUTE)
        return span.high >= (first.span.low if first else LOW) and span.low <= (
            last.span.high if last else HIGH
        )

    def _as_asked(self, end: Moment, own: int | None) -> Moment:
        """Return an end of the range in UTC; without any offset it means the record's clock."""
        zone = end.zone
        if zone is None:
            zone = self._zones.asked
        if zone is None:
            zone = self._zones.of(None, end.span.low)
        if zone is None:
            zone = own
        return Moment(end.span.moved(-(zone or 0) * MINUTE))


def _only(record: Record, tag: int, vr: str) -> Span | None:
    """Return the span of a single date or time of the record."""
    values = record.values(tag, vr) if tag else ()
    read = date_span if vr == "DA" else time_span
    return read(values[0], stored=True) if len(values) == 1 else None


def condition_for(key: Key, options: Options, zones: Zones, partner: int) -> Condition:
    """Return what a key with values wants; ``partner``: tag of its date or time, 0 if none."""
    if key.vr == "UI":
        return Uids(key)
    if key.vr == "DT":
        return Moments(key, zones)
    if key.vr in RANGES:
        return Clock(key, partner, zones)
    each = options.multiple_values and len(key.values) > 1
    predicates = [predicate_for(value, key.vr, options) for value in key.values if value]
    return Values(key, predicates, each=each)


def predicate_for(asked: str, vr: str, options: Options) -> Predicate:
    """Return what tells whether one stored value is the one asked for."""
    if vr == "PN":
        return NameKey(asked, fuzzy=options.fuzzy).matches
    if vr in NUMBERS:
        number = float(asked)
        return lambda value: is_number(value.strip()) and float(value) == number
    if vr == "AS":
        age = age_form(asked)
        return lambda value: age_form(value) == age
    wanted = plain(asked, vr)
    if vr in WILD and is_wild(wanted):
        pattern = Pattern(wanted)
        return lambda value: pattern.matches(plain(value, vr))
    return lambda value: plain(value, vr) == wanted


def age_form(text: str) -> str:
    """Return an age so that equal ones are equal: ``018Y`` and ``18Y`` are."""
    found = _AGE.fullmatch(text.strip())
    return f"{found[1]}{found[2]}" if found else text.strip()
