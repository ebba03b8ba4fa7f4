"""Which member of a group a study goes to, and why (R-42 to R-45).

Contract: pure.  `choose` looks at the members as they are at one instant and returns one of them,
or none, and who was passed over for what reason.  A study that has begun stays with its member
for as long as that one is well (`stays`); a member is ill once its breaker has been open for
``switch_after``, or at once when it is paused or blocked.  Single refused objects make nobody ill.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import inf, log


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """``[group.NAME]``: seconds; strategy: failover, by-time or balance."""

    strategy: str = "failover"
    backup: bool = False
    switch_after_s: float = 120.0
    return_after_s: float = 600.0
    sticky_for_s: float = 86_400.0
    whole_study: bool = True
    sticky_patient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member as it is now.

    door: whether the destination's own window is open.  turn: whether the member's window is.
    away_s: for how long its breaker has been open, None if it is shut.  well_s: for how long it
    has been well without a break since it was ill; 0 while it is away, infinite if it never was
    ill.  stopped: why a person or the destination itself stopped it.
    shut: in words until when it is shut, for people.
    """

    name: str
    door: bool = True
    turn: bool = True
    cost: float = 0.0
    weight: float = 1.0
    away_s: float | None = None
    well_s: float = inf
    stopped: str = ""
    shut: str = "shut"

    def ill(self, habits: Habits) -> bool:
        """Return whether studies must not wait for it any longer."""
        return bool(self.stopped) or (
            self.away_s is not None and self.away_s >= habits.switch_after_s
        )

    def proven(self, habits: Habits) -> bool:
        """Return whether new studies may come back to it (R-45)."""
        return not self.ill(habits) and self.well_s >= habits.return_after_s

    def trouble(self) -> str:
        """Return in words what is wrong with it."""
        if self.stopped:
            return self.stopped
        if self.away_s is not None:
            return f"down for {self.away_s:.0f} s"
        return f"well again for {self.well_s:.0f} s only"


@dataclass(frozen=True, slots=True)
class Choice:
    """member: "" if the study has to wait.  why: who was passed over for what reason."""

    member: str
    why: str


def choose(habits: Habits, members: Sequence[Member], key: str, *, stat: bool = False) -> Choice:
    """Return the member for a study that has none.  key: what `balance` spreads by."""
    able = [member for member in members if not member.ill(habits)]
    passed = [f"{member.name} {member.trouble()}" for member in members if member not in able]
    in_hours = [m for m in able if m.door and (m.turn or habits.strategy != "by-time")]
    passed += [f"{member.name} {member.shut}" for member in able if member not in in_hours]
    taken = _best(habits, in_hours, key, passed)
    note = ""
    if taken is None and stat and able:
        taken, note = able[0], "stat takes the first that is well"
    if taken is None and habits.strategy == "by-time" and _backed_up(habits, members):
        ready = [member for member in able if member.door]
        taken = ready[0] if ready else None
        note = "backup" if taken is not None else ""
    words = "; ".join([*passed, note] if note else passed)
    return Choice("" if taken is None else taken.name, words or "first choice")


def _best(habits: Habits, ready: list[Member], key: str, passed: list[str]) -> Member | None:
    """Return the best of those that could take it; one that was ill lately only if it must be."""
    if not ready:
        return None
    proven = [member for member in ready if member.proven(habits)]
    if proven:
        passed += [f"{member.name} {member.trouble()}" for member in ready if member not in proven]
    among = proven or [member for member in ready if member.away_s is None] or ready
    match habits.strategy:
        case "by-time":
            return min(among, key=lambda member: member.cost)
        case "balance":
            return max(among, key=lambda member: _rank(member, key))
        case _:
            return among[0]


def _backed_up(habits: Habits, members: Sequence[Member]) -> bool:
    """Return whether the others may step in: those whose turn it is are ill."""
    on_duty = [member for member in members if member.turn]
    return habits.backup and bool(on_duty) and all(member.ill(habits) for member in on_duty)


def _rank(member: Member, key: str) -> float:
    """Return the weight of a member for a key: the highest wins (rendezvous hashing).

    A member that goes or comes moves only the keys that were, or become, its own.
    """
    digest = sha256(f"{member.name}\0{key}".encode()).digest()
    share = (int.from_bytes(digest[:8], "big") + 1) / (2**64 + 1)
    return -member.weight / log(share)


def stays(habits: Habits, member: Member | None, last_at: float, now: float) -> bool:
    """Return whether a study that has begun stays where it is (R-43, R-44).

    member: None if the group has it no more.  last_at, now: Unix seconds; last_at: of the study's
    newest object.
    """
    return member is not None and not member.ill(habits) and now - last_at <= habits.sticky_for_s
