"""Opening hours of a lane: open or shut at an instant, and until when.

Contract (R-35 to R-39): a `Schedule` is a set of civil minutes in its zone and is open at an
instant whose minute is in the set.  Minutes that the zone skips do not exist, minutes that it
repeats count both times.  What cannot be evaluated is shut: a schedule without zone data, and
every year that a calendar of holidays says nothing about; `problem_at` tells why.  Nothing here
reads a clock, a zone or a file: instants are Unix seconds, zone and holidays are arguments.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from math import floor

from waystation.timing.schedule_days import NO_HOLIDAYS, Days, Holidays
from waystation.timing.schedule_text import DAY, WEEKDAYS, Group, Hours, read_hours
from waystation.timing.schedule_zone import DAY_S, MINUTE_S, stretches

ONE_DAY = timedelta(days=1)
EPOCH = date(1970, 1, 1).toordinal()
# A schedule of weekdays repeats each week; four weeks leave room for changes of the clock.
WEEKLY_S = 28 * DAY_S
# A weekday falls on 29 February at least every 40 years.
YEARS_AHEAD = 41
REMEMBERED = 64

Minutes = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Minutes of one day that a group opens.  since: the day that they belong to."""

    begin: int
    end: int
    group: Group
    since: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When something may be done.

    zone: None if its data are missing.  closed: days that are shut whatever the hours say.
    problem: why the schedule, or a calendar of it, could not be read; for an alert.
    """

    hours: Hours
    zone: tzinfo | None
    holidays: Holidays = NO_HOLIDAYS
    closed: tuple[Days, ...] = ()
    problem: str = ""
    # What was worked out already: the open minutes of days, and until when nothing changes.
    _days: dict[date, Minutes] = field(
        default_factory=dict, init=False, repr=False, compare=False, hash=False
    )
    _ahead: list[tuple[float, float | None]] = field(
        default_factory=list, init=False, repr=False, compare=False, hash=False
    )

    def is_open(self, at: float) -> bool:
        """Return whether it is open at ``at``."""
        if self.zone is None:
            return False
        local = datetime.fromtimestamp(floor(at), self.zone)
        minute = local.hour * 60 + local.minute
        return any(begin <= minute < end for begin, end in self._minutes(local.date()))

    def next_change(self, at: float) -> float | None:
        """Return when it next opens or shuts after ``at``; None if never again."""
        if self.zone is None or self._fixed:
            return None
        for since, change in self._ahead:
            if since <= at and (change is None or at < change):
                return change
        change = self._search(self.zone, at)
        self._ahead[:] = [(at, change)]
        return change

    def problem_at(self, at: float) -> str:
        """Return why it is shut although nobody said so; empty if all is well (R-39)."""
        if self.problem:
            return self.problem
        if self.zone is None:
            return "zone data are missing"
        year = datetime.fromtimestamp(floor(at), self.zone).year
        return "" if self.holidays.know(year) else f"no holidays of {year} in its calendars"

    def why(self, at: float) -> str:
        """Return in words why it is open or shut at ``at``."""
        problem = self.problem_at(at)
        if self.zone is None or problem:
            return f"shut: {problem}"
        local = datetime.fromtimestamp(floor(at), self.zone)
        day, minute = local.date(), local.hour * 60 + local.minute
        for span in self._spans(day):
            if span.begin <= minute < span.end:
                return f"open: {self._opened(span, day)}"
        return f"shut: {self._unopened(day)}"

    def outlook(self, at: float) -> str:
        """Return what comes next in words, as in ``opens Mon 20:00 (in 3 h 12 min)`` (R-41)."""
        verb = "shuts" if self.is_open(at) else "opens"
        change = self.next_change(at)
        if change is None or self.zone is None:
            return f"never {verb}"
        local = datetime.fromtimestamp(change, self.zone)
        day = WEEKDAYS[local.weekday()]
        if change - at >= 6 * DAY_S:
            day += f" {local.date()}"
        return f"{verb} {day} {local:%H:%M} (in {wait_text(change - at)})"

    # days

    @property
    def _fixed(self) -> bool:
        plain = not self.closed and self.holidays.years is None
        return plain and self.hours.text in {"always", "never"}

    def _closed(self, day: date) -> bool:
        unknown = not self.holidays.know(day.year)
        return unknown or any(day in days for days in self.closed)

    def _groups(self, day: date) -> list[Group]:
        """Return the groups that count on ``day``: of the most specific kind (R-36)."""
        groups = self.hours.groups
        dated = [group for group in groups if any(day in days for days in group.dates)]
        if dated:
            return dated
        if self.hours.names_holidays and self.holidays.name(day) is not None:
            return [group for group in groups if group.holiday]
        return [group for group in groups if day.weekday() in group.weekdays]

    def _spans(self, day: date) -> Iterator[Span]:
        """Yield what is open on ``day``, the tails of the night before included."""
        if self._closed(day):
            return
        for group in self._groups(day):
            for each in group.ranges:
                yield Span(each.begin, min(each.end, DAY), group, day)
        before = day - ONE_DAY
        if self._closed(before):
            return
        for group in self._groups(before):
            for each in group.ranges:
                if each.end > DAY:
                    yield Span(0, each.end - DAY, group, before)

    def _minutes(self, day: date) -> Minutes:
        """Return the open minutes of ``day``, ascending, apart from each other."""
        known = self._days.get(day)
        if known is None:
            if len(self._days) >= REMEMBERED:
                self._days.clear()
            spans = sorted((span.begin, span.end) for span in self._spans(day))
            known = self._days[day] = _united(spans)
        return known

    # looking ahead

    def _search(self, zone: tzinfo, at: float) -> float | None:
        wanted = not self.is_open(at)
        start = floor(at) + 1
        for begin, end, offset in stretches(zone, start, start + self._horizon_s(at)):
            local = self._first(begin + offset, end + offset, wanted=wanted)
            if local is not None:
                return float(local - offset)
        return None

    def _first(self, begin: int, end: int, *, wanted: bool) -> int | None:
        """Return the first civil second from ``begin`` to ``end`` whose state is ``wanted``.

        Civil seconds count from 1970 without regard to the zone; its offset is constant there.
        """
        while begin < end:
            number = begin // DAY_S
            midnight = number * DAY_S
            minutes = self._minutes(date.fromordinal(EPOCH + number))
            parts = minutes if wanted else _rest(minutes)
            for opens, shuts in parts:
                first = max(begin, midnight + opens * MINUTE_S)
                if first < min(end, midnight + shuts * MINUTE_S):
                    return first
            begin = midnight + DAY_S
        return None

    def _horizon_s(self, at: float) -> int:
        """Return how far ahead a change can lie."""
        hours, holidays = self.hours, self.holidays
        dated = hours.names_dates or hours.names_holidays or self.closed
        if not dated and holidays.years is None:
            return WEEKLY_S
        year = datetime.fromtimestamp(floor(at), UTC).year
        named = [days.last_year for group in hours.groups for days in group.dates]
        named += [days.last_year for days in self.closed]
        last = max([year, holidays.last_year, *named])
        return (last + YEARS_AHEAD - year) * 366 * DAY_S

    # words

    def _opened(self, span: Span, day: date) -> str:
        text = f'"{span.group.text}"'
        if span.since != day:
            text += f", since {WEEKDAYS[span.since.weekday()]} {span.since}"
        name = self.holidays.name(span.since)
        by_date = any(span.since in days for days in span.group.dates)
        if span.group.holiday and name is not None and not by_date:
            text += f", {span.since} is a holiday ({name})"
        return text

    def _unopened(self, day: date) -> str:
        closed = next((days.text for days in self.closed if day in days), None)
        if closed is not None:
            return f"closed on {day} ({closed})"
        if not self.hours.groups:
            return f'"{self.hours.text}" is never open'
        here = f"{WEEKDAYS[day.weekday()]} {day}"
        name = self.holidays.name(day)
        if name is not None and self.hours.names_holidays:
            here += f", a holiday ({name})"
        groups = self._groups(day)
        if not groups:
            return f"no group names {here}"
        return "outside " + " and ".join(f'"{group.text}"' for group in groups) + f" on {here}"


def _united(spans: list[tuple[int, int]]) -> Minutes:
    found: list[tuple[int, int]] = []
    for begin, end in spans:
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return tuple(found)


def _rest(minutes: Minutes) -> Minutes:
    """Return the minutes of a day that are not in ``minutes``."""
    edges = [0, *(edge for pair in minutes for edge in pair), DAY]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return tuple((begin, end) for begin, end in pairs if begin < end)


def wait_text(seconds: float) -> str:
    """Return a wait in days and hours, or hours and minutes; never shorter than it is."""
    minutes = -floor(-seconds / MINUTE_S)
    if minutes >= 2 * DAY:
        return f"{minutes // DAY} d {minutes % DAY // 60} h"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def read_schedule(
    text: str,
    *,
    zone: tzinfo | None,
    holidays: Holidays = NO_HOLIDAYS,
    closed: tuple[Days, ...] = (),
    problem: str = "",
) -> Schedule:
    """Return the schedule that ``text`` means.

    Raises ValueError with a sentence that says what is wrong and what to write instead.
    """
    return Schedule(
        hours=read_hours(text), zone=zone, holidays=holidays, closed=closed, problem=problem
    )


ALWAYS = read_schedule("always", zone=UTC)
NEVER = read_schedule("never", zone=UTC)
