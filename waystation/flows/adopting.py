"""What is written of an arrival besides its deliveries, in the transaction that plans it.

Contract: pure but for what the archive and the cache are told by those who own them.  What was
fetched from a PACS for a reader is kept by the cache and no rule is asked about it (W-112).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from waystation.dicom.charsets import DEFAULT_GUESSES
from waystation.dicom.head import Head
from waystation.index.entry import Entry, entry_of, guessed
from waystation.journal.adoption import File, Shelve
from waystation.model.arrival import Arrival
from waystation.model.plan import Plan, Verdict

log = structlog.get_logger()
BROKER = "broker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archiving:
    """How the archive takes objects in the transaction that plans them (T-29).

    takes: whether a destination is the archive and takes what comes at once.
    guesses: how to read what a peer sends that names no character set (T-25).
    """

    takes: Callable[[str], bool]
    file: File
    guesses: Callable[[str], Sequence[str]] = lambda _peer: DEFAULT_GUESSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Caching:
    """How what was fetched from a PACS is planned (W-112).

    ruled: whether the rules have a say in what comes from a source (``keep = "archive"``).
    place: where an object stands in the cache.  shelve: puts it there, in the same transaction.
    filed: told of what is in the tables now.
    """

    ruled: Callable[[str], bool]
    place: Callable[[Head], object]
    shelve: Shelve
    filed: Callable[[Sequence[Arrival]], None]


def cached(source: str) -> Plan:
    """Return the plan of what was fetched for a reader: no rule was asked about it."""
    clause = f"fetched from {source} for a reader: it stays in the cache"
    return Plan(verdicts=(Verdict(rule=BROKER, matched=True, clause=clause),), kept_by=BROKER)


def noted(
    made: Plan, arrival: Arrival, head: Head, archiving: Archiving | None
) -> tuple[Plan, Entry | None]:
    """Return what the archive notes of an object, if the plan sends it there.

    If it cannot be noted, the delivery waits for the archive's lane, which tells why.
    """
    if archiving is None or not any(target.archived for target in made.targets):
        return made, None
    try:
        return made, entry_of(head, guessed(head, archiving.guesses(arrival.source.peer)))
    except Exception:
        log.exception("not indexed", arrival=f"{arrival.id:x}")
        targets = tuple(replace(target, archived=False) for target in made.targets)
        return replace(made, targets=targets), None
