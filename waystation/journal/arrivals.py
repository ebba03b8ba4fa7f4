"""Arrivals: added before Success, adopted once their plan is made."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.journal.counts import Shift, count
from waystation.journal.ids import IdSource
from waystation.journal.marks import take_note
from waystation.model.arrival import Arrival, Earlier, Source
from waystation.model.delivery import State
from waystation.model.instance import Instance
from waystation.model.plan import Plan, Target, Verdict

PRIORITIES = {"stat": 0, "normal": 1, "low": 2}

_COLUMNS = (
    "id, received_at, peer, calling_ae, called_ae, address, way_in, tls, sop_class, sop_instance,"
    " study, series, patient_id, modality, transfer_syntax, size_bytes, sha256, blob"
)
_NAMES = _COLUMNS.replace(" ", "").split(",")
_ADD = (
    "INSERT INTO arrival (" + _COLUMNS + ", planned, ended_why, hold_reason, verdicts,"
    " config)"
    " VALUES (:id, :received_at, :peer, :calling_ae, :called_ae,"
    " :address, :way_in, :tls, :sop_class, :sop_instance, :study, :series, :patient_id,"
    " :modality, :transfer_syntax, :size_bytes, :sha256, :blob, 1, :ended_why, :hold_reason,"
    " :verdicts, :config)"
)
_PARCEL = "INSERT INTO parcel (arrival, data) VALUES (:arrival, :data)"
ADD_DELIVERY = (
    "INSERT INTO delivery (id, arrival, destination, study, priority, rules, state, due,"
    " created_at, by_rule, why, hold_reason, ended_at, grp, origin, required)"
    " VALUES (:id, :arrival, :destination, :study, :priority, :rules, :state, :due,"
    " :created_at, :by_rule, :why, :hold_reason, :ended_at, :grp, :origin, :required)"
)
_PLANNED = (
    "UPDATE arrival SET planned = 1, ended_why = :ended_why, hold_reason = :hold_reason,"
    " verdicts = :verdicts, config = :config WHERE id = :id"
)


def _params(arrival: Arrival) -> dict[str, Any]:
    source, instance = arrival.source, arrival.instance
    return {
        "id": arrival.id,
        "received_at": arrival.received_at,
        "peer": source.peer,
        "calling_ae": source.calling_ae,
        "called_ae": source.called_ae,
        "address": source.address,
        "way_in": source.way_in,
        "tls": int(source.tls),
        "sop_class": instance.sop_class_uid,
        "sop_instance": instance.sop_instance_uid,
        "study": instance.study_uid,
        "series": instance.series_uid,
        "patient_id": instance.patient_id,
        "modality": instance.modality,
        "transfer_syntax": instance.transfer_syntax_uid,
        "size_bytes": arrival.size_bytes,
        "sha256": bytes.fromhex(arrival.sha256),
        "blob": arrival.blob,
    }


def arrival_from(row: Row) -> Arrival:
    """Build the arrival from a row of `_COLUMNS`."""
    return Arrival(
        id=row[0],
        received_at=row[1],
        source=Source(
            peer=row[2],
            calling_ae=row[3],
            called_ae=row[4],
            address=row[5],
            way_in=row[6],
            tls=bool(row[7]),
        ),
        instance=Instance(
            sop_class_uid=row[8],
            sop_instance_uid=row[9],
            study_uid=row[10],
            series_uid=row[11],
            patient_id=row[12],
            modality=row[13],
            transfer_syntax_uid=row[14],
        ),
        size_bytes=row[15],
        sha256=bytes(row[16]).hex(),
        blob=row[17],
    )


def meta_of(arrival: Arrival) -> bytes:
    """Return the arrival as the intake log keeps it."""
    params = _params(arrival)
    params["sha256"] = arrival.sha256
    return json.dumps(params, ensure_ascii=False, separators=(",", ":")).encode()


def from_meta(meta: bytes) -> Arrival:
    """Return the arrival that `meta_of` wrote."""
    params = json.loads(meta)
    params["sha256"] = bytes.fromhex(params["sha256"])
    return arrival_from(tuple(params[name] for name in _NAMES))


Judge = Callable[[Arrival, Plan, Sequence[Earlier]], Plan]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """One arrival with its plan.

    data: the data set itself if it rides in the journal (``arrival.blob`` is then ""), else None.
    known: the row is there already (a person asked for a new plan).
    """

    arrival: Arrival
    plan: Plan
    data: bytes | None = None
    known: bool = False


def adopt(
    adoptions: Sequence[Adoption],
    ids: IdSource,
    now: float,
    judge: Judge,
    lsn: int | None = None,
    config: int = 0,
) -> Job[list[Plan]]:
    """Write many arrivals with their fate: their deliveries, or the reason why there are none.

    judge: pure; turns a plan into its final form when the SOP instance was received before.
    lsn: up to where the tables have the intake log once this is committed.
    config: revision of the configuration that made the plans.
    Returns the final plans, in order.
    """

    def job(transaction: Transaction) -> list[Plan]:
        shift = Shift()
        plans = []
        for adoption in adoptions:
            arrival, plan = adoption.arrival, adoption.plan
            # A batch may hold an instance twice: the rows of the first are there by then.
            # A person who asks for a new plan has seen the other versions.
            earlier = [] if adoption.known else _earlier(transaction, arrival)
            if earlier:
                plan = judge(arrival, plan, earlier)
            plans.append(plan)
            _write_arrival(transaction, adoption, plan, config)
            rows = [delivery_row(arrival, target, ids.next(), now) for target in plan.targets]
            for row in rows:
                shift.move(row["destination"], None, row["state"])
            transaction.many(ADD_DELIVERY, rows)
        new = sum(not adoption.known for adoption in adoptions)
        if new:
            count(transaction, "received", new)
        shift.write(transaction)
        if lsn is not None:
            take_note(transaction, lsn)
        return plans

    return job


def _write_arrival(
    transaction: Transaction, adoption: Adoption, plan: Plan, config: int
) -> None:
    arrival = adoption.arrival
    fate = _planned(arrival.id, plan) | {"config": config}
    if adoption.known:
        transaction.run(_PLANNED, fate)
        return
    transaction.run(_ADD, _params(arrival) | fate)
    if adoption.data is not None:
        transaction.run(_PARCEL, {"arrival": arrival.id, "data": adoption.data})


def _planned(arrival_id: int, plan: Plan) -> dict[str, Any]:
    if plan.hold is not None:
        ended = "held"
    elif not plan.targets:
        ended = f"discarded:{plan.discard or 'nobody'}"
    else:
        ended = None
    return {
        "id": arrival_id,
        "ended_why": ended,
        "hold_reason": plan.hold.value if plan.hold is not None else None,
        "verdicts": verdicts_text(plan.verdicts),
    }


def delivery_row(
    arrival: Arrival, target: Target, delivery_id: int, now: float, origin: str = "rule"
) -> dict[str, Any]:
    """Return the row of a new delivery; ``origin`` says why it was made."""
    state, ended_at = State.WAITING, None
    if target.filtered_by:
        state, ended_at = State.DISCARDED, now
    elif target.hold is not None:
        state = State.HELD
    return {
        "id": delivery_id,
        "arrival": arrival.id,
        "destination": target.destination,
        "study": arrival.instance.study_uid,
        "priority": PRIORITIES[target.priority],
        "rules": ", ".join(target.rules),
        "state": state.value,
        "due": now,
        "created_at": now,
        "by_rule": target.filtered_by or None,
        "why": "",
        "hold_reason": target.hold.value if state is State.HELD and target.hold else None,
        "ended_at": ended_at,
        "grp": target.destination if target.group else "",
        "origin": origin,
        "required": int(target.required),
    }


@lru_cache(maxsize=256)
def verdicts_text(verdicts: tuple[Verdict, ...]) -> str:
    """Return the verdicts as JSON for the journal."""
    return json.dumps([[v.rule, v.matched, v.clause] for v in verdicts], ensure_ascii=False)


_EARLIER = (
    "SELECT a.id, a.sha256,"
    " (SELECT count(*) FROM delivery d WHERE d.arrival = a.id"
    "   AND d.state IN ('waiting', 'sending', 'held')),"
    " (SELECT coalesce(max(d.ended_at), 0.0) FROM delivery d WHERE d.arrival = a.id),"
    " a.hold_reason"
    " FROM arrival a WHERE a.sop_instance = :uid AND a.id <> :id AND a.planned = 1"
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


def unplanned(after: int, limit: int) -> Job[list[Arrival]]:
    """Read arrivals without a plan, oldest first, from behind the id ``after``."""

    def job(transaction: Transaction) -> list[Arrival]:
        rows = transaction.rows(
            "SELECT " + _COLUMNS + " FROM arrival WHERE planned = 0 AND id > :after"
            " ORDER BY id LIMIT :limit",
            {"after": after, "limit": limit},
        )
        return [arrival_from(row) for row in rows]

    return job


def by_id(arrival_id: int) -> Job[Arrival | None]:
    """Read one arrival."""

    def job(transaction: Transaction) -> Arrival | None:
        row = transaction.one(
            "SELECT " + _COLUMNS + " FROM arrival WHERE id = :id",
            {"id": arrival_id},
        )
        return arrival_from(row) if row else None

    return job


def parcel(arrival_id: int) -> Job[bytes | None]:
    """Read the data set that rides in the journal, or None."""

    def job(transaction: Transaction) -> bytes | None:
        row = transaction.one("SELECT data FROM parcel WHERE arrival = :id", {"id": arrival_id})
        return bytes(row[0]) if row else None

    return job


def digests(sop_instance_uid: str) -> Job[set[str]]:
    """Read the digests of everything received under a SOP Instance UID."""

    def job(transaction: Transaction) -> set[str]:
        rows = transaction.rows(
            "SELECT sha256 FROM arrival WHERE sop_instance = :uid", {"uid": sop_instance_uid}
        )
        return {bytes(row[0]).hex() for row in rows}

    return job


def last_id() -> Job[int]:
    """Read the highest id in use, 0 in an empty journal."""

    def job(transaction: Transaction) -> int:
        row = transaction.one(
            "SELECT coalesce(max(last.id), 0) FROM (SELECT max(id) AS id FROM arrival"
            " UNION ALL SELECT max(id) FROM delivery) AS last"
        )
        return int(row[0]) if row else 0

    return job
