"""Deliveries that a lane has claimed: leases renewed, outcomes settled."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal.counts import Shift, count
from waystation.journal.days import FAILED
from waystation.journal.marks import take_note
from waystation.journal.sent import AS_STORED, Sent, sent_of, write_sent
from waystation.model.delivery import Delivery, HoldReason, State, Step, advance
from waystation.model.values import value

_SETTLE = (
    "UPDATE delivery SET state = :state, due = coalesce(:due, due), attempts = :attempts,"
    " object_failures = :object_failures, first_failed_at = :first_failed_at, status = :status,"
    " why = :why, hold_reason = :hold_reason, by_rule = :by_rule, ended_at = :ended_at,"
    " lease_until = NULL WHERE id = :id AND state = 'sending'"
)
# Why an optional delivery ended that nobody took in time.
OPTIONAL_EXPIRED = "optional expired"
# What an outcome begins with in the intake log; arrivals begin with a brace.
OUTCOME = b"O"
# Made once: `json.dumps` makes one for each call.
_as_json = json.JSONEncoder(ensure_ascii=False).encode
_ATTEMPT = (
    "INSERT INTO attempt (delivery, number, ended_at, status, why, destination)"
    " VALUES (:delivery, :number, :ended_at, :status, :why, :destination)"
    " ON CONFLICT DO NOTHING"
)


def renew(ids: Iterable[int], lease_until: float) -> Job[None]:
    """Keep the lease of deliveries that are still being sent."""
    rows = [{"id": delivery_id, "lease_until": lease_until} for delivery_id in ids]

    def job(transaction: Transaction) -> None:
        transaction.many(
            "UPDATE delivery SET lease_until = :lease_until WHERE id = :id AND state = 'sending'",
            rows,
        )

    return job


@value
class Settlement:
    """How one claimed delivery goes on.

    step: DELIVERED, DEFERRED, REFUSED, EXPIRE, LOST or DISCARD.  tried: an attempt ended; one
    without success is written down.  due: when to try again (Unix seconds), None for as before.
    by_rule: the name of what discards it.  sent: what left, where that is not what is stored.
    """

    delivery: Delivery
    step: Step
    due: float | None = None
    status: int | None = None
    why: str = ""
    hold: HoldReason | None = None
    tried: bool = True
    object_failed: bool = False
    by_rule: str | None = None
    now: float = 0.0
    sent: Sent = AS_STORED


def meta_of(settlement: Settlement) -> bytes:
    """Return a delivered outcome as the intake log keeps it."""
    row = [settlement.delivery.id, settlement.status, settlement.why, settlement.now]
    row += settlement.sent.row()
    return OUTCOME + _as_json(row).encode()


def replay(metas: Sequence[bytes]) -> Job[int]:
    """Write outcomes from the intake log that had not reached the tables; return how many."""

    def job(transaction: Transaction) -> int:
        shift = Shift()
        settled = 0
        for meta in metas:
            delivery_id, status, why, now, *sent = json.loads(meta.removeprefix(OUTCOME))
            row = transaction.one(
                "SELECT d.destination, d.origin, a.size_bytes FROM delivery d JOIN arrival a"
                " ON a.id = d.arrival WHERE d.id = :id AND d.state = 'sending'",
                {"id": delivery_id},
            )
            if row is None:
                continue
            transaction.run(
                "UPDATE delivery SET state = 'done', attempts = attempts + 1, status = :status,"
                " why = :why, ended_at = :now, lease_until = NULL WHERE id = :id",
                {"id": delivery_id, "status": status, "why": why, "now": now},
            )
            write_sent(transaction, delivery_id, sent_of(sent), status, now)
            shift.move(
                row[0],
                State.SENDING.value,
                State.DONE.value,
                detail=_done_as(row[1], status),
                size_bytes=row[2],
            )
            settled += 1
            if status:
                count(transaction, "warned." + row[0])
        shift.write(transaction)
        return settled

    return job


def settle(settlements: Sequence[Settlement], lsn: int | None = None) -> Job[int]:
    """Write outcomes; return how many rows were ours to settle.

    lsn: up to where the tables have the intake log once this is committed.
    """

    def job(transaction: Transaction) -> int:
        shift = Shift(settlements[0].now if settlements else None)
        settled = 0
        for item in settlements:
            state = advance(State.SENDING, item.step)
            if not transaction.run(_SETTLE, _settled(item, state)):
                continue
            settled += 1
            shift.move(
                item.delivery.destination,
                State.SENDING.value,
                state.value,
                detail=_counts_as(item),
                size_bytes=item.delivery.size_bytes,
            )
            if item.tried and item.step is not Step.DELIVERED:
                shift.days.add(FAILED, item.delivery.destination)
                transaction.run(_ATTEMPT, _attempt(item))
            write_sent(transaction, item.delivery.id, item.sent, item.status, item.now)
            if item.step is Step.DELIVERED and item.status:
                count(transaction, "warned." + item.delivery.destination)
        shift.write(transaction)
        if lsn is not None:
            take_note(transaction, lsn)
        return settled

    return job


# Deliveries that somebody or something made once more.
_AGAIN = ("replay", "resend", "switch")


def _done_as(origin: str, status: int | None) -> str:
    """Return what a done delivery counts as: "", again, warned, or both."""
    words = (["again"] if origin in _AGAIN else []) + (["warned"] if status else [])
    return " ".join(words)


def _counts_as(item: Settlement) -> str:
    if item.step is Step.DELIVERED:
        return _done_as(item.delivery.origin, item.status)
    if item.hold is not None:
        return item.hold.value
    optional = item.by_rule == OPTIONAL_EXPIRED
    return "optional" if optional else "filter"


def _settled(item: Settlement, state: State) -> dict[str, Any]:
    delivery = item.delivery
    failed = item.tried and item.step is not Step.DELIVERED
    first = delivery.first_failed_at
    return {
        "id": delivery.id,
        "state": state.value,
        "due": item.due,
        "attempts": delivery.attempts + int(item.tried),
        "object_failures": delivery.object_failures + int(item.object_failed),
        "first_failed_at": item.now if failed and first is None else first,
        "status": item.status,
        "why": item.why[:500],
        "hold_reason": item.hold.value if item.hold is not None else None,
        "by_rule": item.by_rule,
        "ended_at": item.now if state in (State.DONE, State.DISCARDED) else None,
    }


def _attempt(item: Settlement) -> dict[str, Any]:
    return {
        "delivery": item.delivery.id,
        "number": item.delivery.attempts + 1,
        "ended_at": item.now,
        "status": item.status,
        "why": item.why[:500],
        "destination": item.delivery.destination,
    }


def hold_all(destination: str, reason: HoldReason, why: str) -> Job[int]:
    """Hold everything that waits for a destination that is gone; return how many."""

    def job(transaction: Transaction) -> int:
        n = transaction.run(
            "UPDATE delivery SET state = 'held', hold_reason = :reason, why = :why"
            " WHERE destination = :to AND state = 'waiting'",
            {"to": destination, "reason": reason.value, "why": why},
        )
        shift = Shift()
        shift.move(destination, State.WAITING.value, State.HELD.value, n, detail=reason.value)
        shift.write(transaction)
        return n

    return job


def release_gone(destination: str, now: float) -> Job[int]:
    """Let go on what was held only because its destination was missing; return how many."""

    def job(transaction: Transaction) -> int:
        n = transaction.run(
            "UPDATE delivery SET state = 'waiting', hold_reason = NULL, due = :now"
            " WHERE destination = :to AND state = 'held' AND state IN ('sending', 'held')"
            " AND hold_reason IN ('destination-gone', 'no-archive')",
            {"to": destination, "now": now},
        )
        shift = Shift()
        shift.move(destination, State.HELD.value, State.WAITING.value, n)
        shift.write(transaction)
        return n

    return job


def set_back(back_s: float, now: float) -> Job[int]:
    """Move what is to be tried later along with a clock that was set back (R-58).

    now: what the clock says since.  Returns how many were moved.
    """

    def job(transaction: Transaction) -> int:
        return transaction.run(
            "UPDATE delivery SET due = due - :back WHERE state = 'waiting' AND due > :now",
            {"back": back_s, "now": now},
        )

    return job


def clamp(destination: str, latest: float) -> Job[int]:
    """Let nothing wait longer than until ``latest``: the clock may have been set meanwhile."""

    def job(transaction: Transaction) -> int:
        return transaction.run(
            "UPDATE delivery SET due = :latest"
            " WHERE destination = :to AND state = 'waiting' AND due > :latest",
            {"to": destination, "latest": latest},
        )

    return job


def waiting_destinations() -> Job[list[str]]:
    """Read the names of all destinations that something waits for or was being sent to."""

    def job(transaction: Transaction) -> list[str]:
        return [
            str(row[0])
            for row in transaction.rows(
                "SELECT DISTINCT destination FROM tally"
                " WHERE state IN ('waiting', 'sending', 'held') AND n > 0"
            )
        ]

    return job
