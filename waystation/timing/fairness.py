"""Which study goes next on a lane.

Contract (R-50): ``stat`` goes first; between ``normal`` and ``low`` bytes are shared 8 to 1 while
both wait; inside a class the studies take turns, in the order in which they were first seen, the
oldest first.  A turn is so many bytes, so that a study of huge objects gets no more of the lane
than others.  A ``low`` study counts as ``normal`` once it was eligible for an hour.

No clock decides about turns, so no step of one can let a study starve.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

STAT, NORMAL, LOW = 0, 1, 2
# As many bytes of normal for one of low.
NORMAL_WEIGHT = 8
AGED_S = 3600.0
# Most studies go whole in one turn: some receivers file each association as a set of its own.
TURN_BYTES = 256 << 20
TURN_OBJECTS = 1000
# What is remembered of studies that still wait; who is forgotten lines up again.
REMEMBERED = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A study of which something may leave.

    since: when the oldest of it was made, Unix seconds.
    """

    study: str
    priority: int
    since: float


class Fairness:
    """Turns and shares of one lane."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._ended: list[str] = []
        self._served: dict[str, None] = {}
        self._next_place = 0
        self._spent = {NORMAL: 0, LOW: 0}

    @property
    def served(self) -> Collection[str]:
        """Studies that had a turn and still wait; others may be hidden behind them."""
        return self._served.keys()

    def pick(
        self, candidates: Sequence[Candidate], *, now: float, open_since: float
    ) -> Candidate | None:
        """Return who goes next, None if nobody is there.

        candidates: oldest first.  now, open_since (of the window): Unix seconds.
        """
        self._line_up(candidates)
        classes: dict[int, list[Candidate]] = {}
        for each in candidates:
            classes.setdefault(rank(each, now=now, open_since=open_since), []).append(each)
        if not classes:
            return None
        if STAT in classes:
            return self._first(classes[STAT])
        if len(classes) == 1:
            # Nobody saves up a share that nobody else wanted.
            self._spent = {NORMAL: 0, LOW: 0}
            return self._first(next(iter(classes.values())))
        low_behind = self._spent[LOW] * NORMAL_WEIGHT < self._spent[NORMAL]
        return self._first(classes[LOW if low_behind else NORMAL])

    def spent(self, priority: int, size_bytes: int) -> None:
        """So many bytes of a class are on their way; ``priority``: by its `rank`."""
        if priority in self._spent:
            self._spent[priority] += size_bytes

    def turn_over(self, study: str) -> None:
        """The turn of a study is over although more of it may wait: it lines up again."""
        self._places.pop(study, None)
        self._ended.append(study)
        self._served[study] = None
        while len(self._served) > REMEMBERED:
            del self._served[next(iter(self._served))]

    def finished(self, study: str) -> None:
        """Nothing of a study is left to do."""
        self._places.pop(study, None)
        self._served.pop(study, None)

    def _first(self, candidates: Iterable[Candidate]) -> Candidate:
        return min(candidates, key=lambda each: self._places[each.study])

    def _line_up(self, candidates: Sequence[Candidate]) -> None:
        """Give a place to everyone who has none: those who never had a turn come first."""
        for each in candidates:
            if each.study not in self._places and each.study not in self._ended:
                self._place(each.study)
        for study in self._ended:
            self._place(study)
        self._ended.clear()
        if len(self._places) > REMEMBERED:
            here = {each.study for each in candidates}
            self._places = {s: place for s, place in self._places.items() if s in here}

    def _place(self, study: str) -> None:
        self._places[study] = self._next_place
        self._next_place += 1


def rank(candidate: Candidate, *, now: float, open_since: float) -> int:
    """Return the class that a study counts in."""
    eligible_s = now - max(candidate.since, open_since)
    return NORMAL if candidate.priority == LOW and eligible_s >= AGED_S else candidate.priority
