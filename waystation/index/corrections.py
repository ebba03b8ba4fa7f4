"""What persons corrected about studies: who the patient is, and what the study is called (T-32).

Contract: the objects stay as they were received.  A correction is a row with its author and reason;
undoing it is noted in the row.  What is in force for a study is laid over what its objects say, the
later over the earlier, whenever the study is filed: at arrival, in ``verify`` and in ``rebuild``.
A value that was corrected matches no more; "" takes a value away.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.index import levels

# What may be corrected: attributes of patient and study, but no UID and no sequence.
ELEMENTS: Final[Mapping[int, str]] = {
    tag: vr
    for tag, vr in levels.STUDY.items()
    if vr not in ("SQ", "UI") and tag != levels.TIMEZONE_OFFSET
}
_IN_FORCE: Final = (
    "SELECT elements FROM correction WHERE study = :study AND undone_at = 0 ORDER BY id"
)
_ADD: Final = (
    "INSERT INTO correction (id, study, at, author, because, elements, undone_at, undone_by)"
    " VALUES (:id, :study, :at, :author, :because, :elements, 0, '')"
)
_UNDO: Final = (
    "UPDATE correction SET undone_at = :at, undone_by = :author"
    " WHERE study = :study AND undone_at = 0"
)
_LIST: Final = (
    "SELECT id, study, at, author, because, elements, undone_at, undone_by FROM correction"
    " WHERE :study = '' OR study = :study ORDER BY id DESC LIMIT :limit"
)
_ALL: Final = (
    "SELECT study, elements, at FROM correction"
    " WHERE undone_at = 0 AND (:study = '' OR study = :study) ORDER BY id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What is laid over the objects of a study.  values: tag → text.  at: of the last one."""

    values: Mapping[int, str]
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """One correction as it is kept.  at, undone_at: Unix seconds, 0 if it is in force."""

    id: int
    study: str
    at: float
    author: str
    because: str
    values: Mapping[int, str]
    undone_at: float
    undone_by: str


def in_force(transaction: Transaction, study: str) -> dict[int, str]:
    """Return what is corrected of a study."""
    found: dict[int, str] = {}
    for (text,) in transaction.rows(_IN_FORCE, {"study": study}):
        found |= _read(text)
    return found


def of_study(study: str) -> Job[dict[int, str]]:
    """Read what is corrected of a study."""
    return lambda transaction: in_force(transaction, study)


def all_in_force(study: str = "") -> Job[dict[str, Correction]]:
    """Read what is corrected, by study.  study: of this one alone."""

    def job(transaction: Transaction) -> dict[str, Correction]:
        found: dict[str, Correction] = {}
        for uid, text, at in transaction.rows(_ALL, {"study": study}):
            values = dict(found[uid].values) if uid in found else {}
            found[uid] = Correction(values=values | _read(text), at=at)
        return found

    return job


def add(transaction: Transaction, noted: Noted) -> None:
    """Write one down."""
    transaction.run(
        _ADD,
        {
            "id": noted.id,
            "study": noted.study,
            "at": noted.at,
            "author": noted.author,
            "because": noted.because,
            "elements": _written(noted.values),
        },
    )


def undo(transaction: Transaction, study: str, at: float, author: str) -> int:
    """End all that are in force for a study; return how many."""
    return transaction.run(_UNDO, {"study": study, "at": at, "author": author})


def end_of_gone(transaction: Transaction, study: str, at: float, author: str) -> bool:
    """End what is in force for a study of which nothing is left: what comes anew speaks itself.

    Returns whether nothing is left.
    """
    if transaction.one("SELECT 1 FROM study WHERE uid = :study", {"study": study}) is not None:
        return False
    undo(transaction, study, at, author)
    return True


def noted(study: str, limit: int) -> Job[list[Noted]]:
    """Read the corrections of a study, or of all ("" ), the newest first."""

    def job(transaction: Transaction) -> list[Noted]:
        return [
            Noted(
                id=row[0],
                study=row[1],
                at=row[2],
                author=row[3],
                because=row[4],
                values=_read(row[5]),
                undone_at=row[6],
                undone_by=row[7],
            )
            for row in transaction.rows(_LIST, {"study": study, "limit": limit})
        ]

    return job


def _read(text: str) -> dict[int, str]:
    return {int(tag, 16): value for tag, value in json.loads(text).items()}


def _written(values: Mapping[int, str]) -> str:
    return json.dumps({f"{tag:08X}": text for tag, text in sorted(values.items())})
