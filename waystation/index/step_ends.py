"""Steps that leave: those that nobody performed, and those that were over long ago (T-55).

Contract: each job takes a page, so that none holds the writer for long.  A step that names no day
counts from when it was made.  What is removed takes its history along, and what was performed for
it; the audit trail is kept elsewhere.
"""

from collections.abc import Callable, Sequence
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Transaction, placeholders
from waystation.index.step_book import StepBook
from waystation.index.step_rows import joined
from waystation.matching.entry import NO_DAY
from waystation.model.step import Author, StepState

PAGE: Final = 200
_LONG_OVER: Final = (
    "AND (s.deleted_at < :before OR (s.state IN"
    " ('completed', 'discontinued', 'cancelled', 'expired') AND s.state_at < :before))"
    " ORDER BY s.id LIMIT :limit"
)
_CHILDREN: Final = (
    "DELETE FROM step_term WHERE step IN ({0})",
    "DELETE FROM step_history WHERE step IN ({0})",
    # What was performed for these steps alone.
    "DELETE FROM mpps WHERE sop_instance IN (SELECT m.sop_instance FROM mpps_step m WHERE m.step"
    " IN ({0})) AND NOT EXISTS (SELECT 1 FROM mpps_step o WHERE o.sop_instance = mpps.sop_instance"
    " AND o.step NOT IN ({0}))",
    "DELETE FROM mpps_step WHERE step IN ({0})",
    "DELETE FROM step WHERE id IN ({0})",
)


def expire(before: str, made_before: float) -> Callable[[StepBook], int]:
    """Return a job that expires a page of listed steps; it gives how many there were.

    before: ``YYYYMMDDHHMMSS``, the last start that is too old.
    made_before: Unix seconds, for steps without a day.
    """

    def job(book: StepBook) -> int:
        rows = book.transaction.rows(
            "SELECT s.id FROM step s WHERE s.seen IN (1, 2) AND (s.start < :before OR"
            f" (s.start = '{NO_DAY}' AND s.created_at < :made)) ORDER BY s.id LIMIT :limit",
            {"before": before, "made": made_before, "limit": PAGE},
        )
        author = Author(kind="node", name="expiry")
        for (step_id,) in rows:
            book.move(step_id, StepState.EXPIRED, author, "nobody performed it")
        return len(rows)

    return job


def doomed(area: str | None, over_before: float, others: Sequence[str]) -> Job[list[int]]:
    """Return a job that reads a page of steps that were over, or deleted, before an instant.

    area: only of this one; None for those of no area in ``others``.
    """
    values: dict[str, object] = {"before": over_before, "limit": PAGE}
    if area is not None:
        where = "s.area = :area"
        values["area"] = area
    else:
        where = f"s.area NOT IN ({placeholders('other', len(others))})" if others else "1 = 1"
        values |= {f"other{number}": name for number, name in enumerate(others)}
    text = joined("SELECT s.id FROM step s WHERE", where, _LONG_OVER)

    def job(transaction: Transaction) -> list[int]:
        return [row[0] for row in transaction.rows(text, values)]

    return job


def drop(ids: Sequence[int]) -> Job[None]:
    """Return a job that removes steps, with their history."""
    values = {f"id{number}": one for number, one in enumerate(ids)}

    def job(transaction: Transaction) -> None:
        for statement in _CHILDREN:
            transaction.run(statement.format(placeholders("id", len(values))), values)

    return job
