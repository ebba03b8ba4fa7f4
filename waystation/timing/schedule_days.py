"""The days that a schedule names: dates, dates of every year, runs of them, and holidays.

Contract (routing.md section 4): ``2026-04-03``, ``12-25`` (every year), and runs such as
``12-24..01-02`` with both ends included.  `read_days` raises ValueError with a sentence; a run
of every year may pass New Year, a run of dates may not go backwards.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

FIRST_YEAR, LAST_YEAR = 2000, 2199
LEAP_YEAR = 2000
DATE = re.compile(r"(?:([0-9]{4})\s*-\s*)?([0-9]{2})\s*-\s*([0-9]{2})", re.ASCII)
HELP = 'dates are written like "2026-04-03", "12-25" or "12-24..12-26"'


@dataclass(frozen=True, slots=True)
class Days:
    """One date or a run of dates.  first, last: years are None for every year."""

    text: str
    first: tuple[int | None, int, int]
    last: tuple[int | None, int, int]

    def __contains__(self, day: date) -> bool:
        if self.first[0] is not None:
            return self.first <= (day.year, day.month, day.day) <= self.last
        here, first, last = (day.month, day.day), self.first[1:], self.last[1:]
        if first <= last:
            return first <= here <= last
        return here >= first or here <= last

    @property
    def last_year(self) -> int:
        """The last year that is named; 0 for every year."""
        return self.last[0] or 0


def read_days(text: str) -> Days:
    """Return the days that ``text`` names."""
    first, sign, last = text.partition("..")
    begin = _read_date(first)
    end = _read_date(last) if sign else begin
    if (begin[0] is None) is not (end[0] is None):
        raise ValueError("both ends of a run have a year, or none")
    if begin[0] is not None and begin > end:
        raise ValueError("the run of dates goes backwards")
    return Days(" ".join(text.split()), begin, end)


def _read_date(text: str) -> tuple[int | None, int, int]:
    found = DATE.fullmatch(text.strip())
    if found is None:
        raise ValueError(HELP)
    year = int(found[1]) if found[1] else None
    if year is not None and not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"years go from {FIRST_YEAR} to {LAST_YEAR}")
    try:
        # 29 February of every year is a day of leap years.
        date(year or LEAP_YEAR, int(found[2]), int(found[3]))
    except ValueError:
        raise ValueError(f"there is no such date as {text.strip()}") from None
    return year, int(found[2]), int(found[3])


@dataclass(frozen=True, slots=True, kw_only=True)
class Holidays:
    """The holidays of one schedule.

    days: as written in the configuration.  events: date → name, from calendar files.
    years: those in which the calendar files have events; None: there are no such files.
    """

    days: tuple[Days, ...] = ()
    events: Mapping[date, str] = field(default_factory=lambda: MappingProxyType({}))
    years: frozenset[int] | None = None

    def name(self, day: date) -> str | None:
        """Return what the holiday is called, or None if ``day`` is none."""
        named = self.events.get(day)
        if named is not None:
            return named
        return next((days.text for days in self.days if day in days), None)

    def know(self, year: int) -> bool:
        """Return whether holidays of ``year`` can be told (R-39)."""
        return self.years is None or year in self.years

    @property
    def last_year(self) -> int:
        """The last year that anything here names."""
        named = [days.last_year for days in self.days]
        named += [day.year for day in self.events]
        return max([*named, *(self.years or ())], default=0)


NO_HOLIDAYS = Holidays()
