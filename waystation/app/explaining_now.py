"""How lanes, groups and gathers stand at one moment: why something waits (R-40, R-76).

Contract: values and words only.  `Standing` is taken from a running node, or from a configuration
whose node is stopped; words name instants in the local time of this machine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from waystation.flows.gather import GatherTerms
from waystation.journal.gathers import OPEN, Gather
from waystation.timing.eligibility import Terms
from waystation.timing.gather import Count
from waystation.timing.window import wait_text

NOT_RUNNING = "the node is not running"
NOBODY = "no such destination any more"
TAKEN_BY_LANE = "its turn comes next"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneNow:
    """One lane.  health: flowing, resting, down, blocked, paused or stopped; why: in words.

    since: when it went down (Unix seconds).  wakes_at: not before then.  limited: what its rate
    limit does to it now, in words.
    """

    health: str = "flowing"
    why: str = ""
    since: float | None = None
    wakes_at: float | None = None
    terms: Terms | None = None
    limited: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """groups: why studies wait in a group.  terms_of: what ends the gathers of a rule and level.

    carried: of a gather, whether the associations that carry it are still open; None: unknown.
    """

    at: float
    running: bool = False
    lanes: Mapping[str, LaneNow] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    terms_of: Callable[[str, str], GatherTerms] | None = None


def clock_text(instant: float, now: float) -> str:
    """Return the time of day, with its day unless that is today."""
    at = datetime.fromtimestamp(instant).astimezone()
    today = at.date() == datetime.fromtimestamp(now).astimezone().date()
    return at.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Why something does not leave, and not before when."""

    words: tuple[str, ...]
    next_at: float | None = None


def why_waiting(
    standing: Standing,
    destination: str,
    group: str,
    *,
    priority: int,
    due: float,
    ahead: Callable[[], int],
    created_at: float,
) -> Waits:
    """Return why what waits for a destination does not leave now."""
    if not standing.running:
        return _stopped(standing, destination, priority, due)
    if group and destination == group:
        return Waits(words=(f"no member is chosen: {standing.groups.get(group) or 'soon'}",))
    lane = standing.lanes.get(destination)
    if lane is None:
        return Waits(words=(NOBODY,))
    now, words, times = standing.at, [], []
    health = _health(lane, now)
    if health:
        words.append(health)
        times += [lane.wakes_at] if lane.wakes_at is not None else []
    shut = _shut(lane, priority, due, now)
    if shut is not None:
        words.append(shut.words[0])
        times += [shut.next_at] if shut.next_at is not None else []
    if due > now:
        again = "" if due <= created_at else " of this object"
        words.append(f"next attempt{again} {clock_text(due, now)}")
        times.append(due)
    if lane.limited:
        words.append(lane.limited)
    before = ahead()
    if before:
        words.append(f"{before:,} {'goes' if before == 1 else 'go'} before it in this lane")
    return Waits(words=tuple(words) or (TAKEN_BY_LANE,), next_at=max(times, default=None))


def _health(lane: LaneNow, now: float) -> str:
    match lane.health:
        case "paused":
            return f"paused {lane.why}"
        case "down" | "blocked":
            since = "" if lane.since is None else f" since {clock_text(lane.since, now)}"
            word = "breaker open" if lane.health == "down" else "blocked"
            return f"{word}{since}, {lane.why}"
        case "resting":
            return f"resting: {lane.why}"
        case _:
            return ""


def _shut(lane: LaneNow, priority: int, due: float, now: float) -> Waits | None:
    if lane.terms is None or lane.terms.due_by(priority, now) is not None:
        return None
    leaves = lane.terms.leaves_at(priority, due, now)
    return Waits(words=(lane.terms.why(priority, due, now),), next_at=leaves)


def _stopped(standing: Standing, destination: str, priority: int, due: float) -> Waits:
    lane = standing.lanes.get(destination)
    if lane is None:
        return Waits(words=(NOT_RUNNING,))
    words = [NOT_RUNNING, *([f"paused {lane.why}"] if lane.health == "paused" else [])]
    shut = _shut(lane, priority, due, standing.at)
    if shut is not None:
        words += shut.words
    return Waits(words=tuple(words), next_at=None if shut is None else shut.next_at)


def gather_waits(standing: Standing, row: Gather) -> Waits:
    """Return what an open gather waits for."""
    if row.state != OPEN or standing.terms_of is None:
        return Waits(words=())
    terms = standing.terms_of(row.rule, row.level).terms
    now = standing.at
    words = []
    times = [row.opened_at + terms.force_s]
    for word in terms.evidence:
        match word:
            case "quiet":
                at = row.last_at + terms.quiet_s
                times.append(at)
                words.append(f"quiet: complete {clock_text(at, now)} if nothing more comes")
            case "release":
                wait = wait_text(terms.release_s) if terms.release_s >= 60 else ""
                after = wait or f"{terms.release_s:.0f} s"
                words.append(f"release: {after} after its associations have ended in good order")
            case "count":
                words.append(_counted(row))
            case _:
                words.append(f"{word}: nothing was heard")
    forced = clock_text(row.opened_at + terms.force_s, now)
    return Waits(words=(*words, f"force: {forced}, without evidence"), next_at=min(times))


def _counted(row: Gather) -> str:
    here, announced = row.count.get("all", [row.n, 0])
    if Count(row.count).holds() is None:
        return "count: the objects do not say how many there are"
    if announced:
        return f"count: {here} of {announced} announced are here"
    return "count: not all that were announced are here"
