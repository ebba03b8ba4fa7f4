"""Where the head of each arrival can be read: its blob, the journal, or what was kept of it (R-77).

Contract: as long as the bytes are there the head is read from them.  In the transaction that
gives them up it is kept here, compressed, until `forget`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Transaction, placeholders

_SOURCES = (
    "SELECT a.id, a.blob, a.size_bytes, a.transfer_syntax, p.data, h.data FROM arrival a"
    " LEFT JOIN parcel p ON p.arrival = a.id LEFT JOIN head h ON h.arrival = a.id"
    " WHERE a.id IN ("
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSource:
    """One arrival.  blob: "" if there is none.  data: the data set that rides in the journal.

    kept: the compressed head of an object whose bytes are gone.
    """

    arrival: int
    blob: str
    size_bytes: int
    transfer_syntax: str
    data: bytes | None = None
    kept: bytes | None = None


def sources(ids: Sequence[int]) -> Job[list[HeadSource]]:
    """Read where the heads of these arrivals are."""
    values = {f"id{number}": value for number, value in enumerate(ids)}

    def job(transaction: Transaction) -> list[HeadSource]:
        rows = transaction.rows(_SOURCES + placeholders("id", len(ids)) + ")", values)
        return [
            HeadSource(
                arrival=row[0],
                blob=row[1],
                size_bytes=row[2],
                transfer_syntax=row[3],
                data=None if row[4] is None else bytes(row[4]),
                kept=None if row[5] is None else bytes(row[5]),
            )
            for row in rows
        ]

    return job


def keep(transaction: Transaction, heads: Mapping[int, bytes], now: float) -> None:
    """Write the compressed heads of arrivals whose bytes go."""
    transaction.many(
        "INSERT INTO head (arrival, kept_at, data) VALUES (:arrival, :now, :data)"
        " ON CONFLICT (arrival) DO NOTHING",
        [{"arrival": number, "now": now, "data": data} for number, data in heads.items()],
    )


def forget(before: float, limit: int) -> Job[int]:
    """Delete heads that were kept before ``before`` (Unix seconds); return how many."""

    def job(transaction: Transaction) -> int:
        return transaction.run(
            "DELETE FROM head WHERE arrival IN"
            " (SELECT h.arrival FROM head h WHERE h.kept_at < :before"
            " ORDER BY h.kept_at LIMIT :limit)",
            {"before": before, "limit": limit},
        )

    return job
