"""Requests for storage commitment: kept until their report was heard (S-8, T-48).

Contract: `add` is the promise to answer; what is ``open`` is reported again and again until it is
``told`` or ``given-up``.  A request that is repeated word for word is the same request.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction, placeholders

PAGE = 500

Reference = tuple[str, str]  # SOP class, SOP instance
Failure = tuple[str, str, int]  # SOP class, SOP instance, Failure Reason (0008,1197)
_COLUMNS = (
    "SELECT id, transaction_uid, peer, calling_ae, called_ae, objects, failures, created_at,"
    " attempts FROM commitment"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One request.  failures: None until its objects were looked at."""

    id: int
    transaction_uid: str
    peer: str
    calling_ae: str
    called_ae: str
    objects: tuple[Reference, ...]
    failures: tuple[Failure, ...] | None = None
    created_at: float = 0.0
    attempts: int = 0


def add(promise: Promise) -> Job[tuple[int, bool]]:
    """Keep a request; return the id it has, and whether its transaction UID was taken before."""

    def job(transaction: Transaction) -> tuple[int, bool]:
        params = _params(promise)
        same = transaction.one(
            "SELECT id FROM commitment WHERE transaction_uid = :transaction_uid"
            " AND calling_ae = :calling_ae AND objects = :objects",
            params,
        )
        if same is not None:
            transaction.run(
                "UPDATE commitment SET state = 'open', due = :now, failures = NULL WHERE id = :id",
                {"id": same[0], "now": promise.created_at},
            )
            return int(same[0]), False
        taken = transaction.one(
            "SELECT 1 FROM commitment WHERE transaction_uid = :transaction_uid", params
        )
        transaction.run(
            "INSERT INTO commitment (id, transaction_uid, peer, calling_ae, called_ae, objects,"
            " failures, state, created_at, due, attempts, why) VALUES (:id, :transaction_uid,"
            " :peer, :calling_ae, :called_ae, :objects, :failures, 'open', :now, :now, 0, '')",
            params,
        )
        return promise.id, taken is not None

    return job


def _params(promise: Promise) -> dict[str, object]:
    return {
        "id": promise.id,
        "transaction_uid": promise.transaction_uid,
        "peer": promise.peer,
        "calling_ae": promise.calling_ae,
        "called_ae": promise.called_ae,
        "objects": "\n".join(" ".join(one) for one in promise.objects),
        "failures": None if promise.failures is None else _lines(promise.failures),
        "now": promise.created_at,
    }


def _lines(failures: Sequence[Failure]) -> str:
    return "\n".join(f"{sop_class} {uid} {reason}" for sop_class, uid, reason in failures)


def due(now: float, most: int) -> Job[list[Promise]]:
    """Read what is to be reported by now."""

    def job(transaction: Transaction) -> list[Promise]:
        rows = transaction.rows(
            f"{_COLUMNS} WHERE state = 'open' AND due <= :now ORDER BY due LIMIT :most",
            {"now": now, "most": most},
        )
        return [_promise(row) for row in rows]

    return job


def _promise(row: Row) -> Promise:
    failures = None
    if row[6] is not None:
        words = [line.split(" ") for line in row[6].splitlines()]
        failures = tuple((one[0], one[1], int(one[2])) for one in words)
    pairs = [line.split(" ") for line in row[5].splitlines()]
    return Promise(
        id=row[0],
        transaction_uid=row[1],
        peer=row[2],
        calling_ae=row[3],
        called_ae=row[4],
        objects=tuple((one[0], one[1]) for one in pairs),
        failures=failures,
        created_at=row[7],
        attempts=row[8],
    )


def next_due() -> Job[float | None]:
    """Read when the next report is due (Unix seconds), None if none is."""

    def job(transaction: Transaction) -> float | None:
        row = transaction.one("SELECT min(due) FROM commitment WHERE state = 'open'")
        return None if row is None or row[0] is None else float(row[0])

    return job


def verified(promise_id: int, failures: Sequence[Failure]) -> Job[int]:
    """Keep what looking at the objects has shown."""
    params = {"id": promise_id, "failures": _lines(failures)}
    return lambda transaction: transaction.run(
        "UPDATE commitment SET failures = :failures WHERE id = :id", params
    )


def ended(promise_id: int, state: str, why: str = "") -> Job[int]:
    """Close a request: ``told`` or ``given-up``."""
    params = {"id": promise_id, "state": state, "why": why[:500]}
    return lambda transaction: transaction.run(
        "UPDATE commitment SET state = :state, why = :why, attempts = attempts + 1 WHERE id = :id",
        params,
    )


def again(promise_id: int, at: float, why: str) -> Job[int]:
    """Try a report again at an instant."""
    params = {"id": promise_id, "due": at, "why": why[:500]}
    return lambda transaction: transaction.run(
        "UPDATE commitment SET due = :due, why = :why, attempts = attempts + 1 WHERE id = :id",
        params,
    )


def forget(before: float) -> Job[int]:
    """Drop closed requests that were made before an instant."""
    return lambda transaction: transaction.run(
        "DELETE FROM commitment WHERE state <> 'open' AND created_at < :before",
        {"before": before},
    )


def all_here(uids: Sequence[str]) -> Job[set[str]]:
    """Read the UIDs of the studies and series of these SOP instances, if all were received.

    Empty if one is missing.
    """
    wanted = sorted(set(uids))

    def job(transaction: Transaction) -> set[str]:
        here: set[str] = set()
        found: set[str] = set()
        for start in range(0, len(wanted), PAGE):
            page = {f"uid{n}": uid for n, uid in enumerate(wanted[start : start + PAGE])}
            for instance, study, series in transaction.rows(
                "SELECT DISTINCT sop_instance, study, series FROM arrival WHERE sop_instance IN ("
                + placeholders("uid", len(page))
                + ")",
                page,
            ):
                here.add(instance)
                found |= {study, series}
        return found - {""} if len(here) == len(wanted) else set()

    return job
