"""What destinations were found to accept, and what they refused (R-64).

Contract: one row per refused (destination, SOP class, stored syntax) with the time and the words
of the refusal; `release` lets go what was held for that reason.  What was offered otherwise and
accepted or not is kept per destination as one text.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal.counts import Shift
from waystation.model.delivery import HoldReason, State

SEEN = "contexts."
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """at: Unix seconds.  detail: what was offered and answered."""

    at: float
    detail: str


def refusals(destination: str) -> Job[dict[Pair, Refusal]]:
    """Read what a destination has refused."""

    def job(transaction: Transaction) -> dict[Pair, Refusal]:
        rows = transaction.rows(
            "SELECT sop_class, syntax, at, detail FROM refused_context WHERE destination = :to",
            {"to": destination},
        )
        return {(row[0], row[1]): Refusal(at=row[2], detail=row[3]) for row in rows}

    return job


def remember(destination: str, pair: Pair, refusal: Refusal) -> Job[None]:
    """Write that a pair was refused."""
    values = {
        "to": destination,
        "sop_class": pair[0],
        "syntax": pair[1],
        "at": refusal.at,
        "detail": refusal.detail,
    }

    def job(transaction: Transaction) -> None:
        transaction.run(
            "INSERT INTO refused_context (destination, sop_class, syntax, at, detail)"
            " VALUES (:to, :sop_class, :syntax, :at, :detail)"
            " ON CONFLICT (destination, sop_class, syntax)"
            " DO UPDATE SET at = excluded.at, detail = excluded.detail",
            values,
        )

    return job


def release(destination: str, pair: Pair, now: float) -> Job[int]:
    """Forget a refusal and let go what is held for it; return how many deliveries."""
    values = {"to": destination, "sop_class": pair[0], "syntax": pair[1], "now": now}

    def job(transaction: Transaction) -> int:
        transaction.run(
            "DELETE FROM refused_context WHERE destination = :to AND sop_class = :sop_class"
            " AND syntax = :syntax",
            values,
        )
        n = transaction.run(
            "UPDATE delivery SET state = 'waiting', hold_reason = NULL, due = :now"
            " WHERE destination = :to AND state = 'held' AND state IN ('sending', 'held')"
            " AND hold_reason = :reason AND arrival IN (SELECT a.id FROM arrival a"
            " WHERE a.id = delivery.arrival AND a.sop_class = :sop_class"
            " AND a.transfer_syntax = :syntax)",
            {**values, "reason": HoldReason.NO_CONTEXT.value},
        )
        shift = Shift()
        shift.move(destination, State.HELD.value, State.WAITING.value, n)
        shift.write(transaction)
        return n

    return job


def seen(destination: str) -> Job[dict[Pair, bool]]:
    """Read which contexts a destination was seen to accept (True) or refuse."""

    def job(transaction: Transaction) -> dict[Pair, bool]:
        row = transaction.one("SELECT v FROM meta WHERE k = :k", {"k": SEEN + destination})
        rows = json.loads(row[0]) if row else []
        return {(sop_class, syntax): bool(accepted) for sop_class, syntax, accepted in rows}

    return job


def keep_seen(destination: str, contexts: Mapping[Pair, bool]) -> Job[None]:
    """Write which contexts a destination was seen to accept."""
    rows = [[*pair, int(accepted)] for pair, accepted in sorted(contexts.items())]

    def job(transaction: Transaction) -> None:
        transaction.run(
            "INSERT INTO meta (k, v) VALUES (:k, :v) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
            {"k": SEEN + destination, "v": json.dumps(rows)},
        )

    return job
