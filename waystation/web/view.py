"""What the web faces need of a running node, and nothing more.

Contract: the site asks, the node answers in values; no method raises for an unknown id (None) or
destination (False).  Nothing in here carries a patient's identity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from waystation.journal.ages import Ages, Share
from waystation.journal.decisions import Action
from waystation.journal.entries import Chosen, LaneCounts, Listed, ListedArrival, Overview, Story
from waystation.web.api_archive import ArchiveView
from waystation.web.shapes_explain import Explained


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """One lane.  state: flowing, resting, down, blocked, paused, or gone (no such destination).

    window: what comes next, in words.  waiting_bytes: None while they are being counted.
    objects_per_s, bytes_per_s: over the last minute.  clears_at: when the backlog will be gone
    (Unix seconds), None if nobody can say.
    """

    counts: LaneCounts
    state: str
    why: str
    kind: str = ""
    open: bool = True
    window: str = ""
    associations: int = 0
    waiting_bytes: int | None = None
    objects_per_s: float = 0.0
    bytes_per_s: float = 0.0
    clears_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextsView:
    """What one destination was seen to accept.

    seen: (SOP class, transfer syntax) → accepted.  refused: (SOP class, stored syntax) → why;
    objects of these are held without being tried.
    """

    seen: Mapping[tuple[str, str], bool]
    refused: Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """All lanes, what is held by reason, arrivals without a plan.

    ages: destination → how many wait, by the columns of `waystation.journal.ages`.
    gathers, gathering: open gathers and the objects in them.  today: deliveries by state.
    unverified: destination → what it got and has not confirmed.
    """

    lanes: tuple[LaneView, ...]
    held: Mapping[str, int]
    unplanned: int
    now: float
    ages: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    gathers: int = 0
    gathering: int = 0
    today: Mapping[str, int] = field(default_factory=dict)
    unverified: Mapping[str, int] = field(default_factory=dict)


def queue_view(lanes: Sequence[LaneView], seen: Overview, old: Ages, now: float) -> QueueView:
    """Return what the journal told of the queue, beside the lanes as they are."""
    return QueueView(
        lanes=tuple(lanes),
        held=seen.held,
        unplanned=seen.unplanned,
        now=now,
        ages=old.lanes,
        gathers=old.gathers,
        gathering=old.gathering,
        today=old.today,
        unverified=seen.unverified,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
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
    intake_stopped: str
    unplanned: int
    unaccounted: int
    free_bytes: int
    received: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionAsked:
    """Something to do with what was chosen.  preview: only count.

    where: an expression that must be true of the object, "" for none.
    """

    action: Action
    chosen: Chosen
    user: str
    because: str = ""
    preview: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayAsked:
    """What to send again.  since, until: Unix seconds of the arrival; until: None for now.

    to: one destination or group, "" for where the rules send it.  again: also what is delivered.
    """

    where: str
    since: float
    user: str
    until: float | None = None
    to: str = ""
    again: bool = False
    preview: bool = False
    priority: str = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDone:
    """arrivals: what the expression is true of, of which files are kept.

    made: new deliveries, by destination in ``to``.  already: on their way, or delivered.
    filtered: that a destination's filter takes away.  nowhere: that no rule sends anywhere.
    held, gone: left out before the expression was asked.
    """

    arrivals: int
    studies: int
    made: int
    already: int
    filtered: int
    nowhere: int
    held: int
    gone: int
    to: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionDone:
    """matching: what can be acted upon.  changed: what was.  left: the others, by state."""

    matching: int
    changed: int
    left: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrieveView:
    """One C-MOVE or C-GET that is being answered.

    what: in words, without a patient.  sent_s: for how long it has been.
    """

    id: int
    kind: str
    peer: str
    calling_ae: str
    address: str
    what: str
    to: str
    total: int
    remaining: int
    completed: int
    failed: int
    warning: int
    sent_bytes: int
    sent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubleView:
    """Something that is not well.  kind: a word of a fixed list.  look: the command that shows it.

    why: goes on from the subject.  since: Unix seconds, None if nobody knows.
    """

    subject: str
    kind: str
    why: str
    since: float | None = None
    look: str = ""


class NodeView(Protocol):
    """A running node."""

    def now(self) -> float:
        """Return the node's clock, Unix seconds."""

    async def ready(self) -> list[str]:
        """Return why the node is not ready, in words of a fixed list."""

    async def metrics_text(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""

    async def status(self) -> StatusView: ...

    async def lanes(self) -> QueueView: ...

    async def troubles(self) -> Sequence[TroubleView]:
        """Return what is not well, as the watch saw it last."""

    async def contexts(self, name: str) -> ContextsView | None:
        """Return what a destination accepts, None if there is no such destination."""

    async def shares(self, by: str, limit: int) -> Sequence[Share]:
        """Return what is open by peer, rule or study."""

    async def explain(self, what: str) -> Explained | None:
        """Return the story of a UID or of an id, None if nothing is known of it."""

    async def replay(self, asked: ReplayAsked) -> ReplayDone:
        """Make new deliveries; raise `ConfigError` for what cannot be understood."""

    async def deliveries(self, chosen: Chosen, where: str = "") -> Sequence[Listed]:
        """Return a page; raise `ConfigError` for an expression that is none."""

    async def delivery(self, delivery_id: int) -> Story | None:
        """Return the arrival of a delivery, with all its deliveries."""

    async def arrivals(self, chosen: Chosen, where: str = "") -> Sequence[ListedArrival]:
        """Return arrivals that are held themselves."""

    async def arrival(self, arrival_id: int) -> Story | None: ...

    async def act(self, asked: ActionAsked) -> ActionDone: ...

    async def fix(self, delivery_id: int, edits: Sequence[Mapping[str, Any]], user: str) -> str:
        """Give a delivery further edits; return why that was not done, "" if it was."""

    @property
    def archive(self) -> ArchiveView:
        """What can be asked of the archive, and corrected in it."""

    def retrieves(self) -> Sequence[RetrieveView]:
        """Return the retrievals under way, the oldest first."""

    def stop_retrieve(self, number: int, author: str) -> bool:
        """End one behind the object in flight; False if there is none of that id."""

    async def reload(self) -> list[str]:
        """Read the configuration again; return its faults, [] if it is in force now."""

    async def pause_lane(self, name: str, author: str) -> bool:
        """Return False if there is no such destination."""

    async def resume_lane(self, name: str, author: str) -> bool:
        """Return False if there is no such destination."""
