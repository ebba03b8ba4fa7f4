"""An open breaker: the lane is down or blocked, and asks now and then whether that is over.

Contract (R-57): one probe at a time, on a fixed schedule; a good probe ends the probing and
admits one delivery on trial, whose outcome the lane judges.  Times are monotonic seconds.
"""

from enum import Enum

BLOCKED_PROBE_S = 300.0
# (down for less than, probe every), seconds.
PROBE_EVERY_S = ((300.0, 5.0), (3600.0, 15.0), (float("inf"), 60.0))
# A probe that took longer than its turn is not followed at once by the next.
PROBE_GAP_S = 1.0


class Trial(Enum):
    """The one delivery that a good probe admits."""

    NONE = "none"
    READY = "ready"
    OUT = "out"


def probe_interval(down_for_s: float) -> float:
    """Return the time between probes of a destination that is down."""
    return next(every for below, every in PROBE_EVERY_S if down_for_s < below)


class Breaker:
    """One open breaker.

    blocked: the destination refused us for good.  connecting: the trouble was to get a
    connection or association at all, so that a good probe proves it over.
    """

    def __init__(self, now: float, *, blocked: bool, connecting: bool) -> None:
        self.since = now
        self.blocked = blocked
        self.connecting = connecting
        self.probes = 0
        self.trial = Trial.NONE
        self.next_probe = now
        self._plan_probe(now, now)

    def probe_ended(self, began: float, now: float, *, answered: bool) -> None:
        self.trial = Trial.READY if answered else Trial.NONE
        self._plan_probe(began, now)

    def trial_failed(self, now: float, *, connecting: bool) -> None:
        self.trial = Trial.NONE
        self.connecting = connecting
        self._plan_probe(now, now)

    def _plan_probe(self, began: float, now: float) -> None:
        every = BLOCKED_PROBE_S if self.blocked else probe_interval(now - self.since)
        self.next_probe = max(began + every, now + PROBE_GAP_S)
