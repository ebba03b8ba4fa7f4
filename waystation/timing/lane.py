"""Pace and health of one destination.

    flowing --failure, connection up--> resting --pause over--> flowing
    flowing, resting --no connection, or third failure in a row--> down
    any --refused for good--> blocked
    down, blocked --good probe--> one delivery on trial --delivered--> flowing
                                                        --failed--> down, blocked
    paused lies over all of these until a person resumes.

Contract (R-55, R-57, S-21): the shell asks `may_send` and `probe_due`, says what it began
(`began`, `probe_begun`) and how that ended (`succeeded`, `failed` or `released`;
`probe_result`), each ending exactly once.  At most one probe and one delivery on trial are out
at a time.  While neither is out and nobody paused the lane, `next_wake` is never None.

``now`` is a monotonic clock in seconds: no step of the wall clock stalls or floods a lane.
"""

from dataclasses import dataclass
from enum import Enum

from waystation.model.delivery import Delivery
from waystation.model.outcome import Deferred, Fault
from waystation.timing.breaker import Breaker, Trial
from waystation.timing.retry import RetryPolicy, lane_pause
from waystation.timing.suspects import Suspects

FAILURES_TO_OPEN = 3
# After so long a narrowed lane tries one association more; each refusal doubles it.
WIDEN_S = 30.0
WIDEN_CAP_S = 300.0
LANE_FAULTS = {Fault.TRANSIENT, Fault.UNKNOWN, Fault.PEER}


class Health(Enum):
    """What a person sees of a lane."""

    FLOWING = "flowing"
    RESTING = "resting"
    DOWN = "down"
    BLOCKED = "blocked"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class _Narrow:
    """So many associations worked when one more was refused."""

    width: int
    since: float
    every_s: float = WIDEN_S


class Lane:
    """The health of one destination.

    aside: the delivery that failed last while the connection was up; when the lane moves again
    another study goes first, or else another object, if there is one (R-55).
    """

    def __init__(self, policy: RetryPolicy, *, paused_by: str = "") -> None:
        self.aside: Delivery | None = None
        self._policy = policy
        self._suspects = Suspects(policy.tries)
        self._failures = 0
        self._rest_until = float("-inf")
        self._breaker: Breaker | None = None
        self._narrow: _Narrow | None = None
        self._away_since: float | None = None
        self._well_since = float("-inf")
        self._probe_began: float | None = None
        self._paused_by = paused_by
        self._why = ""

    def may_send(self, now: float) -> bool:
        """Return whether a delivery may begin now."""
        if self._paused_by:
            return False
        if self._breaker is None:
            return now >= self._rest_until
        return self._breaker.trial is Trial.READY and now >= self._trial_at(self._breaker)

    def width(self, wanted: int, now: float) -> int:
        """Return how many associations may be open: 1 on trial, fewer where the peer says so."""
        if self._breaker is not None:
            return 1
        if self._narrow is None:
            return wanted
        more = int((now - self._narrow.since) // self._narrow.every_s)
        return min(wanted, self._narrow.width + more)

    @property
    def away_since(self) -> float | None:
        """Since when the breaker has been open, None while it is closed."""
        return self._away_since

    @property
    def why(self) -> str:
        """What went wrong last, in words."""
        return self._why

    @property
    def well_since(self) -> float | None:
        """Since when the breaker has been closed without a break, None while it is open."""
        return self._well_since if self._breaker is None else None

    @property
    def at_cap(self) -> bool:
        """Return whether another failure in a row makes the lane pause as long as it ever does."""
        doubled = self._policy.first_s * 2.0 ** min(self._failures, 32)
        return doubled >= self._policy.cap_s

    def next_wake(self, now: float) -> float | None:
        """Return when to look again; None only while paused, or while a probe or trial is out."""
        if self._paused_by:
            return None
        if self._breaker is None:
            return max(now, self._rest_until)
        if self._probe_began is not None or self._breaker.trial is Trial.OUT:
            return None
        if self._breaker.trial is Trial.READY:
            return max(now, self._trial_at(self._breaker))
        return max(now, self._breaker.next_probe)

    def began(self, now: float) -> None:
        """A delivery begins; `may_send` said yes."""
        if self._breaker is not None and self._breaker.trial is Trial.READY:
            self._breaker.trial = Trial.OUT

    def released(self, now: float) -> None:
        """What `began` came to nothing: nothing was sent, and nothing is known."""
        if self._breaker is not None and self._breaker.trial is Trial.OUT:
            self._breaker.trial = Trial.READY

    def succeeded(self, now: float, delivery: Delivery) -> None:
        """A delivery was taken.  Only a trial lifts a block; others may be left-overs."""
        self._suspects.delivered(delivery.id)
        self._answered(now)

    def failed(
        self,
        outcome: Deferred,
        now: float,
        *,
        jitter: float,
        delivery: Delivery,
        others_up: int = 0,
        alone: bool = False,
    ) -> Fault:
        """Judge a failure; return the fault that the delivery is to be treated with.

        jitter: 0 to 1, drawn by the shell.  others_up: associations of this lane that work; if
        one more could not be had, the lane becomes narrower, not down.  alone: nothing else
        waits, so that nobody can pass while this one fails.
        """
        if outcome.fault not in LANE_FAULTS:
            if outcome.fault is Fault.OURS:
                self.released(now)
            else:
                self._answered(now)
            return outcome.fault
        self._why = outcome.why
        if not outcome.connected and others_up > 0:
            self._narrow = self._narrower(others_up, now)
            return Fault.TRANSIENT
        if outcome.fault is Fault.PEER:
            self._break(now, blocked=True, connecting=not outcome.connected)
            return Fault.PEER
        return self._lane_failure(outcome, now, jitter, delivery, alone and self.at_cap)

    def _narrower(self, others_up: int, now: float) -> _Narrow:
        """One association more was refused: wait twice as long before the next, if it was again."""
        before = self._narrow
        if before is None or now - before.since > 2 * WIDEN_CAP_S:
            return _Narrow(others_up, now)
        return _Narrow(others_up, now, min(2 * before.every_s, WIDEN_CAP_S))

    def _lane_failure(
        self, outcome: Deferred, now: float, jitter: float, delivery: Delivery, patient: bool
    ) -> Fault:
        if not outcome.connected:
            self._break(now, blocked=False, connecting=True)
            return outcome.fault
        first_time = not self._suspects.known(delivery.id) and self._failures == 0
        self._failures += 1
        if outcome.fault is Fault.UNKNOWN and first_time and self._breaker is None:
            # Perhaps only this association broke: the same object goes again at once.
            self._suspects.failed(delivery.id)
            return Fault.UNKNOWN
        self.aside = delivery
        pause = lane_pause(self._policy, self._failures, jitter, outcome.rest_s)
        self._rest_until = max(self._rest_until, now + pause)
        if self._failures >= FAILURES_TO_OPEN or self._breaker is not None:
            self._break(now, blocked=False, connecting=False)
        poison = self._suspects.failed(delivery.id, patient=patient)
        return Fault.OBJECT if poison else outcome.fault

    def probe_due(self, now: float) -> bool:
        """Return whether to ask the destination now whether it is back."""
        if self._paused_by or self._breaker is None or self._probe_began is not None:
            return False
        return self._breaker.trial is Trial.NONE and now >= self._breaker.next_probe

    def probe_begun(self, now: float) -> None:
        self._probe_began = now
        if self._breaker is not None:
            self._breaker.probes += 1

    def probe_result(self, outcome: Deferred | None, now: float) -> None:
        """The probe ended: None for a good answer, else what was wrong."""
        began = now if self._probe_began is None else self._probe_began
        self._probe_began = None
        if self._breaker is None or self._breaker.trial is not Trial.NONE:
            return
        if outcome is not None:
            self._why = outcome.why
            blocked = outcome.fault is Fault.PEER
            if blocked is not self._breaker.blocked:
                probes = self._breaker.probes
                self._breaker = Breaker(now, blocked=blocked, connecting=not outcome.connected)
                self._breaker.probes = probes
                return
        self._breaker.probe_ended(began, now, answered=outcome is None)

    def nothing_to_try(self, now: float) -> None:
        """The probe was good and nothing waits: where connecting was the trouble, or nobody
        refused us, the destination counts as back until the next delivery says otherwise.
        """
        opened = self._breaker
        if opened is None or opened.trial is not Trial.READY:
            return
        if opened.connecting or not opened.blocked:
            opened.trial = Trial.OUT
            self._answered(now)

    def settings_changed(self, now: float, policy: RetryPolicy | None = None) -> None:
        """Somebody edited the destination: ask at once instead of at the next turn (R-57)."""
        if policy is not None:
            self._policy = policy
            self._suspects.tries = policy.tries
        if self._breaker is not None:
            self._breaker.next_probe = now

    def pause(self, author: str) -> None:
        """A person stops the lane; receiving and planning go on."""
        self._paused_by = author

    def resume(self) -> None:
        self._paused_by = ""

    def forget(self, delivery_id: int) -> None:
        """A delivery ended otherwise (held, discarded): it is no suspect any more."""
        self._suspects.forget(delivery_id)

    def health(self, now: float) -> Health:
        if self._paused_by:
            return Health.PAUSED
        if self._breaker is not None:
            return Health.BLOCKED if self._breaker.blocked else Health.DOWN
        return Health.RESTING if now < self._rest_until else Health.FLOWING

    def describe(self, now: float) -> tuple[Health, str]:
        """Return the health and, unless all is well, the reason in words."""
        health = self.health(now)
        match health:
            case Health.FLOWING:
                return health, ""
            case Health.PAUSED:
                return health, f"by {self._paused_by}"
            case Health.RESTING:
                return health, f"{self._why}, {self._rest_until - now:.0f} s to go"
            case _:
                return health, f"{self._why}, {self._next_step(now)}"

    def _next_step(self, now: float) -> str:
        if self._breaker is None:
            return ""
        asked = self._breaker.probes
        probes = "1 probe" if asked == 1 else f"{asked} probes"
        if self._breaker.trial is Trial.OUT:
            return f"{probes}, one delivery on trial"
        at = self.next_wake(now)
        if at is None:
            return f"{probes}, asking now"
        next_up = "trial" if self._breaker.trial is Trial.READY else "next"
        return f"{probes}, {next_up} in {at - now:.0f} s"

    def _trial_at(self, breaker: Breaker) -> float:
        return float("-inf") if breaker.connecting else self._rest_until

    def _answered(self, now: float) -> None:
        """The destination judged an object: it is there and listens to us."""
        opened = self._breaker
        if opened is not None and opened.blocked and opened.trial is not Trial.OUT:
            return
        self._failures = 0
        self._rest_until = float("-inf")
        if opened is not None:
            self._breaker = None
            self._away_since = None
            self._well_since = now
        self.aside = None

    def _break(self, now: float, *, blocked: bool, connecting: bool) -> None:
        """Open the breaker, or tell the open one that its trial failed."""
        if self._breaker is None:
            self._away_since = now
            self._breaker = Breaker(now, blocked=blocked, connecting=connecting)
        elif self._breaker.blocked is blocked:
            self._breaker.trial_failed(now, connecting=connecting)
        elif blocked or self._breaker.trial is Trial.OUT:
            self._breaker = Breaker(now, blocked=blocked, connecting=connecting)
