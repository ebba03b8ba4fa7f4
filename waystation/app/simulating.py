"""What another configuration would do with what came lately (R-77).

Contract: both configurations judge the same heads with the facts and the clock of that time; rules,
filters and what refuses an object before its answer count, what is negotiated and who is well do
not.  Counted are studies; one is named for a change if one of its objects has it.  Nothing is sent
or written.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from waystation.app.explaining import heads_of
from waystation.blobs.reading import BlobReader
from waystation.db.engine import Job
from waystation.dicom.head import Head
from waystation.flows.route import Routing
from waystation.journal import studies
from waystation.journal.ids import id_at
from waystation.model.arrival import Arrival
from waystation.model.plan import Join, Target
from waystation.rules.plan import plan, refusal

Read = Callable[[Job[Any]], Any]
PAGE = 500
FILTERED = "filtered"


@dataclass(frozen=True, slots=True)
class Fate:
    """What one configuration does with one object.

    to: destination or group → priority.  why: where it goes nowhere.  wholes: destinations that
    take all of the series or study once it is complete, by the UID it is collected under.
    """

    to: dict[str, str]
    why: str
    wholes: dict[str, dict[str, str]]


def fate_of(arrival: Arrival, head: Head, routing: Routing) -> Fate:
    """Return what a configuration does with an object, were it to come as it came."""
    facts, sop_class = routing.facts(arrival), arrival.instance.sop_class_uid
    refused = refusal(head, facts, routing.ruleset, sop_class_uid=sop_class)
    if refused:
        return Fate({}, "refused", {})
    made = plan(head, facts, routing.ruleset, sop_class_uid=sop_class)
    to: dict[str, str] = {}
    wholes: dict[str, dict[str, str]] = {}
    held = made.hold.value if made.hold is not None else ""
    lost = held or made.discard
    targets: list[tuple[Join | None, Target]] = [(None, target) for target in made.targets]
    targets += [(one if one.whole else None, t) for one in made.joins for t in one.targets]
    for whole, target in targets:
        placed = routing.placed(target)
        if placed.filtered_by:
            lost = lost or FILTERED
        elif placed.hold is not None:
            lost = lost or placed.hold.value
        else:
            to.setdefault(placed.destination, placed.priority)
        if whole is not None and placed.hold is None and not placed.filtered_by:
            instance = arrival.instance
            uid = instance.series_uid if whole.level == "series" else instance.study_uid
            wholes.setdefault(uid, {})[placed.destination] = placed.priority
    return Fate(to, "" if to else lost or "nobody", wholes)


@dataclass(slots=True)
class _Object:
    """One object in both configurations."""

    series: str
    before: Fate
    after: Fate


@dataclass(slots=True)
class _Study:
    modalities: set[str] = field(default_factory=set)
    peers: set[str] = field(default_factory=set)
    objects: list[_Object] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changes for one study.  nowhere: why its objects go nowhere now, where they did."""

    study: str
    modalities: tuple[str, ...]
    peers: tuple[str, ...]
    objects: int
    also: tuple[str, ...]
    no_longer: tuple[str, ...]
    priority: tuple[str, ...]
    nowhere: tuple[str, ...]

    @property
    def any(self) -> bool:
        """Whether anything changes."""
        return bool(self.also or self.no_longer or self.priority or self.nowhere)


@dataclass(slots=True, kw_only=True)
class Simulated:
    """The result.  also, no_longer, priority, nowhere: name → studies."""

    studies: int = 0
    objects: int = 0
    unread: int = 0
    also: Counter[str] = field(default_factory=Counter)
    no_longer: Counter[str] = field(default_factory=Counter)
    priority: Counter[str] = field(default_factory=Counter)
    nowhere: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)


def simulate(
    read: Read, blobs: BlobReader, before: Routing, after: Routing, since: float, until: float
) -> Simulated:
    """Judge what arrived between two instants (Unix seconds) by both configurations."""
    found: dict[str, _Study] = {}
    result = Simulated()
    for arrival, head in _heads(read, blobs, since, until):
        if head is None:
            result.unread += 1
            continue
        instance = arrival.instance
        study = found.setdefault(instance.study_uid or instance.sop_instance_uid, _Study())
        study.modalities.add(instance.modality)
        study.peers.add(arrival.source.peer or arrival.source.calling_ae)
        ours = fate_of(arrival, head, before)
        theirs = fate_of(arrival, head, after)
        study.objects.append(_Object(instance.series_uid, ours, theirs))
        result.objects += 1
    for uid, study in found.items():
        _count(result, _difference(uid, study))
    result.studies = len(found)
    return result


def _heads(
    read: Read, blobs: BlobReader, since: float, until: float
) -> Iterator[tuple[Arrival, Head | None]]:
    after, last = id_at(since) - 1, id_at(until)
    while fates := read(studies.since(after, last, PAGE)):
        after = fates[-1].arrival.id
        yield from heads_of(read, blobs, [fate.arrival for fate in fates])


def _count(result: Simulated, change: Difference) -> None:
    result.also.update(change.also)
    result.no_longer.update(change.no_longer)
    result.priority.update(change.priority)
    result.nowhere.update(change.nowhere)
    if change.any:
        result.differences.append(change)


def _difference(uid: str, study: _Study) -> Difference:
    before = _wholes(one.before for one in study.objects)
    after = _wholes(one.after for one in study.objects)
    also: set[str] = set()
    no_longer: set[str] = set()
    priority: set[str] = set()
    nowhere: set[str] = set()
    for one in study.objects:
        old = _all_of(one.before, before, uid, one.series)
        new = _all_of(one.after, after, uid, one.series)
        also |= new.keys() - old.keys()
        no_longer |= old.keys() - new.keys()
        priority |= {to for to in new.keys() & old.keys() if new[to] != old[to]}
        if old and not new:
            nowhere.add(one.after.why)
    return Difference(
        study=uid,
        modalities=tuple(sorted(study.modalities - {""})),
        peers=tuple(sorted(study.peers - {""})),
        objects=len(study.objects),
        also=tuple(sorted(also)),
        no_longer=tuple(sorted(no_longer)),
        priority=tuple(sorted(priority)),
        nowhere=tuple(sorted(nowhere)),
    )


def _wholes(fates: Iterable[Fate]) -> dict[str, dict[str, str]]:
    """Return what takes all of a series or study that one object of it began (R-70)."""
    found: dict[str, dict[str, str]] = {}
    for fate in fates:
        for uid, targets in fate.wholes.items():
            found.setdefault(uid, {}).update(targets)
    return found


def _all_of(
    fate: Fate, wholes: dict[str, dict[str, str]], study: str, series: str
) -> dict[str, str]:
    return {**wholes.get(study, {}), **wholes.get(series, {}), **fate.to}
