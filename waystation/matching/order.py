"""In which order answers come (T-18, W-33): always the same for the same records.

Contract: sort ascending by `order_key`.  Studies newest first, then by UID; series and instances
by number, then UID; patients by ID, then name; worklist entries by start date and time, AE title,
step ID.  What has no date or number comes last.
"""

from typing import Final

from waystation.matching.keys import is_number
from waystation.matching.spans import date_span, time_span
from waystation.model.query import IMAGE, PATIENT, SERIES, STUDY, Record

STEPS: Final = 0x00400100
LAST: Final = float("inf")

OrderKey = tuple[float | str, ...]


def order_key(level: str, record: Record) -> OrderKey:
    """Return what a record is sorted by among the answers of a level (WORKLIST is one too)."""
    if level == PATIENT:
        return (_text(record, 0x00100020, "LO"), _text(record, 0x00100010, "PN"))
    if level == STUDY:
        return (*newest_first(record, 0x00080020, 0x00080030), _text(record, 0x0020000D, "UI"))
    if level == SERIES:
        return (_number(record, 0x00200011), _text(record, 0x0020000E, "UI"))
    if level == IMAGE:
        return (_number(record, 0x00200013), _text(record, 0x00080018, "UI"))
    step = next(iter(record.items(STEPS)), record)
    return (
        *_clock(step, 0x00400002, 0x00400003),
        _text(step, 0x00400001, "AE"),
        _text(step, 0x00400009, "SH"),
    )


def newest_first(record: Record, day: int, time: int) -> tuple[float, float]:
    """Return date and time so that the newest sorts first."""
    date_, clock = _clock(record, day, time)
    return (LAST if date_ == LAST else -date_, LAST if clock == LAST else -clock)


def _clock(record: Record, day: int, time: int) -> tuple[float, float]:
    date_ = date_span(_text(record, day, "DA"), stored=True)
    clock = time_span(_text(record, time, "TM"), stored=True)
    return (date_.low if date_ else LAST, clock.low if clock else LAST)


def _text(record: Record, tag: int, vr: str) -> str:
    return next(iter(record.values(tag, vr)), "")


def _number(record: Record, tag: int) -> float:
    text = _text(record, tag, "IS").strip()
    return float(text) if is_number(text) else LAST
