"""When a report is due: ``[report.NAME] at``.

Contract: a text is days and a time of day; each day that it names has exactly one instant, also
where the clock is changed: a time that is skipped counts as the one that the clock shows instead,
a time that comes twice counts once, the first time.

    [daily] 07:00                 every day
    weekly 07:00                  every Monday
    monthly 07:00                 the first of each month
    monthly 15 07:00              the 15th; 29 to 31 mean the last day of shorter months
    Mon-Fri 07:00, Mon,Thu 07:00  weekdays as in schedules; also dates like 12-31 18:00
"""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as time_of_day

from waystation.timing.schedule_text import Group, read_hours

HELP = (
    'expected days and a time, like "07:00", "Mon-Fri 07:00", "weekly 07:00", "monthly 07:00"'
    ' or "monthly 15 07:00"'
)
FORM = re.compile(r"(?:(?P<days>.*\S)\s+)?(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])", re.A)
MONTHLY = re.compile(r"monthly(?:\s+(?P<day>[1-9]|[12][0-9]|3[01]))?", re.A)
ONE_DAY = timedelta(days=1)
# Some date of every year is a day of leap years only, and a weekday on top.
FARTHEST_DAYS = 366 * 41


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTimes:
    """The instants of one report.  day_of_month: 0 where ``group`` says the days."""

    text: str
    at: time_of_day
    zone: tzinfo
    group: Group | None = None
    day_of_month: int = 0

    def next_after(self, instant: float) -> float | None:
        """Return the first instant behind ``instant`` (Unix seconds), None if none comes."""
        day = datetime.fromtimestamp(instant, self.zone).date() - ONE_DAY
        for _ in range(FARTHEST_DAYS):
            if self._named(day):
                due = self._instant(day)
                if due > instant:
                    return due
            day += ONE_DAY
        return None

    def _instant(self, day: date) -> float:
        return datetime.combine(day, self.at, self.zone).astimezone(UTC).timestamp()

    def _named(self, day: date) -> bool:
        if self.day_of_month:
            last = calendar.monthrange(day.year, day.month)[1]
            return day.day == min(self.day_of_month, last)
        group = self.group
        if group is None:
            return True
        return day.weekday() in group.weekdays or any(day in days for days in group.dates)


def read_report_times(text: str, zone: tzinfo) -> ReportTimes:
    """Return what ``text`` means.  Raises ValueError with a sentence."""
    found = FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(HELP)
    at = time_of_day(int(found["hour"]), int(found["minute"]))
    days = (found["days"] or "daily").lower()
    if days == "daily":
        return ReportTimes(text=text, at=at, zone=zone)
    monthly = MONTHLY.fullmatch(days)
    if monthly is not None:
        day_of_month = int(monthly["day"] or 1)
        return ReportTimes(text=text, at=at, zone=zone, day_of_month=day_of_month)
    return ReportTimes(text=text, at=at, zone=zone, group=_days(found["days"], days))


def _days(written: str, lower: str) -> Group:
    words = "Mon" if lower == "weekly" else written
    try:
        hours = read_hours(f"{words} 00:00-24:00")
    except ValueError:
        raise ValueError(HELP) from None
    group = hours.groups[0]
    # A range of times would have been read as part of the days.
    if len(hours.groups) != 1 or len(group.ranges) != 1 or group.holiday:
        raise ValueError(HELP)
    return group
