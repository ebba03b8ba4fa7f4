"""DicomFlowRouter's rule for ``scheduled``, written anew from its description (R-38).

It knows times of the day only.  An end is an instant, not a minute: ``07:00`` is shut after
07:00:00.000000.  In a cycle the minute of the hour decides.  It compares naive local times.
"""

import datetime
from collections.abc import Callable

Rule = Callable[[datetime.time], bool]
FORM = "%H:%M"


def parse(text: str) -> Rule:
    """Return its rule; raise ValueError where it would give up and stay open."""
    if not text:
        return lambda _time: True
    if text.startswith("m"):
        period, below = (int(part) for part in text[1:].split("<"))
        return lambda time: time.minute % period < below
    ranges = [_range(part) for part in text.split(",")]
    return lambda time: any(_inside(time, *each) for each in ranges)


def _range(text: str) -> tuple[datetime.time, datetime.time]:
    first, last = (
        datetime.datetime.strptime(part.strip(), FORM).time() for part in text.split("-")
    )
    return first, last


def _inside(time: datetime.time, first: datetime.time, last: datetime.time) -> bool:
    if first <= last:
        return first <= time <= last
    return time >= first or time <= last


def ends(text: str) -> set[tuple[int, int]]:
    """Return the closing minutes of a text that `parse` takes."""
    if not text or text.startswith("m"):
        return set()
    return {(end.hour, end.minute) for _, end in map(_range, text.split(","))}
