"""Dates moved by whole days, the same number for all dates of a patient (D-27, D-28).

Contract: `shift_days` gives the number (negative: back), a pure function of key and patient;
`move_date` and `move_datetime` move one value and keep its precision.  A value that is no date
gives None.  `TooEarlyError` for a result before 1900, which some readers refuse.  PS3.5 6.2.
"""

import re
from dataclasses import dataclass
from datetime import MINYEAR, date, timedelta

from waystation.transforms.deid.keys import mac

EARLIEST = 1900
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)")
# As ACR-NEMA wrote it, and what people write by mistake.
_OLD = re.compile(r"(\d{4})([./-])(\d\d)\2(\d\d)")
_DATETIME = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?"
)
_TIME = re.compile(r"\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?")
_OLD_TIME = re.compile(r"\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?")


class TooEarlyError(ValueError):
    """A date would come to lie before 1900."""

    def __init__(self) -> None:
        super().__init__(f"a shifted date would lie before {EARLIEST}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far dates go back: ``low`` to ``high`` days; with ``keep_weekday`` whole weeks."""

    low: int = 1
    high: int = 3650
    keep_weekday: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.low <= self.high:
            raise ValueError("expected a range of days such as 1d..3650d")
        if self.keep_weekday and self.high // 7 < -(-self.low // 7):
            raise ValueError("no multiple of seven days lies in the range")


def shift_days(key: bytes, patient: bytes, shift: Shift) -> int:
    """Return by how many days the dates of ``patient`` move; below zero, as they go back."""
    number = int.from_bytes(mac(key, patient), "big")
    step = 7 if shift.keep_weekday else 1
    low, high = -(-shift.low // step), shift.high // step
    return -step * (low + number % (high - low + 1))


def _moved(year: int, month: int, day: int, days: int) -> date | None:
    try:
        moved = date(year, month, day) + timedelta(days)
    except OverflowError:
        raise TooEarlyError from None
    except ValueError:
        return None
    if moved.year < EARLIEST:
        raise TooEarlyError
    return moved


def move_date(text: str, days: int) -> str | None:
    """Return a DA value moved; old forms such as 1999.01.01 come out as 19990101."""
    found = _DATE.fullmatch(text) or _OLD.fullmatch(text)
    if found is None:
        return None
    parts = found.groups()
    moved = _moved(int(parts[0]), int(parts[-2]), int(parts[-1]), days)
    return None if moved is None else moved.strftime("%Y%m%d")


def move_datetime(text: str, days: int, *, keep_zone: bool = False) -> str | None:
    """Return a DT value moved, as precise as it was.

    Without month or day the middle of the year or month is moved, so that the result is as near
    as its precision allows.
    """
    found = _DATETIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, time, zone = found.groups()
    if int(year) < MINYEAR:
        return None
    moved = _moved(int(year), int(month or 7), int(day or (15 if month else 2)), days)
    if moved is None or (time and not is_time(time)):
        return None
    made = moved.strftime("%Y%m%d")[: 8 if day else 6 if month else 4] + (time or "")
    return made + (zone or "" if keep_zone else "")


def is_time(text: str) -> bool:
    """Tell whether it is a TM value, the old form with colons included."""
    found = _TIME.fullmatch(text)
    if found is None:
        return bool(_OLD_TIME.fullmatch(text))
    parts = [int(text[at : at + 2] or 0) for at in (0, 2, 4)]
    return parts[0] < 24 and parts[1] < 60 and parts[2] <= 60
