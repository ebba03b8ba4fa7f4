"""Groups: which member a study goes to, and the rows that move there (R-42 to R-44).

Contract: a delivery to a group begins with the group as its destination.  A choice and the rows
that follow it are one transaction, so that no study is ever split by a crash.  What is being sent
is never moved; what one member has taken goes to another only as a planned repeat.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from waystation.db.engine import Job
from waystation.db.statement import Transaction, placeholders
from waystation.journal import arrivals
from waystation.journal.counts import Shift
from waystation.journal.ids import IdSource
from waystation.model.delivery import State, Step, advance
from waystation.model.plan import Target

PAGE = 200
# By this name planned repeats end that nobody needs any more.
NEEDLESS = "there already"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One study that something waits for in a group.

    at: where its rows wait: the group itself, or a member.  member: the last choice, "" for none.
    begun: something of it was tried or taken at that member.  last_at: Unix seconds of the newest
    object that was chosen for.  oldest_at: of the oldest delivery that waits.
    patient: Patient ID.  stat: something of it is urgent.
    """

    study: str
    at: tuple[str, ...]
    member: str
    begun: bool
    last_at: float
    oldest_at: float
    patient: str
    stat: bool


_WAITING = "d.grp = :grp AND d.grp <> '' AND d.state IN ('waiting', 'sending')"
_FIRST = "SELECT DISTINCT d.study FROM delivery d WHERE " + _WAITING
_BEHIND = _FIRST + " AND d.study > :after"
_PAGE = " ORDER BY d.study LIMIT :limit"
_ROWS = (
    "SELECT d.destination, d.priority, d.created_at, a.patient_id FROM delivery d"
    " JOIN arrival a ON a.id = d.arrival WHERE d.study = :study AND " + _WAITING
)
_BEGUN = (
    "SELECT count(*) FROM delivery d WHERE d.grp = :grp AND d.grp <> '' AND d.study = :study"
    " AND d.destination = :member AND (d.attempts > 0 OR d.state IN ('sending', 'done'))"
)


def studies(group: str, after: str | None) -> Job[list[str]]:
    """Read a page of the studies that something waits for, behind ``after``; None: the first.

    What belongs to no study waits under "".
    """

    def job(transaction: Transaction) -> list[str]:
        values = {"grp": group, "limit": PAGE}
        if after is None:
            rows = transaction.rows(_FIRST + _PAGE, values)
        else:
            rows = transaction.rows(_BEHIND + _PAGE, values | {"after": after})
        return [str(row[0]) for row in rows]

    return job


def standing(group: str, study: str) -> Job[Standing | None]:
    """Read how a study stands; None if nothing of it waits any more."""

    def job(transaction: Transaction) -> Standing | None:
        values = {"grp": group, "study": study}
        rows = transaction.rows(_ROWS, values)
        if not rows:
            return None
        chosen = transaction.one(
            "SELECT member, last_at FROM choice WHERE grp = :grp AND study = :study", values
        )
        member = "" if chosen is None else str(chosen[0])
        begun = transaction.one(_BEGUN, values | {"member": member})
        newest = max(float(row[2]) for row in rows)
        return Standing(
            study=study,
            at=tuple(sorted({str(row[0]) for row in rows})),
            member=member,
            begun=bool(begun is not None and begun[0]),
            last_at=newest if chosen is None else float(chosen[1]),
            oldest_at=min(float(row[2]) for row in rows),
            patient=str(rows[0][3]),
            stat=any(row[1] == 0 for row in rows),
        )

    return job


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A choice to carry out.  repeat: also send there what another member took (R-44)."""

    group: str
    study: str
    member: str
    why: str
    repeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What a choice did.  left: rows that are being sent elsewhere, to be moved later."""

    rows: int
    repeats: int
    left: int


_MOVE = (
    "UPDATE delivery SET destination = :member, due = :now WHERE grp = :grp AND grp <> ''"
    " AND study = :study AND destination = :from AND state = 'waiting'"
)
_AWAY = (
    "SELECT d.destination, d.state, count(*) FROM delivery d WHERE d.study = :study AND "
    + _WAITING
    + " AND d.destination <> :member GROUP BY d.destination, d.state"
)
_CHOSEN = (
    "INSERT INTO choice (grp, study, member, chosen_at, last_at, begun, why)"
    " VALUES (:grp, :study, :member, :now, :last, 0, :why)"
    " ON CONFLICT (grp, study) DO UPDATE SET last_at = :last,"
    " chosen_at = CASE WHEN choice.member = :member THEN choice.chosen_at ELSE :now END,"
    " why = CASE WHEN choice.member = :member THEN choice.why ELSE :why END, member = :member"
)
_TAKEN = (
    "SELECT DISTINCT d.arrival, d.rules, d.priority, d.required, d.recipe FROM delivery d"
    " JOIN arrival a ON a.id = d.arrival"
    " WHERE d.grp = :grp AND d.grp <> '' AND d.study = :study AND d.state = 'done'"
    " AND d.destination <> :member AND a.blob_gone = 0"
    " AND NOT EXISTS (SELECT 1 FROM delivery x WHERE x.arrival = d.arrival"
    "  AND x.destination = :member AND x.state <> 'discarded') ORDER BY d.arrival"
)
_NEEDLESS = (
    "SELECT d.id FROM delivery d WHERE d.grp = :grp AND d.grp <> '' AND d.study = :study"
    " AND d.destination = :member AND d.state = 'waiting' AND d.origin = 'switch'"
    " AND EXISTS (SELECT 1 FROM delivery x WHERE x.arrival = d.arrival AND x.id <> d.id"
    "  AND x.destination = :member AND x.state <> 'discarded'"
    "  AND (x.state <> 'waiting' OR x.id < d.id))"
)
_NEWEST = (
    "SELECT coalesce(max(d.created_at), :now) FROM delivery d WHERE d.grp = :grp AND d.grp <> ''"
    " AND d.study = :study"
)
_PRIORITIES = ("stat", "normal", "low")


def move(order: Move, ids: IdSource, now: float) -> Job[Moved]:
    """Write a choice and move the study's waiting rows to the member."""

    def job(transaction: Transaction) -> Moved:
        values = {"grp": order.group, "study": order.study, "member": order.member, "now": now}
        newest = transaction.one(_NEWEST, values)
        last = now if newest is None else float(newest[0])
        transaction.run(_CHOSEN, values | {"why": order.why[:500], "last": last})
        shift = Shift()
        moved = left = 0
        for place, state, n in transaction.rows(_AWAY, values):
            if state != State.WAITING.value:
                left += int(n)
                continue
            moved += transaction.run(_MOVE, values | {"from": place})
            shift.move(place, State.WAITING.value, None, int(n))
            shift.move(order.member, None, State.WAITING.value, int(n))
        moved -= _end_needless(transaction, values, shift)
        repeats = _repeat(transaction, order, ids, now, shift) if order.repeat else 0
        shift.write(transaction)
        return Moved(rows=moved, repeats=repeats, left=left)

    return job


def _end_needless(transaction: Transaction, values: dict[str, Any], shift: Shift) -> int:
    """End planned repeats that came back to where the object is already; return how many."""
    rows = transaction.rows(_NEEDLESS, values)
    after = advance(State.WAITING, Step.DISCARD).value
    ended = [{"id": row[0], "after": after, "by": NEEDLESS, "now": values["now"]} for row in rows]
    transaction.many(
        "UPDATE delivery SET state = :after, by_rule = :by, ended_at = :now WHERE id = :id", ended
    )
    if ended:
        shift.move(values["member"], State.WAITING.value, after, len(ended), detail="switch")
    return len(ended)


def _repeat(transaction: Transaction, order: Move, ids: IdSource, now: float, shift: Shift) -> int:
    """Make deliveries to the new member of what another one took."""
    values = {"grp": order.group, "study": order.study, "member": order.member}
    rows = []
    for arrival_id, rules, priority, required, recipe in transaction.rows(_TAKEN, values):
        arrival = arrivals.read(transaction, arrival_id)
        if arrival is None:
            continue
        target = Target(
            destination=order.member,
            rules=tuple(str(rules).split(", ")),
            priority=_PRIORITIES[priority],
            required=bool(required),
            recipe=recipe,
        )
        row = arrivals.delivery_row(arrival, target, ids.next(), now, "switch")
        rows.append(row | {"grp": order.group})
        shift.move(order.member, None, State.WAITING.value)
    transaction.many(arrivals.ADD_DELIVERY, rows)
    return len(rows)


def back_to_group(group: str, study: str) -> Job[int]:
    """Let a study that nobody has begun wait in the group again; return how many rows."""

    def job(transaction: Transaction) -> int:
        values = {"grp": group, "study": study, "member": group, "now": 0.0}
        shift = Shift()
        moved = 0
        for place, state, n in transaction.rows(_AWAY, values):
            if state == State.WAITING.value:
                moved += transaction.run(_MOVE_BACK, values | {"from": place})
                shift.move(place, State.WAITING.value, None, int(n))
                shift.move(group, None, State.WAITING.value, int(n))
        shift.write(transaction)
        return moved

    return job


_MOVE_BACK = (
    "UPDATE delivery SET destination = :member WHERE grp = :grp AND grp <> ''"
    " AND study = :study AND destination = :from AND state = 'waiting'"
)


def leave(member: str, groups: Collection[str]) -> Job[int]:
    """Let what waits for a member that is gone wait in its group again, if that is still there.

    Returns how many rows.
    """
    names = {f"name{number}": name for number, name in enumerate(groups)}

    def job(transaction: Transaction) -> int:
        values = {"member": member, **names}
        shift = Shift()
        for group, n in transaction.rows(
            "SELECT grp, count(*) FROM delivery WHERE destination = :member"
            " AND state = 'waiting' AND grp IN ("
            + placeholders("name", len(names))
            + ") GROUP BY grp",
            values,
        ):
            shift.move(member, State.WAITING.value, None, int(n))
            shift.move(str(group), None, State.WAITING.value, int(n))
        moved = transaction.run(
            "UPDATE delivery SET destination = grp"
            " WHERE destination = :member AND state = 'waiting' AND grp IN ("
            + placeholders("name", len(names))
            + ")",
            values,
        )
        shift.write(transaction)
        return moved

    return job


def forget(before: float, limit: int) -> Job[int]:
    """Delete choices of studies of which nothing came since ``before`` and nothing waits."""

    def job(transaction: Transaction) -> int:
        rows = transaction.rows(
            "SELECT c.grp, c.study FROM choice c WHERE c.last_at < :before"
            " AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.study = c.study AND d.grp = c.grp"
            " AND d.grp <> '' AND d.state IN ('waiting', 'sending')) LIMIT :limit",
            {"before": before, "limit": limit},
        )
        transaction.many(
            "DELETE FROM choice WHERE grp = :grp AND study = :study",
            [{"grp": row[0], "study": row[1]} for row in rows],
        )
        return len(rows)

    return job
