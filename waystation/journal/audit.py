"""The audit trail: who did and looked at what, in a chain that shows any later change (S-66).

Contract: records are only ever added.  Each holds its number, its time and an HMAC-SHA-256 over
itself and the one before, under a key that is not in the database; a sealed head says how many
there are.  So a record that was changed, removed or moved is found, and so are records cut off at
the end, unless head and records are put back together as they once were: that is why the node also
writes the head to its log.

``append`` goes into a transaction of the caller's: what was done and its record are there together
or not at all.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction

FIRST: Final = bytes(32)
PAGE: Final = 1000
LONGEST: Final = 16_384


class Event(StrEnum):
    """What is recorded; the DCM codes of PS3.15 A.5 that it belongs to stand beside it."""

    STARTED = "started"  # 110100
    STOPPED = "stopped"  # 110100
    LOGIN = "login"  # 110114
    LOGIN_FAILED = "login-failed"  # 110114
    LOGOUT = "logout"  # 110114
    ACCOUNT = "account"  # 110113
    TOKEN = "token"  # 110113
    REFUSED = "refused"  # 110113
    CONFIGURED = "configured"  # 110100
    LOOKED = "looked"  # 110103
    QUERIED = "queried"  # 110112
    RETRIEVED = "retrieved"  # 110104
    STORED = "stored"  # 110107
    DELETED = "deleted"  # 110105
    ORDER = "order"  # 110109
    PATIENT = "patient"  # 110110
    PROCEDURE = "procedure"  # 110111
    DECIDED = "decided"  # 110103
    REIDENTIFIED = "re-identified"  # 110103
    AUDIT_READ = "audit-read"  # 110101
    RESUMED = "resumed"  # 110100


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded.  event: a word of `Event`.  what: JSON values."""

    event: str
    who: str
    what: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record as it stands.  at: Unix seconds."""

    number: int
    at: float
    event: str
    who: str
    what: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """Where the chain does not hold.  number: of the first record that does not fit."""

    number: int
    why: str


def append(transaction: Transaction, key: bytes, entry: Entry, now: float) -> int:
    """Add one record behind the last one; return its number."""
    last = transaction.one("SELECT number, mac FROM audit ORDER BY number DESC LIMIT 1")
    number, before = (int(last[0]) + 1, bytes(last[1])) if last is not None else (1, FIRST)
    what = json.dumps(entry.what, separators=(",", ":"), sort_keys=True, default=str)
    if len(what) > LONGEST:
        what = json.dumps({"shortened": what[: LONGEST // 2]})
    at, event, who = float(now), str(entry.event), str(entry.who)
    sealed = _mac(key, before, (number, at, event, who, what))
    transaction.run(
        "INSERT INTO audit (number, at, event, who, what, mac)"
        " VALUES (:number, :at, :event, :who, :what, :mac)",
        {
            "number": number,
            "at": at,
            "event": event,
            "who": who,
            "what": what,
            "mac": sealed,
        },
    )
    transaction.run(
        "INSERT INTO audit_head (id, number, mac) VALUES (1, :number, :mac)"
        " ON CONFLICT (id) DO UPDATE SET number = :number, mac = :mac",
        {"number": number, "mac": _head_mac(key, number, sealed)},
    )
    return number


def _mac(key: bytes, before: bytes, row: Sequence[object]) -> bytes:
    text = json.dumps([before.hex(), *row])
    return hmac.digest(key, text.encode(), hashlib.sha256)


def _head_mac(key: bytes, number: int, last: bytes) -> bytes:
    return hmac.digest(key, b"head" + number.to_bytes(8, "big") + last, hashlib.sha256)


def head() -> Job[tuple[int, str]]:
    """Read how many records there are, and the seal of the last, in hexadecimal."""

    def job(transaction: Transaction) -> tuple[int, str]:
        row = transaction.one("SELECT number, mac FROM audit_head")
        return (int(row[0]), bytes(row[1]).hex()) if row is not None else (0, "")

    return job


def broken(key: bytes) -> Job[Broken | None]:
    """Read the whole chain; return the first place where it does not hold, None if it does."""

    def job(transaction: Transaction) -> Broken | None:
        before, number = FIRST, 0
        while rows := _page(transaction, number):
            for row in rows:
                if int(row[0]) != number + 1:
                    return Broken(number + 1, "is missing")
                made = _mac(key, before, _sealed_of(row))
                if not hmac.compare_digest(made, bytes(row[5])):
                    return Broken(number + 1, "is not what was written")
                before, number = made, number + 1
        return _broken_end(transaction, key, number, before)

    return job


def _broken_end(transaction: Transaction, key: bytes, number: int, last: bytes) -> Broken | None:
    row = transaction.one("SELECT number, mac FROM audit_head")
    if row is None:
        return Broken(number + 1, "is missing") if number else None
    if int(row[0]) > number:
        return Broken(number + 1, "is missing")
    sealed = _head_mac(key, number, last)
    if int(row[0]) != number or not hmac.compare_digest(sealed, bytes(row[1])):
        return Broken(number, "is not the end that was written")
    return None


def _page(transaction: Transaction, after: int) -> Sequence[Row]:
    return transaction.rows(
        "SELECT number, at, event, who, what, mac FROM audit WHERE number > :after"
        " ORDER BY number LIMIT :page",
        {"after": after, "page": PAGE},
    )


def _sealed_of(row: Row) -> tuple[object, ...]:
    return int(row[0]), float(row[1]), str(row[2]), str(row[3]), str(row[4])


def records(
    *, event: str = "", who: str = "", before: int = 0, limit: int = 100
) -> Job[list[Record]]:
    """Read records, the newest first.  before: only those with a lower number, 0 for all."""

    def job(transaction: Transaction) -> list[Record]:
        rows = transaction.rows(
            "SELECT number, at, event, who, what FROM audit"
            " WHERE (:before = 0 OR number < :before) AND (:event = '' OR event = :event)"
            " AND (:who = '' OR who = :who) ORDER BY number DESC LIMIT :limit",
            {"event": event, "who": who, "before": before, "limit": limit},
        )
        return [
            Record(
                number=int(row[0]),
                at=float(row[1]),
                event=str(row[2]),
                who=str(row[3]),
                what=json.loads(row[4]),
            )
            for row in rows
        ]

    return job
