"""New arrivals with their plans: row, deliveries and gathers in one transaction.

Contract (S-2, R-11): what becomes of an arrival is written with it or not at all.  A duplicate is
judged against the rows that are there, and joins nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import archive, gathers
from waystation.journal.arrivals import (
    ADD_DELIVERY,
    COLUMNS,
    delivery_row,
    params_of,
    seal_of,
    verdicts_text,
)
from waystation.journal.counts import Shift, count
from waystation.journal.days import DROPPED, HELD, RECEIVED, Days
from waystation.journal.gathers import Gather
from waystation.journal.ids import IdSource
from waystation.journal.marks import take_note
from waystation.model.arrival import Arrival, Earlier
from waystation.model.delivery import HoldReason, State
from waystation.model.plan import Plan
from waystation.model.values import value
from waystation.timing.gather import Announced

_ADD = (
    "INSERT INTO arrival (" + COLUMNS + ", planned, ended_why, hold_reason, verdicts,"
    " config, seal)"
    " VALUES (:id, :received_at, :peer, :calling_ae, :called_ae,"
    " :address, :way_in, :tls, :sop_class, :sop_instance, :study, :series, :patient_id,"
    " :modality, :transfer_syntax, :size_bytes, :sha256, :blob, :priority, :fetched_from, 1,"
    " :ended_why, :hold_reason, :verdicts, :config, :seal)"
)
_PARCEL = "INSERT INTO parcel (arrival, data) VALUES (:arrival, :data)"
_PLANNED = (
    "UPDATE arrival SET planned = 1, ended_why = :ended_why, hold_reason = :hold_reason,"
    " verdicts = :verdicts, config = :config WHERE id = :id"
)

Judge = Callable[[Arrival, Plan, Sequence[Earlier]], Plan]
# Puts arrivals on file: (place, arrival, entry) each, in order.
File = Callable[[Transaction, Sequence[tuple[int, Arrival, Any]]], None]
# Puts fetched arrivals into the cache: (arrival, place) each, in order.
Shelve = Callable[[Transaction, Sequence[tuple[Arrival, Any]]], None]


@value
class Adoption:
    """One arrival with its plan.

    data: the data set itself if it rides in the journal (``arrival.blob`` is then ""), else None.
    known: the row is there already (a person asked for a new plan).
    announced: how many objects it says there are, for a gather.
    entry: what the archive notes of it, if a target is the archive.
    place: where it stands in the cache, if it was fetched from a PACS.
    """

    arrival: Arrival
    plan: Plan
    data: bytes | None = None
    known: bool = False
    announced: Announced = Announced()
    entry: object = None
    place: object = None


@value
class Adopted:
    """What was written: the plan in its final form, and the gathers that the arrival joined."""

    plan: Plan
    gathers: tuple[Gather, ...] = ()


# What is kept for a person, or was here before, waits for nobody.
_APART = {HoldReason.CONFLICT, HoldReason.CORRUPT, HoldReason.RULE_ERROR}


def adopt(
    adoptions: Sequence[Adoption],
    ids: IdSource,
    now: float,
    judge: Judge,
    lsn: int | None = None,
    config: int = 0,
    wholes: Sequence[tuple[str, str]] = (),
    file: File | None = None,
    shelve: Shelve | None = None,
) -> Job[list[Adopted]]:
    """Write many arrivals with their fate: their deliveries, or the reason why there are none.

    judge: pure; turns a plan into its final form when the SOP instance was received before.
    lsn: up to where the tables have the intake log once this is committed.
    config: revision of the configuration that made the plans.
    wholes: (rule, level) of the rules that take all of a study once one object matches.
    file: what the archive takes, in the same transaction (T-29).
    shelve: what the cache takes, the same way (W-112).
    Returns what became of each, in order.
    """

    def job(transaction: Transaction) -> list[Adopted]:
        shift = Shift(now)
        done = []
        filings: list[tuple[int, Arrival, object]] = []
        for adoption in adoptions:
            arrival, plan = adoption.arrival, adoption.plan
            # A batch may hold an instance twice: the rows of the first are there by then.
            # A person who asks for a new plan has seen the other versions.
            alone = adoption.known or plan.kept_by
            earlier = [] if alone else _earlier(transaction, arrival)
            if earlier:
                coming = {taken.instance.sop_instance_uid for _, taken, _ in filings}
                final = judge(arrival, plan, earlier)
                plan = archive.rescued(transaction, arrival, plan, final, coming)
            if wholes and not (plan.discard and earlier) and plan.hold not in _APART:
                plan = _taken_whole(transaction, arrival, plan, wholes)
            _write_arrival(transaction, adoption, plan, config)
            _count(shift.days, adoption, plan)
            joined = _join(transaction, adoption, plan, ids, now)
            done.append(Adopted(plan=plan, gathers=tuple(joined)))
            rows = [delivery_row(arrival, target, ids.next(), now) for target in plan.targets]
            for row in rows:
                _move(shift, arrival, row)
                if row["state"] == State.DONE.value:
                    filings.append((row["id"], arrival, adoption.entry))
            transaction.many(ADD_DELIVERY, rows)
        if filings and file is not None:
            file(transaction, filings)
        _shelve(transaction, adoptions, shelve)
        new = sum(not adoption.known for adoption in adoptions)
        if new:
            count(transaction, "received", new)
        shift.write(transaction)
        if lsn is not None:
            take_note(transaction, lsn)
        return done

    return job


def _shelve(transaction: Transaction, adoptions: Sequence[Adoption], shelve: Shelve | None) -> None:
    fetched = [(one.arrival, one.place) for one in adoptions if one.arrival.source.fetched_from]
    if fetched and shelve is not None:
        shelve(transaction, fetched)


def _join(
    transaction: Transaction, adoption: Adoption, plan: Plan, ids: IdSource, now: float
) -> list[Gather]:
    """Let an arrival join what it belongs to by its plan; by a new one that may be others."""
    arrival, since = adoption.arrival, adoption.arrival.received_at
    if adoption.known:
        since = now
        gathers.leave(transaction, arrival.id, {one.rule for one in plan.joins})
    return gathers.join(transaction, arrival, plan.joins, adoption.announced, ids, since)


def _move(shift: Shift, arrival: Arrival, row: dict[str, Any]) -> None:
    """Count a new delivery; what the archive takes is done at once."""
    if row["state"] == State.DONE.value:
        shift.move(row["destination"], None, row["state"], size_bytes=arrival.size_bytes)
    else:
        why = row["hold_reason"] or "filter"
        shift.move(row["destination"], None, row["state"], detail=why)


def _count(days: Days, adoption: Adoption, plan: Plan) -> None:
    """Count an arrival for reports; its deliveries are counted when they end."""
    arrival = adoption.arrival
    peer = arrival.source.peer
    if not adoption.known:
        days.add(RECEIVED, peer, size_bytes=arrival.size_bytes)
    if plan.hold is not None:
        days.add(HELD, peer, plan.hold.value)
    elif not plan.targets and not plan.joins and not plan.kept_by:
        days.add(DROPPED, peer, plan.discard)


def _taken_whole(
    transaction: Transaction, arrival: Arrival, plan: Plan, wholes: Sequence[tuple[str, str]]
) -> Plan:
    """Let rules that take the whole study have what they do not match themselves (R-70)."""
    more = gathers.also_whole(transaction, arrival, wholes, {one.rule for one in plan.joins})
    if not more:
        return plan
    return replace(
        plan,
        joins=(*plan.joins, *more),
        hold=None if plan.hold is HoldReason.NO_RULE else plan.hold,
        discard="",
    )


def _write_arrival(transaction: Transaction, adoption: Adoption, plan: Plan, config: int) -> None:
    arrival = adoption.arrival
    fate = _planned(arrival.id, plan) | {"config": config}
    if adoption.known:
        transaction.run(_PLANNED, fate)
        return
    row = params_of(arrival)
    transaction.run(_ADD, row | fate | {"seal": seal_of(row)})
    if adoption.data is not None:
        transaction.run(_PARCEL, {"arrival": arrival.id, "data": adoption.data})


def _planned(arrival_id: int, plan: Plan) -> dict[str, Any]:
    if plan.hold is not None:
        ended = "held"
    elif plan.kept_by:
        ended = f"kept:{plan.kept_by}"
    elif not plan.targets and not plan.joins:
        ended = f"discarded:{plan.discard or 'nobody'}"
    else:
        ended = None
    return {
        "id": arrival_id,
        "ended_why": ended,
        "hold_reason": plan.hold.value if plan.hold is not None else None,
        "verdicts": verdicts_text(plan.verdicts),
    }


_EARLIER = (
    "SELECT a.id, a.sha256,"
    " (SELECT count(*) FROM delivery d WHERE d.arrival = a.id"
    "   AND d.state IN ('waiting', 'sending', 'held'))"
    "  + (SELECT count(*) FROM gathered m JOIN gather g ON g.id = m.gather"
    "   WHERE m.arrival = a.id AND g.state IN ('open', 'completing')),"
    " (SELECT coalesce(max(d.ended_at), 0.0) FROM delivery d WHERE d.arrival = a.id),"
    " a.hold_reason"
    " FROM arrival a WHERE a.sop_instance = :uid AND a.id <> :id AND a.planned = 1"
    # What the broker fetched for a reader was never to go anywhere.
    " AND coalesce(a.ended_why, '') NOT LIKE 'kept:%'"
    # A damaged copy must not keep a good one from going out.
    " AND coalesce(a.hold_reason, '') <> 'corrupt' AND NOT EXISTS (SELECT 1 FROM delivery x"
    " WHERE x.arrival = a.id AND x.hold_reason = 'corrupt') ORDER BY a.id"
)


def _earlier(transaction: Transaction, arrival: Arrival) -> list[Earlier]:
    return [
        Earlier(
            arrival_id=row[0],
            sha256=bytes(row[1]).hex(),
            open=bool(row[2]) or row[4] is not None,
            last_ended_at=row[3],
        )
        for row in transaction.rows(
            _EARLIER, {"uid": arrival.instance.sop_instance_uid, "id": arrival.id}
        )
    ]
