"""A running node as the web faces see it.

Contract: implements `waystation.web.view.NodeView`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

import waystation
from waystation.app.acting import Acting
from waystation.app.deciding import decided
from waystation.app.lane_numbers import LaneNumbers
from waystation.app.node import Node
from waystation.app.pulse import Pulse
from waystation.app.replaying import Replaying
from waystation.app.upstreaming import pacs_figures
from waystation.app.view_archive import NodeArchive
from waystation.app.view_explain import explained
from waystation.app.view_retrieves import retrieves
from waystation.blobs.volume import look
from waystation.journal import ages, queue
from waystation.journal.ages import Share
from waystation.journal.entries import Chosen, LaneCounts, Listed, ListedArrival, Story
from waystation.web.dicomweb import DicomWeb
from waystation.web.metrics import Figures, metrics_text
from waystation.web.shapes_explain import Explained
from waystation.web.tally import Tally
from waystation.web.view import (
    ActionAsked,
    ActionDone,
    ContextsView,
    LaneView,
    QueueView,
    ReplayAsked,
    ReplayDone,
    RetrieveView,
    StatusView,
    TroubleView,
    queue_view,
)

log = structlog.get_logger()


class View:
    """The view of one `Node`.  reload: reads the configuration again, returns its faults.

    folder: what relative paths of the configuration count from.
    """

    def __init__(
        self,
        node: Node,
        reload: Callable[[], Awaitable[list[str]]],
        folder: Path = Path(),
    ) -> None:
        self._node = node
        self._reload = reload
        self._folder = folder
        self._acting = Acting(node)
        self._replaying = Replaying(node, self._acting)
        self._pulse = Pulse(node)
        self._numbers = LaneNumbers(node)
        self.archive = NodeArchive(node)
        self.dicomweb: DicomWeb | None = None

    def now(self) -> float:
        """Return the node's clock."""
        return self._node.clock()

    async def ready(self) -> list[str]:
        """Return why the node is not ready (S-72)."""
        return await self._pulse.reasons()

    # seeing

    async def lanes(self) -> QueueView:
        """Return every lane: those of the configuration, and those that only the journal knows."""
        node, now = self._node, self._node.clock()
        seen = await node.database.read(queue.overview())
        old = await node.database.read(ages.ages(now, ages.midnight(now)))
        counts = {lane.destination: lane for lane in seen.lanes}
        views = [
            await self._numbers.view(belt, counts.pop(name, LaneCounts(destination=name)))
            for name, belt in list(node.belts.items())
        ]
        views += [self._without_lane(name, counted) for name, counted in counts.items()]
        return queue_view(views, seen, old, now)

    async def troubles(self) -> Sequence[TroubleView]:
        """Return what is not well, as the watch saw it last."""
        return [
            TroubleView(
                subject=one.subject, kind=one.kind, why=one.why, since=one.since, look=one.look
            )
            for one in self._node.watching.troubles()
        ]

    def _without_lane(self, name: str, counts: LaneCounts) -> LaneView:
        """Return what waits where no lane is: for a member of a group, or for nobody."""
        if name in self._node.settings.group:
            why = self._node.groups.why_waiting(name) if counts.waiting else ""
            return LaneView(counts=counts, state="choosing", why=why, kind="group")
        return LaneView(counts=counts, state="gone", why="no such destination any more")

    async def contexts(self, name: str) -> ContextsView | None:
        """Return what a destination was seen to accept."""
        if name not in self._node.belts:
            return None
        known = self._node.contexts
        return ContextsView(seen=known.seen(name), refused=known.refused(name))

    async def deliveries(self, chosen: Chosen, where: str = "") -> Sequence[Listed]:
        """Return a page of deliveries."""
        return await self._acting.deliveries(chosen, where)

    async def shares(self, by: str, limit: int) -> Sequence[Share]:
        """Return what is open by peer, rule or study."""
        return await self._node.database.read(ages.shares(by, limit))

    async def explain(self, what: str) -> Explained | None:
        """Return the story of a UID or of an id (R-76)."""
        return await explained(self._node, what, self._folder)

    async def delivery(self, delivery_id: int) -> Story | None:
        """Return the story of the arrival that a delivery belongs to."""
        arrival_id = await self._node.database.read(queue.arrival_of(delivery_id))
        return None if arrival_id is None else await self.arrival(arrival_id)

    async def arrivals(self, chosen: Chosen, where: str = "") -> Sequence[ListedArrival]:
        """Return a page of held arrivals."""
        return await self._acting.arrivals(chosen, where)

    async def arrival(self, arrival_id: int) -> Story | None:
        """Return the story of one arrival."""
        return await self._node.database.read(queue.story(arrival_id))

    async def status(self) -> StatusView:
        """Return the node at a glance."""
        node = self._node
        dicom = node.settings.dicom
        return StatusView(
            name=node.settings.node.name,
            version=waystation.__version__,
            pid=os.getpid(),
            started_at=node.started_at,
            ae_title=dicom.ae_title,
            dicom=f"{dicom.host}:{node.dicom_port}",
            associations=node.listener.associations,
            draining=node.draining,
            config_ok=not node.config_problem,
            config_problem=node.config_problem,
            intake_stopped=node.sweep.stopped_why,
            unplanned=node.router.waiting,
            unaccounted=node.sweep.unaccounted,
            free_bytes=await self._free_bytes(),
            received=sum(node.watching.counters.answered.values()),
        )

    async def _free_bytes(self) -> int:
        loop = asyncio.get_running_loop()
        space = await loop.run_in_executor(self._node.disk, look, self._node.blobs.root)
        return space.free_bytes

    async def metrics_text(self) -> bytes:
        """Return the metrics (R-84)."""
        node = self._node
        seen = await node.database.read(queue.overview(ages=False))
        return metrics_text(
            Figures(
                counted=node.watching.counters,
                commit_s=node.intake.commit_s,
                arrivals=node.intake.arrivals,
                commits=node.intake.commits,
                held=seen.held,
                lanes=[await self._numbers.figures(belt) for belt in list(node.belts.values())],
                unaccounted=node.sweep.unaccounted,
                free_bytes=await self._free_bytes(),
                config_ok=not node.config_problem,
                gathers_open=node.gathers.open,
                unverified=seen.unverified,
                web=self.dicomweb.tally if self.dicomweb else Tally(),
                pacs=pacs_figures(node),
            )
        )

    # doing

    async def act(self, asked: ActionAsked) -> ActionDone:
        """Carry out what a person decided, and tell the belts."""
        return await self._acting.act(asked)

    async def fix(self, delivery_id: int, edits: Sequence[Mapping[str, Any]], user: str) -> str:
        """Give a delivery further edits; return why that was not done, "" if it was."""
        return await self._acting.fix(delivery_id, edits, user)

    def retrieves(self) -> Sequence[RetrieveView]:
        """Return the retrievals under way (T-46)."""
        return retrieves(self._node.queries.going)

    def stop_retrieve(self, number: int, author: str) -> bool:
        """End a retrieval behind the object in flight."""
        going = next((one for one in self._node.queries.going if one.id == number), None)
        if going is not None:
            going.stop(author)
            decided(self._node, author, "stop", retrieve=f"{number}", to=going.to)
        return going is not None

    async def replay(self, asked: ReplayAsked) -> ReplayDone:
        """Make new deliveries from kept files."""
        return await self._replaying.replay(asked)

    async def reload(self) -> list[str]:
        """Read the configuration again; return its faults, [] if it is in force now (R-2)."""
        return await self._reload()

    async def pause_lane(self, name: str, author: str) -> bool:
        """Stop a lane until somebody resumes it."""
        if name not in self._node.belts:
            return False
        await self._node.pause_lane(name, author)
        log.info("lane paused", to=name, by=author)
        decided(self._node, author, "pause", to=name)
        return True

    async def resume_lane(self, name: str, author: str) -> bool:
        """Let a paused lane go on."""
        if name not in self._node.belts:
            return False
        await self._node.resume_lane(name)
        log.info("lane resumed", to=name, by=author)
        decided(self._node, author, "resume", to=name)
        return True
