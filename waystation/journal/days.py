"""What happened, by day, kind, name and detail: the counts that reports are made of (R-80).

Contract: a count is written in the transaction of what it counts, so that a report can be neither
short nor long.  ``day`` is the local day of this machine; `totals` is the sum over all days, and
a report tells the difference between two of them.

kinds: ``received`` and ``refused`` (name: the peer), ``held`` and ``dropped`` arrivals (name: the
peer), ``done``, ``failed`` (attempts), ``held-delivery`` and ``discarded`` (name: destination).
"""

import time

from waystation.db.engine import Job
from waystation.db.statement import Transaction

RECEIVED, REFUSED, HELD, DROPPED = "received", "refused", "held", "dropped"
DONE, FAILED, HELD_DELIVERY, DISCARDED = "done", "failed", "held-delivery", "discarded"
# What a delivery counts as when it comes into a state.
OF_STATE = {"done": DONE, "held": HELD_DELIVERY, "discarded": DISCARDED}

_ADD = (
    "INSERT INTO daily (day, kind, name, detail, n, bytes)"
    " VALUES (:day, :kind, :name, :detail, :n, :bytes)"
    " ON CONFLICT (day, kind, name, detail) DO UPDATE"
    " SET n = daily.n + :n, bytes = daily.bytes + :bytes"
)

Key = tuple[str, str, str]
Totals = dict[Key, tuple[int, int]]


class Days:
    """Collects counts of one transaction.  now: Unix seconds."""

    def __init__(self, now: float | None = None) -> None:
        self._now = now
        self._found: dict[Key, list[int]] = {}

    def add(self, kind: str, name: str, detail: str = "", n: int = 1, size_bytes: int = 0) -> None:
        """Count ``n`` more, of so many bytes altogether."""
        entry = self._found.setdefault((kind, name, detail), [0, 0])
        entry[0] += n
        entry[1] += size_bytes

    def write(self, transaction: Transaction) -> None:
        """Write what was collected."""
        if not self._found:
            return
        day = day_text(time.time() if self._now is None else self._now)
        transaction.many(
            _ADD,
            [
                {"day": day, "kind": kind, "name": name, "detail": detail, "n": n, "bytes": size}
                for (kind, name, detail), (n, size) in self._found.items()
                if n
            ],
        )


def day_text(now: float) -> str:
    """Return the local day of an instant."""
    return time.strftime("%Y-%m-%d", time.localtime(now))


def totals(transaction: Transaction) -> Totals:
    """Read (kind, name, detail) → (how many, bytes) since ever."""
    rows = transaction.rows(
        "SELECT kind, name, detail, sum(n), sum(bytes) FROM daily GROUP BY kind, name, detail"
    )
    return {(row[0], row[1], row[2]): (int(row[3]), int(row[4])) for row in rows}


def fold(before: float) -> Job[int]:
    """Make one day, named "", of all that are older; return how many rows went."""
    day = {"before": day_text(before)}

    def job(transaction: Transaction) -> int:
        transaction.run(
            "INSERT INTO daily (day, kind, name, detail, n, bytes)"
            " SELECT '', kind, name, detail, sum(n), sum(bytes) FROM daily"
            " WHERE day > '' AND day < :before GROUP BY kind, name, detail"
            " ON CONFLICT (day, kind, name, detail) DO UPDATE"
            " SET n = daily.n + excluded.n, bytes = daily.bytes + excluded.bytes",
            day,
        )
        return transaction.run("DELETE FROM daily WHERE day > '' AND day < :before", day)

    return job
