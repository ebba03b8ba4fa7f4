"""Arrivals and the rows of their deliveries, as the journal keeps them."""

import json
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.model.arrival import Arrival, Source
from waystation.model.delivery import State
from waystation.model.instance import Instance
from waystation.model.plan import Target, Verdict

PRIORITIES = {"stat": 0, "normal": 1, "low": 2}

COLUMNS = (
    "id, received_at, peer, calling_ae, called_ae, address, way_in, tls, sop_class, sop_instance,"
    " study, series, patient_id, modality, transfer_syntax, size_bytes, sha256, blob,"
    " priority, fetched_from"
)
# Made once: `json.dumps` makes one for each call.
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_NAMES = COLUMNS.replace(" ", "").split(",")
ADD_DELIVERY = (
    "INSERT INTO delivery (id, arrival, destination, study, priority, rules, state, due,"
    " created_at, by_rule, why, hold_reason, ended_at, grp, origin, required, recipe)"
    " VALUES (:id, :arrival, :destination, :study, :priority, :rules, :state, :due,"
    " :created_at, :by_rule, :why, :hold_reason, :ended_at, :grp, :origin, :required, :recipe)"
)


def params_of(arrival: Arrival) -> dict[str, Any]:
    """Return the columns of an arrival's row."""
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
        "priority": arrival.priority,
        "fetched_from": source.fetched_from,
    }


def seal(sha256: bytes, *identity: str) -> bytes:
    """Return a short digest of what a row says an object is.

    identity: SOP class, SOP instance, transfer syntax, study, series and calling AE title.
    """
    text = "\0".join(identity).encode("utf-8", "surrogatepass")
    return blake2b(sha256 + text, digest_size=8).digest()


def seal_of(params: Mapping[str, Any]) -> bytes:
    """Return the seal of the row that `params_of` describes."""
    names = ("sop_class", "sop_instance", "transfer_syntax", "study", "series", "calling_ae")
    return seal(params["sha256"], *(params[name] for name in names))


def arrival_from(row: Row) -> Arrival:
    """Build the arrival from a row of `COLUMNS`."""
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
            fetched_from=row[19],
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
        priority=row[18],
    )


def meta_of(arrival: Arrival) -> bytes:
    """Return the arrival as the intake log keeps it."""
    instance = arrival.instance
    own = (
        f'{{"id":{arrival.id},"received_at":{arrival.received_at!r},'
        f'"sop_instance":{_as_json(instance.sop_instance_uid)},"size_bytes":{arrival.size_bytes},'
        f'"sha256":"{arrival.sha256}","blob":{_as_json(arrival.blob)},'
    )
    shared = _of_series(
        arrival.source,
        instance.sop_class_uid,
        instance.study_uid,
        instance.series_uid,
        instance.patient_id,
        instance.modality,
        instance.transfer_syntax_uid,
        arrival.priority,
    )
    return (own + shared).encode()


@lru_cache(maxsize=256)
def _of_series(
    source: Source,
    sop_class: str,
    study: str,
    series: str,
    patient_id: str,
    modality: str,
    transfer_syntax: str,
    priority: str,
) -> str:
    """Return the part of the log's JSON that is the same for all objects of a series."""
    shared = {
        "peer": source.peer,
        "calling_ae": source.calling_ae,
        "called_ae": source.called_ae,
        "address": source.address,
        "way_in": source.way_in,
        "tls": int(source.tls),
        "sop_class": sop_class,
        "study": study,
        "series": series,
        "patient_id": patient_id,
        "modality": modality,
        "transfer_syntax": transfer_syntax,
        "priority": priority,
        "fetched_from": source.fetched_from,
    }
    return _as_json(shared)[1:]


def from_meta(meta: bytes) -> Arrival:
    """Return the arrival that `meta_of` wrote."""
    params = json.loads(meta)
    params["sha256"] = bytes.fromhex(params["sha256"])
    # A log that an earlier version left behind does not name it.
    params.setdefault("priority", "normal")
    params.setdefault("fetched_from", "")
    return arrival_from(tuple(params[name] for name in _NAMES))


def delivery_row(
    arrival: Arrival, target: Target, delivery_id: int, now: float, origin: str = "rule"
) -> dict[str, Any]:
    """Return the row of a new delivery; ``origin`` says why it was made."""
    state, ended_at = State.WAITING, None
    if target.filtered_by:
        state, ended_at = State.DISCARDED, now
    elif target.hold is not None:
        state = State.HELD
    elif target.archived:
        state, ended_at = State.DONE, now
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
        "recipe": target.recipe,
    }


@lru_cache(maxsize=256)
def verdicts_text(verdicts: tuple[Verdict, ...]) -> str:
    """Return the verdicts as JSON for the journal."""
    return json.dumps([[v.rule, v.matched, v.clause] for v in verdicts], ensure_ascii=False)


def unplanned(after: int, limit: int) -> Job[list[Arrival]]:
    """Read arrivals without a plan, oldest first, from behind the id ``after``."""

    def job(transaction: Transaction) -> list[Arrival]:
        rows = transaction.rows(
            "SELECT " + COLUMNS + " FROM arrival WHERE planned = 0 AND id > :after"
            " ORDER BY id LIMIT :limit",
            {"after": after, "limit": limit},
        )
        return [arrival_from(row) for row in rows]

    return job


def read(transaction: Transaction, arrival_id: int) -> Arrival | None:
    """Return one arrival."""
    row = transaction.one(
        "SELECT " + COLUMNS + " FROM arrival WHERE id = :id",
        {"id": arrival_id},
    )
    return arrival_from(row) if row else None


def by_id(arrival_id: int) -> Job[Arrival | None]:
    """Read one arrival."""
    return lambda transaction: read(transaction, arrival_id)


def parcel(arrival_id: int) -> Job[bytes | None]:
    """Read the data set that rides in the journal, or None."""

    def job(transaction: Transaction) -> bytes | None:
        row = transaction.one("SELECT data FROM parcel WHERE arrival = :id", {"id": arrival_id})
        return bytes(row[0]) if row else None

    return job


def versions(sop_instance_uid: str, but: int, limit: int) -> Job[list[Arrival]]:
    """Read what was received under a SOP Instance UID and is still here, the newest first.

    but: id of the arrival that is left out.
    """

    def job(transaction: Transaction) -> list[Arrival]:
        rows = transaction.rows(
            "SELECT " + COLUMNS + " FROM arrival WHERE sop_instance = :uid AND id <> :but"
            " AND planned = 1 AND blob_gone = 0 ORDER BY id DESC LIMIT :limit",
            {"uid": sop_instance_uid, "but": but, "limit": limit},
        )
        return [arrival_from(row) for row in rows]

    return job


def digests(sop_instance_uid: str) -> Job[set[str]]:
    """Read the digests of everything received under a SOP Instance UID."""

    def job(transaction: Transaction) -> set[str]:
        rows = transaction.rows(
            "SELECT sha256 FROM arrival WHERE sop_instance = :uid"
            " AND coalesce(ended_why, '') NOT LIKE 'kept:%'",
            {"uid": sop_instance_uid},
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
