"""What is wrong now: the conditions that a person must hear of, looked for one by one (R-81).

Contract: `Conditions.look` reads the state of the node and returns a `Finding` for each condition
that holds, with words of our own only: no patient, nothing that a peer wrote.  A delivery behind
a shut window is no backlog.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from waystation.db.engine import Database
from waystation.flows.deliver import LaneBelt
from waystation.flows.groups import GroupSettings
from waystation.journal.troubles import Troubles, troubles
from waystation.timing.incident import Finding
from waystation.timing.lane import Health
from waystation.timing.status import without_comment
from waystation.timing.window import Schedule, wait_text

# After a start nobody is silent yet: the fault may have been ours.
GRACE_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds.  waiting_over: by destination, where it is not that of all.

    silent_after: by peer; who is not in it may be silent.  optional: destinations that all rules
    name as optional targets; nobody is disturbed because of them (R-46).
    """

    waiting_over_s: float = 600.0
    down_after_s: float = 120.0
    waiting_over: Mapping[str, float] = field(default_factory=dict)
    silent_after: Mapping[str, float] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sights:
    """Where to look.  spool: why nothing comes in.  unaccounted: rows that do not add up.

    tables: since when and why a lookup is not what its file says.  parts: what others found.
    """

    belts: Callable[[], Mapping[str, LaneBelt]]
    groups: Callable[[], Mapping[str, GroupSettings]]
    schedules: Callable[[float], Iterable[tuple[str, str]]]
    config_problem: Callable[[], str]
    spool: Callable[[], str]
    unaccounted: Callable[[], int]
    tables: Callable[[], Mapping[str, tuple[float, str]]] = dict
    parts: Callable[[], Iterable[Finding]] = tuple


class Conditions:
    """Of one node.  clock: Unix seconds.  heard: peer → when something came from it last."""

    def __init__(
        self, limits: Limits, sights: Sights, database: Database, clock: Callable[[], float]
    ) -> None:
        self.limits = limits
        self.heard: dict[str, float] = {}
        self._sights = sights
        self._database = database
        self._clock = clock
        self._began = clock()
        self._shut_at: dict[str, float] = {}
        self._switched: dict[str, tuple[str, str]] = {}

    def switched(self, group: str, before: str, after: str) -> None:
        """Studies of a group go to another member."""
        self._switched[before] = (group, after)

    async def look(self) -> list[Finding]:
        """Return everything that holds now."""
        now = self._clock()
        belts, groups = dict(self._sights.belts()), self._sights.groups()
        seen = await self._database.read(troubles([*belts, *groups]))
        found = [*self._lanes(), *self._switches(), *self._node(now), *self._silent(now)]
        for belt in belts.values():
            found += self._backlog(belt, seen, now)
        for name, group in groups.items():
            found += self._unchosen(name, group, seen, now)
        quiet = {destination(name) for name in self.limits.optional}
        return [*(each for each in found if each.subject not in quiet), *_held(seen)]

    # destinations

    def _lanes(self) -> Iterator[Finding]:
        for name, belt in self._sights.belts().items():
            health = belt.lane.health(belt.now())
            away = belt.lane.away_since
            away_s = 0.0 if away is None else belt.now() - away
            told = health is Health.BLOCKED
            if not told and (away is None or away_s < self.limits.down_after_s):
                continue
            if health is Health.PAUSED:
                continue
            yield Finding(
                subject=destination(name),
                kind=health.value,
                why=f"{health.value}: {without_comment(belt.lane.why)}",
                since=self._clock() - away_s,
                look=f"waystation queue list --to {name}",
            )

    def _switches(self) -> Iterator[Finding]:
        for before, (group, after) in list(self._switched.items()):
            belt = self._sights.belts().get(before)
            if belt is None or belt.lane.health(belt.now()) in (Health.FLOWING, Health.RESTING):
                # Told of once more, and over from the next look on.
                del self._switched[before]
            yield Finding(
                subject=destination(before),
                kind="switched",
                why=f"studies of group {group} go to {after} instead",
                look=f"waystation queue list --to {after}",
            )

    def _backlog(self, belt: LaneBelt, seen: Troubles, now: float) -> Iterator[Finding]:
        name, terms = belt.name, belt.settings.terms
        is_open = terms.window.is_open(now)
        opened = self._opened(name, terms.window, is_open, now)
        since = []
        for priority, first in enumerate(seen.first_due.get(name, ())):
            limit = terms.due_by(priority, now)
            if first is not None and limit is not None and first <= limit:
                passes = not is_open or terms.passes(priority)
                since.append(first if passes else max(first, opened))
        over = self.limits.waiting_over.get(name, self.limits.waiting_over_s)
        if since and now - min(since) > over:
            paused = belt.lane.health(belt.now()) is Health.PAUSED
            note = ", the lane is paused" if paused else ""
            yield _builds(name, destination(name), seen, now - min(since), note)

    def _opened(self, name: str, window: Schedule, is_open: bool, now: float) -> float:
        """Return when the window was seen shut last."""
        if not is_open:
            self._shut_at[name] = now
        elif name not in self._shut_at:
            # Whether it was shut a moment ago nobody knows any more.
            never = window.next_change(now) is None
            self._shut_at[name] = float("-inf") if never else now
        return self._shut_at[name]

    def _unchosen(
        self, name: str, group: GroupSettings, seen: Troubles, now: float
    ) -> Iterator[Finding]:
        """Studies that wait in a group although somebody's hours are open."""
        belts = self._sights.belts()
        members = [(one, belts[one.to]) for one in group.members if one.to in belts]
        if not any(b.settings.window.is_open(now) and m.window.is_open(now) for m, b in members):
            self._shut_at[name] = now
            return
        dues = [due for due in seen.first_due.get(name, ()) if due is not None]
        if not dues:
            return
        waited_s = now - max(min(dues), self._shut_at.get(name, float("-inf")))
        if waited_s > self.limits.waiting_over_s:
            yield _builds(name, f"group {name}", seen, waited_s)

    # the node

    def _node(self, now: float) -> Iterator[Finding]:
        sights = self._sights
        if spool := sights.spool():
            why = f"new associations are refused: {spool}"
            yield Finding(subject="spool", kind="full", why=why, look="waystation queue list")
        if problem := sights.config_problem():
            why = f"rejected, the last good one stays in force: {problem}"
            yield Finding(
                subject="configuration", kind="rejected", why=why, look="waystation check"
            )
        if n := sights.unaccounted():
            why = f"{n:,} rows of the journal do not add up"
            yield Finding(
                subject="journal", kind="unaccounted", n=n, why=why, look="waystation queue list"
            )
        for name, problem in sights.schedules(now):
            yield Finding(
                subject=f"schedule {name}",
                kind="shut-by-error",
                why=f"shut, because it cannot be read: {problem}",
                look=f'waystation schedule "{name}"',
            )

        yield from sights.parts()
        for name, (since, problem) in sights.tables().items():
            yield Finding(
                subject=f"lookup {name}",
                kind="stale",
                why=f"not read, the last good one stays in force: {problem}",
                since=since,
                look="waystation check",
            )

    def _silent(self, now: float) -> Iterator[Finding]:
        for peer, after_s in self.limits.silent_after.items():
            heard = self.heard.setdefault(peer, now)
            if now - heard > after_s and now - self._began >= min(after_s, GRACE_S):
                yield Finding(
                    subject=f"peer {peer}",
                    kind="silent",
                    why=f"nothing came for {wait_text(now - heard)}",
                    since=heard,
                    look="waystation queue list",
                )


def _builds(name: str, subject: str, seen: Troubles, waited_s: float, note: str = "") -> Finding:
    n = seen.waiting.get(name, 0)
    return Finding(
        subject=subject,
        kind="waiting",
        n=n,
        why=f"{n:,} wait, the oldest that may leave for {wait_text(waited_s)}{note}",
        look=f"waystation queue list --to {name}",
    )


def _held(seen: Troubles) -> Iterator[Finding]:
    for name, n in seen.held.items():
        yield Finding(
            subject=destination(name),
            kind="held",
            n=n,
            why=f"{n:,} held for a person",
            look=f"waystation queue list --held --to {name}",
        )
    for kind in ("conflict", "held"):
        some = {
            why: n for why, n in seen.objects.items() if (why == "conflict") is (kind != "held")
        }
        if some:
            words = ", ".join(f"{why} {n:,}" for why, n in sorted(some.items()))
            yield Finding(
                subject="objects",
                kind=kind,
                n=sum(some.values()),
                why=f"held for a person: {words}",
                look="waystation queue list --held",
            )


def destination(name: str) -> str:
    """Return the subject of a destination."""
    return f"destination {name}"
