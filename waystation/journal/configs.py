"""The texts of the configurations that planned something, by revision.

Contract: a text that is in force gets the revision of the last one if nothing changed, else the
next.  Arrivals name the revision that planned them, so that `explain` can judge them again by the
very rules of that time.
"""

import hashlib

from waystation.db.engine import Job
from waystation.db.statement import Transaction


def take_up(text: str, now: float) -> Job[int]:
    """Note that ``text`` is in force from ``now`` on (Unix seconds); return its revision."""
    digest = hashlib.sha256(text.encode()).hexdigest()

    def job(transaction: Transaction) -> int:
        last = transaction.one(
            "SELECT revision, digest FROM config_text ORDER BY revision DESC LIMIT 1"
        )
        if last is not None and last[1] == digest:
            return int(last[0])
        revision = 1 if last is None else int(last[0]) + 1
        transaction.run(
            "INSERT INTO config_text (revision, digest, text, since)"
            " VALUES (:revision, :digest, :text, :since)",
            {"revision": revision, "digest": digest, "text": text, "since": now},
        )
        return revision

    return job


def text_of(revision: int) -> Job[str | None]:
    """Read the text of a revision, None if it is not known any more."""

    def job(transaction: Transaction) -> str | None:
        row = transaction.one(
            "SELECT text FROM config_text WHERE revision = :revision", {"revision": revision}
        )
        return None if row is None else str(row[0])

    return job


def last_text() -> Job[str | None]:
    """Read the text that was put in force last, None if there is none."""

    def job(transaction: Transaction) -> str | None:
        row = transaction.one("SELECT text FROM config_text ORDER BY revision DESC LIMIT 1")
        return None if row is None else str(row[0])

    return job


def forget(below_id: int) -> Job[int]:
    """Delete texts that no arrival behind ``below_id`` names, the last one kept; return how many.

    ``below_id``: the oldest arrival id that is still in the journal.
    """

    def job(transaction: Transaction) -> int:
        return transaction.run(
            "DELETE FROM config_text WHERE revision < (SELECT max(revision) FROM config_text)"
            " AND revision < coalesce((SELECT min(config) FROM arrival WHERE id >= :below"
            " AND config > 0), 0)",
            {"below": below_id},
        )

    return job
