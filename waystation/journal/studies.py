"""A study, a series, an instance or one arrival with all that became of it, for `explain` (R-76).

Contract: jobs that only read.  The level says which column the UID stands in; the id of an
arrival stands for itself.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction, placeholders
from waystation.journal.arrivals import COLUMNS, arrival_from
from waystation.journal.entries import FailedAttempt, Listed
from waystation.journal.queue import LIST, listed_from
from waystation.model.arrival import Arrival
from waystation.model.plan import Verdict

_OF_STUDY = "a.study = :key"
_OF_SERIES = "a.series = :key"
_OF_INSTANCE = "a.sop_instance = :key"
_OF_ARRIVAL = "a.id = :key"
_OWN = ", ".join("a." + name for name in COLUMNS.replace(" ", "").split(","))
_WIDTH = len(COLUMNS.split(","))
_FATE = (
    "SELECT "
    + _OWN
    + ", a.planned, a.ended_why, a.hold_reason, a.verdicts, a.config, a.blob_gone FROM arrival a"
)
_ATTEMPT = (
    "SELECT t.delivery, t.number, t.ended_at, t.status, t.why, t.destination, t.detail"
    " FROM arrival a JOIN delivery d ON d.arrival = a.id JOIN attempt t ON t.delivery = d.id WHERE "
)
_FIRST = "SELECT a.id FROM arrival a WHERE "
_FIND = {
    "study": _FIRST + _OF_STUDY + " LIMIT 1",
    "instance": _FIRST + _OF_INSTANCE + " LIMIT 1",
    "series": _FIRST + _OF_SERIES + " LIMIT 1",
}
LEVELS = tuple(_FIND)
_BY_ID = " ORDER BY a.id"
_ARRIVALS = {
    "study": _FATE + " WHERE " + _OF_STUDY + _BY_ID,
    "series": _FATE + " WHERE " + _OF_SERIES + _BY_ID,
    "instance": _FATE + " WHERE " + _OF_INSTANCE + _BY_ID,
    "arrival": _FATE + " WHERE " + _OF_ARRIVAL,
}
_BY_DELIVERY = " ORDER BY d.id"
_DELIVERIES = {
    "study": LIST + _OF_STUDY + _BY_DELIVERY,
    "series": LIST + _OF_SERIES + _BY_DELIVERY,
    "instance": LIST + _OF_INSTANCE + _BY_DELIVERY,
    "arrival": LIST + _OF_ARRIVAL + _BY_DELIVERY,
}
_BY_ATTEMPT = " ORDER BY t.delivery, t.number"
_ATTEMPTS = {
    "study": _ATTEMPT + _OF_STUDY + _BY_ATTEMPT,
    "series": _ATTEMPT + _OF_SERIES + _BY_ATTEMPT,
    "instance": _ATTEMPT + _OF_INSTANCE + _BY_ATTEMPT,
    "arrival": _ATTEMPT + _OF_ARRIVAL + _BY_ATTEMPT,
}
_SINCE = (
    _FATE + " WHERE a.id > :after AND a.id < :until AND a.planned = 1 ORDER BY a.id LIMIT :limit"
)
_BEFORE = (
    "SELECT count(*) FROM (SELECT 1 FROM delivery WHERE destination = :to AND state = 'waiting'"
    " AND priority < :priority LIMIT :most) x"
)
_BESIDE = (
    "SELECT count(*) FROM (SELECT 1 FROM delivery WHERE destination = :to AND state = 'waiting'"
    " AND priority = :priority AND due < :due LIMIT :most) x"
)
MOST_AHEAD = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """One arrival with what was decided about it.

    config: revision of the configuration that planned it.  gone: its bytes are.
    """

    arrival: Arrival
    planned: bool
    ended_why: str | None
    hold_reason: str | None
    verdicts: tuple[Verdict, ...]
    config: int
    gone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which member of a group takes a study."""

    member: str
    chosen_at: float
    begun: bool
    why: str


def level_of(uid: str) -> Job[str]:
    """Read what a UID names: study, instance or series, "" if nothing is known of it."""

    def job(transaction: Transaction) -> str:
        for level in LEVELS:
            if transaction.one(_FIND[level], {"key": uid}) is not None:
                return level
        return ""

    return job


def fates(level: str, key: str | int) -> Job[list[Fate]]:
    """Read the arrivals, oldest first."""

    def job(transaction: Transaction) -> list[Fate]:
        return [_fate(row) for row in transaction.rows(_ARRIVALS[level], {"key": key})]

    return job


def since(after: int, until: int, limit: int) -> Job[list[Fate]]:
    """Read a page of planned arrivals with ids between ``after`` and ``until``."""

    def job(transaction: Transaction) -> list[Fate]:
        values = {"after": after, "until": until, "limit": limit}
        return [_fate(row) for row in transaction.rows(_SINCE, values)]

    return job


def by_ids(ids: Sequence[int]) -> Job[list[Arrival]]:
    """Read these arrivals, oldest first."""
    values = {f"id{number}": value for number, value in enumerate(ids)}

    def job(transaction: Transaction) -> list[Arrival]:
        rows = transaction.rows(
            "SELECT "
            + _OWN
            + " FROM arrival a WHERE a.id IN ("
            + placeholders("id", len(ids))
            + ") ORDER BY a.id",
            values,
        )
        return [arrival_from(row) for row in rows]

    return job


def _fate(row: Row) -> Fate:
    planned, ended_why, hold_reason, verdicts, config, gone = row[_WIDTH:]
    said = json.loads(verdicts) if verdicts else []
    return Fate(
        arrival=arrival_from(row[:_WIDTH]),
        planned=bool(planned),
        ended_why=ended_why,
        hold_reason=hold_reason,
        verdicts=tuple(Verdict(rule=r, matched=m, clause=c) for r, m, c in said),
        config=config,
        gone=bool(gone),
    )


def deliveries(level: str, key: str | int) -> Job[list[Listed]]:
    """Read the deliveries of the arrivals, oldest first."""

    def job(transaction: Transaction) -> list[Listed]:
        return [listed_from(row) for row in transaction.rows(_DELIVERIES[level], {"key": key})]

    return job


def attempts(level: str, key: str | int) -> Job[dict[int, list[FailedAttempt]]]:
    """Read what is written of attempts, by delivery."""

    def job(transaction: Transaction) -> dict[int, list[FailedAttempt]]:
        found: dict[int, list[FailedAttempt]] = {}
        for row in transaction.rows(_ATTEMPTS[level], {"key": key}):
            found.setdefault(row[0], []).append(
                FailedAttempt(
                    number=row[1],
                    ended_at=row[2],
                    status=row[3],
                    why=row[4],
                    destination=row[5],
                    detail=row[6],
                )
            )
        return found

    return job


def chosen(group: str, study: str) -> Job[Chosen | None]:
    """Read which member of a group was chosen for a study."""

    def job(transaction: Transaction) -> Chosen | None:
        row = transaction.one(
            "SELECT member, chosen_at, begun, why FROM choice WHERE grp = :grp AND study = :study",
            {"grp": group, "study": study},
        )
        if row is None:
            return None
        return Chosen(member=row[0], chosen_at=row[1], begun=bool(row[2]), why=row[3])

    return job


def ahead(destination: str, priority: int, due: float) -> Job[int]:
    """Count what goes before a waiting delivery in its lane, at most `MOST_AHEAD` of each kind."""
    values = {"to": destination, "priority": priority, "due": due, "most": MOST_AHEAD}

    def job(transaction: Transaction) -> int:
        counted = [transaction.one(sql, values) for sql in (_BEFORE, _BESIDE)]
        return sum(int(row[0]) for row in counted if row is not None)

    return job
