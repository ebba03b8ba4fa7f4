"""What a person decides about deliveries and held arrivals (R-59).

    retry    held -> waiting, failures forgotten        release  held -> waiting, as it is
    hold     waiting -> held (operator)                 resend   done -> a new delivery
    discard  waiting, held -> discarded, by a named person who said why

Contract: one call is one transaction over at most ``chosen.limit`` rows; it changes what the
table of `waystation.model.delivery` allows, leaves the rest alone, and keeps the tally.  What is
being sent is never touched.  A held arrival without deliveries goes back to the router (retry,
release) or ends by name (discard).  A corrupt one is not planned again: an unplanned row without
its bytes would count as never acknowledged, and be forgotten at the next start.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import gathers
from waystation.journal.arrivals import by_id
from waystation.journal.counts import Shift, count
from waystation.journal.entries import Chosen, Listed
from waystation.journal.fixing import let_unchecked
from waystation.journal.ids import IdSource
from waystation.journal.queue import held_rows, listed
from waystation.model.arrival import Arrival
from waystation.model.delivery import MOVES, HoldReason, State, Step, advance
from waystation.model.errors import MisuseError


class Action(Enum):
    """What may be decided."""

    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    DISCARD = "discard"
    RESEND = "resend"


STEPS = {
    Action.RETRY: Step.RETRY,
    Action.RELEASE: Step.RETRY,
    Action.HOLD: Step.HOLD,
    Action.DISCARD: Step.DISCARD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who decides what, when and why.  by: a person's name, never empty."""

    action: Action
    by: str
    now: float
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What one call changed.

    last: highest id looked at, to go on behind it.  to_plan: arrivals that the router must see.
    """

    deliveries: tuple[Listed, ...] = ()
    arrivals: int = 0
    to_plan: tuple[Arrival, ...] = ()
    last: int = 0


def starting_states(action: Action) -> tuple[str, ...]:
    """Return the states in which a delivery can be acted upon."""
    if action is Action.RESEND:
        return (State.DONE.value,)
    step = STEPS[action]
    return tuple(state.value for state in State if (state, step) in MOVES and _ours(state))


def _ours(state: State) -> bool:
    return state in (State.WAITING, State.HELD)


def decide(chosen: Chosen, decision: Decision, ids: IdSource) -> Job[Changed]:
    """Carry out a decision about deliveries."""
    if not decision.by:
        raise MisuseError("a decision needs the name of a person")

    def job(transaction: Transaction) -> Changed:
        found = _candidates(transaction, chosen, decision.action)
        if decision.action is Action.RESEND:
            changed = _resend(transaction, found, ids, decision)
        else:
            changed = _move(transaction, found, decision)
            _clear_mirrored_holds(transaction, {entry.arrival for entry in changed})
        last = found[-1].id if found else chosen.after
        count(transaction, f"decided.{decision.action.value}", len(changed))
        return Changed(deliveries=tuple(changed), last=last)

    return job


def _candidates(transaction: Transaction, chosen: Chosen, action: Action) -> list[Listed]:
    found: list[Listed] = []
    for state in starting_states(action):
        if chosen.state in ("", state):
            found += listed(transaction, replace(chosen, state=state))
    return sorted(found, key=lambda entry: entry.id)[: chosen.limit]


_UPDATES = {
    Action.RETRY: (
        "UPDATE delivery SET state = :after, hold_reason = NULL, due = :now, object_failures = 0,"
        " first_failed_at = NULL WHERE id = :id AND state = :before"
    ),
    Action.RELEASE: (
        "UPDATE delivery SET state = :after, hold_reason = NULL, due = :now"
        " WHERE id = :id AND state = :before"
    ),
    Action.HOLD: (
        "UPDATE delivery SET state = :after, hold_reason = :reason, why = :why"
        " WHERE id = :id AND state = :before"
    ),
    Action.DISCARD: (
        "UPDATE delivery SET state = :after, hold_reason = NULL, by_user = :by, why = :why,"
        " ended_at = :now WHERE id = :id AND state = :before"
    ),
}


def _move(transaction: Transaction, found: Sequence[Listed], decision: Decision) -> list[Listed]:
    shift = Shift()
    changed = []
    for entry in found:
        after = advance(State(entry.state), STEPS[decision.action])
        values = {
            "id": entry.id,
            "before": entry.state,
            "after": after.value,
            "now": decision.now,
            "by": decision.by,
            "why": (decision.because or f"held by {decision.by}")[:500],
            "reason": HoldReason.OPERATOR.value,
        }
        if decision.action is Action.RELEASE and entry.reason == HoldReason.VALIDATION.value:
            let_unchecked(transaction, entry.id)
        if transaction.run(_UPDATES[decision.action], values):
            why = HoldReason.OPERATOR.value if after is State.HELD else "person"
            shift.move(entry.destination, entry.state, after.value, detail=why)
            changed.append(entry)
    shift.write(transaction)
    return changed


def _clear_mirrored_holds(transaction: Transaction, arrivals: set[int]) -> None:
    """An arrival that was held only because its deliveries were is free with the last of them."""
    for arrival_id in arrivals:
        transaction.run(
            "UPDATE arrival SET hold_reason = NULL, ended_why = NULL WHERE id = :id"
            " AND hold_reason IN ('conflict', 'corrupt') AND NOT EXISTS (SELECT 1 FROM delivery d"
            " WHERE d.arrival = arrival.id AND d.state = 'held')"
            # The archive has no good copy yet, whatever became of the deliveries.
            " AND NOT (hold_reason = 'corrupt' AND EXISTS"
            " (SELECT 1 FROM archived k WHERE k.arrival = arrival.id))",
            {"id": arrival_id},
        )


_COPY = (
    "INSERT INTO delivery (id, arrival, destination, study, priority, rules, state, due,"
    " created_at, origin, required, why, recipe) SELECT :new, d.arrival, d.destination, d.study,"
    " d.priority, d.rules, 'waiting', :now, :now, 'resend', d.required, :why, d.recipe"
    " FROM delivery d JOIN arrival a ON a.id = d.arrival"
    " WHERE d.id = :id AND d.state = 'done' AND a.blob_gone = 0"
)


def _resend(
    transaction: Transaction, found: Sequence[Listed], ids: IdSource, decision: Decision
) -> list[Listed]:
    shift = Shift()
    changed = []
    for entry in found:
        because = f": {decision.because}" if decision.because else ""
        why = f"sent again by {decision.by}{because}"[:500]
        values = {"new": ids.next(), "id": entry.id, "now": decision.now, "why": why}
        if transaction.run(_COPY, values):
            shift.move(entry.destination, None, State.WAITING.value)
            changed.append(entry)
    shift.write(transaction)
    return changed


_AGAIN = (
    "UPDATE arrival SET planned = 0, hold_reason = NULL, ended_why = NULL"
    " WHERE id = :id AND hold_reason IS NOT NULL AND hold_reason <> 'corrupt'"
    " AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.arrival = arrival.id)"
)
_LET_GO = (
    "UPDATE arrival SET hold_reason = NULL, ended_why = NULL"
    " WHERE id = :id AND hold_reason IS NOT NULL"
    " AND EXISTS (SELECT 1 FROM delivery d WHERE d.arrival = arrival.id)"
)
_END = (
    "UPDATE arrival SET hold_reason = NULL, ended_why = :ended"
    " WHERE id = :id AND hold_reason IS NOT NULL"
)


def decide_arrivals(chosen: Chosen, decision: Decision) -> Job[Changed]:
    """Carry out a decision about arrivals that are held themselves."""
    if not decision.by:
        raise MisuseError("a decision needs the name of a person")

    def job(transaction: Transaction) -> Changed:
        if decision.action in (Action.HOLD, Action.RESEND) or chosen.destination:
            return Changed(last=chosen.after)
        rows = held_rows(transaction, chosen)
        again: list[int] = []
        changed = 0
        for row in rows:
            values: dict[str, Any] = {"id": row[0]}
            if decision.action is Action.DISCARD:
                values["ended"] = f"discarded:{decision.by}"
                ended = transaction.run(_END, values)
                if ended:
                    gathers.leave(transaction, row[0])
                changed += ended
            elif transaction.run(_AGAIN, values):
                again.append(row[0])
            elif decision.action is Action.RELEASE:
                changed += transaction.run(_LET_GO, values)
        changed += len(again)
        count(transaction, f"decided.{decision.action.value}", changed)
        return Changed(
            arrivals=changed,
            to_plan=tuple(_arrivals(transaction, again)),
            last=rows[-1][0] if rows else chosen.after,
        )

    return job


def _arrivals(transaction: Transaction, ids: Sequence[int]) -> list[Arrival]:
    found = [by_id(arrival_id)(transaction) for arrival_id in ids]
    return [arrival for arrival in found if arrival is not None]
