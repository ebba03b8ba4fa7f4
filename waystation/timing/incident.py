"""What a person must hear: once when it starts, once when it is over (R-81).

Contract: all conditions of one subject form one incident.  It begins with the first finding and is
over when there was none for ``clear_after``; findings in between belong to it.  Of any three
messages about one subject the last comes ten minutes after the first at the earliest: until then
a beginning waits, and if it is over by then, one message tells both.  Pure: ``now`` is an
argument, and nothing here knows how messages leave.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

# Messages about one subject within the span.
MOST, SPAN_S = 2, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One condition that holds now.

    kind: a word of a fixed list.  n: how much it concerns.  why: in words, without what others
    wrote.  since: when it began, if that is known.  look: the command that shows it.
    """

    subject: str
    kind: str
    n: int = 1
    why: str = ""
    since: float | None = None
    look: str = ""


class Turn(Enum):
    """What there is to tell."""

    BEGAN = "began"
    GOES_ON = "goes on"
    OVER = "over"
    CAME_AND_WENT = "came and went"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message about a subject.

    findings: by kind, each with its greatest number.  times: how often it came back.
    ended_at: None while it lasts.
    """

    turn: Turn
    subject: str
    began_at: float
    ended_at: float | None
    findings: tuple[Finding, ...]
    times: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """clear_after_s: without a finding until it is over.  remind_s: 0 for no reminders."""

    clear_after_s: float = 300.0
    remind_s: float = 0.0


@dataclass(slots=True)
class _Open:
    began_at: float
    told: bool = False
    told_at: float = 0.0
    clear_since: float | None = None
    times: int = 1
    findings: dict[str, Finding] = field(default_factory=dict)

    def saw(self, finding: Finding) -> None:
        before = self.findings.get(finding.kind)
        if before is None or finding.n >= before.n:
            self.findings[finding.kind] = finding


class Incidents:
    """Of one node."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._open: dict[str, _Open] = {}
        self._told: dict[str, deque[float]] = {}

    @property
    def subjects(self) -> Mapping[str, float]:
        """Since when there is an incident, by subject."""
        return {subject: each.began_at for subject, each in self._open.items()}

    def restore(self, subject: str, began_at: float, kinds: Iterable[str]) -> None:
        """Take up an incident that was told of before this process began."""
        one = _Open(began_at, told=True, told_at=began_at)
        for kind in kinds:
            one.saw(Finding(subject=subject, kind=kind, n=0))
        self._open[subject] = one

    def look(self, findings: Iterable[Finding], now: float) -> list[Notice]:
        """Take what holds now; return what to tell."""
        seen: set[str] = set()
        for finding in findings:
            began = now if finding.since is None else min(now, finding.since)
            one = self._open.setdefault(finding.subject, _Open(began))
            one.saw(finding)
            if one.clear_since is not None:
                one.clear_since, one.times = None, one.times + 1
            seen.add(finding.subject)
        for subject, one in self._open.items():
            if subject not in seen and one.clear_since is None:
                one.clear_since = now
        return list(self._tell(now))

    def _tell(self, now: float) -> Iterator[Notice]:
        for subject, one in list(self._open.items()):
            turn = self._turn(one, now)
            if turn is None or not self._may_tell(subject, now):
                continue
            self._told.setdefault(subject, deque(maxlen=MOST)).append(now)
            one.told, one.told_at = True, now
            yield Notice(
                turn=turn,
                subject=subject,
                began_at=one.began_at,
                ended_at=one.clear_since,
                findings=tuple(one.findings.values()),
                times=one.times,
            )
            if turn in (Turn.OVER, Turn.CAME_AND_WENT):
                del self._open[subject]

    def _turn(self, one: _Open, now: float) -> Turn | None:
        if one.clear_since is not None:
            if now - one.clear_since < self.patience.clear_after_s:
                return None
            return Turn.OVER if one.told else Turn.CAME_AND_WENT
        if not one.told:
            return Turn.BEGAN
        remind_s = self.patience.remind_s
        return Turn.GOES_ON if remind_s and now - one.told_at >= remind_s else None

    def _may_tell(self, subject: str, now: float) -> bool:
        told = self._told.get(subject, deque())
        return len(told) < MOST or now - told[0] >= SPAN_S

    def next_look(self, now: float) -> float | None:
        """Return when there may be something to tell although nothing changes."""
        times = []
        for subject, one in self._open.items():
            if one.clear_since is not None:
                at = one.clear_since + self.patience.clear_after_s
            elif not one.told:
                at = now
            elif self.patience.remind_s:
                at = one.told_at + self.patience.remind_s
            else:
                continue
            told = self._told.get(subject, deque())
            if len(told) == MOST:
                at = max(at, told[0] + SPAN_S)
            times.append(at)
        return min(times, default=None)
