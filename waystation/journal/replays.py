"""Deliveries made anew from what is kept (R-78).

Contract: one call is one transaction; what is on its way, or was delivered, is not made a second
time unless ``again`` says so, and never while the first is still open.  A held arrival needs its
decision first: it is left alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import arrivals
from waystation.journal.counts import Shift, count
from waystation.journal.ids import IdSource
from waystation.model.arrival import Arrival
from waystation.model.delivery import State
from waystation.model.plan import Target

_STANDING = (
    "SELECT d.state FROM delivery d WHERE d.arrival = :arrival AND d.state <> 'discarded'"
    " AND (d.destination = :to OR (d.grp <> '' AND d.grp = :to))"
)
_KEPT = (
    "SELECT 1 FROM arrival WHERE id = :arrival AND planned = 1 AND blob_gone = 0"
    " AND hold_reason IS NULL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who wants it, whether also what was delivered, and from when on it is due."""

    by: str
    now: float
    again: bool = False
    dry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """made: (arrival, target) of each new delivery.  already: how many were there."""

    made: tuple[tuple[Arrival, Target], ...]
    already: int


def make(wanted: Sequence[tuple[Arrival, Target]], order: Order, ids: IdSource) -> Job[Made]:
    """Make what is wanted; ``order.dry``: only say what that would be."""

    def job(transaction: Transaction) -> Made:
        shift = Shift()
        made: list[tuple[Arrival, Target]] = []
        rows = []
        already = 0
        for arrival, target in wanted:
            if _stands(transaction, arrival, target, order.again):
                already += 1
                continue
            if transaction.one(_KEPT, {"arrival": arrival.id}) is None:
                continue
            made.append((arrival, target))
            if not order.dry:
                row = arrivals.delivery_row(arrival, target, ids.next(), order.now, "replay")
                rows.append(row | {"why": f"replayed by {order.by}"[:500]})
                shift.move(target.destination, None, State.WAITING.value)
        if rows:
            transaction.many(arrivals.ADD_DELIVERY, rows)
            shift.write(transaction)
            count(transaction, "decided.replay", len(rows))
        return Made(made=tuple(made), already=already)

    return job


def _stands(transaction: Transaction, arrival: Arrival, target: Target, again: bool) -> bool:
    rows = transaction.rows(_STANDING, {"arrival": arrival.id, "to": target.destination})
    states = {str(row[0]) for row in rows}
    return bool(states - {State.DONE.value}) or (bool(states) and not again)
