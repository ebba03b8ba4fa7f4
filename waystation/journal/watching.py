"""What a person must hear, and the messages that say it: incidents, outages, outbox (R-80 to R-82).

Contract: an incident and the messages about it are written in one transaction, so that none is
told twice or forgotten.  A message waits until it was taken or a day has passed.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal.ids import IdSource
from waystation.timing.incident import Notice, Turn

WAITING, DONE, FAILED = "waiting", "done", "failed"
MAIL, WEBHOOK = "mail", "webhook"
AT_ONCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one recipient.

    channel: mail or webhook.  to: address.  tables: (file name, CSV) to attach.
    event: what a program is told instead of the text.
    """

    channel: str
    to: str
    subject: str
    text: str
    tables: tuple[tuple[str, str], ...] = ()
    event: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message in the outbox.  attempts: that have ended."""

    id: int
    message: Message
    created_at: float
    attempts: int


def post(messages: Sequence[Message], ids: IdSource, now: float) -> Job[None]:
    """Put messages into the outbox."""
    return lambda transaction: put(transaction, messages, ids, now)


def put(transaction: Transaction, messages: Sequence[Message], ids: IdSource, now: float) -> None:
    """Put messages into the outbox, in somebody's transaction."""
    for each in messages:
        body = {"to": each.to, "text": each.text, "tables": each.tables, "event": each.event}
        transaction.run(
            "INSERT INTO outbox (id, channel, subject, body, state, created_at, due)"
            " VALUES (:id, :channel, :subject, :body, 'waiting', :now, :now)",
            {
                "id": ids.next(),
                "channel": each.channel,
                "subject": each.subject,
                "body": json.dumps(body, ensure_ascii=False),
                "now": now,
            },
        )


def due(now: float) -> Job[tuple[list[Posted], float | None]]:
    """Read what may leave now, oldest first, and when the next one may, None without any."""

    def job(transaction: Transaction) -> tuple[list[Posted], float | None]:
        rows = transaction.rows(
            "SELECT id, channel, subject, body, created_at, attempts FROM outbox"
            " WHERE state = 'waiting' AND due <= :now ORDER BY id LIMIT :limit",
            {"now": now, "limit": AT_ONCE},
        )
        later = transaction.one(
            "SELECT min(due) FROM outbox WHERE state = 'waiting' AND due > :now", {"now": now}
        )
        at = None if later is None or later[0] is None else float(later[0])
        return [_posted(row) for row in rows], at

    return job


def _posted(row: tuple[Any, ...]) -> Posted:
    body = json.loads(row[3])
    message = Message(
        channel=row[1],
        to=body["to"],
        subject=row[2],
        text=body["text"],
        tables=tuple((name, table) for name, table in body["tables"]),
        event=body["event"],
    )
    return Posted(id=row[0], message=message, created_at=row[4], attempts=row[5])


def settle(number: int, *, state: str, why: str, due: float, now: float) -> Job[None]:
    """Write how an attempt ended.  due: when to try again, where ``state`` is waiting."""
    values = {"id": number, "state": state, "why": why[:500], "due": due}
    values["ended"] = None if state == WAITING else now

    def job(transaction: Transaction) -> None:
        transaction.run(
            "UPDATE outbox SET state = :state, why = :why, due = :due, ended_at = :ended,"
            " attempts = attempts + 1 WHERE id = :id AND state = 'waiting'",
            values,
        )

    return job


# incidents


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    """One that was told of and is not over.  kinds: its conditions so far."""

    subject: str
    began_at: float
    kinds: tuple[str, ...]


def open_incidents() -> Job[list[OpenIncident]]:
    """Read the incidents that are not over."""

    def job(transaction: Transaction) -> list[OpenIncident]:
        return [
            OpenIncident(subject=row[0], began_at=row[1], kinds=tuple(row[2].split()))
            for row in transaction.rows(
                "SELECT subject, began_at, kind FROM incident WHERE ended_at IS NULL ORDER BY id"
            )
        ]

    return job


def tell(
    notices: Sequence[tuple[Notice, Sequence[Message]]], ids: IdSource, now: float
) -> Job[None]:
    """Write what is told of incidents, and the messages that tell it."""

    def job(transaction: Transaction) -> None:
        for notice, messages in notices:
            _write(transaction, notice, ids)
            put(transaction, messages, ids, now)

    return job


def _write(transaction: Transaction, notice: Notice, ids: IdSource) -> None:
    values = {
        "subject": notice.subject,
        "kind": " ".join(finding.kind for finding in notice.findings),
        "began": notice.began_at,
        "ended": notice.ended_at if notice.turn in (Turn.OVER, Turn.CAME_AND_WENT) else None,
        "n": max((finding.n for finding in notice.findings), default=0),
        "why": "; ".join(finding.why for finding in notice.findings if finding.why)[:500],
    }
    if notice.turn in (Turn.BEGAN, Turn.CAME_AND_WENT):
        transaction.run(
            "INSERT INTO incident (id, subject, kind, began_at, ended_at, n, why)"
            " VALUES (:id, :subject, :kind, :began, :ended, :n, :why)",
            values | {"id": ids.next()},
        )
        return
    transaction.run(
        "UPDATE incident SET kind = :kind, ended_at = :ended, n = :n, why = :why"
        " WHERE subject = :subject AND ended_at IS NULL",
        values,
    )


# outages


def outage_began(destination: str, began_at: float, why: str, ids: IdSource) -> Job[None]:
    """Write that a destination is away since ``began_at``, unless that is known."""

    def job(transaction: Transaction) -> None:
        known = transaction.one(
            "SELECT 1 FROM outage WHERE destination = :to AND ended_at IS NULL",
            {"to": destination},
        )
        if known is None:
            transaction.run(
                "INSERT INTO outage (id, destination, began_at, why)"
                " VALUES (:id, :to, :began, :why)",
                {"id": ids.next(), "to": destination, "began": began_at, "why": why[:500]},
            )

    return job


def outage_over(destination: str, ended_at: float) -> Job[None]:
    """Write that a destination is back."""

    def job(transaction: Transaction) -> None:
        transaction.run(
            "UPDATE outage SET ended_at = :ended WHERE destination = :to AND ended_at IS NULL",
            {"to": destination, "ended": ended_at},
        )

    return job


def open_outages() -> Job[list[str]]:
    """Read which destinations are away."""

    def job(transaction: Transaction) -> list[str]:
        rows = transaction.rows("SELECT DISTINCT destination FROM outage WHERE ended_at IS NULL")
        return [str(row[0]) for row in rows]

    return job


def tidy(before: float) -> Job[None]:
    """Forget what ended before ``before`` (Unix seconds)."""
    values = {"before": before}

    def job(transaction: Transaction) -> None:
        transaction.run("DELETE FROM outbox WHERE ended_at < :before", values)
        transaction.run("DELETE FROM incident WHERE ended_at < :before", values)
        transaction.run("DELETE FROM outage WHERE ended_at < :before", values)

    return job
