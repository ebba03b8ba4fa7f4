"""What may be wrong with the queue, read at once: what waits, since when, and what is held.

Contract: one read that costs the same however long the queue is; what is held is counted, so that
it costs more where very much is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal.claims import FIRST_DUE, PRIORITIES

# Held arrivals and their deliveries mirror each other; they count as arrivals.
_HELD = (
    "SELECT d.destination, count(*) FROM delivery d WHERE d.state IN ('sending', 'held')"
    " AND d.state = 'held' AND NOT (d.hold_reason IN ('conflict', 'corrupt') AND EXISTS"
    " (SELECT 1 FROM arrival a WHERE a.id = d.arrival AND a.hold_reason IS NOT NULL))"
    " GROUP BY d.destination"
)
_OBJECTS = (
    "SELECT hold_reason, count(*) FROM arrival WHERE hold_reason IS NOT NULL GROUP BY hold_reason"
)
_WAITING = "SELECT destination, n FROM tally WHERE state = 'waiting' AND n > 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """first_due: destination or group → by priority, the earliest due time of what waits.

    waiting, held: destination → deliveries.  objects: hold reason → arrivals.
    """

    first_due: Mapping[str, tuple[float | None, ...]]
    waiting: Mapping[str, int]
    held: Mapping[str, int]
    objects: Mapping[str, int]


def troubles(names: Iterable[str]) -> Job[Troubles]:
    """Read what waits for ``names``, and everything that is held."""
    asked = tuple(names)

    def job(transaction: Transaction) -> Troubles:
        waiting = {str(row[0]): int(row[1]) for row in transaction.rows(_WAITING)}
        return Troubles(
            first_due={name: _first(transaction, name) for name in asked if name in waiting},
            waiting=waiting,
            held={str(row[0]): int(row[1]) for row in transaction.rows(_HELD)},
            objects={str(row[0]): int(row[1]) for row in transaction.rows(_OBJECTS)},
        )

    return job


def _first(transaction: Transaction, name: str) -> tuple[float | None, ...]:
    found = (
        transaction.one(FIRST_DUE, {"to": name, "priority": priority}) for priority in PRIORITIES
    )
    return tuple(None if row is None else float(row[0]) for row in found)
