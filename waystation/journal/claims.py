"""What lanes take from the queue: who may go next, and a lease on a batch of one study.

Contract (R-18, R-40, R-49, R-50): `look` only reads, and costs the same however long the queue
is; `claim` leases what may leave of one study and priority in order of acceptance.  What the
destination's filter refuses by now ends discarded by the filter's name, in the same transaction.
`expire_optional` ends optional deliveries that nobody took in time (R-46).

A partial index serves only a query that repeats its condition word for word.  A plus sign keeps
SQLite from taking the index of due times where the rows of one study are wanted.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.journal.arrivals import seal
from waystation.journal.counts import Shift, count
from waystation.journal.deliveries import OPTIONAL_EXPIRED
from waystation.journal.verifications import owe
from waystation.model.delivery import Delivery, State, Step, advance
from waystation.timing.fairness import Candidate

PRIORITIES = (0, 1, 2)
# So many of the oldest rows are looked at; if they all belong to studies that are busy or had
# their turn, so many more; and if those do, too, so many studies beside them.
PAGE = 100
WIDE = 2000
BESIDE = 200
# One batch is no longer than this, unless one object is.
BATCH_BYTES = 64 << 20
EXPIRED_AT_ONCE = 1000

_FIELDS = (
    "d.id, d.arrival, d.destination, d.study, a.sop_class, a.sop_instance, a.transfer_syntax,"
    " a.calling_ae, a.blob, a.size_bytes, a.sha256, a.received_at, d.attempts,"
    " d.object_failures, d.first_failed_at, a.series, d.priority, d.grp, d.origin, d.required,"
    " d.created_at, d.rules, a.seal, a.study, d.recipe"
)
CLAIMABLE = (
    "SELECT " + _FIELDS + " FROM delivery d JOIN arrival a ON a.id = d.arrival"
    " WHERE d.destination = :to AND d.study = :study AND d.priority = :priority"
    " AND d.state = 'waiting' AND +d.due <= :due_by AND d.created_at <= :made_by"
    " AND d.id <> :aside ORDER BY d.id LIMIT :limit"
)
_CLAIM = "UPDATE delivery SET state = 'sending', lease_until = :lease_until WHERE id = :id"
_GIVE_BACK = (
    "UPDATE delivery SET state = 'waiting', lease_until = NULL WHERE id = :id AND state = 'sending'"
)
_FILTERED = (
    "UPDATE delivery SET state = 'discarded', by_rule = :by, why = '', ended_at = :now"
    " WHERE id = :id"
)
FIRST_DUE = (
    "SELECT due FROM delivery WHERE destination = :to AND priority = :priority"
    " AND state = 'waiting' ORDER BY due LIMIT 1"
)
OLDEST = (
    "SELECT study, created_at FROM delivery WHERE destination = :to AND priority = :priority"
    " AND state = 'waiting' AND due <= :due_by ORDER BY due, id LIMIT :limit"
)
NEXT_STUDY = (
    "SELECT study FROM delivery WHERE destination = :to AND study > :study"
    " AND state = 'waiting' ORDER BY study LIMIT 1"
)
OF_STUDY = (
    "SELECT created_at FROM delivery WHERE destination = :to AND study = :study"
    " AND priority = :priority AND state = 'waiting' AND +due <= :due_by ORDER BY id LIMIT 1"
)
ANYTHING = "SELECT 1 FROM delivery WHERE destination = :to AND state = 'waiting' LIMIT 1"
_OPTIONAL = (
    " FROM delivery WHERE destination = :to AND required = 0"
    " AND state IN ('waiting', 'held') AND created_at"
)
OLD_OPTIONAL = "SELECT id, state" + _OPTIONAL + " <= :before ORDER BY created_at LIMIT :limit"
FIRST_OPTIONAL = "SELECT min(created_at)" + _OPTIONAL + " > 0"

Due = Sequence[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What waits for one destination.

    studies: some that may leave, the oldest of each priority first.  first_due: by priority, the
    earliest due time of everything that waits (Unix seconds), None if nothing does.
    """

    studies: tuple[Candidate, ...] = ()
    first_due: tuple[float | None, ...] = (None, None, None)

    @property
    def anything(self) -> bool:
        """Whether something waits, due or not."""
        return any(due is not None for due in self.first_due)


def look(
    destination: str,
    due_by: Due,
    *,
    busy: Collection[str] = (),
    served: Collection[str] = (),
    after: str = "",
) -> Job[Seen]:
    """Read which studies may go next.

    due_by: for each priority, how late the due time may be (Unix seconds); None: nothing may
    leave.  busy: studies to pass over, but for stat.  served: those that had their turn; if the
    oldest rows are all of such, others are looked for behind the study ``after``.
    """

    def job(transaction: Transaction) -> Seen:
        found: list[Candidate] = []
        for priority, limit in zip(PRIORITIES, due_by, strict=True):
            if limit is None:
                continue
            asked = _Asked(destination, priority, limit)
            passed = () if priority == 0 else busy
            found += _oldest(transaction, asked, passed, served, after)
        due = tuple(_first_due(transaction, destination, priority) for priority in PRIORITIES)
        return Seen(studies=tuple(found), first_due=due)

    return job


@dataclass(frozen=True, slots=True)
class _Asked:
    destination: str
    priority: int
    due_by: float


def _first_due(transaction: Transaction, destination: str, priority: int) -> float | None:
    row = transaction.one(FIRST_DUE, {"to": destination, "priority": priority})
    return None if row is None else float(row[0])


def _oldest(
    transaction: Transaction,
    asked: _Asked,
    busy: Collection[str],
    served: Collection[str],
    after: str,
) -> list[Candidate]:
    since: dict[str, float] = {}
    for limit in (PAGE, WIDE):
        since = {}
        rows = transaction.rows(
            OLDEST,
            {
                "to": asked.destination,
                "priority": asked.priority,
                "due_by": asked.due_by,
                "limit": limit,
            },
        )
        for study, created_at in rows:
            since[study] = min(created_at, since.get(study, created_at))
        if len(rows) < limit or any(s not in busy and s not in served for s in since):
            break
    else:
        # Long studies stand before all others: look beside them.
        for study, created_at in _beside(transaction, asked, since, after):
            since[study] = created_at
    found = [
        Candidate(study=study, priority=asked.priority, since=made)
        for study, made in since.items()
        if study not in busy
    ]
    return sorted(found, key=lambda each: each.since)


def _beside(
    transaction: Transaction, asked: _Asked, known: Collection[str], after: str
) -> list[tuple[str, float]]:
    """Return other studies with the time of their oldest delivery, in order of their UIDs."""
    found = []
    study = after
    wrapped = not after
    for _ in range(BESIDE):
        row = transaction.one(NEXT_STUDY, {"to": asked.destination, "study": study})
        if row is None:
            if wrapped:
                break
            study, wrapped = "", True
            continue
        study = str(row[0])
        values = {"to": asked.destination, "study": study}
        mine = transaction.one(
            OF_STUDY, values | {"priority": asked.priority, "due_by": asked.due_by}
        )
        if mine is not None and study not in known:
            found.append((study, float(mine[0])))
    return found


def of_study(destination: str, study: str, now: float) -> Job[Candidate | None]:
    """Read what is due of one study, its most urgent priority; None if nothing is."""

    def job(transaction: Transaction) -> Candidate | None:
        values = {"to": destination, "study": study, "due_by": now}
        for priority in PRIORITIES:
            row = transaction.one(OF_STUDY, values | {"priority": priority})
            if row is not None:
                return Candidate(study=study, priority=priority, since=float(row[0]))
        return None

    return job


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a lane asks for.

    due_by, made_by: latest due time and latest creation (Unix seconds).  refuses: names the
    filter that takes an SOP class away, "" if none does.  aside: a delivery that is taken only if
    there is no other, 0 for none.  verified: the destination has to confirm what it gets.
    """

    study: str
    priority: int
    now: float
    lease_until: float
    limit: int
    due_by: float
    made_by: float = float("inf")
    aside: int = 0
    refuses: Callable[[str], str] = lambda _sop_class: ""
    verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a lane got.  filtered: (delivery id, filter) of what was discarded instead."""

    batch: list[Delivery]
    filtered: list[tuple[int, str]]


def claim(destination: str, asked: Claim) -> Job[Claimed]:
    """Lease a batch of one study and priority, in order of acceptance."""

    def job(transaction: Transaction) -> Claimed:
        rows = _claimable(transaction, destination, asked, asked.aside)
        if not rows and asked.aside:
            rows = _claimable(transaction, destination, asked, 0)
        batch, filtered = _sorted_out(rows, asked)
        shift = Shift(asked.now)
        leased = [{"id": one.id, "lease_until": asked.lease_until} for one in batch]
        if leased:
            transaction.many(_CLAIM, leased)
            shift.move(destination, State.WAITING.value, State.SENDING.value, len(batch))
        if leased and asked.verified:
            owe(transaction, [(one.id, one.arrival_id) for one in batch], asked.now)
        if filtered:
            gone = [{"id": number, "by": by, "now": asked.now} for number, by in filtered]
            transaction.many(_FILTERED, gone)
            after = advance(State.WAITING, Step.DISCARD)
            n = len(filtered)
            shift.move(destination, State.WAITING.value, after.value, n, detail="filter")
            count(transaction, "filtered." + destination, len(filtered))
        shift.write(transaction)
        return Claimed(batch=batch, filtered=filtered)

    return job


def _claimable(
    transaction: Transaction, destination: str, asked: Claim, aside: int
) -> Sequence[Row]:
    return transaction.rows(
        CLAIMABLE,
        {
            "to": destination,
            "study": asked.study,
            "priority": asked.priority,
            "due_by": asked.due_by,
            "made_by": asked.made_by,
            "aside": aside,
            "limit": asked.limit,
        },
    )


def _sorted_out(rows: Sequence[Row], asked: Claim) -> tuple[list[Delivery], list[tuple[int, str]]]:
    batch: list[Delivery] = []
    filtered: list[tuple[int, str]] = []
    size_bytes = 0
    for row in rows:
        if filter_name := asked.refuses(row[4]):
            filtered.append((row[0], filter_name))
        elif not batch or size_bytes + row[9] <= BATCH_BYTES:
            batch.append(_delivery_from(row))
            size_bytes += row[9]
        else:
            break
    return batch, filtered


def _delivery_from(row: Row) -> Delivery:
    return Delivery(
        id=row[0],
        arrival_id=row[1],
        destination=row[2],
        study_uid=row[3],
        sop_class_uid=row[4],
        sop_instance_uid=row[5],
        transfer_syntax_uid=row[6],
        calling_ae=row[7],
        blob=row[8],
        size_bytes=row[9],
        sha256=bytes(row[10]).hex(),
        received_at=row[11],
        attempts=row[12],
        object_failures=row[13],
        first_failed_at=row[14],
        series_uid=row[15],
        priority=row[16],
        group=row[17],
        origin=row[18],
        required=bool(row[19]),
        created_at=row[20],
        rules=row[21],
        sealed=row[22] is None or bytes(row[22]) == _seal(row),
        recipe=row[24],
    )


def _seal(row: Row) -> bytes:
    return seal(bytes(row[10]), row[4], row[5], row[6], row[23], row[15], row[7])


def give_back(batch: Iterable[Delivery]) -> Job[int]:
    """Return leases of what was not tried, as if nothing had been; return how many were ours."""
    rows = [(one.id, one.destination) for one in batch]

    def job(transaction: Transaction) -> int:
        shift = Shift()
        returned = 0
        for number, destination in rows:
            n = transaction.run(_GIVE_BACK, {"id": number})
            shift.move(destination, State.SENDING.value, State.WAITING.value, n)
            returned += n
        shift.write(transaction)
        return returned

    return job


def anything_waits(destination: str) -> Job[bool]:
    """Read whether anything waits for a destination."""
    return lambda transaction: transaction.one(ANYTHING, {"to": destination}) is not None


def first_optional(destination: str) -> Job[float | None]:
    """Read when the oldest open optional delivery was made (Unix seconds), None without any."""

    def job(transaction: Transaction) -> float | None:
        row = transaction.one(FIRST_OPTIONAL, {"to": destination})
        return None if row is None or row[0] is None else float(row[0])

    return job


def expire_optional(destination: str, before: float, now: float) -> Job[int]:
    """End optional deliveries made up to ``before``; return how many, at most a thousand."""

    def job(transaction: Transaction) -> int:
        rows = transaction.rows(
            OLD_OPTIONAL, {"to": destination, "before": before, "limit": EXPIRED_AT_ONCE}
        )
        shift = Shift()
        for number, state in rows:
            after = advance(State(state), Step.DISCARD)
            transaction.run(
                "UPDATE delivery SET state = :after, by_rule = :by, hold_reason = NULL,"
                " ended_at = :now WHERE id = :id",
                {"id": number, "after": after.value, "by": OPTIONAL_EXPIRED, "now": now},
            )
            shift.move(destination, state, after.value, detail="optional")
        shift.write(transaction)
        return len(rows)

    return job
