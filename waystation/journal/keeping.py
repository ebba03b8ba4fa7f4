"""How long rows and bytes stay: nothing undelivered is ever taken (R-12, S-18).

The conditions stand in the statements that change the rows, not only in the query that finds
candidates: a candidate that became busy in between is left alone.
"""

from collections.abc import Mapping, Sequence

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import heads, treatments
from waystation.journal.counts import count

_FREE = (
    " NOT EXISTS (SELECT 1 FROM archived k WHERE k.arrival = a.id)"
    " AND NOT EXISTS (SELECT 1 FROM cached k WHERE k.arrival = a.id)"
    " AND NOT EXISTS (SELECT 1 FROM verification v JOIN delivery w ON w.id = v.delivery"
    " WHERE v.arrival = a.id AND v.state = 'open' AND w.state = 'done')"
    " AND a.planned = 1 AND a.hold_reason IS NULL AND a.received_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM delivery d"
    " WHERE d.arrival = a.id AND (d.state IN ('waiting', 'sending', 'held')"
    " OR d.ended_at IS NULL OR d.ended_at > :before))"
    " AND NOT EXISTS (SELECT 1 FROM gathered m JOIN gather g ON g.id = m.gather"
    " WHERE m.arrival = a.id AND (g.state IN ('open', 'completing') OR g.ended_at > :before))"
)
_SELF = (
    " NOT EXISTS (SELECT 1 FROM archived k WHERE k.arrival = arrival.id)"
    " AND NOT EXISTS (SELECT 1 FROM cached k WHERE k.arrival = arrival.id)"
    " AND NOT EXISTS (SELECT 1 FROM verification v JOIN delivery w ON w.id = v.delivery"
    " WHERE v.arrival = arrival.id AND v.state = 'open' AND w.state = 'done')"
    " AND planned = 1 AND hold_reason IS NULL AND received_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM delivery d"
    " WHERE d.arrival = arrival.id AND (d.state IN ('waiting', 'sending', 'held')"
    " OR d.ended_at IS NULL OR d.ended_at > :before))"
    " AND NOT EXISTS (SELECT 1 FROM gathered m JOIN gather g ON g.id = m.gather"
    " WHERE m.arrival = arrival.id AND (g.state IN ('open', 'completing') OR g.ended_at > :before))"
)


def droppable(
    before: float, below_id: int, after_id: int, limit: int
) -> Job[list[tuple[int, str]]]:
    """Read (id, blob) of arrivals whose deliveries all ended before ``before`` (Unix seconds).

    Looks at ids between ``after_id`` and ``below_id``, at most ``limit`` of them.
    """

    def job(transaction: Transaction) -> list[tuple[int, str]]:
        return [
            (row[0], row[1])
            for row in transaction.rows(
                "SELECT a.id, a.blob FROM arrival a WHERE a.id > :after AND a.id < :below"
                " AND a.blob_gone = 0 AND" + _FREE + " ORDER BY a.id LIMIT :limit",
                {"after": after_id, "below": below_id, "before": before, "limit": limit},
            )
        ]

    return job


def drop(
    candidates: Sequence[tuple[int, str]],
    before: float,
    kept: Mapping[int, bytes] | None = None,
    now: float = 0.0,
) -> Job[list[str]]:
    """Mark bytes as gone where that is still allowed; return the blob names to remove.

    kept: by arrival, the compressed head that stays.
    The files are removed after the commit: a crash in between leaves files that no row needs.
    """
    known = kept or {}

    def job(transaction: Transaction) -> list[str]:
        names = []
        for arrival_id, blob in candidates:
            if transaction.run(
                "UPDATE arrival SET blob_gone = 1, blob = '' WHERE id = :id AND" + _SELF,
                {"id": arrival_id, "before": before},
            ):
                transaction.run("DELETE FROM parcel WHERE arrival = :id", {"id": arrival_id})
                names += treatments.drop_bytes(transaction, arrival_id)
                if arrival_id in known:
                    heads.keep(transaction, {arrival_id: known[arrival_id]}, now)
                if blob:
                    names.append(blob)
        return names

    return job


def purge(below_id: int, limit: int) -> Job[int]:
    """Delete rows whose bytes are gone and whose memory is over; return how many."""

    def job(transaction: Transaction) -> int:
        rows = transaction.rows(
            "SELECT id FROM arrival WHERE id < :below AND blob_gone = 1 AND hold_reason IS NULL"
            " ORDER BY id LIMIT :limit",
            {"below": below_id, "limit": limit},
        )
        for (arrival_id,) in rows:
            one = {"id": arrival_id}
            treatments.purge(transaction, arrival_id)
            transaction.run(
                "DELETE FROM attempt WHERE delivery IN"
                " (SELECT d.id FROM delivery d WHERE d.arrival = :id)",
                one,
            )
            _untally(transaction, arrival_id)
            transaction.run("DELETE FROM delivery WHERE arrival = :id", one)
            transaction.run("DELETE FROM verification WHERE arrival = :id", one)
            transaction.run("DELETE FROM head WHERE arrival = :id", one)
            _ungather(transaction, arrival_id)
            transaction.run("DELETE FROM arrival WHERE id = :id", one)
        if rows:
            count(transaction, "purged.finished", len(rows))
        return len(rows)

    return job


def _ungather(transaction: Transaction, arrival_id: int) -> None:
    """Forget that the arrival was gathered; a gather without members goes, too."""
    one = {"id": arrival_id}
    found = transaction.rows("SELECT gather FROM gathered WHERE arrival = :id", one)
    transaction.run("DELETE FROM gathered WHERE arrival = :id", one)
    for (gather_id,) in found:
        transaction.run(
            "DELETE FROM gather WHERE id = :id AND state = 'done'"
            " AND NOT EXISTS (SELECT 1 FROM gathered m WHERE m.gather = :id)",
            {"id": gather_id},
        )


def _untally(transaction: Transaction, arrival_id: int) -> None:
    for destination, state, n in transaction.rows(
        "SELECT destination, state, count(*) FROM delivery WHERE arrival = :id"
        " GROUP BY destination, state",
        {"id": arrival_id},
    ):
        transaction.run(
            "UPDATE tally SET n = n - :n WHERE destination = :destination AND state = :state",
            {"n": n, "destination": destination, "state": state},
        )
        count(transaction, f"ended.{destination}.{state}", n)
