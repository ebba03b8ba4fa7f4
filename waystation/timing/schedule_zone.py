"""A zone as stretches of time in which the clock on the wall runs straight.

Contract (R-37): within a stretch the offset from UTC is constant, so civil time is an addition;
between two stretches the clock is put forward or back.  Works for every tzinfo.
"""

from collections.abc import Iterator
from datetime import datetime, tzinfo

MINUTE_S = 60
DAY_S = 86_400
# No zone puts its clock forward and back again within a week.
STEP_S = 7 * DAY_S


def offset_s(zone: tzinfo, at: int) -> int:
    """Return the offset from UTC in seconds at ``at`` (Unix seconds)."""
    offset = datetime.fromtimestamp(at, zone).utcoffset()
    return round(offset.total_seconds()) if offset is not None else 0


def stretches(zone: tzinfo, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (begin, end, offset) from ``begin`` to ``end``: Unix seconds, seconds."""
    offset = offset_s(zone, begin)
    while begin < end:
        stop = min(begin + STEP_S, end)
        after = offset_s(zone, stop)
        if after != offset:
            stop = _turn(zone, begin, stop, offset)
            after = offset_s(zone, stop)
        yield begin, stop, offset
        begin, offset = stop, after


def _turn(zone: tzinfo, same: int, other: int, offset: int) -> int:
    """Return the first second after ``same`` whose offset is not ``offset``."""
    while other - same > 1:
        middle = (same + other) // 2
        if offset_s(zone, middle) == offset:
            same = middle
        else:
            other = middle
    return other
