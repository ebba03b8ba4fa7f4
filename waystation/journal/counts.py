"""Counts kept beside the rows they count, in the same transaction (S-14 to S-16).

``counter`` holds what only grows (received, purged.*); ``tally`` holds how many deliveries of
each destination are in each state.  `unaccounted` compares both with the rows themselves.
"""

from collections import Counter
from collections.abc import Mapping

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal.days import OF_STATE, Days

_COUNT = (
    "INSERT INTO counter (k, v) VALUES (:k, :n) ON CONFLICT (k) DO UPDATE SET v = counter.v + :n"
)
_TALLY = (
    "INSERT INTO tally (destination, state, n) VALUES (:destination, :state, :n) "
    "ON CONFLICT (destination, state) DO UPDATE SET n = tally.n + :n"
)

# The five numbers of S-15, each 0 on a healthy node.
UNACCOUNTED = """
SELECT
  (SELECT coalesce(sum(v), 0) FROM counter WHERE k = 'received')
    - (SELECT coalesce(sum(v), 0) FROM counter WHERE k LIKE 'purged.%')
    - (SELECT count(*) FROM arrival) AS missing_rows,
  (SELECT count(*) FROM arrival a WHERE a.planned = 1 AND a.ended_why IS NULL
     AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.arrival = a.id)
     AND NOT EXISTS (SELECT 1 FROM gathered m JOIN gather g ON g.id = m.gather
       WHERE m.arrival = a.id AND g.state IN ('open', 'completing'))) AS fateless,
  (SELECT count(*) FROM delivery
     WHERE state = 'discarded' AND (by_rule IS NULL) = (by_user IS NULL)) AS nameless,
  (SELECT count(*) FROM delivery
     WHERE state = 'sending' AND lease_until < :now - :grace) AS stuck,
  (SELECT count(*) FROM delivery d JOIN arrival a ON a.id = d.arrival
     WHERE a.blob_gone = 1 AND d.state IN ('waiting', 'sending', 'held')) AS eaten
"""


def count(transaction: Transaction, name: str, n: int = 1) -> None:
    """Add ``n`` to the counter ``name``."""
    transaction.run(_COUNT, {"k": name, "n": n})


class Shift:
    """Collects moves between states and writes them as one change per destination and state.

    days: counts for reports, written with it.  now: Unix seconds.
    """

    def __init__(self, now: float | None = None) -> None:
        self.days = Days(now)
        self._change: Counter[tuple[str, str]] = Counter()

    def move(
        self,
        destination: str,
        before: str | None,
        after: str | None,
        n: int = 1,
        *,
        detail: str = "",
        size_bytes: int = 0,
    ) -> None:
        """Note that ``n`` deliveries went from ``before`` (None: new) to ``after`` (None: away).

        detail, size_bytes: for reports, where ``after`` is an end or a hold.
        """
        if n and after in OF_STATE:
            self.days.add(OF_STATE[after], destination, detail, n, size_bytes)
        if before is not None:
            self._change[destination, before] -= n
        if after is not None:
            self._change[destination, after] += n

    def write(self, transaction: Transaction) -> None:
        self.days.write(transaction)
        transaction.many(
            _TALLY,
            [
                {"destination": destination, "state": state, "n": n}
                for (destination, state), n in self._change.items()
                if n
            ],
        )


def tallies() -> Job[dict[str, dict[str, int]]]:
    """Read destination → state → number of deliveries."""

    def job(transaction: Transaction) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for destination, state, n in transaction.rows(
            "SELECT destination, state, n FROM tally ORDER BY destination, state"
        ):
            found.setdefault(destination, {})[state] = n
        return found

    return job


def counters() -> Job[dict[str, int]]:
    """Read every counter."""

    def job(transaction: Transaction) -> dict[str, int]:
        rows = transaction.rows("SELECT k, v FROM counter")
        return {str(name): int(value) for name, value in rows}

    return job


def unaccounted(now: float, grace_s: float = 30.0) -> Job[Mapping[str, int]]:
    """Read the five numbers of S-15 by full count; every one must be 0."""

    def job(transaction: Transaction) -> Mapping[str, int]:
        names = ("missing_rows", "fateless", "nameless", "stuck", "eaten")
        row = transaction.one(UNACCOUNTED, {"now": now, "grace": grace_s})
        assert row is not None
        return dict(zip(names, row, strict=True))

    return job
