"""How many bytes and objects may leave: a rate that may change with the hour, and a count.

Contract (R-51): over any ten seconds the bytes granted are within five per cent of the rate as
long as somebody asks.  What was granted is never taken back: a big piece leaves the budget in
debt, and the next one waits.  Rates are read anew at each request, so that a change counts at
once.  ``now`` is monotonic seconds, ``wall`` Unix seconds; nothing here reads a clock.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from waystation.timing.window import Schedule

# What may be saved up while nobody asks, in seconds of the rate.
SAVED_S = 0.1
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateEntry:
    """So many bytes a second while ``when`` is open; None means always."""

    bytes_per_s: float
    when: Schedule | None = None

    def counts(self, wall: float) -> bool:
        return self.when is None or self.when.is_open(wall)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``[destination.NAME] limits``: the first open entry counts; none means no limit."""

    rates: tuple[RateEntry, ...] = ()
    per_minute: int | None = None

    @property
    def any(self) -> bool:
        """Whether anything is limited at all."""
        return bool(self.rates) or self.per_minute is not None

    def rate(self, wall: float) -> float | None:
        """Return the bytes a second that are allowed now, None for as many as can be."""
        return next((entry.bytes_per_s for entry in self.rates if entry.counts(wall)), None)

    def next_change(self, wall: float) -> float | None:
        """Return when another rate may begin to count."""
        times = [entry.when.next_change(wall) for entry in self.rates if entry.when is not None]
        return min((at for at in times if at is not None), default=None)


class Budget:
    """What one lane, or several that share, may still send."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._tokens = 0.0
        self._at: float | None = None
        self._rate: float | None = None
        self._begun: deque[float] = deque()

    def take(self, size_bytes: int, *, now: float, wall: float) -> float:
        """Take ``size_bytes`` and return 0, or take nothing and return how long to wait."""
        rate = self.limits.rate(wall)
        self._refill(now, rate)
        if rate is None:
            return 0.0
        if self._tokens <= -1:
            return -self._tokens / rate
        self._tokens -= size_bytes
        return 0.0

    def begin(self, *, now: float) -> float:
        """Begin one object and return 0, or return how long to wait."""
        most = self.limits.per_minute
        if most is None:
            return 0.0
        while self._begun and now - self._begun[0] >= MINUTE_S:
            self._begun.popleft()
        if len(self._begun) >= most:
            return self._begun[0] + MINUTE_S - now
        self._begun.append(now)
        return 0.0

    def _refill(self, now: float, rate: float | None) -> None:
        """Count the time since the last request at the rate that held then."""
        before, self._at = self._at, now
        held, self._rate = self._rate, rate
        if rate is None or held is None or before is None:
            self._tokens = 0.0
            return
        if held != rate:
            # A debt made at another rate is paid in the same time.
            self._tokens *= rate / held
        self._tokens = min(self._tokens + (now - before) * rate, rate * SAVED_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What a lane has before it.

    line_rate: bytes a second that it has shown, None if unknown.  throttled: that was the limit
    at work and not the line.
    """

    size_bytes: int
    line_rate: float | None
    throttled: bool = False


# How far ahead an end is looked for.
HORIZON_S = 60 * 86_400.0
MOST_STEPS = 5000


def clears_at(
    backlog: Backlog, window: Schedule, limits: Sequence[Limits], now: float
) -> float | None:
    """Return when a backlog will be gone, counting windows and rates; None if unknown.

    limits: all that hold for the lane.  now: Unix seconds.
    """
    left = float(backlog.size_bytes)
    at = now
    for _ in range(MOST_STEPS):
        if left <= 0:
            return at
        changes = [window.next_change(at), *(each.next_change(at) for each in limits)]
        until = min((change for change in changes if change is not None), default=None)
        if window.is_open(at):
            rate = _rate(backlog, limits, at)
            if rate is None:
                return None
            if until is None or left <= rate * (until - at):
                return at + left / rate
            left -= rate * (until - at)
        if until is None or until - now > HORIZON_S:
            return None
        at = until
    return None


def _rate(backlog: Backlog, limits: Sequence[Limits], at: float) -> float | None:
    rates = [rate for each in limits if (rate := each.rate(at)) is not None]
    if backlog.line_rate and not (rates and backlog.throttled):
        rates.append(backlog.line_rate)
    return min(rates, default=None)
