"""What becomes of one delivery that failed: when it is due again, or why it is held.

Contract (S-21, S-22, R-55, R-56): a pure function of policy, history, outcome and clock.  Only
the object's own faults are charged to it; a fault of the lane leaves it due at once, and the
`Lane` says when the lane moves again.  Nothing is ever dropped: what ends, ends held.
"""

from dataclasses import dataclass

from waystation.model.delivery import Delivery, HoldReason
from waystation.model.outcome import Deferred, Fault

DAY_S = 86_400.0
JITTER_LOW, JITTER_SPAN = 0.8, 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """``[destination.NAME] retry``; seconds.

    object_pauses_s: pause after the first, second ... failure charged to an object; the last
    one serves for all that follow.
    """

    first_s: float = 30.0
    cap_s: float = 3600.0
    lifetime_s: float = 7 * DAY_S
    tries: int = 5
    object_pauses_s: tuple[float, ...] = (60.0, 300.0, 1800.0, 7200.0)

    @property
    def largest_pause_s(self) -> float:
        """The furthest that a due time can lie ahead."""
        return max(self.cap_s * (JITTER_LOW + JITTER_SPAN), *self.object_pauses_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to write in the journal for a delivery that failed.

    next_at: Unix seconds when it is due again; None if it is held for ``hold``.
    charge_object: count this failure in ``object_failures``.
    fresh_association: the next attempt must not use an association that is open now.
    """

    next_at: float | None
    hold: HoldReason | None = None
    charge_object: bool = False
    fresh_association: bool = False


HELD_AT_ONCE = {
    Fault.CONTEXT: HoldReason.NO_CONTEXT,
    Fault.OURS: HoldReason.CORRUPT,
}


def after_failure(
    policy: RetryPolicy,
    delivery: Delivery,
    outcome: Deferred,
    *,
    now: float,
    last_fault: Fault | None = None,
) -> Decision:
    """Return what becomes of ``delivery`` after ``outcome`` at ``now`` (Unix seconds).

    delivery: as it was claimed, this failure not yet counted.  last_fault: how its attempt
    before this one ended, if that failed too.
    """
    fault = outcome.fault
    if fault in HELD_AT_ONCE:
        return Decision(next_at=None, hold=HELD_AT_ONCE[fault])
    if fault is Fault.PROTOCOL and last_fault is Fault.PROTOCOL:
        return Decision(next_at=None, hold=HoldReason.OBJECT_REFUSED)
    charged = fault is Fault.OBJECT
    failures = delivery.object_failures + charged
    if charged and failures >= policy.tries:
        return Decision(next_at=None, hold=HoldReason.OBJECT_REFUSED, charge_object=True)
    if expired(policy, delivery.first_failed_at, now):
        return Decision(next_at=None, hold=HoldReason.EXPIRED, charge_object=charged)
    pause = object_pause(policy, failures) if charged else 0.0
    return Decision(
        next_at=now + pause,
        charge_object=charged,
        fresh_association=fault in (Fault.UNKNOWN, Fault.PROTOCOL),
    )


def object_pause(policy: RetryPolicy, failures: int) -> float:
    """Return the pause after the ``failures``-th failure charged to an object, seconds."""
    place = min(failures, len(policy.object_pauses_s)) - 1
    return policy.object_pauses_s[place]


def lane_pause(policy: RetryPolicy, failures: int, jitter: float, rest_s: float = 0.0) -> float:
    """Return how long a lane rests after ``failures`` in a row, seconds (R-55).

    jitter: 0 to 1.  rest_s: what the other side asked for, honoured up to 60 minutes.
    """
    doubled = policy.first_s * 2.0 ** min(max(failures, 1) - 1, 32)
    own = min(doubled, policy.cap_s) * (JITTER_LOW + JITTER_SPAN * jitter)
    return max(own, min(rest_s, 3600.0))


def expired(policy: RetryPolicy, first_failed_at: float | None, now: float) -> bool:
    """Return whether the lifetime is over; it runs from the first failed attempt (R-56)."""
    return first_failed_at is not None and now - first_failed_at > policy.lifetime_s


def clamp_due(policy: RetryPolicy, due_at: float, now: float) -> float:
    """Return a stored due time, no further ahead than any pause can be (R-58, S-24).

    A clock that was set back would otherwise let a delivery sleep for as long as the step.
    """
    return min(due_at, now + policy.largest_pause_s)
