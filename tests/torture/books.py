"""What was attempted, promised and delivered, and the judgement about it (S-25).

Contract: pure bookkeeping.  An object is (SOP Instance UID, SHA-256 of its data set).  `judge`
finds what was acknowledged and is nowhere, what nobody had sent, what has other bytes, and how
often something came more than once; nothing else decides about a row.
"""

import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Thing = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """One entry.  at: monotonic seconds.  sink: where it was delivered, "" for a Success seen."""

    at: float
    sink: str
    thing: Thing


class Books:
    """What happened so far.

    attempted: UID → digests that were sent.  acked: seen Success.  delivered: sink → multiset.
    events: what was acknowledged and delivered, in order.
    """

    def __init__(self) -> None:
        self.attempted: dict[str, set[str]] = {}
        self.attempts = 0
        self.acked: set[Thing] = set()
        self.statuses: Counter[str] = Counter()
        self.delivered: dict[str, Counter[Thing]] = {}
        self.events: list[Event] = []

    def attempt(self, thing: Thing) -> None:
        uid, digest = thing
        self.attempts += 1
        self.attempted.setdefault(uid, set()).add(digest)

    def promise(self, thing: Thing) -> None:
        """A sender has heard Success."""
        self.acked.add(thing)
        self.events.append(Event(time.monotonic(), "", thing))

    def arrive(self, sink: str, thing: Thing) -> None:
        """A sink is about to acknowledge."""
        self.delivered.setdefault(sink, Counter())[thing] += 1
        self.events.append(Event(time.monotonic(), sink, thing))

    def replay(self, other: "Books", until: float) -> None:
        """Take over what another's books said at an instant."""
        self.attempts += other.attempts
        for uid, digests in other.attempted.items():
            self.attempted.setdefault(uid, set()).update(digests)
        for event in other.events:
            if event.at > until:
                break
            if event.sink:
                self.delivered.setdefault(event.sink, Counter())[event.thing] += 1
            else:
                self.acked.add(event.thing)

    def missing(self, sink: str, excused: Collection[Thing] = ()) -> set[Thing]:
        """Return what was acknowledged and has not come to ``sink``."""
        return self.acked - self.delivered[sink].keys() - set(excused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What the journal said at the end, and what lay in the data folder."""

    unaccounted: int = 0
    open_rows: int = 0
    held: int = 0
    stray: tuple[str, ...] = ()
    integrity: str = "ok"


@dataclass(slots=True, kw_only=True)
class Row:
    """One line of the ledger (S-32)."""

    row: str
    runs: int = 1
    attempted: int = 0
    acked: int = 0
    delivered: int = 0
    lost: int = 0
    unexpected: int = 0
    corrupt: int = 0
    repeats: int = 0
    allowed: int = 0
    recovered: int = 0
    stray: int = 0
    unaccounted: int = 0
    skipped: str = ""
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        if self.skipped:
            return "skipped"
        return "FAILED" if self.faults else "ok"

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict}


def judge(
    name: str,
    books: Books,
    journal: Journal,
    *,
    allowed_repeats: int = 0,
    excused: Mapping[str, Collection[Thing]] | None = None,
    runs: int = 1,
) -> Row:
    """Return the row.  excused: sink → objects that are held there on purpose."""
    row = Row(row=name, runs=runs, attempted=books.attempts, acked=len(books.acked))
    row.allowed = allowed_repeats
    row.unaccounted = journal.unaccounted
    row.stray = len(journal.stray)
    for sink, came in books.delivered.items():
        row.delivered += came.total()
        row.lost += len(books.missing(sink, (excused or {}).get(sink, ())))
        row.repeats += came.total() - len(came)
        row.recovered += len(came.keys() - books.acked)
        for uid, digest in came:
            known = books.attempted.get(uid)
            row.unexpected += known is None
            row.corrupt += known is not None and digest not in known
    row.faults += _faults(row, journal)
    if journal.held:
        row.notes.append(f"{journal.held} deliveries are held for a person")
    return row


def _faults(row: Row, journal: Journal) -> list[str]:
    found = [
        f"{n} {word}"
        for n, word in (
            (row.lost, "acknowledged and lost"),
            (row.unexpected, "never sent"),
            (row.corrupt, "with other bytes"),
            (row.unaccounted, "unaccounted (S-15)"),
            (journal.open_rows, "still open"),
        )
        if n
    ]
    if row.repeats > row.allowed:
        found.append(f"{row.repeats} repeats, {row.allowed} allowed")
    if journal.stray:
        found.append(f"stray files: {', '.join(journal.stray[:3])}")
    if journal.integrity != "ok":
        found.append(f"integrity check: {journal.integrity[:80]}")
    return found


HEAD = (
    f"{'row':<14}{'runs':>6}{'attempted':>10}{'acked':>8}{'delivered':>10}{'lost':>6}"
    f"{'unexpected':>11}{'corrupt':>8}{'repeats':>12}{'recovered':>10}{'stray':>6}"
    f"{'unaccounted':>12}{'s':>5}  verdict"
)


def line(row: Row) -> str:
    """Return the row as one line under `HEAD`."""
    repeats = f"{row.repeats}/{row.allowed}"
    text = (
        f"{row.row:<14}{row.runs:>6}{row.attempted:>10}{row.acked:>8}{row.delivered:>10}"
        f"{row.lost:>6}{row.unexpected:>11}{row.corrupt:>8}{repeats:>12}{row.recovered:>10}"
        f"{row.stray:>6}{row.unaccounted:>12}{row.seconds:>5.0f}  {row.verdict}"
    )
    why = row.skipped or "; ".join(row.faults)
    return f"{text} ({why})" if why else text
