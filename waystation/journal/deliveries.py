"""Deliveries as the lanes see them: claimed with a lease, settled with an outcome."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction, placeholders
from waystation.journal.counts import Shift, count
from waystation.journal.marks import take_note
from waystation.model.delivery import Delivery, HoldReason, State, Step, advance

_FIELDS = (
    "d.id, d.arrival, d.destination, d.study, a.sop_class, a.sop_instance, a.transfer_syntax,"
    " a.calling_ae, a.blob, a.size_bytes, a.sha256, a.received_at, d.attempts,"
    " d.object_failures, d.first_failed_at, a.series, d.priority, d.grp, d.origin, d.required,"
    " d.created_at"
)
_CLAIM = "UPDATE delivery SET state = 'sending', lease_until = :lease_until WHERE id = :id"
_SETTLE = (
    "UPDATE delivery SET state = :state, due = :due, attempts = :attempts,"
    " object_failures = :object_failures, first_failed_at = :first_failed_at, status = :status,"
    " why = :why, hold_reason = :hold_reason, ended_at = :ended_at, lease_until = NULL"
    " WHERE id = :id AND state = 'sending'"
)
# What an outcome begins with in the intake log; arrivals begin with a brace.
OUTCOME = b"O"
_ATTEMPT = (
    "INSERT INTO attempt (delivery, number, ended_at, status, why, destination)"
    " VALUES (:delivery, :number, :ended_at, :status, :why, :destination)"
    " ON CONFLICT DO NOTHING"
)


def _delivery_from(row: Row) -> Delivery:
    return Delivery(
        id=row[0],
        arrival_id=row[1],
        destination=row[2],
        study_uid=row[3],
        sop_class_uid=row[4],
        sop_instance_uid=row[5],
        transfer_syntax_uid=row[6],
        calling_ae=row[7],
        blob=row[8],
        size_bytes=row[9],
        sha256=bytes(row[10]).hex(),
        received_at=row[11],
        attempts=row[12],
        object_failures=row[13],
        first_failed_at=row[14],
        series_uid=row[15],
        priority=row[16],
        group=row[17],
        origin=row[18],
        required=bool(row[19]),
        created_at=row[20],
    )


def _next_study(
    transaction: Transaction, destination: str, now: float, busy: Sequence[str]
) -> str | None:
    values: dict[str, object] = {"to": destination, "now": now}
    values |= {f"busy{number}": study for number, study in enumerate(busy)}
    row = transaction.one(
        "SELECT study FROM delivery WHERE destination = :to AND state = 'waiting'"
        " AND due <= :now AND study NOT IN (" + placeholders("busy", len(busy)) + ")"
        " ORDER BY priority, due, id LIMIT 1",
        values,
    )
    return None if row is None else str(row[0])


def claim(
    destination: str,
    *,
    now: float,
    lease_until: float,
    limit: int,
    busy: Sequence[str] = (),
    study: str | None = None,
) -> Job[list[Delivery]]:
    """Lease a batch of one study, in order of acceptance.

    study: only this one; else the oldest due one that is not in ``busy``.
    """

    def job(transaction: Transaction) -> list[Delivery]:
        chosen = study
        if chosen is None:
            chosen = _next_study(transaction, destination, now, busy)
            if chosen is None:
                return []
        rows = transaction.rows(
            "SELECT " + _FIELDS + " FROM delivery d JOIN arrival a ON a.id = d.arrival"
            " WHERE d.destination = :to AND d.study = :study AND d.state = 'waiting'"
            " AND d.due <= :now ORDER BY d.id LIMIT :limit",
            {"to": destination, "study": chosen, "now": now, "limit": limit},
        )
        transaction.many(_CLAIM, [{"id": row[0], "lease_until": lease_until} for row in rows])
        shift = Shift()
        shift.move(destination, State.WAITING.value, State.SENDING.value, len(rows))
        shift.write(transaction)
        return [_delivery_from(row) for row in rows]

    return job


def renew(ids: Iterable[int], lease_until: float) -> Job[None]:
    """Keep the lease of deliveries that are still being sent."""
    rows = [{"id": delivery_id, "lease_until": lease_until} for delivery_id in ids]

    def job(transaction: Transaction) -> None:
        transaction.many(
            "UPDATE delivery SET lease_until = :lease_until WHERE id = :id AND state = 'sending'",
            rows,
        )

    return job


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """How one claimed delivery goes on.

    step: DELIVERED, DEFERRED, REFUSED, EXPIRE or LOST.  failed: an attempt ended without
    success and is written down.  due: when to try again (Unix seconds), for DEFERRED.
    """

    delivery: Delivery
    step: Step
    due: float
    status: int | None = None
    why: str = ""
    hold: HoldReason | None = None
    tried: bool = True
    object_failed: bool = False
    now: float = 0.0


def meta_of(settlement: Settlement) -> bytes:
    """Return a delivered outcome as the intake log keeps it."""
    row = [settlement.delivery.id, settlement.status, settlement.why, settlement.now]
    return OUTCOME + json.dumps(row, ensure_ascii=False).encode()


def replay(metas: Sequence[bytes]) -> Job[int]:
    """Write outcomes from the intake log that had not reached the tables; return how many."""

    def job(transaction: Transaction) -> int:
        shift = Shift()
        settled = 0
        for meta in metas:
            delivery_id, status, why, now = json.loads(meta.removeprefix(OUTCOME))
            row = transaction.one(
                "SELECT destination FROM delivery WHERE id = :id AND state = 'sending'",
                {"id": delivery_id},
            )
            if row is None:
                continue
            transaction.run(
                "UPDATE delivery SET state = 'done', attempts = attempts + 1, status = :status,"
                " why = :why, ended_at = :now, lease_until = NULL WHERE id = :id",
                {"id": delivery_id, "status": status, "why": why, "now": now},
            )
            shift.move(row[0], State.SENDING.value, State.DONE.value)
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
        shift = Shift()
        settled = 0
        for item in settlements:
            state = advance(State.SENDING, item.step)
            if not transaction.run(_SETTLE, _settled(item, state)):
                continue
            settled += 1
            shift.move(item.delivery.destination, State.SENDING.value, state.value)
            if item.tried and item.step is not Step.DELIVERED:
                transaction.run(_ATTEMPT, _attempt(item))
            if item.step is Step.DELIVERED and item.status:
                count(transaction, "warned." + item.delivery.destination)
        shift.write(transaction)
        if lsn is not None:
            take_note(transaction, lsn)
        return settled

    return job


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
        "ended_at": item.now if state is State.DONE else None,
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


def next_due(destination: str) -> Job[float | None]:
    """Read the earliest due time of what waits for a destination, None if nothing waits."""

    def job(transaction: Transaction) -> float | None:
        earliest: float | None = None
        for priority in (0, 1, 2):
            row = transaction.one(
                "SELECT due FROM delivery WHERE destination = :to AND priority = :priority"
                " AND state = 'waiting' ORDER BY due LIMIT 1",
                {"to": destination, "priority": priority},
            )
            if row is not None and (earliest is None or row[0] < earliest):
                earliest = float(row[0])
        return earliest

    return job


def hold_all(destination: str, reason: HoldReason, why: str) -> Job[int]:
    """Hold everything that waits for a destination that is gone; return how many."""

    def job(transaction: Transaction) -> int:
        n = transaction.run(
            "UPDATE delivery SET state = 'held', hold_reason = :reason, why = :why"
            " WHERE destination = :to AND state = 'waiting'",
            {"to": destination, "reason": reason.value, "why": why},
        )
        shift = Shift()
        shift.move(destination, State.WAITING.value, State.HELD.value, n)
        shift.write(transaction)
        return n

    return job


def release_gone(destination: str, now: float) -> Job[int]:
    """Let go on what was held only because its destination was missing; return how many."""

    def job(transaction: Transaction) -> int:
        n = transaction.run(
            "UPDATE delivery SET state = 'waiting', hold_reason = NULL, due = :now"
            " WHERE destination = :to AND state = 'held' AND state IN ('sending', 'held')"
            " AND hold_reason = 'destination-gone'",
            {"to": destination, "now": now},
        )
        shift = Shift()
        shift.move(destination, State.HELD.value, State.WAITING.value, n)
        shift.write(transaction)
        return n

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
