"""How a gather ends: page by page, so that a crash neither repeats nor forgets a member.

Contract (R-70 to R-73): `begin_ending` marks a gather as complete; from then on an arrival opens
the next generation.  `end_page` makes the deliveries of the next members and notes how far it
came in the same transaction; the last page ends the gather.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import arrivals
from waystation.journal.counts import Shift
from waystation.journal.gathers import COLUMNS, COMPLETING, DONE, Gather, from_row, terms_text
from waystation.journal.ids import IdSource
from waystation.model.arrival import Arrival
from waystation.model.delivery import HoldReason
from waystation.model.plan import Target

PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """What a gather holds, for ``if_complete``."""

    instances: int
    series: int
    modalities: tuple[str, ...]
    peers: tuple[str, ...]


def members(gather_id: int) -> Job[Members]:
    """Read what a gather holds."""

    def job(transaction: Transaction) -> Members:
        rows = transaction.rows(
            "SELECT a.series, a.modality, a.peer, count(*) FROM gathered m"
            " JOIN arrival a ON a.id = m.arrival WHERE m.gather = :id"
            " GROUP BY a.series, a.modality, a.peer",
            {"id": gather_id},
        )
        return Members(
            instances=sum(int(row[3]) for row in rows),
            series=len({row[0] for row in rows}),
            modalities=tuple(sorted({str(row[1]) for row in rows if row[1]})),
            peers=tuple(sorted({str(row[2]) for row in rows if row[2]})),
        )

    return job


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a gather ends.

    targets: in their final form.  hold_why: the deliveries begin held, with this reason in words.
    again: also what earlier generations took goes out once more (``late = "whole"``).
    untaken: `if_complete` said no; what nobody else took ends as ``otherwise`` says.
    """

    evidence: str
    targets: tuple[Target, ...] = ()
    hold_why: str = ""
    again: bool = False
    untaken: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paged:
    """What one page of an ending did.  made: deliveries; more: another page is to come."""

    made: int
    more: bool


_THIS = "SELECT m.arrival FROM gathered m WHERE m.gather = :gather AND m.arrival > :after"
_ALL = (
    "SELECT DISTINCT m.arrival FROM gathered m JOIN gather g ON g.id = m.gather"
    " JOIN arrival a ON a.id = m.arrival"
    " WHERE g.rule = :rule AND g.uid = :uid AND a.blob_gone = 0 AND m.arrival > :after"
)
_PAGE = " ORDER BY m.arrival LIMIT :limit"
_TAKES = (
    "SELECT count(*) FROM delivery d WHERE d.arrival = :arrival AND d.state <> 'discarded'"
    " AND (d.destination = :to OR d.grp = :to)"
)


def begin_ending(gather_id: int, evidence: str, now: float) -> Job[Gather | None]:
    """Mark an open gather as complete; None if it is not open any more.

    From here on an arrival opens the next generation.
    """

    def job(transaction: Transaction) -> Gather | None:
        transaction.run(
            "UPDATE gather SET state = 'completing', evidence = :evidence, ended_at = :now"
            " WHERE id = :id AND state = 'open'",
            {"id": gather_id, "evidence": evidence, "now": now},
        )
        row = transaction.one(
            "SELECT " + COLUMNS + " FROM gather g WHERE g.id = :id AND g.state = 'completing'",
            {"id": gather_id},
        )
        return None if row is None else from_row(row)

    return job


def first_ended_at(gather: Gather) -> Job[float | None]:
    """Read when the first generation was complete, None if this is the first."""

    def job(transaction: Transaction) -> float | None:
        row = transaction.one(
            "SELECT min(ended_at) FROM gather WHERE rule = :rule AND uid = :uid AND id <> :id",
            {"rule": gather.rule, "uid": gather.uid, "id": gather.id},
        )
        return None if row is None or row[0] is None else float(row[0])

    return job


def end_page(gather_id: int, ending: Ending, ids: IdSource, now: float) -> Job[Paged]:
    """Make the deliveries of the next members; the last page ends the gather."""

    def job(transaction: Transaction) -> Paged:
        row = transaction.one(
            "SELECT " + COLUMNS + " FROM gather g WHERE g.id = :id AND g.state = 'completing'",
            {"id": gather_id},
        )
        if row is None:
            return Paged(made=0, more=False)
        gather = from_row(row)
        values = {
            "gather": gather.id,
            "rule": gather.rule,
            "uid": gather.uid,
            "after": gather.cursor,
            "limit": PAGE,
        }
        page = [int(r[0]) for r in transaction.rows(_members_sql(ending), values)]
        made = _deliver(transaction, gather, page, ending, ids, now)
        more = len(page) == PAGE
        moved = replace(gather, cursor=page[-1] if page else gather.cursor)
        transaction.run(
            "UPDATE gather SET terms = :terms, state = :state WHERE id = :id",
            {"id": gather.id, "terms": terms_text(moved), "state": COMPLETING if more else DONE},
        )
        return Paged(made=made, more=more)

    return job


def _members_sql(ending: Ending) -> str:
    return (_ALL if ending.again else _THIS) + _PAGE


def _deliver(
    transaction: Transaction,
    gather: Gather,
    page: Sequence[int],
    ending: Ending,
    ids: IdSource,
    now: float,
) -> int:
    shift = Shift()
    rows: list[dict[str, Any]] = []
    for arrival_id in page:
        arrival = arrivals.read(transaction, arrival_id)
        if arrival is None:
            continue
        if ending.untaken:
            _untaken(transaction, arrival_id, ending.untaken)
            continue
        for target in ending.targets:
            to = {"arrival": arrival_id, "to": target.destination}
            taken = transaction.one(_TAKES, to)
            if taken is not None and taken[0] and not ending.again:
                continue
            rows.append(_row(arrival, target, gather, ending, ids.next(), now))
    for row in rows:
        why = row["hold_reason"] or "filter"
        shift.move(row["destination"], None, row["state"], detail=why)
    transaction.many(arrivals.ADD_DELIVERY, rows)
    shift.write(transaction)
    return len(rows)


def _row(
    arrival: Arrival,
    target: Target,
    gather: Gather,
    ending: Ending,
    delivery_id: int,
    now: float,
) -> dict[str, Any]:
    placed = replace(target, hold=target.hold or HoldReason.OPERATOR) if ending.hold_why else target
    origin = "rule" if gather.generation == 1 else "late"
    row = arrivals.delivery_row(arrival, placed, delivery_id, now, origin)
    return row | ({"why": ending.hold_why} if ending.hold_why else {})


def _untaken(transaction: Transaction, arrival_id: int, otherwise: str) -> None:
    """Let ``otherwise`` decide about a member that no delivery was made for (R-34)."""
    held = otherwise != "discard"
    transaction.run(
        "UPDATE arrival SET ended_why = :ended, hold_reason = :reason WHERE id = :id"
        " AND hold_reason IS NULL AND ended_why IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.arrival = :id)",
        {
            "id": arrival_id,
            "ended": "held" if held else "discarded:otherwise",
            "reason": HoldReason.NO_RULE.value if held else None,
        },
    )
