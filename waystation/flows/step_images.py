"""Images that arrive, seen from the worklist: their step is started, their list complete (T-59).

Contract: the first object with the study and the modality of a listed step starts it, if nobody
else said so.  When all objects that a finished performed step names are here, its study and series
count as complete (R-71).  `came` is called for every object and costs a look into two tables.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence

import structlog

from waystation.db.engine import Database
from waystation.flows.rounds import keep_going
from waystation.flows.steps import Steps, Told
from waystation.index import mpps
from waystation.journal import commitments
from waystation.matching.performed import Performed, performed
from waystation.model.arrival import Arrival
from waystation.model.errors import StorageError
from waystation.model.step import LISTED, Author, StepState

log = structlog.get_logger()
AGAIN_S = 5.0
REMEMBERED = 4096
# So long the objects of a finished procedure are waited for, over a start too.
BACK_S = 86_400.0


class StepImages:
    """Of one node.

    complete: told of the studies and series that are all here.
    """

    def __init__(
        self,
        steps: Steps,
        database: Database,
        clock: Callable[[], float],
        complete: Callable[[Collection[str]], None],
    ) -> None:
        self._steps = steps
        self._database = database
        self._clock = clock
        self._complete = complete
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._first: list[Arrival] = []
        # Studies that wait for objects, each with when its performed steps ended, and their lists.
        self._lists: dict[str, list[tuple[float, tuple[str, ...]]]] = {}
        self._due: set[str] = set()
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> bool:
        """Whether something that came was not looked at yet."""
        return bool(self._first or self._due)

    def came(self, arrival: Arrival) -> None:
        """An object was received, and is in the journal."""
        instance = arrival.instance
        key = (instance.study_uid, instance.modality)
        if instance.study_uid in self._lists:
            self._due.add(instance.study_uid)
            self._wake.set()
        if key in self._seen or arrival.source.fetched_from:
            return
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._first.append(arrival)
        self._wake.set()

    def told(self, changes: Sequence[Told]) -> None:
        """Steps have changed: the next image of a study may start one that is new."""
        for told in changes:
            if told.change.what in ("created", "restored"):
                self._seen.pop((told.step.study_uid, told.step.modality), None)

    def ended(self, done: Performed, at: float | None = None) -> None:
        """A performed procedure step is over; it named its objects.  at: Unix seconds, or now."""
        if done.objects:
            now = self._clock()
            self._give_up(now - BACK_S)
            for study in {order.study_uid for order in done.orders}:
                self._lists.setdefault(study, []).append((at or now, done.objects))
                self._due.add(study)
            self._wake.set()

    def _give_up(self, before: float) -> None:
        """Wait no more for what ended so long ago: its images may go elsewhere."""
        left = {
            study: [one for one in lists if one[0] >= before]
            for study, lists in self._lists.items()
        }
        self._lists = {study: lists for study, lists in left.items() if lists}

    async def start(self) -> None:
        """Take up what ended before this process began."""
        since = self._clock() - BACK_S
        for kept in await self._database.read(mpps.ended_since(since)):
            self.ended(performed(kept.data), kept.changed_at)

    async def run(self) -> None:
        """Look at what came, until cancelled."""
        await keep_going("worklist images", self.look, self._wake, self._clock, AGAIN_S)

    async def look(self) -> None:
        """Do what is due."""
        while self._first:
            await self._begin(self._first[0])
            del self._first[0]
        while self._due:
            # What comes while it is compared, compares it again.
            study = self._due.pop()
            try:
                await self._compare(study)
            except StorageError:
                self._due.add(study)
                raise

    async def _begin(self, arrival: Arrival) -> None:
        instance = arrival.instance
        if not instance.study_uid:
            return
        steps = await self._steps.find(study_uid=instance.study_uid, states=tuple(LISTED))
        author = Author(kind="images", name=arrival.source.calling_ae, detail=instance.study_uid)
        for step in steps:
            if step.modality == instance.modality:
                await self._steps.move(step.id, StepState.STARTED, author)

    async def _compare(self, study: str) -> None:
        for one in list(self._lists.get(study, ())):
            here = await self._database.read(commitments.all_here(one[1]))
            if here:
                self._complete(here)
                left = self._lists.get(study, [])
                if one in left:
                    left.remove(one)
        if not self._lists.get(study, True):
            del self._lists[study]
