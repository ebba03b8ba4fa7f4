"""Holidays out of iCalendar files (RFC 5545).

Contract: bytes in, days and their names out; nothing is opened, no clock is read.  `read_calendar`
raises ValueError for whatever it cannot read to the end: a holiday that was lost could open a
window (R-39).  Events of one day, of several days, with hours, with RRULE, RDATE, EXDATE and
moved occurrences count; cancelled ones do not.  The years, the events, and what a rule may yield
are bounded.

This is the only home of icalendar and dateutil.  They are imported when a file is read, as most
nodes have none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from icalendar import Component

MOST_EVENTS = 10_000
MOST_STARTS = 20_000
MOST_DAYS = 366
NAME_LENGTH = 60
# A rule of hours or less names no days, and could yield for ever.
FREQUENCIES = {"YEARLY", "MONTHLY", "WEEKLY", "DAILY"}
MIDNIGHT = time(0)
END = b"END:VCALENDAR"
# What the libraries let through from values that make no sense.
FOREIGN = (ArithmeticError, AttributeError, LookupError, OSError, TypeError)


@dataclass(frozen=True, slots=True)
class CalendarDays:
    """events: day → name.  years: those in which an event begins."""

    events: dict[date, str]
    years: frozenset[int]


def read_calendar(data: bytes, *, years: range, zone: tzinfo) -> CalendarDays:
    """Return the days of ``years`` on which the calendar ``data`` has an event.

    zone: where the days are lived; it matters for events with hours.
    """
    try:
        return _read(data, years, zone)
    except FOREIGN as error:
        raise ValueError("holds values that cannot be read") from error


def _read(data: bytes, years: range, zone: tzinfo) -> CalendarDays:
    events = [event for event in _events(data) if _text(event, "STATUS") != "CANCELLED"]
    moved = {
        (_text(event, "UID"), _instant(_moment(event, "RECURRENCE-ID")))
        for event in events
        if "RECURRENCE-ID" in event
    }
    days: dict[date, str] = {}
    begun: set[int] = set()
    for event in events:
        first = _moment(event, "DTSTART")
        for start in _starts(event, first, years):
            here = (_text(event, "UID"), _instant(start))
            if "RECURRENCE-ID" not in event and here in moved:
                continue
            run = list(_days(event, first, start, zone))
            begun.add(run[0].year)
            days.update((day, _text(event, "SUMMARY")) for day in run if day.year in years)
    return CalendarDays(days, frozenset(begun & set(years)))


def _events(data: bytes) -> "list[Component]":
    from icalendar import Calendar

    if not data.upper().rstrip().endswith(END):
        raise ValueError("is no whole iCalendar file: END:VCALENDAR is missing")
    try:
        calendars = Calendar.from_ical(data, multiple=True)
    except ValueError as error:
        raise ValueError("is no iCalendar file") from error
    if not calendars or any(calendar.name != "VCALENDAR" for calendar in calendars):
        raise ValueError("is no iCalendar file")
    events = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    if len(events) > MOST_EVENTS:
        raise ValueError(f"has more than {MOST_EVENTS} events")
    for event in events:
        if event.errors:
            raise ValueError(f"{_place(event)}: {event.errors[0][0]} cannot be read")
    return events


def _text(event: "Component", key: str) -> str:
    value = event.get(key, "")
    text = str(value[0] if isinstance(value, list) else value)
    return "".join(c for c in text if c.isprintable())[:NAME_LENGTH]


def _place(event: "Component") -> str:
    return f'event "{_text(event, "SUMMARY") or _text(event, "UID")}"'


def _moment(event: "Component", key: str) -> date | datetime:
    value = getattr(event.get(key), "dt", None)
    if not isinstance(value, date):
        raise ValueError(f"{_place(event)}: {key} is missing or cannot be read")
    return value


def _instant(moment: date | datetime) -> datetime:
    """Return one form for all ways to write an instant."""
    if not isinstance(moment, datetime):
        return datetime.combine(moment, MIDNIGHT)
    return moment if moment.tzinfo is None else moment.astimezone(UTC)


def _wall(moment: date | datetime, zone: tzinfo | None) -> datetime:
    """Return ``moment`` as the clock on the wall of ``zone`` shows it."""
    if not isinstance(moment, datetime):
        return datetime.combine(moment, MIDNIGHT)
    if moment.tzinfo is not None and zone is not None:
        moment = moment.astimezone(zone)
    return moment.replace(tzinfo=None)


# occurrences


def _starts(event: "Component", first: date | datetime, years: range) -> Iterator[date | datetime]:
    """Yield when each occurrence begins, as far as it may touch ``years``."""
    zone = first.tzinfo if isinstance(first, datetime) else None
    begin = _wall(first, zone)
    end = datetime(years.stop, 1, 1)
    found = {begin, *(_wall(moment, zone) for moment in _moments(event, "RDATE"))}
    for rule in _several(event, "RRULE"):
        found.update(_recurring(event, rule, begin, end, zone))
    found -= {_wall(moment, zone) for moment in _moments(event, "EXDATE")}
    for start in sorted(found):
        if years.start - 1 <= start.year < years.stop:
            if isinstance(first, datetime):
                yield start.replace(tzinfo=zone)
            else:
                yield start.date()


def _several(event: "Component", key: str) -> list[Any]:
    value = event.get(key, [])
    return value if isinstance(value, list) else [value]


def _moments(event: "Component", key: str) -> Iterator[date | datetime]:
    for entry in _several(event, key):
        for moment in getattr(entry, "dts", ()):
            value = moment.dt
            yield value[0] if isinstance(value, tuple) else value


def _recurring(
    event: "Component", rule: Any, begin: datetime, end: datetime, zone: tzinfo | None
) -> Iterator[datetime]:
    from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

    if str((rule.get("FREQ") or [""])[0]).upper() not in FREQUENCIES:
        raise ValueError(f"{_place(event)}: recurs neither by days, weeks, months nor years")
    untils = [_until(moment, zone) for moment in rule.get("UNTIL", [])]
    parts = {key: value for key, value in rule.items() if key.upper() != "UNTIL"}
    text = type(rule)(parts).to_ical().decode()
    try:
        starts = rrulestr(text, dtstart=begin)
    except ValueError as error:
        raise ValueError(f"{_place(event)}: RRULE cannot be read") from error
    last = min([end, *untils])
    for number, start in enumerate(islice(starts, MOST_STARTS + 1)):
        if start > last:
            return
        if number == MOST_STARTS:
            raise ValueError(f"{_place(event)}: recurs more than {MOST_STARTS} times")
        yield start


def _until(moment: date | datetime, zone: tzinfo | None) -> datetime:
    """Return the last instant of a rule: a date means all of that day (RFC 5545, 3.3.10)."""
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time.max)
    return _wall(moment, zone)


def _days(
    event: "Component", first: date | datetime, start: date | datetime, zone: tzinfo
) -> Iterator[date]:
    """Yield the days that an occurrence lasts, in ``zone``."""
    length = _length(event, first)
    if isinstance(start, datetime):
        local = start.astimezone(zone) if start.tzinfo is not None else start
        begin, stop = local.date(), local + length
        last = (stop - timedelta(microseconds=1)).date() if length else begin
    else:
        begin = start
        last = begin + max(length, timedelta(days=1)) - timedelta(days=1)
    count = (last - begin).days + 1
    if length < timedelta(0) or count > MOST_DAYS:
        raise ValueError(f"{_place(event)}: lasts less than nothing, or more than a year")
    for number in range(count):
        yield begin + timedelta(days=number)


def _length(event: "Component", first: date | datetime) -> timedelta:
    if "DTEND" in event:
        end = _moment(event, "DTEND")
        zone = first.tzinfo if isinstance(first, datetime) else None
        return _wall(end, zone) - _wall(first, zone)
    duration = getattr(event.get("DURATION"), "dt", None)
    return duration if isinstance(duration, timedelta) else timedelta(0)
