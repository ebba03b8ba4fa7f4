"""What becomes of a SOP instance that came before (R-74, R-75, S-17).

Contract: pure.  Equal bytes are absorbed while an earlier delivery is open or young, and go out
again once somebody re-sends on purpose.  Other bytes under the same UID are two versions: both
are kept and a person hears of it.  Nothing is overwritten, nothing is dropped without a name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from waystation.model.arrival import Arrival, Earlier
from waystation.model.delivery import HoldReason
from waystation.model.plan import Plan

DUPLICATE = "duplicate"
# What may become of an object that came before, in words of a fixed list.
KINDS = ("skipped", "sent-again", "conflict", "first-kept", "newest")
FIRST_KEPT = "duplicates.different=first"


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatePolicy:
    """``[duplicates]``: resend_after_s in seconds; same: skip, send; different: as the spec.

    content: the same image in another coding counts as equal bytes (``compare = "content"``).
    """

    resend_after_s: float = 600.0
    same: str = "skip"
    different: str = "hold"
    content: bool = False


def judge(
    policy: DuplicatePolicy,
    arrival: Arrival,
    plan: Plan,
    earlier: Sequence[Earlier],
    now: float,
) -> Plan:
    """Return the plan in its final form, given what came under the same UID (at least one)."""
    same = [one for one in earlier if one.sha256 == arrival.sha256]
    if same:
        young = any(one.open or now - one.last_ended_at < policy.resend_after_s for one in same)
        if policy.same == "skip" and young:
            return replace(plan, targets=(), joins=(), hold=None, discard=DUPLICATE)
        return plan
    if policy.different == "newest":
        return plan
    if policy.different == "first":
        return replace(plan, targets=(), joins=(), hold=None, discard=FIRST_KEPT)
    ways = {target.destination: target for one in plan.joins for target in one.targets}
    ways |= {target.destination: target for target in plan.targets}
    held = tuple(
        target if target.filtered_by else replace(target, hold=HoldReason.CONFLICT)
        for target in ways.values()
    )
    return replace(plan, targets=held, joins=(), hold=HoldReason.CONFLICT, discard="")


def kind_of(arrival: Arrival, earlier: Sequence[Earlier], final: Plan) -> str:
    """Return which of `KINDS` an object was, given the plan that `judge` made."""
    if final.discard == DUPLICATE:
        return "skipped"
    if final.hold is HoldReason.CONFLICT:
        return "conflict"
    if final.discard == FIRST_KEPT:
        return "first-kept"
    same = any(one.sha256 == arrival.sha256 for one in earlier)
    return "sent-again" if same else "newest"
