"""The queue as an operator sees it: lanes with their counts, deliveries, held arrivals (R-79).

Contract: jobs that only read.  Counts come from ``tally``, which is kept beside the rows, so that
a queue of a million opens at once; lists come in pages, oldest first, behind the id ``after``.
Nothing here carries a patient's identity.
"""

import json
from collections.abc import Sequence
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction, placeholders
from waystation.journal import treatments
from waystation.journal.entries import (
    Chosen,
    FailedAttempt,
    LaneCounts,
    Listed,
    ListedArrival,
    Overview,
    Story,
)
from waystation.journal.verifications import open_counts
from waystation.model.delivery import State
from waystation.model.plan import Verdict

_LISTED = (
    "d.id, d.arrival, d.destination, d.state, d.hold_reason, d.study, d.priority, d.rules,"
    " d.attempts, d.object_failures, d.status, d.why, d.due, d.created_at, d.first_failed_at,"
    " d.ended_at, d.by_rule, d.by_user, a.sop_class, a.sop_instance, a.transfer_syntax, a.peer,"
    " a.calling_ae, a.received_at, a.size_bytes, d.grp, d.origin, d.required, d.sent_syntax,"
    " coalesce((SELECT v.state FROM verification v WHERE v.delivery = d.id), ''), d.sent_sha256"
)
_ARRIVAL = (
    "a.id, a.received_at, a.peer, a.calling_ae, a.called_ae, a.way_in, a.study, a.series,"
    " a.sop_class, a.sop_instance, a.transfer_syntax, a.size_bytes, a.planned, a.hold_reason,"
    " a.ended_why, a.verdicts"
)
_FILTER = (
    " AND d.id > :after AND (:until = 0 OR d.id <= :until)"
    " AND (:to = '' OR d.destination = :to) AND (:state = '' OR d.state = :state)"
    " AND (:reason = '' OR d.hold_reason = :reason)"
)
# Three ways to the same rows, each over another index: by study, by open state, by age.
_OF_STUDY = "d.arrival IN (SELECT s.id FROM arrival s WHERE s.study = :study)" + _FILTER
_OPEN = "d.state IN ('sending', 'held')" + _FILTER
_BY_AGE = "d.id > :after" + _FILTER
LIST = "SELECT " + _LISTED + " FROM delivery d JOIN arrival a ON a.id = d.arrival WHERE "
_PAGE = " ORDER BY d.id LIMIT :limit"
_LISTS = {
    "study": LIST + _OF_STUDY + _PAGE,
    "open": LIST + _OPEN + _PAGE,
    "age": LIST + _BY_AGE + _PAGE,
}
_COUNT = "SELECT d.state, count(*) FROM delivery d WHERE "
_BY_STATE = " GROUP BY d.state"
_COUNTS = {
    "study": _COUNT + _OF_STUDY + _BY_STATE,
    "open": _COUNT + _OPEN + _BY_STATE,
    "age": _COUNT + _BY_AGE + _BY_STATE,
}
_OPEN_STATES = (State.SENDING.value, State.HELD.value)


def _way(chosen: Chosen) -> str:
    if chosen.study:
        return "study"
    return "open" if chosen.state in _OPEN_STATES else "age"


def _values(chosen: Chosen) -> dict[str, Any]:
    values: dict[str, Any] = {
        "to": chosen.destination,
        "study": chosen.study,
        "state": chosen.state,
        "reason": chosen.reason,
        "after": chosen.after,
        "until": chosen.until,
        "limit": chosen.limit,
    }
    return values | {f"id{number}": value for number, value in enumerate(chosen.ids)}


def listed(transaction: Transaction, chosen: Chosen) -> list[Listed]:
    """Return a page of deliveries, oldest first."""
    values = _values(chosen)
    if chosen.ids:
        rows = transaction.rows(
            LIST + "d.id IN (" + placeholders("id", len(chosen.ids)) + ")" + _FILTER + _PAGE,
            values,
        )
    else:
        rows = transaction.rows(_LISTS[_way(chosen)], values)
    return [listed_from(row) for row in rows]


def listed_from(row: Row) -> Listed:
    *values, sha256 = row
    return Listed(**dict(zip(Listed.__slots__, (*values, bytes(sha256 or b"").hex()), strict=True)))


def deliveries(chosen: Chosen) -> Job[list[Listed]]:
    """Read a page of deliveries."""
    return lambda transaction: listed(transaction, chosen)


def states(chosen: Chosen) -> Job[dict[str, int]]:
    """Count the chosen deliveries by state."""

    def job(transaction: Transaction) -> dict[str, int]:
        values = _values(chosen)
        if chosen.ids:
            rows = transaction.rows(
                _COUNT
                + "d.id IN ("
                + placeholders("id", len(chosen.ids))
                + ")"
                + _FILTER
                + _BY_STATE,
                values,
            )
        else:
            rows = transaction.rows(_COUNTS[_way(chosen)], values)
        return {str(state): int(n) for state, n in rows}

    return job


_HELD = (
    " a.hold_reason IS NOT NULL AND a.id > :after AND (:until = 0 OR a.id <= :until)"
    " AND (:study = '' OR a.study = :study) AND (:reason = '' OR a.hold_reason = :reason)"
    " AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.arrival = a.id AND d.state = 'held')"
)
_HELD_LIST = "SELECT " + _ARRIVAL + " FROM arrival a WHERE" + _HELD
_HELD_COUNT = "SELECT a.hold_reason, count(*) FROM arrival a WHERE" + _HELD


def _arrival_from(row: Row) -> ListedArrival:
    names = ListedArrival.__slots__
    fields: dict[str, Any] = dict(zip(names, row, strict=True))
    verdicts = json.loads(fields["verdicts"]) if fields["verdicts"] else []
    fields["planned"] = bool(fields["planned"])
    fields["verdicts"] = tuple(
        Verdict(rule=rule, matched=matched, clause=clause) for rule, matched, clause in verdicts
    )
    return ListedArrival(**fields)


def held_arrivals(chosen: Chosen) -> Job[list[ListedArrival]]:
    """Read arrivals that are held themselves, and not only through one of their deliveries."""

    def job(transaction: Transaction) -> list[ListedArrival]:
        if chosen.destination or chosen.state not in ("", State.HELD.value):
            return []
        return [_arrival_from(row) for row in held_rows(transaction, chosen)]

    return job


def held_rows(transaction: Transaction, chosen: Chosen) -> Sequence[Row]:
    """Return the rows of held arrivals, oldest first."""
    values = _values(chosen)
    if not chosen.ids:
        return transaction.rows(_HELD_LIST + " ORDER BY a.id LIMIT :limit", values)
    return transaction.rows(
        _HELD_LIST
        + " AND a.id IN ("
        + placeholders("id", len(chosen.ids))
        + ") ORDER BY a.id LIMIT :limit",
        values,
    )


def held_by_reason(transaction: Transaction, chosen: Chosen) -> dict[str, int]:
    """Count arrivals that are held themselves, by reason."""
    if chosen.destination or chosen.ids or chosen.state not in ("", State.HELD.value):
        return {}
    rows = transaction.rows(_HELD_COUNT + " GROUP BY a.hold_reason", _values(chosen))
    return {str(reason): int(n) for reason, n in rows}


def count_held(chosen: Chosen) -> Job[int]:
    """Count arrivals that are held themselves."""

    def job(transaction: Transaction) -> int:
        if chosen.ids:
            return len(held_rows(transaction, chosen))
        return sum(held_by_reason(transaction, chosen).values())

    return job


def overview(*, ages: bool = True) -> Job[Overview]:
    """Read what opens the queue: counts, ages if wanted, no rows."""

    def job(transaction: Transaction) -> Overview:
        counts = _tallied(transaction)
        lanes = tuple(
            LaneCounts(
                destination=name,
                oldest_at=_oldest(transaction, name) if ages and states.get("waiting") else None,
                **{state: max(0, n) for state, n in states.items()},
            )
            for name, states in sorted(counts.items())
        )
        held = held_by_reason(transaction, Chosen())
        for reason, n in transaction.rows(
            "SELECT hold_reason, count(*) FROM delivery"
            " WHERE state IN ('sending', 'held') AND state = 'held' GROUP BY hold_reason"
        ):
            held[str(reason)] = held.get(str(reason), 0) + int(n)
        unplanned = transaction.one("SELECT count(*) FROM arrival WHERE planned = 0")
        return Overview(
            lanes=lanes,
            held=held,
            unplanned=unplanned[0] if unplanned else 0,
            unverified=open_counts(transaction),
        )

    return job


def _tallied(transaction: Transaction) -> dict[str, dict[str, int]]:
    """Return destination → state → deliveries, those whose rows are gone again included."""
    known = {state.value for state in State}
    found: dict[str, dict[str, int]] = {}
    for destination, state, n in transaction.rows("SELECT destination, state, n FROM tally"):
        found.setdefault(str(destination), {})[str(state)] = int(n)
    for name, n in transaction.rows("SELECT k, v FROM counter WHERE k LIKE 'ended.%'"):
        destination, _, state = str(name).removeprefix("ended.").rpartition(".")
        if state in known:
            states = found.setdefault(destination, {})
            states[state] = states.get(state, 0) + int(n)
    return found


def _oldest(transaction: Transaction, destination: str) -> float | None:
    """Return when the oldest waiting delivery was made.  Ids are in order of time."""
    row = transaction.one(
        "SELECT created_at FROM delivery WHERE id = (SELECT min(id) FROM delivery"
        " WHERE destination = :to AND state = 'waiting')",
        {"to": destination},
    )
    return None if row is None else float(row[0])


def story(arrival_id: int) -> Job[Story | None]:
    """Read one arrival with everything that became of it, or None."""

    def job(transaction: Transaction) -> Story | None:
        one = {"id": arrival_id}
        row = transaction.one("SELECT " + _ARRIVAL + " FROM arrival a WHERE a.id = :id", one)
        if row is None:
            return None
        rows = transaction.rows(LIST + "d.arrival = :id ORDER BY d.id", one)
        found = tuple(listed_from(one_row) for one_row in rows)
        return Story(
            arrival=_arrival_from(row),
            deliveries=found,
            attempts={entry.id: _attempts(transaction, entry.id) for entry in found},
            steps={
                entry.id: told
                for entry in found
                if (told := treatments.told(transaction, entry.id)) is not None
            },
        )

    return job


def _attempts(transaction: Transaction, delivery_id: int) -> tuple[FailedAttempt, ...]:
    rows = transaction.rows(
        "SELECT number, ended_at, status, why, destination, detail FROM attempt"
        " WHERE delivery = :id ORDER BY number",
        {"id": delivery_id},
    )
    return tuple(
        FailedAttempt(
            number=r[0], ended_at=r[1], status=r[2], why=r[3], destination=r[4], detail=r[5]
        )
        for r in rows
    )


def arrival_of(delivery_id: int) -> Job[int | None]:
    """Read which arrival a delivery belongs to, or None."""

    def job(transaction: Transaction) -> int | None:
        row = transaction.one("SELECT arrival FROM delivery WHERE id = :id", {"id": delivery_id})
        return None if row is None else int(row[0])

    return job


def bound_for() -> Job[dict[str, dict[str, int]]]:
    """Read destination → state → deliveries, of what waits, is sent or is held for it.

    What waits for a member of a group counts for that member; what waits for the choice, for the
    group.
    """

    def job(transaction: Transaction) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for destination, state, n in transaction.rows(
            "SELECT destination, state, n FROM tally"
            " WHERE state IN ('waiting', 'sending', 'held') AND n > 0"
        ):
            found.setdefault(str(destination), {})[str(state)] = int(n)
        return found

    return job


def gone_again(destination: str) -> Job[int]:
    """Count what is held only because its destination was missing."""

    def job(transaction: Transaction) -> int:
        row = transaction.one(
            "SELECT count(*) FROM delivery WHERE destination = :to AND state = 'held'"
            " AND state IN ('sending', 'held') AND hold_reason = 'destination-gone'",
            {"to": destination},
        )
        return int(row[0]) if row else 0

    return job
