"""Gathers: what a rule collects of a series or study until it is complete (R-70 to R-73).

Contract: an arrival joins in the transaction that writes it, in constant time.  A gather ends in
pages: each transaction makes the deliveries of some members and notes how far it came, so that a
crash in between neither repeats nor forgets one.  At most one gather of a rule and a UID is open.
What comes after the end opens the next generation.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.journal import arrivals
from waystation.journal.counts import Shift
from waystation.journal.ids import IdSource
from waystation.model.arrival import Arrival
from waystation.model.delivery import HoldReason
from waystation.model.plan import Join, Target
from waystation.timing.gather import Announced, Count

OPEN, COMPLETING, DONE = "open", "completing", "done"
PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """One row.  opened_at, last_at: Unix seconds.  n: members.  count: what was announced."""

    id: int
    rule: str
    level: str
    uid: str
    study: str
    generation: int
    state: str
    opened_at: float
    last_at: float
    n: int
    evidence: str
    targets: tuple[Target, ...]
    count: dict[str, list[int]] = field(default_factory=dict)
    cursor: int = 0


_COLUMNS = (
    "g.id, g.rule, g.level, g.uid, g.study, g.generation, g.state, g.opened_at, g.last_at, g.n,"
    " g.evidence, g.targets, g.terms"
)
_OPEN = (
    "SELECT " + _COLUMNS + " FROM gather g WHERE g.rule = :rule AND g.uid = :uid"
    " AND g.state = 'open'"
)
_LAST = "SELECT max(generation) FROM gather WHERE rule = :rule AND uid = :uid"
_ADD = (
    "INSERT INTO gather (id, rule, level, uid, study, generation, state, opened_at, last_at, n,"
    " targets, terms) VALUES (:id, :rule, :level, :uid, :study, :generation, 'open', :now, :now,"
    " 0, :targets, '')"
)
_MEMBER = "INSERT INTO gathered (gather, arrival) VALUES (:gather, :arrival) ON CONFLICT DO NOTHING"
_GREW = "UPDATE gather SET n = :n, last_at = :last_at, terms = :terms WHERE id = :id"
# What came before the first match of a rule that takes the whole study.
_EARLIER = (
    "SELECT a.id FROM arrival a WHERE a.study = :study AND (:series = '' OR a.series = :series)"
    " AND a.id <> :id AND a.planned = 1 AND a.blob_gone = 0"
    " AND coalesce(a.hold_reason, 'no-rule') = 'no-rule'"
    " AND coalesce(a.ended_why, 'held') IN ('held', 'discarded:otherwise') ORDER BY a.id"
)
_TAKEN = (
    "UPDATE arrival SET hold_reason = NULL, ended_why = NULL"
    " WHERE id = :id AND coalesce(hold_reason, 'no-rule') = 'no-rule'"
)


def from_row(row: Row) -> Gather:
    terms = json.loads(row[12]) if row[12] else {}
    return Gather(
        id=row[0],
        rule=row[1],
        level=row[2],
        uid=row[3],
        study=row[4],
        generation=row[5],
        state=row[6],
        opened_at=row[7],
        last_at=row[8],
        n=row[9],
        evidence=row[10],
        targets=_targets_from(row[11]),
        count=terms.get("count", {}),
        cursor=terms.get("cursor", 0),
    )


def _targets_text(targets: Sequence[Target]) -> str:
    return json.dumps(
        [[t.destination, list(t.rules), t.priority, t.required, t.group] for t in targets],
        ensure_ascii=False,
    )


def _targets_from(text: str) -> tuple[Target, ...]:
    return tuple(
        Target(destination=to, rules=tuple(rules), priority=priority, required=must, group=group)
        for to, rules, priority, must, group in json.loads(text)
    )


def join(
    transaction: Transaction,
    arrival: Arrival,
    joins: Sequence[Join],
    announced: Announced,
    ids: IdSource,
    now: float,
) -> list[Gather]:
    """Add an arrival, whose row is written, to the gathers of ``joins``; return them."""
    return [_join_one(transaction, arrival, one, announced, ids, now) for one in joins]


def _join_one(
    transaction: Transaction,
    arrival: Arrival,
    one: Join,
    announced: Announced,
    ids: IdSource,
    now: float,
) -> Gather:
    instance = arrival.instance
    uid = instance.series_uid if one.level == "series" else instance.study_uid
    row = transaction.one(_OPEN, {"rule": one.rule, "uid": uid})
    fresh = row is None
    if row is None:
        gather = _open(transaction, arrival, one, uid, ids.next(), now)
    else:
        gather = from_row(row)
    count = Count(gather.count)
    members = [arrival.id]
    if fresh and one.whole and gather.generation == 1:
        members += _earlier(transaction, arrival, one.level)
    added = sum(
        transaction.run(_MEMBER, {"gather": gather.id, "arrival": member}) for member in members
    )
    count.add(one.level, announced)
    # Earlier objects are here too, whatever they announced.
    for _ in members[1:]:
        count.add(one.level, Announced())
    grown = replace(gather, n=gather.n + added, last_at=now, count=count.kept)
    transaction.run(
        _GREW,
        {"id": grown.id, "n": grown.n, "last_at": now, "terms": _terms(grown)},
    )
    return grown


def _terms(gather: Gather) -> str:
    return json.dumps({"count": gather.count, "cursor": gather.cursor})


def _open(
    transaction: Transaction, arrival: Arrival, one: Join, uid: str, gather_id: int, now: float
) -> Gather:
    last = transaction.one(_LAST, {"rule": one.rule, "uid": uid})
    generation = 1 if last is None or last[0] is None else int(last[0]) + 1
    values: dict[str, Any] = {
        "id": gather_id,
        "rule": one.rule,
        "level": one.level,
        "uid": uid,
        "study": arrival.instance.study_uid,
        "generation": generation,
        "now": now,
        "targets": _targets_text(one.targets),
    }
    transaction.run(_ADD, values)
    row = transaction.one(_OPEN, {"rule": one.rule, "uid": uid})
    assert row is not None
    return from_row(row)


def _earlier(transaction: Transaction, arrival: Arrival, level: str) -> list[int]:
    """Return the study's arrivals that nobody took so far, and lift their hold."""
    instance = arrival.instance
    values = {
        "study": instance.study_uid,
        "series": instance.series_uid if level == "series" else "",
        "id": arrival.id,
    }
    found = [int(row[0]) for row in transaction.rows(_EARLIER, values)]
    transaction.many(_TAKEN, [{"id": arrival_id} for arrival_id in found])
    return found


def also_whole(
    transaction: Transaction, arrival: Arrival, wholes: Sequence[tuple[str, str]], joins: set[str]
) -> list[Join]:
    """Return the joins of rules that take the whole study and met a match in it before.

    wholes: (rule, level) of such rules.  joins: rules that this arrival joins anyway.
    """
    found = []
    for rule, level in wholes:
        if rule in joins:
            continue
        instance = arrival.instance
        uid = instance.series_uid if level == "series" else instance.study_uid
        row = transaction.one(
            "SELECT targets FROM gather WHERE rule = :rule AND uid = :uid"
            " ORDER BY generation DESC LIMIT 1",
            {"rule": rule, "uid": uid},
        )
        if row is not None:
            found.append(Join(rule=rule, level=level, targets=_targets_from(row[0]), whole=True))
    return found


def unfinished() -> Job[list[Gather]]:
    """Read every gather that is not done, oldest first."""

    def job(transaction: Transaction) -> list[Gather]:
        return [
            from_row(row)
            for row in transaction.rows(
                "SELECT " + _COLUMNS + " FROM gather g"
                " WHERE g.state IN ('open', 'completing') ORDER BY g.id"
            )
        ]

    return job


def of_study(study: str) -> Job[list[Gather]]:
    """Read all gathers of a study, for `explain`."""

    def job(transaction: Transaction) -> list[Gather]:
        return [
            from_row(row)
            for row in transaction.rows(
                "SELECT " + _COLUMNS + " FROM gather g WHERE g.id IN (SELECT m.gather FROM"
                " gathered m JOIN arrival a ON a.id = m.arrival WHERE a.study = :study)"
                " ORDER BY g.id",
                {"study": study},
            )
        ]

    return job


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
            "SELECT " + _COLUMNS + " FROM gather g WHERE g.id = :id AND g.state = 'completing'",
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
            "SELECT " + _COLUMNS + " FROM gather g WHERE g.id = :id AND g.state = 'completing'",
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
            {"id": gather.id, "terms": _terms(moved), "state": COMPLETING if more else DONE},
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
        shift.move(row["destination"], None, row["state"])
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
