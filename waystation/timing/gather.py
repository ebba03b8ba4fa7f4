"""When a series or study that a rule collects is complete (R-70, R-71).

Contract: pure.  The words of ``[completeness]`` are asked in their order and the first that holds
ends the gather; ``force_after`` ends it without evidence.  All instants are monotonic seconds, so
that a step of the wall clock neither loses a gather nor fires it early (R-72).

An aborted association is no evidence; neither is the end of a peer's associations if it mostly
opens one for each object.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Evidence = Literal["mpps", "commitment", "count", "release", "quiet"]
EVIDENCE: tuple[Evidence, ...] = ("mpps", "commitment", "count", "release", "quiet")
FORCE = "force"
# Of one peer: how many of its last associations are looked at.
REMEMBERED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What ends a gather of one level.  Durations in seconds."""

    evidence: tuple[str, ...] = EVIDENCE
    quiet_s: float = 120.0
    release_s: float = 30.0
    force_s: float = 5400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of a gather now.

    opened, last: when its first and its newest object came.  counted: as many objects are here
    as the objects announce; None if they announce nothing.  released: every association that
    carried it ended by release, and that says something about this peer.
    mpps, committed: all objects that the modality named are here.
    """

    opened: float
    last: float
    counted: bool | None = None
    released: bool = False
    mpps: bool = False
    committed: bool = False


def judge(terms: Terms, seen: Seen, now: float) -> str | float:
    """Return by what the gather is complete, or until when to wait for more."""
    waits = [seen.opened + terms.force_s]
    for word in terms.evidence:
        due = _due(word, terms, seen)
        if due is not None and due <= now:
            return word
        if due is not None:
            waits.append(due)
    if seen.opened + terms.force_s <= now:
        return FORCE
    return min(waits)


def _due(word: str, terms: Terms, seen: Seen) -> float | None:
    """Return when the evidence holds if nothing more comes; None if only an event can tell."""
    match word:
        case "mpps":
            return seen.last if seen.mpps else None
        case "commitment":
            return seen.last if seen.committed else None
        case "count":
            return seen.last if seen.counted else None
        case "release":
            return seen.last + terms.release_s if seen.released else None
        case "quiet":
            return seen.last + terms.quiet_s
        case _:
            return None


@dataclass(slots=True, eq=False)
class Carrier:
    """One association (or one request) that brings objects.

    objects: how many it has brought.  ended: it is over; released: in good order.
    """

    peer: str
    objects: int = 0
    ended: bool = False
    released: bool = False


@dataclass(slots=True)
class Habits:
    """Whether the end of a peer's associations says anything."""

    _counts: dict[str, deque[int]] = field(default_factory=dict)

    def ended(self, carrier: Carrier) -> None:
        """Note how many objects an association carried that is over now."""
        counts = self._counts.setdefault(carrier.peer, deque(maxlen=REMEMBERED))
        if carrier.objects:
            counts.append(carrier.objects)

    def tell(self, peer: str) -> bool:
        """Return whether an association of this peer mostly carries more than one object."""
        counts = self._counts.get(peer, ())
        return sum(n > 1 for n in counts) * 2 > len(counts)

    def released(self, carriers: Iterable[Carrier]) -> bool:
        """Return whether the ends of these associations are evidence."""
        some = False
        for carrier in carriers:
            some = True
            if not (carrier.ended and carrier.released and self.tell(carrier.peer)):
                return False
        return some


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """How many objects an object says there are; None where it says nothing.

    study, series: Number of Study and of Series Related Instances (0020,1208, 0020,1209).
    images: Images in Acquisition (0020,1002) of ``acquisition``.
    """

    study: int | None = None
    series: int | None = None
    acquisition: str = ""
    images: int | None = None


class Count:
    """Compares what is here with what was announced, object by object in constant time."""

    def __init__(self, kept: dict[str, list[int]] | None = None) -> None:
        # What is counted → [here, announced]; an announcement of 0 is none.
        self.kept: dict[str, list[int]] = kept or {}

    def add(self, level: str, announced: Announced) -> None:
        """Count one object of a gather of ``level`` (series or study)."""
        total = announced.series if level == "series" else announced.study
        self._one("all", total)
        if level == "series":
            self._one(f"acquisition {announced.acquisition}", announced.images)

    def _one(self, name: str, announced: int | None) -> None:
        pair = self.kept.setdefault(name, [0, 0])
        pair[0] += 1
        if announced and announced > 0:
            pair[1] = max(pair[1], announced)

    def holds(self) -> bool | None:
        """Return whether all that was announced is here; None if nothing was."""
        here, announced = self.kept.get("all", [0, 0])
        if announced:
            return here >= announced
        parts = [pair for name, pair in self.kept.items() if name != "all"]
        if not parts or not all(pair[1] for pair in parts):
            return None
        return all(pair[0] >= pair[1] for pair in parts)
