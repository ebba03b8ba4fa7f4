"""The JSON of the API: stable keys, described for its OpenAPI document.

Contract: ids are hexadecimal text, statuses four hexadecimal digits, instants Unix seconds.  Keys
are added, never renamed.  No field carries a patient's identity.
"""

from collections.abc import Iterable, Sequence

from pydantic import Field

from waystation.journal import ages
from waystation.journal.entries import FailedAttempt, Listed, ListedArrival, Story
from waystation.model.advice import help_for
from waystation.model.delivery import State
from waystation.web.shape import PRIORITIES, Shape, id_text, status_hex
from waystation.web.view import LaneView, QueueView, ReplayDone, StatusView


class Lane(Shape):
    """One destination: how it is, and how much is in which state."""

    destination: str
    kind: str
    state: str = Field(description="flowing, resting, down, blocked, paused or gone")
    why: str
    waiting: int
    sending: int
    held: int
    done: int
    discarded: int
    oldest_s: float | None = Field(description="Age of the oldest waiting delivery, seconds")
    open: bool = Field(description="Whether its window allows sending now")
    window: str = Field(description="When the window opens or shuts next, in words")
    associations: int = Field(description="Studies that are being sent now")
    waiting_bytes: int | None = Field(description="null while they are being counted")
    objects_per_s: float = Field(description="Over the last minute")
    bytes_per_s: float = Field(description="Over the last minute")
    clears_at: float | None = Field(
        description="When the backlog will be gone, counting windows and limits; null if unknown"
    )
    ages: dict[str, int] = Field(description="How many wait, by age: 5m, 15m, 1h, 4h, 1d, more")


class Queue(Shape):
    """The whole queue in numbers."""

    lanes: list[Lane]
    held: dict[str, int] = Field(description="What waits for a person, by reason")
    unplanned: int = Field(description="Arrivals that have no plan yet")
    gathering: int = Field(description="Objects that wait until their series or study is complete")
    gathers: int = Field(description="Series and studies that are not complete yet")
    today: dict[str, int] = Field(description="Deliveries made since midnight, by state")
    unverified: dict[str, int] = Field(
        default={}, description="Delivered and not confirmed yet, by destination that has to"
    )


class Share(Shape):
    """What is open of one peer, rule or study."""

    name: str
    waiting: int
    sending: int
    held: int
    oldest_s: float | None = Field(description="Age of the oldest waiting delivery, seconds")


class Shares(Shape):
    """What is open by peer, rule or study, what waits longest first."""

    by: str
    shares: list[Share]


class Attempt(Shape):
    """One attempt that did not end in success."""

    number: int
    ended_at: float
    status: str | None
    why: str
    destination: str = ""
    detail: str = Field(default="", description="What was offered, or changed on the way")


class Delivery(Shape):
    """One instance on its way to one destination."""

    id: str
    arrival: str
    destination: str
    state: str
    reason: str | None = Field(description="Why it is held")
    study: str
    priority: str
    rules: list[str]
    attempts: int
    object_failures: int
    status: str | None = Field(description="Last DIMSE status")
    why: str
    due: float
    created_at: float
    first_failed_at: float | None
    ended_at: float | None
    by_rule: str | None
    by_user: str | None
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    peer: str
    calling_ae: str
    received_at: float
    size_bytes: int
    group: str = Field(description="Whose member the destination is, or is to be")
    origin: str = Field(description="rule, late, switch, replay or resend")
    required: bool
    sent_syntax: str = Field(description="Transfer syntax that left, if it was changed")
    verified: str = Field(
        default="",
        description="What became of asking the destination for it: open, verified, failed or off; "
        "empty if nobody asks",
    )
    sent_sha256: str = Field(description="SHA-256 of the data set that left, if it was changed")
    help: str = Field(description="What to do about it, if it is held")


class Deliveries(Shape):
    """One page; ``next`` goes into ``after`` of the next request."""

    deliveries: list[Delivery]
    next: str | None


class Verdict(Shape):
    """What one rule said.  The deciding clause stays out: it quotes values of the object."""

    rule: str
    matched: bool


class Arrival(Shape):
    """One object that was received once."""

    id: str
    received_at: float
    peer: str
    calling_ae: str
    called_ae: str
    way_in: str
    study: str
    series: str
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    size_bytes: int
    planned: bool
    reason: str | None = Field(description="Why it is held")
    ended_why: str | None
    verdicts: list[Verdict]


class Arrivals(Shape):
    """One page of arrivals that are held themselves."""

    arrivals: list[Arrival]
    next: str | None


class Steps(Shape):
    """What a rule's steps did to one delivery: elements, never their values."""

    steps: str = Field(description="What the rule does, in words")
    changed: list[str] = Field(description="Elements that were changed")
    deidentified: str = Field(description="By which profile, or empty")
    sha256: str = Field(description="Of the data set that leaves, or empty while it is not made")


class Told(Shape):
    """An arrival, what became of it, each failed attempt and each rule's steps by delivery id."""

    arrival: Arrival
    deliveries: list[Delivery]
    attempts: dict[str, list[Attempt]]
    steps: dict[str, Steps]


AGES = ("5m", "15m", "1h", "4h", "1d", "more")
NO_AGES = (0,) * len(AGES)


def lane(view: LaneView, now: float, by_age: Sequence[int] = NO_AGES) -> Lane:
    """Shape one lane.  by_age: how many wait, by the columns of `AGES`."""
    counts = view.counts
    oldest = counts.oldest_at
    return Lane(
        destination=counts.destination,
        kind=view.kind,
        state=view.state,
        why=view.why,
        oldest_s=None if oldest is None else round(max(0.0, now - oldest), 1),
        open=view.open,
        window=view.window,
        associations=view.associations,
        waiting_bytes=view.waiting_bytes,
        objects_per_s=round(view.objects_per_s, 3),
        bytes_per_s=round(view.bytes_per_s, 1),
        clears_at=None if view.clears_at is None else round(view.clears_at, 1),
        ages=dict(zip(AGES, by_age, strict=True)),
        **{state.value: getattr(counts, state.value) for state in State},
    )


def queue(view: QueueView) -> Queue:
    """Shape the queue."""
    return Queue(
        lanes=[
            lane(one, view.now, view.ages.get(one.counts.destination, NO_AGES))
            for one in view.lanes
        ],
        held=dict(view.held),
        unplanned=view.unplanned,
        gathering=view.gathering,
        gathers=view.gathers,
        today=dict(view.today),
        unverified=dict(view.unverified),
    )


def shares(by: str, found: Iterable[ages.Share], now: float) -> Shares:
    """Shape what is open by peer, rule or study."""
    return Shares(
        by=by,
        shares=[
            Share(
                name=one.name,
                waiting=one.waiting,
                sending=one.sending,
                held=one.held,
                oldest_s=None if one.oldest_at is None else round(max(0.0, now - one.oldest_at), 1),
            )
            for one in found
        ],
    )


class Replayed(Shape):
    """What a replay made, or would make."""

    preview: bool
    arrivals: int = Field(description="Kept objects that the expression is true of")
    studies: int = Field(description="Studies that something was made of")
    made: int
    already: int = Field(description="On their way, or delivered before")
    filtered: int = Field(description="Taken away by a destination's filter")
    nowhere: int = Field(description="That no rule sends anywhere")
    held: int = Field(description="Held arrivals, left out: they need a decision first")
    gone: int = Field(description="Whose files are gone, left out")
    to: dict[str, int] = Field(description="New deliveries by destination or group")


def replayed(done: ReplayDone, *, preview: bool) -> Replayed:
    """Shape what a replay did."""
    fields = {name: getattr(done, name) for name in ReplayDone.__slots__}
    return Replayed(**fields | {"to": dict(done.to), "preview": preview})


def delivery(entry: Listed) -> Delivery:
    """Shape one delivery."""
    fields = {name: getattr(entry, name) for name in Listed.__slots__}
    return Delivery(
        **fields
        | {
            "id": id_text(entry.id),
            "arrival": id_text(entry.arrival),
            "priority": PRIORITIES[entry.priority],
            "rules": entry.rules.split(", ") if entry.rules else [],
            "status": status_hex(entry.status),
            "required": bool(entry.required),
            "help": help_for(entry.reason or ""),
        }
    )


def deliveries(entries: Iterable[Listed], limit: int) -> Deliveries:
    """Shape one page of deliveries."""
    page = [delivery(entry) for entry in entries]
    return Deliveries(deliveries=page, next=page[-1].id if len(page) == limit else None)


def arrival(entry: ListedArrival) -> Arrival:
    """Shape one arrival."""
    fields = {name: getattr(entry, name) for name in ListedArrival.__slots__}
    verdicts = [Verdict(rule=v.rule, matched=v.matched) for v in entry.verdicts]
    return Arrival(**fields | {"id": id_text(entry.id), "verdicts": verdicts})


def arrivals(entries: Iterable[ListedArrival], limit: int) -> Arrivals:
    """Shape one page of held arrivals."""
    page = [arrival(entry) for entry in entries]
    return Arrivals(arrivals=page, next=page[-1].id if len(page) == limit else None)


def _attempt(entry: FailedAttempt) -> Attempt:
    return Attempt(
        number=entry.number,
        ended_at=entry.ended_at,
        status=status_hex(entry.status),
        why=entry.why,
        destination=entry.destination,
        detail=entry.detail,
    )


def told(story: Story) -> Told:
    """Shape the story of one arrival."""
    return Told(
        arrival=arrival(story.arrival),
        deliveries=[delivery(entry) for entry in story.deliveries],
        attempts={
            id_text(number): [_attempt(entry) for entry in entries]
            for number, entries in story.attempts.items()
        },
        steps={
            id_text(number): Steps(
                steps=one.steps,
                changed=list(dict.fromkeys(path for path, _, _ in one.changes)),
                deidentified=one.deidentified,
                sha256=one.sha256,
            )
            for number, one in story.steps.items()
        },
    )


class Status(Shape):
    """The node at a glance."""

    name: str
    version: str
    pid: int
    started_at: float
    ae_title: str
    dicom: str
    associations: int
    draining: bool
    config_ok: bool
    config_problem: str
    intake_stopped: str = Field(description="Why new associations are refused, or empty")
    unplanned: int
    unaccounted: int
    free_bytes: int
    received: int


def status(view: StatusView) -> Status:
    """Shape the node's status."""
    return Status(**{name: getattr(view, name) for name in StatusView.__slots__})
