"""What a ``scheduled`` string of DicomFlowRouter did, and what we write instead.

Contract: pure.  `translate` never gives a window that is open where the string was understood and
shut, except inside a closing minute (R-38).  What the router could not read it took for "always
open"; that becomes ``never``, for a person to decide.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Fate(Enum):
    """How true the window is to the string."""

    SAME = "same"
    SPELLING = "spelling"  # the same minutes, written clearly
    CLOSING = "closing"  # open up to 59 s longer
    SHUT = "shut"  # it never opened, by accident or not
    WAS_OPEN = "was open"  # an error or accident kept it open all the time


@dataclass(frozen=True, slots=True)
class Window:
    """text: the value of ``window``."""

    text: str
    fate: Fate


HOUR = 60
CYCLE = re.compile(r"m\d+<\d+", re.ASCII)


def translate(written: str) -> Window:
    """Return the window for what stood behind ``scheduled =``."""
    if not written:
        return Window("always", Fate.SAME)
    if written.strip().startswith("m"):
        return _cyclic(written)
    try:
        ranges = [_range(part.strip()) for part in written.split(",")]
    except ValueError:
        return Window("never", Fate.WAS_OPEN)
    return Window(", ".join(ranges), Fate.CLOSING)


def _cyclic(written: str) -> Window:
    """The router threw every m away, split at < and looked at the first two parts only."""
    parts = written.replace("m", "").split("<")
    try:
        period, minutes = int(parts[0]), int(parts[1])
    except (ValueError, IndexError):
        return Window("never", Fate.WAS_OPEN)
    if period <= 0:
        # A division by zero counted as open; remainders of a negative number were below zero.
        return Window("never", Fate.WAS_OPEN)
    if minutes <= 0:
        return Window("never", Fate.SHUT)
    clear = CYCLE.fullmatch(re.sub(r"\s", "", written)) is not None
    if period > HOUR and minutes > HOUR:
        period, minutes, clear = HOUR, HOUR, False
    return Window(f"m{period} < {minutes}", Fate.SAME if clear else Fate.SPELLING)


def _range(part: str) -> str:
    """Return one range of times.  Raises ValueError where the router's parser did."""
    begin, end = part.split("-")
    first, last = begin.strip(), end.strip()
    for time in (first, last):
        datetime.strptime(time, "%H:%M")
    return f"{first}-{last}"
