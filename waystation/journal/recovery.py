"""What the journal does at start, before anything else may touch it (S-11)."""

from collections.abc import Sequence

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal.counts import Shift, count
from waystation.model.delivery import HoldReason, State

# Marks of lanes that a person stopped: the name of the destination follows.
PAUSED = "paused."
# A partial index serves only a query that repeats its condition word for word.
_KNOWN = "SELECT 1 FROM arrival WHERE blob = :blob AND blob <> ''"
_TREATED = "SELECT 1 FROM treatment WHERE blob = :blob AND blob <> ''"


def return_leases(now: float) -> Job[int]:
    """Put back what our previous life was sending; return how many (step 6)."""

    def job(transaction: Transaction) -> int:
        shift = Shift()
        found = transaction.rows(
            "SELECT destination, count(*) FROM delivery"
            " WHERE state = 'sending' AND state IN ('sending', 'held')"
            " GROUP BY destination"
        )
        for destination, n in found:
            shift.move(destination, State.SENDING.value, State.WAITING.value, n)
        transaction.run(
            "UPDATE delivery SET state = 'waiting', lease_until = NULL, due = :now"
            " WHERE state = 'sending' AND state IN ('sending', 'held')",
            {"now": now},
        )
        shift.write(transaction)
        return sum(n for _, n in found)

    return job


def known_blobs(names: Sequence[str]) -> Job[set[str]]:
    """Return those of ``names`` that a row of the journal refers to."""

    def job(transaction: Transaction) -> set[str]:
        found = set()
        for name in names:
            one = {"blob": name}
            if transaction.one(_KNOWN, one) or transaction.one(_TREATED, one):
                found.add(name)
        return found

    return job


def planned_blobs(after: int, limit: int) -> Job[list[tuple[int, str, int]]]:
    """Read (id, blob, size in bytes) of planned arrivals kept in files, oldest first."""

    def job(transaction: Transaction) -> list[tuple[int, str, int]]:
        return [
            (row[0], row[1], row[2])
            for row in transaction.rows(
                "SELECT id, blob, size_bytes FROM arrival WHERE id > :after AND blob <> ''"
                " AND planned = 1 AND (hold_reason IS NULL OR hold_reason <> 'corrupt')"
                " ORDER BY id LIMIT :limit",
                {"after": after, "limit": limit},
            )
        ]

    return job


def hold_corrupt(arrival_ids: Sequence[int], why: str) -> Job[None]:
    """Hold arrivals whose bytes are missing or damaged, and all their open deliveries."""

    def job(transaction: Transaction) -> None:
        shift = Shift()
        reason = HoldReason.CORRUPT.value
        for arrival_id in arrival_ids:
            for delivery_id, destination, state in transaction.rows(
                "SELECT id, destination, state FROM delivery WHERE arrival = :id"
                " AND state IN ('waiting', 'sending')",
                {"id": arrival_id},
            ):
                transaction.run(
                    "UPDATE delivery SET state = 'held', hold_reason = :reason, why = :why,"
                    " lease_until = NULL WHERE id = :id",
                    {"id": delivery_id, "reason": reason, "why": why},
                )
                shift.move(destination, state, State.HELD.value, detail=reason)
            transaction.run(
                "UPDATE arrival SET hold_reason = :reason WHERE id = :id",
                {"id": arrival_id, "reason": reason},
            )
        if arrival_ids:
            count(transaction, "corrupt", len(arrival_ids))
        shift.write(transaction)

    return job


def mark(name: str) -> Job[str | None]:
    """Read a mark such as the time of the last clean stop."""

    def job(transaction: Transaction) -> str | None:
        row = transaction.one("SELECT v FROM meta WHERE k = :k", {"k": name})
        return None if row is None else str(row[0])

    return job


def set_mark(name: str, value: str) -> Job[None]:
    """Write a mark."""

    def job(transaction: Transaction) -> None:
        transaction.run(
            "INSERT INTO meta (k, v) VALUES (:k, :v) ON CONFLICT (k) DO UPDATE SET v = :v",
            {"k": name, "v": value},
        )

    return job
