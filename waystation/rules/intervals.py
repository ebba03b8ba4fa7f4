"""Dates and times as intervals of their written precision (PS3.5 table 6.2-1, VR DA, TM, DT).

Contract: `TM 10` is the whole hour, `DA 2026` the whole year.  An interval is ``(start, end)``
with the end left out: days (proleptic ordinal) for DA, microseconds of the day for TM,
microseconds since the ordinal day 0 for DT.  What cannot be read is None; nothing raises.
The ACR forms `2026.03.29` and `10:15` are read too.
"""

import re
from datetime import date, datetime, timedelta, timezone, tzinfo

Interval = tuple[int, int]

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

OFFSET = r"[+-](?:0\d|1[0-4])[0-5]\d"
DATE_TIME = rf"\d{{4,14}}(?:\.\d{{1,6}})?(?:{OFFSET})?"
_DATE = re.compile(r"(\d{4})(?:(\d\d)(\d\d)?)?", re.ASCII)
_ACR_DATE = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)", re.ASCII)
_TIME = re.compile(r"(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?", re.ASCII)
_ACR_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?", re.ASCII)
_DATE_TIME = re.compile(rf"(\d{{4,8}}?)((?<=\d{{8}})\d\d.*?)?({OFFSET})?", re.ASCII)
_OFFSET = re.compile(OFFSET, re.ASCII)


def read_date(text: str) -> Interval | None:
    """Return the days that a DA value names."""
    found = _DATE.fullmatch(text) or _ACR_DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day = (int(part) if part else None for part in found.groups())
    if year is None:
        return None
    try:
        start = date(year, month or 1, day or 1).toordinal()
    except ValueError:
        return None
    if day == 0 or month == 0:
        return None
    return start, start + _days(year, month, day)


def _days(year: int, month: int | None, day: int | None) -> int:
    if day is not None:
        return 1
    first = date(year, month or 1, 1)
    last = date(year, month or 12, 28) + timedelta(days=3)
    last = last if last.month == (month or 12) else last.replace(day=1) - timedelta(days=1)
    return (last - first).days + 1


def read_time(text: str) -> Interval | None:
    """Return the microseconds of the day that a TM value names; second 60 is a leap second."""
    found = _TIME.fullmatch(text) or _ACR_TIME.fullmatch(text)
    if found is None:
        return None
    hour, minute, second, fraction = found.groups()
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 60:
        return None
    start = int(hour) * HOUR_US + int(minute or 0) * 60_000_000 + int(second or 0) * 1_000_000
    if fraction is not None:
        step = 10 ** (6 - len(fraction))
        start += int(fraction) * step
        return start, start + step
    length = 1_000_000 if second else 60_000_000 if minute else HOUR_US
    return start, start + length


def read_offset(text: str) -> tzinfo | None:
    """Return the zone of ``+hhmm`` or ``-hhmm`` (also Timezone Offset From UTC (0008,0201))."""
    if _OFFSET.fullmatch(text) is None:
        return None
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def read_datetime(text: str, zone: tzinfo) -> Interval | None:
    """Return the moments in UTC that a DT value names; without an offset it is in ``zone``."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return None
    days, clock, offset = read_date(found[1]), found[2], found[3]
    if days is None:
        return None
    start, end = days[0] * DAY_US, days[1] * DAY_US
    if clock is not None:
        times = read_time(clock) if ":" not in clock else None
        if times is None:
            return None
        start, end = start + times[0], start + times[1]
    own = read_offset(offset) if offset else zone
    return (start - _shift(start, own or zone), end - _shift(end, own or zone))


def _shift(local_us: int, zone: tzinfo) -> int:
    """Return how far ``zone`` is ahead of UTC at a local moment, microseconds."""
    inside = min(max(local_us, 2 * DAY_US), (date.max.toordinal() - 1) * DAY_US)
    moment = datetime(1, 1, 1) + timedelta(microseconds=inside - DAY_US)
    ahead = moment.replace(tzinfo=zone).utcoffset() or timedelta()
    return ahead // timedelta(microseconds=1)
