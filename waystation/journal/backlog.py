"""What waits for a destination, in objects and bytes.

Contract: exact, by reading every row that waits; whoever asks often keeps the answer.
"""

from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Transaction

_WAITING = (
    "SELECT w.priority, w.n, w.size_bytes, o.created_at FROM (SELECT d.priority AS priority,"
    " count(*) AS n, sum(a.size_bytes) AS size_bytes, min(d.id) AS oldest FROM delivery d"
    " JOIN arrival a ON a.id = d.arrival WHERE d.destination = :to AND d.state = 'waiting'"
    " GROUP BY d.priority) w JOIN delivery o ON o.id = w.oldest ORDER BY w.priority"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One priority of one destination.  oldest_at: creation of the oldest, Unix seconds."""

    priority: int
    n: int
    size_bytes: int
    oldest_at: float


def waiting(destination: str) -> Job[tuple[Waiting, ...]]:
    """Read what waits, by priority."""

    def job(transaction: Transaction) -> tuple[Waiting, ...]:
        return tuple(
            Waiting(priority=row[0], n=row[1], size_bytes=row[2], oldest_at=row[3])
            for row in transaction.rows(_WAITING, {"to": destination})
        )

    return job
