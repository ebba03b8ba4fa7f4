"""Refused presentation contexts, asked again in their time (R-64).

Contract: gives every DICOM destination its memory and the codec children.  A refusal is asked
again when its settings were edited, when it is a day old, and (by the destination's own probe)
whenever the destination is probed; what is accepted then is let go by itself.  Nothing is asked
of a destination that is down, paused or outside its window.  An arrival planned for a destination
that is known to refuse it is reported at once, not at night.
"""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from waystation.codecs.pool import CodecPool
from waystation.db.engine import Database
from waystation.destinations.base import Destination
from waystation.destinations.contexts import Pair
from waystation.destinations.dicom import DicomDestination
from waystation.destinations.memory import ContextMemory
from waystation.dicom.uids import name_of
from waystation.flows.deliver import LaneBelt
from waystation.flows.rounds import keep_going
from waystation.model.instance import Instance
from waystation.timing.lane import Health

log = structlog.get_logger()
# How long until a destination that cannot be asked now is looked at again.
LATER_S = 60.0
# A study has hundreds of objects of one kind: one warning is enough.
WARN_AGAIN_S = 600.0


class ContextBelt:
    """What the lanes' DICOM destinations know about contexts, and the belt that keeps it true.

    lanes: the running lanes.  clock: Unix seconds.  wake: called with a destination whose
    deliveries were let go.
    """

    def __init__(
        self,
        database: Database,
        codecs: CodecPool,
        lanes: Callable[[], Mapping[str, LaneBelt]],
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._codecs = codecs
        self._lanes = lanes
        self._clock = clock
        self._wake = asyncio.Event()
        self._memories: dict[str, ContextMemory] = {}
        self._warned: dict[tuple[str, Pair], float] = {}

    async def equip(self, destination: Destination) -> None:
        """Give a new destination what is remembered of it."""
        self._memories.pop(destination.name, None)
        if not isinstance(destination, DicomDestination):
            return
        name = destination.name
        memory = ContextMemory(name, self._database, self._clock, lambda: self._released(name))
        await memory.load()
        destination.equip(memory, self._codecs)
        self._memories[name] = memory
        self._wake.set()

    def _released(self, name: str) -> None:
        lane = self._lanes().get(name)
        if lane is not None:
            lane.wake()

    def planned(self, destination: str, instance: Instance) -> None:
        """Warn if an object that was just planned is known to be refused there."""
        memory = self._memories.get(destination)
        pair = (instance.sop_class_uid, instance.transfer_syntax_uid)
        if memory is None or not memory.why_refused(pair):
            return
        now = self._clock()
        if now - self._warned.get((destination, pair), 0.0) > WARN_AGAIN_S:
            self._warned[destination, pair] = now
            log.warning(
                "planned for a destination that refuses it",
                to=destination,
                sop_class=name_of(pair[0]),
                transfer_syntax=name_of(pair[1]),
                why=memory.why_refused(pair),
            )

    def seen(self, destination: str) -> Mapping[Pair, bool]:
        """Return which (SOP class, transfer syntax) were accepted (True) or refused so far."""
        memory = self._memories.get(destination)
        return memory.seen if memory is not None else {}

    def refused(self, destination: str) -> Mapping[Pair, str]:
        """Return what is held without being tried, and why."""
        memory = self._memories.get(destination)
        refused = memory.refused if memory is not None else {}
        return {pair: refusal.detail for pair, refusal in refused.items()}

    async def run(self) -> None:
        """Ask again until cancelled."""
        await keep_going("contexts", self._round, self._wake, self._clock, LATER_S)

    async def _round(self) -> float | None:
        """Ask whom it is time to ask; return how long nothing is due, None for no end."""
        waits: list[float] = []
        for name, lane in list(self._lanes().items()):
            destination = lane.destination
            if not isinstance(destination, DicomDestination):
                continue
            due = destination.memory.next_check()
            if due is not None and due <= self._clock():
                asked = self._may_ask(lane) and await destination.ask_again()
                due = destination.memory.next_check() if asked else None
                if not asked:
                    log.debug("contexts are asked for later", to=name)
                    waits.append(LATER_S)
            if due is not None:
                waits.append(max(due - self._clock(), 1.0))
        return min(waits) if waits else None

    def _may_ask(self, lane: LaneBelt) -> bool:
        flowing = lane.lane.health(lane.now()) is Health.FLOWING
        return flowing and lane.settings.window.is_open(self._clock())
