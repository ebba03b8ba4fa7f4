"""How old what waits is, and what waits for whom or by what (R-79).

Contract: jobs that only read, over indexes, however long the queue.  An id tells when its row was
made, so that ages need no look at the rows themselves.
"""

from dataclasses import dataclass
from datetime import datetime

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.journal.ids import id_at

# Below so many seconds, one column each; what is older stands in the last.
STEPS_S = (300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
_AGES = (
    "SELECT destination, count(*),"
    " count(CASE WHEN id >= :age0 THEN 1 END), count(CASE WHEN id >= :age1 THEN 1 END),"
    " count(CASE WHEN id >= :age2 THEN 1 END), count(CASE WHEN id >= :age3 THEN 1 END),"
    " count(CASE WHEN id >= :age4 THEN 1 END)"
    " FROM delivery WHERE state = 'waiting' GROUP BY destination"
)
_GATHERING = (
    "SELECT count(*), coalesce(sum(n), 0) FROM gather WHERE state IN ('open', 'completing')"
)
_TODAY = "SELECT state, count(*) FROM delivery WHERE id >= :since GROUP BY state"
# What waits and what else is open: each part over the index whose condition it repeats.
_WAITS = " FROM delivery d WHERE d.state = 'waiting'"
_OPEN = " FROM delivery d WHERE d.state IN ('sending', 'held')"
_COUNTED = (
    "SELECT name, count(CASE WHEN state = 'waiting' THEN 1 END),"
    " count(CASE WHEN state = 'sending' THEN 1 END), count(CASE WHEN state = 'held' THEN 1 END),"
    " min(CASE WHEN state = 'waiting' THEN id END) FROM ("
)
_ORDERED = (
    ") x GROUP BY name ORDER BY coalesce(min(CASE WHEN state = 'waiting' THEN id END),"
    " 9223372036854775807), name LIMIT :limit"
)
_STUDY = "SELECT d.study AS name, d.state AS state, d.id AS id"
_RULES = "SELECT d.rules AS name, d.state AS state, d.id AS id"
_PEER = (
    "SELECT (SELECT a.peer FROM arrival a WHERE a.id = d.arrival) AS name, d.state AS state,"
    " d.id AS id"
)
_AND = " UNION ALL "
_BY = {
    "peer": _COUNTED + _PEER + _WAITS + _AND + _PEER + _OPEN + _ORDERED,
    "rule": _COUNTED + _RULES + _WAITS + _AND + _RULES + _OPEN + _ORDERED,
    "study": _COUNTED + _STUDY + _WAITS + _AND + _STUDY + _OPEN + _ORDERED,
}
KINDS = tuple(_BY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What is open of one peer, rule or study.  oldest_at: Unix seconds of what waits longest."""

    name: str
    waiting: int
    sending: int
    held: int
    oldest_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """lanes: destination → how many wait, by age.  today: state → deliveries made today.

    gathers, gathering: open gathers, and the objects in them.
    """

    lanes: dict[str, tuple[int, ...]]
    gathers: int
    gathering: int
    today: dict[str, int]


def ages(now: float, midnight: float) -> Job[Ages]:
    """Read how old what waits is.  midnight: the beginning of today, Unix seconds."""
    limits = {f"age{n}": id_at(now - step) for n, step in enumerate(STEPS_S)}

    def job(transaction: Transaction) -> Ages:
        lanes = {str(row[0]): _columns(row) for row in transaction.rows(_AGES, limits)}
        gathering = transaction.one(_GATHERING) or (0, 0)
        today = transaction.rows(_TODAY, {"since": id_at(midnight)})
        return Ages(
            lanes=lanes,
            gathers=int(gathering[0]),
            gathering=int(gathering[1]),
            today={str(state): int(n) for state, n in today},
        )

    return job


def midnight(now: float) -> float:
    """Return when today began on the clock of this machine (Unix seconds)."""
    today = datetime.fromtimestamp(now).astimezone()
    return today.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


def _columns(row: Row) -> tuple[int, ...]:
    """Return how many are in each column: the counts of a row grow with the age."""
    grown = [*map(int, row[2:]), int(row[1])]
    return tuple(n - before for n, before in zip(grown, [0, *grown], strict=False))


def shares(by: str, limit: int) -> Job[list[Share]]:
    """Read what is open by ``by`` (one of `KINDS`), what waits longest first."""

    def job(transaction: Transaction) -> list[Share]:
        return [
            Share(
                name=str(row[0]),
                waiting=int(row[1]),
                sending=int(row[2]),
                held=int(row[3]),
                oldest_at=None if row[4] is None else made_at(int(row[4])),
            )
            for row in transaction.rows(_BY[by], {"limit": limit})
        ]

    return job


def made_at(number: int) -> float:
    """Return when the row with this id was made, to the millisecond."""
    return number / id_at(1.0)
