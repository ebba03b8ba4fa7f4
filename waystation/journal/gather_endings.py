"""How a gather ends: page by page, so that a crash neither repeats nor forgets a member.

Contract (R-70 to R-73): `begin_ending` marks a gather as complete; from then on an arrival opens
the next generation.  `end_page` makes the deliveries of the next members and notes how far it
came in the same transaction; the last page ends the gather.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import arrivals
from waystation.journal.counts import Shift
from waystation.journal.deliveries import OPTIONAL_EXPIRED
from waystation.journal.gathers import COLUMNS, COMPLETING, DONE, Gather, from_row, terms_text
from waystation.journal.groups import NEEDLESS
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
    untaken: `if_complete` said no; what nobody else took ends as this says of its peer.
    archive: the archive in its final form, where that is what is said.
    """

    evidence: str
    targets: tuple[Target, ...] = ()
    hold_why: str = ""
    again: bool = False
    untaken: Callable[[str], str] | None = None
    archive: Target | None = None


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
    # Of an instance that came more than once, the newest.
    " AND NOT EXISTS (SELECT 1 FROM arrival b JOIN gathered n ON n.arrival = b.id"
    "  JOIN gather h ON h.id = n.gather WHERE b.sop_instance = a.sop_instance AND b.id > a.id"
    "  AND b.blob_gone = 0 AND h.rule = :rule AND h.uid = :uid)"
)
_PAGE = " ORDER BY m.arrival LIMIT :limit"
_THERE = (
    "SELECT 1 FROM delivery d WHERE d.arrival = :arrival AND (d.destination = :to OR d.grp = :to)"
)
_FILTERED = f"d.by_rule IS NOT NULL AND d.by_rule NOT IN ('{OPTIONAL_EXPIRED}', '{NEEDLESS}')"
# Somebody sends it there made in the same way, or sent it; or a filter took it away.
_ALIKE = " AND (d.recipe = :recipe OR d.state = 'discarded')"
_TAKEN = _THERE + _ALIKE + " AND (d.state <> 'discarded' OR (" + _FILTERED + ")) LIMIT 1"
# The destination has another content under this UID, or is to have it.
_OTHERWISE_MADE = _THERE + " AND d.recipe <> :recipe AND d.state <> 'discarded' LIMIT 1"
# The same for what goes out again: what was sent does not count.
_ON_ITS_WAY = (
    _THERE + _ALIKE + " AND (d.state IN ('waiting', 'sending', 'held') OR (" + _FILTERED + "))"
    " LIMIT 1"
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
        if not page and not gather.cursor:
            # Everybody left: no arrival will ever take the row along when it goes.
            transaction.run("DELETE FROM gather WHERE id = :id", {"id": gather.id})
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
        targets = ending.targets
        if ending.untaken is not None:
            targets = _untaken(transaction, arrival, gather.id, ending)
        for target in targets:
            to = {"arrival": arrival_id, "to": target.destination, "recipe": target.recipe}
            if transaction.one(_ON_ITS_WAY if ending.again else _TAKEN, to) is not None:
                continue
            if transaction.one(_OTHERWISE_MADE, to) is not None:
                target = replace(target, hold=HoldReason.TWO_VERSIONS)
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


# Nobody sends it, holds it for a person, or collects it; filters may have taken it away.
_NOBODYS = (
    "SELECT 1 FROM arrival a WHERE a.id = :id AND a.hold_reason IS NULL AND a.ended_why IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.arrival = :id AND NOT (" + _FILTERED + "))"
    " AND NOT EXISTS (SELECT 1 FROM gathered m JOIN gather g ON g.id = m.gather"
    "  WHERE m.arrival = :id AND g.id <> :gather AND g.state IN ('open', 'completing'))"
)


def _untaken(
    transaction: Transaction, arrival: Arrival, gather_id: int, ending: Ending
) -> tuple[Target, ...]:
    """Let ``otherwise`` decide about a member that nobody takes (R-18, R-34)."""
    if transaction.one(_NOBODYS, {"id": arrival.id, "gather": gather_id}) is None:
        return ()
    said = ending.untaken(arrival.source.peer) if ending.untaken is not None else ""
    if said == "archive" and ending.archive is not None:
        return (ending.archive,)
    held = said != "discard"
    transaction.run(
        "UPDATE arrival SET ended_why = :ended, hold_reason = :reason WHERE id = :id",
        {
            "id": arrival.id,
            "ended": "held" if held else "discarded:otherwise",
            "reason": HoldReason.NO_RULE.value if held else None,
        },
    )
    return ()
