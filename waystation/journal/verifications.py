"""Deliveries that their destination has to confirm (R-60).

Contract: what is owed is written when it is claimed, before anything leaves, in the transaction
of the lease.  A row is ``open`` until the destination has confirmed the object (``verified``), the
delivery was held or ended without it (``failed``), or nobody asks any more (``off``).  While it is
open and the delivery done, the bytes stay (`waystation.journal.keeping`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction, placeholders
from waystation.journal.counts import Shift
from waystation.model.delivery import HoldReason, State, Step, advance

# Most values that are bound in one statement.
CHUNK = 500
# A report that comes later than this finds nothing any more.
KNOWN_S = 30 * 86_400.0
_OWE = (
    "INSERT INTO verification (delivery, arrival, state, due) VALUES (:id, :arrival, 'open', :now)"
    " ON CONFLICT (delivery) DO UPDATE SET due = :now, asked_at = NULL,"
    " tries = CASE WHEN verification.state = 'open' THEN verification.tries ELSE 0 END,"
    " state = 'open', ended_at = NULL, why = ''"
)
_OPEN = (
    " FROM verification v JOIN delivery d ON d.id = v.delivery"
    " WHERE v.state = 'open' AND d.state = 'done'"
)
_DUE = (
    "SELECT v.delivery, v.arrival, d.destination, d.recipe, d.sent_sha256, d.required, v.tries,"
    " v.asked_at, v.why, a.study, a.series, a.sop_class, a.sop_instance"
    " FROM verification v JOIN delivery d ON d.id = v.delivery JOIN arrival a ON a.id = v.arrival"
    " WHERE v.state = 'open' AND v.due <= :now AND d.state = 'done' AND d.ended_at <= :quiet"
    " AND d.destination = :to ORDER BY d.study, v.delivery LIMIT :most"
)
_LEFT_AS = (
    "SELECT study, series, sop_class, sop_instance FROM treatment"
    " WHERE arrival = :arrival AND recipe = :recipe"
    " ORDER BY CASE WHEN sha256 = :sha256 THEN 0 ELSE 1 END, made_at DESC LIMIT 1"
)
_SENT_AGAIN = (
    "UPDATE delivery SET state = :state, due = :now, attempts = attempts + 1, object_failures = 0,"
    " first_failed_at = NULL, status = NULL, why = :why, ended_at = NULL, sent_syntax = '',"
    " sent_sha256 = NULL WHERE id = :id AND state = 'done'"
)
_HELD = (
    "UPDATE delivery SET state = :state, hold_reason = :reason, attempts = attempts + 1,"
    " why = :why, ended_at = NULL WHERE id = :id AND state = 'done'"
)
_TRIED = (
    "INSERT INTO attempt (delivery, number, ended_at, status, why, destination)"
    " SELECT d.id, d.attempts, :now, NULL, :why, d.destination FROM delivery d"
    " WHERE d.id = :id ON CONFLICT DO NOTHING"
)


_VERIFIED = (
    "UPDATE verification SET state = 'verified', ended_at = :now, why = ''"
    " WHERE delivery = :id AND state = 'open' AND EXISTS"
    " (SELECT 1 FROM delivery d WHERE d.id = verification.delivery AND d.state = 'done')"
)
_HELD_FOR_IT = (
    "SELECT destination FROM delivery"
    " WHERE id = :id AND state = 'held' AND hold_reason = 'unverified'"
)
_DONE_AFTER_ALL = (
    "UPDATE delivery SET state = :state, hold_reason = NULL, why = '', ended_at = :now"
    " WHERE id = :id AND state = 'held'"
)
_VERIFIED_LATE = (
    "UPDATE verification SET state = 'verified', ended_at = :now, why = '' WHERE delivery = :id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """One delivered object that is not confirmed, under the UIDs that it left with.

    asked_at: when the destination was first asked since it was sent, Unix seconds.  tries: how
    often it was sent again.
    """

    delivery: int
    destination: str
    study: str
    series: str
    sop_class: str
    sop_instance: str
    required: bool = True
    tries: int = 0
    asked_at: float | None = None
    why: str = ""


def owe(transaction: Transaction, claimed: Sequence[tuple[int, int]], now: float) -> None:
    """Note (delivery, arrival) of what is about to be sent."""
    transaction.many(
        _OWE, [{"id": one, "arrival": arrival, "now": now} for one, arrival in claimed]
    )


def due(destination: str, now: float, quiet: float, most: int) -> Job[list[Owed]]:
    """Read what is to be looked at by now, of what was delivered by ``quiet``, by study."""

    def job(transaction: Transaction) -> list[Owed]:
        rows = transaction.rows(_DUE, {"to": destination, "now": now, "quiet": quiet, "most": most})
        return [_owed(transaction, row) for row in rows]

    return job


def _owed(transaction: Transaction, row: Row) -> Owed:
    left_as: Row | None = row[9:13]
    if row[3]:
        params = {"arrival": row[1], "recipe": row[3], "sha256": row[4] or b""}
        left_as = transaction.one(_LEFT_AS, params) or left_as
    assert left_as is not None
    return Owed(
        delivery=row[0],
        destination=row[2],
        study=left_as[0],
        series=left_as[1],
        sop_class=left_as[2],
        sop_instance=left_as[3],
        required=bool(row[5]),
        tries=row[6],
        asked_at=row[7],
        why=row[8],
    )


def asking(owed: Sequence[Owed], transaction_uid: str, now: float) -> Job[None]:
    """Note whom a report under a transaction UID is about, before anything is asked."""
    rows = [
        {"uid": transaction_uid, "id": one.delivery, "sop": one.sop_instance, "now": now}
        for one in owed
    ]

    def job(transaction: Transaction) -> None:
        transaction.run(
            "DELETE FROM verification_request WHERE asked_at < :before", {"before": now - KNOWN_S}
        )
        transaction.many(
            "INSERT INTO verification_request (transaction_uid, delivery, sop_instance, asked_at)"
            " VALUES (:uid, :id, :sop, :now)",
            rows,
        )

    return job


@dataclass(frozen=True, slots=True)
class Later:
    """When to look at a delivery again (Unix seconds), and what is known of it."""

    delivery: int
    at: float
    why: str


def later(found: Sequence[Later], asked_at: float | None) -> Job[None]:
    """Look at these again.  asked_at: None if the destination did not answer."""
    rows = [
        {"id": one.delivery, "due": one.at, "asked_at": asked_at, "why": one.why[:500]}
        for one in found
    ]

    def job(transaction: Transaction) -> None:
        transaction.many(
            "UPDATE verification SET due = :due, asked_at = coalesce(asked_at, :asked_at),"
            " why = CASE WHEN :why = '' THEN why ELSE :why END"
            " WHERE delivery = :id AND state = 'open'",
            rows,
        )

    return job


def confirmed(ids: Sequence[int], now: float) -> Job[int]:
    """Mark deliveries as verified; return how many were not yet."""
    return lambda transaction: _confirm(transaction, ids, now)


def _confirm(transaction: Transaction, ids: Sequence[int], now: float) -> int:
    """Note that the destination has them; one that was held for the lack of it is done."""
    shift = Shift(now)
    found = 0
    for one in ids:
        params = {"id": one, "now": now}
        found += transaction.run(_VERIFIED, params)
        row = transaction.one(_HELD_FOR_IT, params)
        if row is not None:
            after = advance(State.HELD, Step.CONFIRMED)
            transaction.run(_DONE_AFTER_ALL, params | {"state": after.value})
            transaction.run(_VERIFIED_LATE, params)
            shift.move(str(row[0]), State.HELD.value, after.value)
            found += 1
    shift.write(transaction)
    return found


def reported(
    transaction_uid: str, safe: Sequence[str], failed: Mapping[str, str], now: float
) -> Job[int | None]:
    """Take a report: SOP instance UIDs that are safe, and why others are not.

    Returns how many deliveries it confirmed, None if the transaction is not known here.
    """

    def job(transaction: Transaction) -> int | None:
        rows = transaction.rows(
            "SELECT delivery, sop_instance FROM verification_request WHERE transaction_uid = :uid",
            {"uid": transaction_uid},
        )
        if not rows:
            return None
        promised = set(safe) - failed.keys()
        transaction.many(
            "UPDATE verification SET why = :why WHERE delivery = :id AND state = 'open'",
            [{"id": one, "why": failed[uid][:500]} for one, uid in rows if uid in failed],
        )
        return _confirm(transaction, [one for one, uid in rows if uid in promised], now)

    return job


def unconfirmed(owed: Sequence[Owed], now: float) -> Job[dict[str, int]]:
    """Send again what was not confirmed, once; hold what was sent again already.

    What nobody requires ends as it is.  ``why`` of each says what the destination said.
    Returns how many of them: again, held, left.
    """

    def job(transaction: Transaction) -> dict[str, int]:
        shift = Shift(now)
        found = {"again": 0, "held": 0, "left": 0}
        for one in owed:
            if not one.required:
                _close(transaction, [one.delivery], now)
                found["left"] += 1
            elif one.tries:
                found["held"] += _hold(transaction, shift, one, now)
            else:
                found["again"] += _again(transaction, shift, one, now)
        shift.write(transaction)
        return found

    return job


def _again(transaction: Transaction, shift: Shift, one: Owed, now: float) -> int:
    after = advance(State.DONE, Step.UNCONFIRMED)
    params = {"id": one.delivery, "now": now, "why": one.why[:500]}
    if not transaction.run(_SENT_AGAIN, params | {"state": after.value}):
        return 0
    transaction.run(_TRIED, params)
    transaction.run(
        "UPDATE verification SET tries = tries + 1 WHERE delivery = :id", {"id": one.delivery}
    )
    shift.move(one.destination, State.DONE.value, after.value)
    return 1


def _hold(transaction: Transaction, shift: Shift, one: Owed, now: float) -> int:
    after, reason = advance(State.DONE, Step.HOLD), HoldReason.UNVERIFIED.value
    params = {"id": one.delivery, "now": now, "why": one.why[:500]}
    held = transaction.run(_HELD, params | {"state": after.value, "reason": reason})
    if held:
        transaction.run(_TRIED, params)
        shift.move(one.destination, State.DONE.value, after.value, detail=reason)
        _close(transaction, [one.delivery], now)
    return held


def _close(transaction: Transaction, ids: Sequence[int], now: float) -> None:
    transaction.many(
        "UPDATE verification SET state = 'failed', ended_at = :now"
        " WHERE delivery = :id AND state = 'open'",
        [{"id": one, "now": now} for one in ids],
    )


def ask_no_more(destinations: Sequence[str], now: float) -> Job[int]:
    """End what is owed by others than these destinations; return how many."""

    def job(transaction: Transaction) -> int:
        names = list(destinations) or [""]
        params = {f"to{number}": name for number, name in enumerate(names)}
        return transaction.run(
            "UPDATE verification SET state = 'off', ended_at = :now WHERE delivery IN"
            " (SELECT v.delivery"
            + _OPEN
            + " AND d.destination NOT IN ("
            + placeholders("to", len(names))
            + "))",
            params | {"now": now},
        )

    return job


def open_counts(transaction: Transaction) -> dict[str, int]:
    """Return by destination how much was delivered and is not confirmed."""
    rows = transaction.rows("SELECT d.destination, count(*)" + _OPEN + " GROUP BY d.destination")
    return {str(name): int(n) for name, n in rows}


@dataclass(frozen=True, slots=True)
class Cover:
    """How far a destination has taken over an object.  pending: it may still do so."""

    sop_class: str
    verified: bool
    pending: bool


def cover(uids: Sequence[str], destinations: Sequence[str]) -> Job[dict[str, Cover]]:
    """Read what of these SOP instance UIDs one of the destinations has, or is getting.

    Only the newest arrival under a UID counts, and only what leaves as it came.
    """

    def job(transaction: Transaction) -> dict[str, Cover]:
        found: dict[str, Cover] = {}
        if not destinations:
            return found
        names = {f"to{number}": name for number, name in enumerate(destinations)}
        for start in range(0, len(uids), CHUNK):
            some = uids[start : start + CHUNK]
            _cover(transaction, some, names, found)
        return found

    return job


def _cover(
    transaction: Transaction,
    uids: Sequence[str],
    names: Mapping[str, str],
    found: dict[str, Cover],
) -> None:
    rows = transaction.rows(
        "SELECT a.sop_instance, a.sop_class, d.state, coalesce(v.state, '') FROM arrival a"
        " JOIN delivery d ON d.arrival = a.id LEFT JOIN verification v ON v.delivery = d.id"
        " WHERE a.sop_instance IN (" + placeholders("u", len(uids)) + ")"
        " AND d.destination IN (" + placeholders("to", len(names)) + ") AND d.recipe = ''"
        " AND a.id = (SELECT max(b.id) FROM arrival b WHERE b.sop_instance = a.sop_instance)",
        {**names, **{f"u{number}": uid for number, uid in enumerate(uids)}},
    )
    for uid, sop_class, state, asked in rows:
        verified = state == State.DONE.value and asked == "verified"
        on_its_way = state in (State.WAITING.value, State.SENDING.value)
        pending = on_its_way or (state == State.DONE.value and asked == "open")
        known = found.get(uid)
        found[uid] = Cover(
            sop_class,
            verified or (known is not None and known.verified),
            pending or (known is not None and known.pending),
        )
