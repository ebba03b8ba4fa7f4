"""Studies that are taken out of the archive by a rule with a name (T-30, S-18).

Contract: `remove` takes a whole study or nothing.  Whether it may go stands in the statement that
takes it: never while one of its objects is held, waits, is being sent, belongs to something that
is not complete, waits for the promise of a destination, or was asked of us in a commitment that is
not reported yet.  What was taken is written down in the same transaction.  The bytes stay until the
sweep finds that nobody needs them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.index.corrections import end_of_gone
from waystation.index.filing import describe
from waystation.index.pages import STUDY_COLUMNS, Hit, matches, study_hit
from waystation.index.rows import patient_of, write_patient
from waystation.matching.match import Matcher

# What makes an object (``a``) stay.
NEEDED: Final = (
    "a.planned = 0 OR a.hold_reason IS NOT NULL"
    " OR EXISTS (SELECT 1 FROM delivery d WHERE d.arrival = a.id"
    "  AND d.state IN ('waiting', 'sending', 'held'))"
    " OR EXISTS (SELECT 1 FROM gathered m JOIN gather g ON g.id = m.gather"
    "  WHERE m.arrival = a.id AND g.state IN ('open', 'completing'))"
    " OR EXISTS (SELECT 1 FROM verification v WHERE v.arrival = a.id AND v.state = 'open')"
    " OR EXISTS (SELECT 1 FROM commitment c WHERE c.state = 'open'"
    "  AND c.objects LIKE '%' || a.sop_instance || '%')"
)
# One object of the study that must stay, and with it all of them.
_BUSY: Final = "SELECT 1 FROM arrival a WHERE a.study = study.uid AND (" + NEEDED + ")"
_TAKE: Final = (
    "DELETE FROM study WHERE id = :id AND last_at < :before AND NOT EXISTS (" + _BUSY + ")"
)
_SERIES: Final = "SELECT r.id FROM series r WHERE r.study = :id"
_OLD: Final = (
    "SELECT " + STUDY_COLUMNS + ", s.last_at, s.size_bytes, s.patient_id, s.description"
    " FROM study s JOIN level l ON l.id = s.id"
    " WHERE s.last_at < :before AND (s.last_at > :at OR (s.last_at = :at AND s.id > :id))"
    " ORDER BY s.last_at, s.id LIMIT :limit"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """A study that a rule means.  last_at: when its newest object came (Unix seconds)."""

    id: int
    uid: str
    last_at: float
    size_bytes: int
    patient_id: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """A page of studies, and where the next one begins; None if there is none."""

    studies: Sequence[Old]
    after: tuple[float, int] | None


def aged(before: float, matcher: Matcher | None, after: tuple[float, int], limit: int) -> Job[Aged]:
    """Read a page of the studies that got nothing since ``before``, the oldest first."""

    def job(transaction: Transaction) -> Aged:
        rows = transaction.rows(
            _OLD, {"before": before, "at": after[0], "id": after[1], "limit": limit}
        )
        found = []
        for row in rows:
            hit = study_hit(row)
            if matcher is None or matches(matcher, hit):
                found.append(_old(hit, row[11], row[12], row[13], row[14]))
        last = rows[-1] if len(rows) == limit else None
        return Aged(studies=found, after=None if last is None else (last[11], last[3]))

    return job


def _old(hit: Hit, last_at: float, size: int, patient_id: str, description: str) -> Old:
    return Old(
        id=hit.id,
        uid=hit.uid,
        last_at=last_at,
        size_bytes=size,
        patient_id=patient_id,
        description=description,
    )


def size() -> Job[int]:
    """Read how many bytes the archive holds."""

    def job(transaction: Transaction) -> int:
        row = transaction.one("SELECT coalesce(sum(size_bytes), 0) FROM study")
        return int(row[0]) if row else 0

    return job


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why studies go.  author: the rule's name; before: nothing may have come since."""

    author: str
    before: float
    why: str


def remove(study: Old, reason: Reason, removal_id: int, now: float) -> Job[int]:
    """Take a study out of the archive; return how many objects, 0 if it must stay."""

    def job(transaction: Transaction) -> int:
        one = {"id": study.id}
        before = transaction.one(
            "SELECT patient, n_series, n_instances, size_bytes FROM study WHERE id = :id", one
        )
        if before is None or not transaction.run(_TAKE, one | {"before": reason.before}):
            return 0
        taken = forget(transaction, study.id, before[0], before[1], before[2])
        end_of_gone(transaction, study.uid, now, reason.author)
        transaction.run(
            "INSERT INTO removal (id, at, author, study, instances, size_bytes, why)"
            " VALUES (:id, :at, :author, :study, :n, :size_bytes, :why)",
            {
                "id": removal_id,
                "at": now,
                "author": reason.author,
                "study": study.uid,
                "n": taken,
                "size_bytes": before[3],
                "why": reason.why,
            },
        )
        return taken

    return job


def forget(
    transaction: Transaction, study: int, patient: int, n_series: int, n_instances: int
) -> int:
    """Delete what stands below a study whose row is gone; return how many objects there were."""
    one = {"id": study}
    transaction.run(
        "DELETE FROM archived WHERE arrival IN (SELECT i.arrival FROM instance i"
        " WHERE i.series IN (" + _SERIES + "))",
        one,
    )
    transaction.run(
        "DELETE FROM instance_metadata WHERE arrival IN (SELECT i.arrival FROM instance i"
        " WHERE i.series IN (" + _SERIES + "))",
        one,
    )
    transaction.run(
        "DELETE FROM frame_table WHERE arrival IN (SELECT i.arrival FROM instance i"
        " WHERE i.series IN (" + _SERIES + "))",
        one,
    )
    taken = transaction.run("DELETE FROM instance WHERE series IN (" + _SERIES + ")", one)
    transaction.run("DELETE FROM level WHERE id = :id OR id IN (" + _SERIES + ")", one)
    transaction.run("DELETE FROM series WHERE study = :id", one)
    transaction.run("DELETE FROM term WHERE study = :id", one)
    row = patient_of(transaction, patient)
    if row is None:
        return taken
    row.n_studies -= 1
    row.n_series -= n_series
    row.n_instances -= n_instances
    if row.n_studies:
        describe(transaction, row)
    write_patient(transaction, row)
    return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """One study that was taken.  at: Unix seconds."""

    at: float
    author: str
    study: str
    instances: int
    size_bytes: int
    why: str


def removals(limit: int) -> Job[list[Removed]]:
    """Read what was taken, the newest first."""

    def job(transaction: Transaction) -> list[Removed]:
        rows = transaction.rows(
            "SELECT at, author, study, instances, size_bytes, why FROM removal"
            " ORDER BY id DESC LIMIT :limit",
            {"limit": limit},
        )
        return [
            Removed(
                at=row[0],
                author=row[1],
                study=row[2],
                instances=row[3],
                size_bytes=row[4],
                why=row[5],
            )
            for row in rows
        ]

    return job
