"""Who was first seen under a Patient ID, for validation by what was received before (R-68).

Contract: only objects that such a validation looks at are remembered, each patient once, and
forgotten with the memory of duplicates.
"""

from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one object says about its patient, as text."""

    arrival: int
    study: str
    issuer: str
    patient_id: str
    name: str
    birth: str
    sex: str


def seen(sight: Sight) -> Job[tuple[str, str, str] | None]:
    """Read name, birth date and sex of who was first seen under this Patient ID."""
    return lambda transaction: _seen(transaction, sight)


def _seen(transaction: Transaction, sight: Sight) -> tuple[str, str, str] | None:
    row = transaction.one(
        "SELECT name, birth, sex FROM person WHERE issuer = :issuer AND patient_id = :id",
        {"issuer": sight.issuer, "id": sight.patient_id},
    )
    return None if row is None else (str(row[0]), str(row[1]), str(row[2]))


def first_seen(sight: Sight, now: float) -> Job[tuple[str, str, str] | None]:
    """Read name, birth date and sex of who was first seen under this Patient ID.

    None if nobody was: then this is the first.
    """

    def job(transaction: Transaction) -> tuple[str, str, str] | None:
        known = _seen(transaction, sight)
        if known is not None:
            return known
        values = {"issuer": sight.issuer, "id": sight.patient_id}
        said = {"name": sight.name, "birth": sight.birth, "sex": sight.sex, "now": now}
        transaction.run(
            "INSERT INTO person (issuer, patient_id, name, birth, sex, seen_at)"
            " VALUES (:issuer, :id, :name, :birth, :sex, :now)",
            values | said,
        )
        return None

    return job


def forget(before: float) -> Job[int]:
    """Forget who was first seen before an instant (Unix seconds); return how many."""
    return lambda transaction: transaction.run(
        "DELETE FROM person WHERE seen_at < :before", {"before": before}
    )


def other_patients(sight: Sight) -> Job[bool]:
    """Read whether this study has objects with another Patient ID."""

    def job(transaction: Transaction) -> bool:
        row = transaction.one(
            "SELECT 1 FROM arrival WHERE study = :study AND study <> '' AND id <> :id"
            " AND patient_id <> :patient LIMIT 1",
            {"study": sight.study, "id": sight.arrival, "patient": sight.patient_id},
        )
        return row is not None

    return job
