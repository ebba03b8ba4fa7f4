"""Performed procedure steps as they stand, which steps they belong to, and who must hear of them.

Contract: functions of one transaction.  `mpps_forward` is a queue for each target, in the order of
what came; the first of a target is always the next (T-58).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.model.step import StepState

CREATE, SET, EVENT = "create", "set", "event"
OPEN, DONE, GIVEN_UP = "open", "done", "given-up"
PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One performed procedure step.  data: in explicit little endian."""

    sop_instance: str
    state: StepState
    calling_ae: str
    data: bytes
    study_uid: str
    created_at: float
    changed_at: float


_COLUMNS: Final = "sop_instance, state, calling_ae, data, study_uid, created_at, changed_at"


def get(transaction: Transaction, sop_instance: str) -> Kept | None:
    """Return a performed procedure step, None if there is none."""
    row = transaction.one(
        f"SELECT {_COLUMNS} FROM mpps WHERE sop_instance = :uid", {"uid": sop_instance}
    )
    return None if row is None else _kept(row)


def put(transaction: Transaction, kept: Kept) -> None:
    """Write a performed procedure step, a new one or one that changed."""
    transaction.run(
        f"INSERT INTO mpps ({_COLUMNS}) VALUES (:sop_instance, :state, :calling_ae, :data,"
        " :study_uid, :created_at, :changed_at) ON CONFLICT (sop_instance) DO UPDATE SET"
        " state = :state, data = :data, changed_at = :changed_at",
        {name: getattr(kept, name) for name in Kept.__slots__} | {"state": kept.state.value},
    )


def link(transaction: Transaction, sop_instance: str, step_ids: Sequence[int]) -> None:
    """Note which steps a performed one belongs to."""
    transaction.many(
        "INSERT INTO mpps_step (sop_instance, step) VALUES (:uid, :step) ON CONFLICT DO NOTHING",
        [{"uid": sop_instance, "step": step} for step in step_ids],
    )


def steps_of(transaction: Transaction, sop_instance: str) -> list[int]:
    """Return the steps that a performed one belongs to."""
    rows = transaction.rows(
        "SELECT step FROM mpps_step WHERE sop_instance = :uid ORDER BY step",
        {"uid": sop_instance},
    )
    return [row[0] for row in rows]


def of_step(transaction: Transaction, step_id: int) -> list[Kept]:
    """Return what was performed for a step, oldest first."""
    rows = transaction.rows(
        f"SELECT {_COLUMNS} FROM mpps WHERE sop_instance IN (SELECT m.sop_instance"
        " FROM mpps_step m WHERE m.step = :step) ORDER BY created_at, sop_instance",
        {"step": step_id},
    )
    return [_kept(row) for row in rows]


def ended_since(instant: float) -> Job[list[Kept]]:
    """Return what was completed or discontinued since an instant, oldest first."""

    def job(transaction: Transaction) -> list[Kept]:
        rows = transaction.rows(
            f"SELECT {_COLUMNS} FROM mpps WHERE changed_at >= :at AND state <> 'started'"
            " ORDER BY changed_at",
            {"at": instant},
        )
        return [_kept(row) for row in rows]

    return job


def newest(limit: int) -> Job[list[Kept]]:
    """Return the performed procedure steps that changed last."""

    def job(transaction: Transaction) -> list[Kept]:
        rows = transaction.rows(
            f"SELECT {_COLUMNS} FROM mpps ORDER BY changed_at DESC LIMIT :limit", {"limit": limit}
        )
        return [_kept(row) for row in rows]

    return job


def _kept(row: Row) -> Kept:
    return Kept(
        sop_instance=row[0],
        state=StepState(row[1]),
        calling_ae=row[2],
        data=bytes(row[3]),
        study_uid=row[4],
        created_at=row[5],
        changed_at=row[6],
    )


# on to others


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One operation that goes on to another SCP, or an event.  due: not before (Unix seconds).

    data: a data set, or the JSON of an event.
    """

    id: int
    target: str
    sop_instance: str
    operation: str
    data: bytes
    attempts: int
    due: float
    created_at: float


def enqueue(transaction: Transaction, messages: Sequence[Message]) -> None:
    """Note what has to go on."""
    transaction.many(
        "INSERT INTO mpps_forward (id, target, sop_instance, operation, data, state, attempts,"
        " due, why, created_at) VALUES (:id, :target, :sop_instance, :operation, :data, 'open',"
        " 0, :due, '', :created_at)",
        [{name: getattr(one, name) for name in Message.__slots__} for one in messages],
    )


def first_of(target: str) -> Job[Message | None]:
    """Return what has to go to a target before anything else, None if nothing waits."""

    def job(transaction: Transaction) -> Message | None:
        row = transaction.one(
            "SELECT id, target, sop_instance, operation, data, attempts, due, created_at"
            " FROM mpps_forward WHERE state = 'open' AND target = :target ORDER BY id LIMIT 1",
            {"target": target},
        )
        if row is None:
            return None
        values = dict(zip(Message.__slots__, row, strict=True))
        return Message(**{**values, "data": bytes(row[4])})

    return job


def targets() -> Job[list[str]]:
    """Return for whom something waits."""

    def job(transaction: Transaction) -> list[str]:
        rows = transaction.rows("SELECT DISTINCT target FROM mpps_forward WHERE state = 'open'")
        return [row[0] for row in rows]

    return job


def ended(message_id: int, state: str, why: str = "") -> Job[None]:
    """Note that a message arrived, or that nobody tries any more."""

    def job(transaction: Transaction) -> None:
        transaction.run(
            "UPDATE mpps_forward SET state = :state, why = :why, data = :data WHERE id = :id",
            {"id": message_id, "state": state, "why": why, "data": b""},
        )

    return job


def forget(before: float) -> Job[int]:
    """Drop a page of messages that are over and were queued before; return how many there were."""

    def job(transaction: Transaction) -> int:
        return transaction.run(
            "DELETE FROM mpps_forward WHERE id IN (SELECT f.id FROM mpps_forward f"
            " WHERE f.state <> 'open' AND f.created_at < :before ORDER BY f.id LIMIT :limit)",
            {"before": before, "limit": PAGE},
        )

    return job


def again(message_id: int, due: float, why: str) -> Job[None]:
    """Note that a message is tried again later."""

    def job(transaction: Transaction) -> None:
        transaction.run(
            "UPDATE mpps_forward SET attempts = attempts + 1, due = :due, why = :why"
            " WHERE id = :id",
            {"id": message_id, "due": due, "why": why},
        )

    return job
