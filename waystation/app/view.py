"""A running node as the web faces see it.

Contract: implements `waystation.web.view.NodeView`.  Decisions go to the journal in pieces of a
thousand rows, so that receiving is not kept waiting, and the lanes and the router hear of them.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog

import waystation
from waystation.app.lane_numbers import LaneNumbers
from waystation.app.node import Node
from waystation.app.pulse import Pulse
from waystation.blobs.volume import look
from waystation.flows.route import Acknowledged
from waystation.journal import decisions, queue
from waystation.journal.decisions import Action, Changed, Decision
from waystation.journal.entries import Chosen, LaneCounts, Listed, ListedArrival, Story
from waystation.web.metrics import Figures, metrics_text
from waystation.web.view import (
    ActionAsked,
    ActionDone,
    ContextsView,
    LaneView,
    QueueView,
    StatusView,
)

log = structlog.get_logger()
PIECE = 1000


class View:
    """The view of one `Node`.  reload: reads the configuration again, returns its faults."""

    def __init__(self, node: Node, reload: Callable[[], Awaitable[list[str]]]) -> None:
        self._node = node
        self._reload = reload
        self._pulse = Pulse(node)
        self._numbers = LaneNumbers(node)

    async def ready(self) -> list[str]:
        """Return why the node is not ready (S-72)."""
        return await self._pulse.reasons()

    # seeing

    async def lanes(self) -> QueueView:
        """Return every lane: those of the configuration, and those that only the journal knows."""
        node = self._node
        seen = await node.database.read(queue.overview())
        counts = {lane.destination: lane for lane in seen.lanes}
        views = [
            await self._numbers.view(belt, counts.pop(name, LaneCounts(destination=name)))
            for name, belt in list(node.belts.items())
        ]
        views += [
            LaneView(counts=gone, state="gone", why="no such destination any more")
            for gone in counts.values()
        ]
        return QueueView(
            lanes=tuple(views), held=seen.held, unplanned=seen.unplanned, now=node.clock()
        )

    async def contexts(self, name: str) -> ContextsView | None:
        """Return what a destination was seen to accept."""
        if name not in self._node.belts:
            return None
        known = self._node.contexts
        return ContextsView(seen=known.seen(name), refused=known.refused(name))

    async def deliveries(self, chosen: Chosen) -> Sequence[Listed]:
        """Return a page of deliveries."""
        return await self._node.database.read(queue.deliveries(chosen))

    async def delivery(self, delivery_id: int) -> Story | None:
        """Return the story of the arrival that a delivery belongs to."""
        arrival_id = await self._node.database.read(queue.arrival_of(delivery_id))
        return None if arrival_id is None else await self.arrival(arrival_id)

    async def arrivals(self, chosen: Chosen) -> Sequence[ListedArrival]:
        """Return a page of held arrivals."""
        return await self._node.database.read(queue.held_arrivals(chosen))

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
            )
        )

    # doing

    async def act(self, asked: ActionAsked) -> ActionDone:
        """Carry out what a person decided, and tell the belts."""
        by_state = await self._node.database.read(queue.states(asked.chosen))
        ready = decisions.starting_states(asked.action)
        matching = sum(by_state.get(state, 0) for state in ready)
        if asked.action not in (Action.HOLD, Action.RESEND):
            matching += await self._node.database.read(queue.count_held(asked.chosen))
        left = {state: n for state, n in by_state.items() if state not in ready}
        changed = 0 if asked.preview else await self._carry_out(asked)
        return ActionDone(matching=matching, changed=changed, left=left)

    async def _carry_out(self, asked: ActionAsked) -> int:
        node = self._node
        decision = Decision(
            action=asked.action, by=asked.user, because=asked.because, now=node.clock()
        )
        # What this very action makes must not be chosen again.
        chosen = replace(asked.chosen, limit=PIECE, until=node.ids.next())
        changed = 0
        while True:
            done = await node.database.write(decisions.decide(chosen, decision, node.ids))
            self._tell(done)
            changed += len(done.deliveries)
            if done.last == chosen.after:
                break
            chosen = replace(chosen, after=done.last)
        changed += await self._carry_out_arrivals(asked, decision)
        log.info(
            "decided",
            action=asked.action.value,
            by=asked.user,
            because=asked.because,
            n=changed,
        )
        return changed

    async def _carry_out_arrivals(self, asked: ActionAsked, decision: Decision) -> int:
        chosen = replace(asked.chosen, limit=PIECE)
        changed = 0
        while True:
            done = await self._node.database.write(decisions.decide_arrivals(chosen, decision))
            self._tell(done)
            changed += done.arrivals
            if done.last == chosen.after:
                return changed
            chosen = replace(chosen, after=done.last)

    def _tell(self, done: Changed) -> None:
        for arrival in done.to_plan:
            self._node.router.arrived(Acknowledged(arrival=arrival, known=True))
        for entry in done.deliveries:
            belt = self._node.belts.get(entry.destination)
            if belt is not None:
                belt.lane.forget(entry.id)
        for name in {entry.destination for entry in done.deliveries}:
            if name in self._node.belts:
                self._node.belts[name].wake()

    async def reload(self) -> list[str]:
        """Read the configuration again; return its faults, [] if it is in force now (R-2)."""
        return await self._reload()

    async def pause_lane(self, name: str, author: str) -> bool:
        """Stop a lane until somebody resumes it."""
        if name not in self._node.belts:
            return False
        await self._node.pause_lane(name, author)
        log.info("lane paused", to=name, by=author)
        return True

    async def resume_lane(self, name: str, author: str) -> bool:
        """Let a paused lane go on."""
        if name not in self._node.belts:
            return False
        await self._node.resume_lane(name)
        log.info("lane resumed", to=name, by=author)
        return True
