"""HL7 messages that came, what was answered, and what each of them did (T-60).

Contract: `same` finds a message by who sent it and its control ID; what was accepted is never
applied twice.  A message that was refused may come again or be replayed: its row is then written
anew.  Functions with a transaction run inside the caller's, so that message and effect are
committed together or not at all.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction

ACCEPTED = "AA"
_COLUMNS = (
    "SELECT id, sender, control_id, digest, kind, peer, received_at, code, why, effects, answer,"
    " message FROM hl7_message"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMessage:
    """One message.

    sender: its application and facility.  code: AA, AE or AR.  why: of a refusal.
    effects: what it changed, a sentence for each.  answer, message: as sent and as come.
    """

    id: int
    sender: str
    control_id: str
    digest: str
    kind: str
    peer: str
    received_at: float
    code: str
    why: str
    effects: tuple[str, ...]
    answer: bytes
    message: bytes


def same(transaction: Transaction, sender: str, control_id: str) -> KeptMessage | None:
    """Return the last message of a sender under a control ID; an accepted one before others."""
    row = transaction.one(
        f"{_COLUMNS} WHERE sender = :sender AND control_id = :control_id"
        " ORDER BY (code = 'AA') DESC, id DESC LIMIT 1",
        {"sender": sender, "control_id": control_id},
    )
    return None if row is None else _message(row)


def keep(transaction: Transaction, message: KeptMessage) -> None:
    """Write a message; a row of the same id is replaced."""
    transaction.run("DELETE FROM hl7_message WHERE id = :id", {"id": message.id})
    transaction.run(
        "INSERT INTO hl7_message (id, sender, control_id, digest, kind, peer, received_at, code,"
        " why, effects, answer, message) VALUES (:id, :sender, :control_id, :digest, :kind, :peer,"
        " :received_at, :code, :why, :effects, :answer, :message)",
        {
            "id": message.id,
            "sender": message.sender,
            "control_id": message.control_id,
            "digest": message.digest,
            "kind": message.kind,
            "peer": message.peer,
            "received_at": message.received_at,
            "code": message.code,
            "why": message.why,
            "effects": json.dumps(message.effects, ensure_ascii=False),
            "answer": message.answer,
            "message": message.message,
        },
    )


def get(message_id: int) -> Job[KeptMessage | None]:
    """Read one message."""

    def job(transaction: Transaction) -> KeptMessage | None:
        row = transaction.one(f"{_COLUMNS} WHERE id = :id", {"id": message_id})
        return None if row is None else _message(row)

    return job


def latest(most: int, codes: Sequence[str] = (), control_id: str = "") -> Job[list[KeptMessage]]:
    """Read the newest messages, newest first; of some codes only, or of a control ID."""
    names = ("AA", "AE", "AR")
    wanted = [code for code in names if not codes or code in codes]
    params: dict[str, object] = {f"code{n}": code for n, code in enumerate(wanted)}
    marks = ", ".join(f":{name}" for name in params)
    narrowed = " AND control_id = :control_id" if control_id else ""
    params |= {"most": most} | ({"control_id": control_id} if control_id else {})

    def job(transaction: Transaction) -> list[KeptMessage]:
        sql = f"{_COLUMNS} WHERE code IN ({marks}){narrowed} ORDER BY id DESC LIMIT :most"
        return [_message(row) for row in transaction.rows(sql, params)]

    return job


def last_id() -> Job[int]:
    """Read the highest id in use."""

    def job(transaction: Transaction) -> int:
        row = transaction.one(
            "SELECT max(a, b) FROM (SELECT coalesce(max(id), 0) AS a FROM hl7_message) AS x,"
            " (SELECT coalesce(max(id), 0) AS b FROM hl7_order) AS y"
            if transaction.dialect == "sqlite"
            else "SELECT greatest((SELECT coalesce(max(id), 0) FROM hl7_message),"
            " (SELECT coalesce(max(id), 0) FROM hl7_order))"
        )
        return int(row[0]) if row else 0

    return job


def _message(row: Row) -> KeptMessage:
    return KeptMessage(
        id=row[0],
        sender=row[1],
        control_id=row[2],
        digest=row[3],
        kind=row[4],
        peer=row[5],
        received_at=row[6],
        code=row[7],
        why=row[8],
        effects=tuple(json.loads(row[9])),
        answer=bytes(row[10]),
        message=bytes(row[11]),
    )
