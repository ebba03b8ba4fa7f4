"""What the web faces need of a running node, and nothing more.

Contract: the site asks, the node answers in values; no method raises for an unknown id (None) or
destination (False).  Nothing in here carries a patient's identity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from waystation.journal.decisions import Action
from waystation.journal.entries import Chosen, LaneCounts, Listed, ListedArrival, Story


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
    """All lanes, what is held by reason, arrivals without a plan."""

    lanes: tuple[LaneView, ...]
    held: Mapping[str, int]
    unplanned: int
    now: float


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
    """Something to do with what was chosen.  preview: only count."""

    action: Action
    chosen: Chosen
    user: str
    because: str = ""
    preview: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionDone:
    """matching: what can be acted upon.  changed: what was.  left: the others, by state."""

    matching: int
    changed: int
    left: Mapping[str, int]


class NodeView(Protocol):
    """A running node."""

    async def ready(self) -> list[str]:
        """Return why the node is not ready, in words of a fixed list."""

    async def metrics_text(self) -> bytes:
        """Return the metrics in the text format of Prometheus."""

    async def status(self) -> StatusView: ...

    async def lanes(self) -> QueueView: ...

    async def contexts(self, name: str) -> ContextsView | None:
        """Return what a destination accepts, None if there is no such destination."""

    async def deliveries(self, chosen: Chosen) -> Sequence[Listed]: ...

    async def delivery(self, delivery_id: int) -> Story | None:
        """Return the arrival of a delivery, with all its deliveries."""

    async def arrivals(self, chosen: Chosen) -> Sequence[ListedArrival]:
        """Return arrivals that are held themselves."""

    async def arrival(self, arrival_id: int) -> Story | None: ...

    async def act(self, asked: ActionAsked) -> ActionDone: ...

    async def reload(self) -> list[str]:
        """Read the configuration again; return its faults, [] if it is in force now."""

    async def pause_lane(self, name: str, author: str) -> bool:
        """Return False if there is no such destination."""

    async def resume_lane(self, name: str, author: str) -> bool:
        """Return False if there is no such destination."""
