"""Gathers: what a rule collects of a series or study until it is complete (R-70 to R-73).

Contract: an arrival joins in the transaction that writes it, in constant time.  A gather ends in
pages: each transaction makes the deliveries of some members and notes how far it came, so that a
crash in between neither repeats nor forgets one.  At most one gather of a rule and a UID is open.
What comes after the end opens the next generation.

A gather goes wherever one of its members wants to go, as urgently as the most urgent of them:
what a filter takes from the first object is not lost to the others.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.journal.arrivals import PRIORITIES
from waystation.journal.ids import IdSource
from waystation.model.arrival import Arrival
from waystation.model.plan import Join, Target
from waystation.timing.gather import Announced, Count

OPEN, COMPLETING, DONE = "open", "completing", "done"


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
    ended_at: float | None = None


COLUMNS = (
    "g.id, g.rule, g.level, g.uid, g.study, g.generation, g.state, g.opened_at, g.last_at, g.n,"
    " g.evidence, g.targets, g.terms, g.ended_at"
)
_OPEN = (
    "SELECT " + COLUMNS + " FROM gather g WHERE g.rule = :rule AND g.uid = :uid"
    " AND g.state = 'open'"
)
_LAST = "SELECT max(generation) FROM gather WHERE rule = :rule AND uid = :uid"
_ADD = (
    "INSERT INTO gather (id, rule, level, uid, study, generation, state, opened_at, last_at, n,"
    " targets, terms) VALUES (:id, :rule, :level, :uid, :study, :generation, 'open', :now, :now,"
    " 0, :targets, '')"
)
_MEMBER = "INSERT INTO gathered (gather, arrival) VALUES (:gather, :arrival) ON CONFLICT DO NOTHING"
_GREW = (
    "UPDATE gather SET n = :n, last_at = :last_at, terms = :terms, targets = :targets"
    " WHERE id = :id"
)
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
    """Return the gather of a row of `COLUMNS`."""
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
        ended_at=row[13],
    )


def _targets_text(targets: Sequence[Target]) -> str:
    return json.dumps(
        [
            [t.destination, list(t.rules), t.priority, t.required, t.group, t.recipe]
            for t in targets
        ],
        ensure_ascii=False,
    )


def _targets_from(text: str) -> tuple[Target, ...]:
    return tuple(
        Target(
            destination=to,
            rules=tuple(rules),
            priority=priority,
            required=must,
            group=group,
            # An earlier version knew no recipes.
            recipe=recipe[0] if recipe else "",
        )
        for to, rules, priority, must, group, *recipe in json.loads(text)
    )


def united(one: Sequence[Target], other: Sequence[Target]) -> tuple[Target, ...]:
    """Return where two members want to go, each way at its higher priority."""
    found = {target.destination: target for target in one}
    for target in other:
        known = found.setdefault(target.destination, target)
        if PRIORITIES[target.priority] < PRIORITIES[known.priority]:
            found[target.destination] = replace(known, priority=target.priority)
    return tuple(found.values())


def _uid_of(arrival: Arrival, level: str) -> str:
    """Return what is gathered under; an object outside of any series or study is alone."""
    instance = arrival.instance
    uid = instance.series_uid if level == "series" else instance.study_uid
    return uid or instance.sop_instance_uid


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
    uid = _uid_of(arrival, one.level)
    row = transaction.one(_OPEN, {"rule": one.rule, "uid": uid})
    fresh = row is None
    if row is None:
        gather = _open(transaction, arrival, one, uid, ids.next(), now)
    else:
        gather = from_row(row)
    count = Count(gather.count)
    added = _add(transaction, gather, arrival.id, announced, count)
    if fresh and one.whole and gather.generation == 1:
        # Earlier objects are here too, whatever they announced.
        for earlier in _earlier(transaction, arrival, one.level):
            added += _add(transaction, gather, earlier, Announced(), count)
    grown = replace(
        gather,
        n=gather.n + added,
        last_at=now,
        count=count.kept,
        targets=united(gather.targets, one.targets),
    )
    transaction.run(
        _GREW,
        {
            "id": grown.id,
            "n": grown.n,
            "last_at": now,
            "terms": terms_text(grown),
            "targets": _targets_text(grown.targets),
        },
    )
    return grown


def _add(
    transaction: Transaction, gather: Gather, arrival_id: int, announced: Announced, count: Count
) -> int:
    """Add one member; return 0 if it was one already (a person asked for a new plan)."""
    added = transaction.run(_MEMBER, {"gather": gather.id, "arrival": arrival_id})
    if added:
        count.add(gather.level, announced)
    return added


def terms_text(gather: Gather) -> str:
    """Return what a gather counts, and how far its ending came, as the journal keeps it."""
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
    if not instance.study_uid:
        return []
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
        uid = _uid_of(arrival, level)
        row = transaction.one(
            "SELECT targets FROM gather WHERE rule = :rule AND uid = :uid"
            " ORDER BY generation DESC LIMIT 1",
            {"rule": rule, "uid": uid},
        )
        if row is not None:
            found.append(Join(rule=rule, level=level, targets=_targets_from(row[0]), whole=True))
    return found


_OPEN_OF = (
    "SELECT g.id, g.rule FROM gathered m JOIN gather g ON g.id = m.gather"
    " WHERE m.arrival = :id AND g.state = 'open'"
)


def leave(transaction: Transaction, arrival_id: int, stays: Collection[str] = ()) -> None:
    """Take an arrival out of the gathers that are open, but for those of the rules ``stays``."""
    for gather_id, rule in transaction.rows(_OPEN_OF, {"id": arrival_id}):
        if rule in stays:
            continue
        one = {"gather": gather_id, "arrival": arrival_id}
        transaction.run("DELETE FROM gathered WHERE gather = :gather AND arrival = :arrival", one)
        transaction.run("UPDATE gather SET n = n - 1 WHERE id = :id", {"id": gather_id})


def unfinished() -> Job[list[Gather]]:
    """Read every gather that is not done, oldest first."""

    def job(transaction: Transaction) -> list[Gather]:
        return [
            from_row(row)
            for row in transaction.rows(
                "SELECT " + COLUMNS + " FROM gather g"
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
                "SELECT " + COLUMNS + " FROM gather g WHERE g.id IN (SELECT m.gather FROM"
                " gathered m JOIN arrival a ON a.id = m.arrival WHERE a.study = :study)"
                " ORDER BY g.id",
                {"study": study},
            )
        ]

    return job
