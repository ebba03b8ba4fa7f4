"""The last real worklist queries of each caller: what was asked, what was answered (T-62).

Contract: `note` keeps the newest `KEPT` of each calling AE title and forgets the others; what it
is told twice it keeps once.  The identifier is kept as it came, so that it can be asked again; it
may name patients, and is shown to those who may see patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Transaction

KEPT: Final = 20
_COLUMNS: Final = (
    "id, at, calling_ae, called_ae, peer, address, area, identifier, syntax, options, status,"
    " answers, ms"
)
_INSERT: Final = (
    f"INSERT INTO query_log ({_COLUMNS}) VALUES (:id, :at, :calling_ae, :called_ae, :peer,"
    " :address, :area, :identifier, :syntax, :options, :status, :answers, :ms)"
    " ON CONFLICT DO NOTHING"
)
_LAST: Final = f"SELECT {_COLUMNS} FROM query_log ORDER BY id DESC LIMIT :limit"
_LAST_OF: Final = (
    f"SELECT {_COLUMNS} FROM query_log WHERE calling_ae = :calling_ae ORDER BY id DESC LIMIT :limit"
)
_FORGET: Final = (
    "DELETE FROM query_log WHERE calling_ae = :calling_ae AND id NOT IN (SELECT q.id FROM"
    " query_log q WHERE q.calling_ae = :calling_ae ORDER BY q.id DESC LIMIT :kept)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One query.  options: what of extended negotiation was in force.  ms: until the last answer.

    status: the final one; area: the one that answered.
    """

    id: int
    at: float
    calling_ae: str
    called_ae: str
    peer: str
    address: str
    area: str
    identifier: bytes
    syntax: str
    options: bytes
    status: int
    answers: int
    ms: float


def note(asked: Sequence[Asking]) -> Job[None]:
    """Keep queries."""

    def job(transaction: Transaction) -> None:
        transaction.many(
            _INSERT, [{name: getattr(one, name) for name in Asking.__slots__} for one in asked]
        )
        for title in {one.calling_ae for one in asked}:
            transaction.run(_FORGET, {"calling_ae": title, "kept": KEPT})

    return job


def last(limit: int = 50, calling_ae: str = "") -> Job[list[Asking]]:
    """Return the newest queries, of one caller or of all, newest first."""
    text = _LAST_OF if calling_ae else _LAST
    values = {"limit": limit} | ({"calling_ae": calling_ae} if calling_ae else {})

    def job(transaction: Transaction) -> list[Asking]:
        rows = transaction.rows(text, values)
        return [Asking(**dict(zip(Asking.__slots__, row, strict=True))) for row in rows]

    return job
