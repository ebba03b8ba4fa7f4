"""Groups: which member a study goes to, and the rows that move there (R-42 to R-44).

Contract: a delivery to a group begins with the group as its destination.  A choice and the rows
that follow it are one transaction, so that no study is ever split by a crash.  What is being sent
is never moved; what one member has taken goes to another only as a planned repeat.
"""

from collections.abc import Collection
from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Transaction, placeholders
from waystation.journal import arrivals
from waystation.journal.counts import Shift
from waystation.journal.ids import IdSource
from waystation.model.delivery import State
from waystation.model.plan import Target

PAGE = 200


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
_STUDIES = (
    "SELECT DISTINCT d.study FROM delivery d WHERE " + _WAITING + " AND d.study > :after"
    " ORDER BY d.study LIMIT :limit"
)
_NEW = (
    "SELECT DISTINCT d.study FROM delivery d WHERE d.destination = :grp AND d.state = 'waiting'"
    " ORDER BY d.study LIMIT :limit"
)
_ROWS = (
    "SELECT d.destination, d.priority, d.created_at, a.patient_id FROM delivery d"
    " JOIN arrival a ON a.id = d.arrival WHERE d.study = :study AND " + _WAITING
)
_BEGUN = (
    "SELECT count(*) FROM delivery d WHERE d.grp = :grp AND d.grp <> '' AND d.study = :study"
    " AND d.destination = :member AND (d.attempts > 0 OR d.state IN ('sending', 'done'))"
)


def unchosen(group: str) -> Job[list[str]]:
    """Read studies that wait in the group itself, at most a page of them."""

    def job(transaction: Transaction) -> list[str]:
        rows = transaction.rows(_NEW, {"grp": group, "limit": PAGE})
        return [str(row[0]) for row in rows]

    return job


def studies(group: str, after: str) -> Job[list[str]]:
    """Read a page of the studies that something waits for, behind ``after``."""

    def job(transaction: Transaction) -> list[str]:
        values = {"grp": group, "after": after, "limit": PAGE}
        return [str(row[0]) for row in transaction.rows(_STUDIES, values)]

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
    "SELECT DISTINCT d.arrival, d.rules, d.priority, d.required FROM delivery d"
    " JOIN arrival a ON a.id = d.arrival"
    " WHERE d.grp = :grp AND d.grp <> '' AND d.study = :study AND d.state = 'done'"
    " AND d.destination <> :member AND a.blob_gone = 0"
    " AND NOT EXISTS (SELECT 1 FROM delivery x WHERE x.arrival = d.arrival"
    "  AND x.destination = :member AND x.state <> 'discarded') ORDER BY d.arrival"
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
        repeats = _repeat(transaction, order, ids, now, shift) if order.repeat else 0
        shift.write(transaction)
        return Moved(rows=moved, repeats=repeats, left=left)

    return job


def _repeat(transaction: Transaction, order: Move, ids: IdSource, now: float, shift: Shift) -> int:
    """Make deliveries to the new member of what another one took."""
    values = {"grp": order.group, "study": order.study, "member": order.member}
    rows = []
    for arrival_id, rules, priority, required in transaction.rows(_TAKEN, values):
        arrival = arrivals.read(transaction, arrival_id)
        if arrival is None:
            continue
        target = Target(
            destination=order.member,
            rules=tuple(str(rules).split(", ")),
            priority=_PRIORITIES[priority],
            required=bool(required),
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


def strays(groups: Collection[str]) -> Job[list[str]]:
    """Read the groups that something waits for and that are none of ``groups`` any more."""
    values = {f"name{number}": name for number, name in enumerate(groups)}

    def job(transaction: Transaction) -> list[str]:
        rows = transaction.rows(
            "SELECT DISTINCT d.grp FROM delivery d WHERE d.grp <> ''"
            " AND d.state IN ('waiting', 'sending') AND d.grp NOT IN ("
            + placeholders("name", len(groups))
            + ")",
            values,
        )
        return [str(row[0]) for row in rows]

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
