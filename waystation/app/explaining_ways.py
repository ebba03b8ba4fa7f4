"""Deliveries of a study, put together by what they have in common (R-76).

Contract: pure but for what the caller brings; counts are exact, attempts that ended alike stand
together with the first and the last of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from waystation.app.explaining_now import Standing, Waits, why_waiting
from waystation.journal.entries import FailedAttempt, Listed
from waystation.journal.studies import Chosen
from waystation.model.advice import help_for
from waystation.model.delivery import State
from waystation.web.shape import PRIORITIES, status_hex
from waystation.web.shapes_explain import AttemptSaid, ChoiceSaid, ContextSaid, WaySaid

Attempts = Mapping[int, Sequence[FailedAttempt]]
MOST_ATTEMPTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is asked about the deliveries of one way.

    chosen: of a group.  contexts: of a destination, for the objects given.  ahead: how many go
    before (destination, priority, due).
    """

    standing: Standing
    chosen: Callable[[str], Chosen | None]
    contexts: Callable[[str, Sequence[Listed]], list[ContextSaid]]
    ahead: Callable[[str, int, float], int]


def ways(entries: Iterable[Listed], attempts: Attempts, around: Around) -> list[WaySaid]:
    """Return the ways of ``entries``, in the order in which they were made."""
    groups: dict[tuple[str, ...], list[Listed]] = {}
    for entry in entries:
        key = (entry.rules, entry.group, entry.destination, entry.origin)
        groups.setdefault(key, []).append(entry)
    return [_way(members, attempts, around) for members in groups.values()]


def _way(members: Sequence[Listed], attempts: Attempts, around: Around) -> WaySaid:
    first = members[0]
    held = Counter(one.reason or "" for one in members if one.state == State.HELD.value)
    done = [one for one in members if one.state == State.DONE.value]
    ended = [one for one in members if one.state == State.DISCARDED.value]
    before, waits = _waits(members, around)
    return WaySaid(
        destination=first.destination,
        group=first.group,
        rules=first.rules.split(", ") if first.rules else [],
        origin=first.origin,
        priority=PRIORITIES[min(one.priority for one in members)],
        required=bool(first.required),
        objects=len(members),
        states=dict(Counter(one.state for one in members)),
        statuses=dict(Counter(status_hex(one.status) or "" for one in done if one.status)),
        held=dict(held),
        helps=[text for reason in held if (text := help_for(reason))],
        discarded=dict(Counter(_by(one) for one in ended)),
        verified=dict(Counter(one.verified for one in done if one.verified)),
        left_as=dict(Counter(one.sent_syntax for one in done if one.sent_syntax)),
        choice=_choice(first.group, around),
        attempts=_attempts(members, attempts),
        contexts=around.contexts(first.destination, members),
        ahead=before,
        next_at=waits.next_at,
        why_not_now=list(waits.words),
        would="",
    )


def _by(entry: Listed) -> str:
    who = f"by {entry.by_user}" if entry.by_user else (entry.by_rule or "")
    return f"{who}: {entry.why}" if entry.by_user and entry.why else who


def _choice(group: str, around: Around) -> ChoiceSaid | None:
    found = around.chosen(group) if group else None
    if found is None:
        return None
    return ChoiceSaid(
        member=found.member, chosen_at=found.chosen_at, begun=found.begun, why=found.why
    )


def _waits(members: Sequence[Listed], around: Around) -> tuple[int | None, Waits]:
    """Return how many go before the first that waits, and why it does."""
    waiting = [one for one in members if one.state == State.WAITING.value]
    if not waiting:
        sending = any(one.state == State.SENDING.value for one in members)
        return None, Waits(words=("being sent now",) if sending else ())
    head = min(waiting, key=lambda one: (one.priority, one.due, one.id))
    known: list[int] = []

    def ahead() -> int:
        known.append(around.ahead(head.destination, head.priority, head.due))
        return known[0]

    waits = why_waiting(
        around.standing,
        head.destination,
        head.group,
        priority=head.priority,
        due=head.due,
        ahead=ahead,
        created_at=head.created_at,
    )
    return (known[0] if known else None), waits


@dataclass(slots=True)
class _Alike:
    n: int
    first_at: float
    last_at: float


def _attempts(members: Sequence[Listed], attempts: Attempts) -> list[AttemptSaid]:
    """Return how attempts ended: failures as they were written, successes from the deliveries."""
    found: dict[tuple[bool, int | None, str, str, str], _Alike] = {}

    def note(key: tuple[bool, int | None, str, str, str], at: float) -> None:
        alike = found.setdefault(key, _Alike(0, at, at))
        alike.n += 1
        alike.first_at, alike.last_at = min(alike.first_at, at), max(alike.last_at, at)

    for entry in members:
        done = entry.state == State.DONE.value
        detail = ""
        for one in attempts.get(entry.id, ()):
            if done and one.number == entry.attempts:
                detail = one.detail
                continue
            note((False, one.status, one.why, one.detail, one.destination), one.ended_at)
        if done and entry.ended_at is not None:
            note((True, entry.status, entry.why, detail, entry.destination), entry.ended_at)
    said = [
        AttemptSaid(
            n=alike.n,
            ok=ok,
            status=status_hex(status),
            why=why,
            detail=detail,
            destination=destination or members[0].destination,
            first_at=alike.first_at,
            last_at=alike.last_at,
        )
        for (ok, status, why, detail, destination), alike in found.items()
    ]
    return sorted(said, key=lambda one: one.first_at)[-MOST_ATTEMPTS:]
