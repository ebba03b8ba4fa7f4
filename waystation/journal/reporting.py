"""What a report is made of (R-80).

Contract: `begin` and `take` read and write a report's own mark in the transaction that posts it,
so that two reports leave no gap and count nothing twice, whatever happens between them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import recovery, watching
from waystation.journal.days import Totals, totals
from waystation.journal.ids import IdSource
from waystation.journal.watching import Message

MARK = "report."
PAGE = 20_000
_PAGE_END = (
    "SELECT max(id) FROM (SELECT id FROM delivery WHERE id > :after ORDER BY id LIMIT :limit) page"
)
_STUDIES = (
    "SELECT DISTINCT destination, study FROM delivery WHERE id > :after AND id <= :upto"
    " AND state = 'done' AND ended_at >= :since AND ended_at < :until"
)
_NAMED = (
    "SELECT d.destination, d.study, d.state, count(*), min(d.arrival),"
    " max(a.patient_id), max(a.modality)"
    " FROM delivery d JOIN arrival a ON a.id = d.arrival WHERE d.id > :after AND d.id <= :upto"
    " AND (d.state IN ('waiting', 'sending', 'held')"
    " OR d.state = 'done' AND d.ended_at >= :since AND d.ended_at < :until)"
    " GROUP BY d.destination, d.study, d.state"
)
_OUTAGES = (
    "SELECT destination, began_at, ended_at, why FROM outage"
    " WHERE began_at < :until AND coalesce(ended_at, :until) > :since ORDER BY began_at, id"
)
_NOW = "SELECT destination, state, n FROM tally WHERE state IN ('waiting', 'held') AND n > 0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Unix seconds; ended_at: None while it lasts."""

    destination: str
    began_at: float
    ended_at: float | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What happened between two reports.

    counts: the difference of two totals.  standing: (destination, state) → deliveries now.
    """

    since: float
    until: float
    counts: Totals
    outages: tuple[Outage, ...]
    standing: dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedStudy:
    """Deliveries of one study at one destination in one state.  arrival: one of its objects."""

    destination: str
    study: str
    state: str
    objects: int
    arrival: int
    patient_id: str
    modality: str


def since(name: str) -> Job[float | None]:
    """Read when the last report of this name was made, None if there was none."""

    def job(transaction: Transaction) -> float | None:
        mark = recovery.mark(MARK + name)(transaction)
        return None if not mark else float(json.loads(mark)["since"])

    return job


def begin(name: str, now: float) -> Job[None]:
    """Let the first report of this name tell what happens from now on."""
    return lambda transaction: _set(transaction, name, now, totals(transaction))


def take(
    name: str,
    now: float,
    compose: Callable[[Period], Sequence[Message]],
    ids: IdSource,
) -> Job[None]:
    """Post a report about everything since the last one.

    compose: makes the messages; may be called again if the transaction is.
    """

    def job(transaction: Transaction) -> None:
        mark = json.loads(recovery.mark(MARK + name)(transaction) or "{}")
        before = {(row[0], row[1], row[2]): (row[3], row[4]) for row in mark.get("totals", ())}
        after = totals(transaction)
        began = float(mark.get("since", now))
        period = Period(
            since=began,
            until=now,
            counts=_difference(before, after),
            outages=_outages(transaction, began, now),
            standing={(r[0], r[1]): int(r[2]) for r in transaction.rows(_NOW)},
        )
        watching.put(transaction, compose(period), ids, now)
        _set(transaction, name, now, after)

    return job


def _set(transaction: Transaction, name: str, now: float, found: Totals) -> None:
    rows = [[*key, *value] for key, value in found.items()]
    recovery.set_mark(MARK + name, json.dumps({"since": now, "totals": rows}))(transaction)


def _difference(before: Totals, after: Totals) -> Totals:
    found = {}
    for key, (n, size) in after.items():
        earlier = before.get(key, (0, 0))
        if n > earlier[0]:
            found[key] = (n - earlier[0], size - earlier[1])
    return found


def _outages(transaction: Transaction, since: float, until: float) -> tuple[Outage, ...]:
    rows = transaction.rows(_OUTAGES, {"since": since, "until": until})
    return tuple(Outage(destination=r[0], began_at=r[1], ended_at=r[2], why=r[3]) for r in rows)


def studies(
    after: int, since: float, until: float
) -> Job[tuple[int | None, list[tuple[str, str]]]]:
    """Read (destination, study) of what was delivered in a period, from one page of deliveries.

    Returns the id to go on behind, None at the end.
    """

    def job(transaction: Transaction) -> tuple[int | None, list[tuple[str, str]]]:
        row = transaction.one(_PAGE_END, {"after": after, "limit": PAGE})
        if row is None or row[0] is None:
            return None, []
        values = {"after": after, "upto": row[0], "since": since, "until": until}
        return int(row[0]), [(r[0], r[1]) for r in transaction.rows(_STUDIES, values)]

    return job


def named(after: int, since: float, until: float) -> Job[tuple[int | None, list[NamedStudy]]]:
    """Read the studies that were delivered in a period or wait now, from one page of deliveries.

    Returns the id to go on behind, None at the end.
    """

    def job(transaction: Transaction) -> tuple[int | None, list[NamedStudy]]:
        row = transaction.one(_PAGE_END, {"after": after, "limit": PAGE})
        if row is None or row[0] is None:
            return None, []
        values = {"after": after, "upto": row[0], "since": since, "until": until}
        return int(row[0]), [
            NamedStudy(
                destination=r[0],
                study=r[1],
                state=r[2],
                objects=r[3],
                arrival=r[4],
                patient_id=r[5],
                modality=r[6],
            )
            for r in transaction.rows(_NAMED, values)
        ]

    return job
