"""New arrivals → plan → deliveries, many in one transaction.

Contract: an arrival comes here only after it was acknowledged (or was found in the intake log at
start); its row, its plan and its deliveries are written together.  The decision is pure
(`rules.plan`, `rules.duplicates`); an internal failure of the rules holds the arrival
(``rule-error``) and never loses it.  Lanes are only told that there is something to do.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from time import monotonic

import structlog

from waystation.db.engine import Database
from waystation.dicom.head import Head
from waystation.flows.adopting import Archiving, Caching, cached, noted
from waystation.flows.announced import announced
from waystation.flows.witness import SILENT, Witness
from waystation.journal.adoption import Adoption, adopt
from waystation.journal.gathers import Gather
from waystation.journal.ids import IdSource
from waystation.journal.intake import IntakeLog
from waystation.model.arrival import Arrival, Earlier
from waystation.model.delivery import HoldReason
from waystation.model.errors import StorageError
from waystation.model.instance import Instance
from waystation.model.plan import Plan, Target
from waystation.model.values import value
from waystation.rules.duplicates import DuplicatePolicy, judge, kind_of
from waystation.rules.facts import Facts, Window, facts_of
from waystation.rules.plan import plan, refusal
from waystation.rules.read import ARCHIVE, RuleSet
from waystation.timing.gather import Announced, Carrier

log = structlog.get_logger()
BATCH = 256
# How long a batch waits for company: alone, and where one follows the other.  The sync and the
# processor time of a commit are the same for one arrival and for fifty.
COMPANY_S = 0.01
STREAM_S = 0.05
STREAM_GAP_S = 0.25
# What is acknowledged and not yet in the tables is held in memory: a bound for both.
MOST_WAITING = 2000
MOST_BYTES = 32 << 20
RETRY_S = 1.0
ROOM_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What routing goes by; replaced whole on reload.

    destinations: names that exist.  zone: of the node, for weekday and hour.
    revision: of the configuration text that says all this, 0 if it is not known.
    windows: the schedules by name.
    """

    ruleset: RuleSet
    destinations: Collection[str]
    duplicates: DuplicatePolicy
    zone: tzinfo
    revision: int = 0
    windows: Mapping[str, Window] = field(default_factory=dict)

    def facts(self, arrival: Arrival) -> Facts:
        """Return what rules and filters may ask about an object."""
        return facts_of(arrival, zone=self.zone, windows=self.windows)

    def placed(self, target: Target) -> Target:
        """Return the target as it can be used: held if there is no such way out."""
        group = target.destination in self.ruleset.groups
        if group or target.destination in self.destinations or target.filtered_by:
            # A gather may have been asked for when the name was another thing.
            return target if target.group is group else replace(target, group=group)
        missing = HoldReason.DESTINATION_GONE
        return replace(
            target, hold=HoldReason.NO_ARCHIVE if target.destination == ARCHIVE else missing
        )


@value
class Acknowledged:
    """An arrival whose sender has heard Success.

    head: None if it has to be read again.  data: the data set if it rides in the journal.
    lsn: its record in the intake log, 0 without one.  known: its row is there already.
    carrier: the association that brought it, None if unknown.
    """

    arrival: Arrival
    head: Head | None = None
    data: bytes | None = None
    lsn: int = 0
    known: bool = False
    carrier: Carrier | None = None


class Router:
    """The belt from arrivals to deliveries."""

    def __init__(
        self,
        routing: Routing,
        database: Database,
        ids: IdSource,
        clock: Callable[[], float],
        wake: Callable[[str, str, bool], None],
        head_of: Callable[[Arrival, bytes | None], Awaitable[Head]],
        intake: IntakeLog,
        joined: Callable[[Sequence[Gather], Carrier | None], None] = lambda _gathers, _by: None,
        planned: Callable[[str, Instance], None] = lambda _destination, _instance: None,
        witness: Witness = SILENT,
        alike: Callable[[Arrival, bytes | None], Awaitable[Collection[int]]] | None = None,
        archiving: Archiving | None = None,
    ) -> None:
        self.caching: Caching | None = None
        self._archiving = archiving
        self._alike = alike
        self._planned = planned
        self._witness = witness
        self._joined = joined
        self.routing = routing
        self._database = database
        self._ids = ids
        self._clock = clock
        self._wake = wake
        self._head_of = head_of
        self._log = intake
        self._queue: deque[Acknowledged] = deque()
        self._queued_bytes = 0
        self._something = asyncio.Event()
        self._hurry = asyncio.Event()
        self._adopted_at = 0.0
        self._idle = asyncio.Event()
        self._idle.set()
        self._room = asyncio.Event()
        self._room.set()

    def arrived(self, item: Acknowledged) -> None:
        """Take an acknowledged arrival; returns at once."""
        self._queue.append(item)
        self._queued_bytes += len(item.data or b"")
        if len(self._queue) >= MOST_WAITING or self._queued_bytes >= MOST_BYTES:
            self._room.clear()
        self._idle.clear()
        self._something.set()
        if item.arrival.priority == "stat":
            self._hurry.set()

    async def room(self) -> None:
        """Wait until another arrival may be acknowledged: what waits here is in memory.

        Raises `StorageError` if the journal takes nothing for so long (E3).
        """
        if self._room.is_set():
            return
        try:
            async with asyncio.timeout(ROOM_S):
                await self._room.wait()
        except TimeoutError as error:
            raise StorageError("the journal does not take what has arrived") from error

    @property
    def waiting(self) -> int:
        """How many arrivals have no plan yet."""
        return len(self._queue)

    async def settled(self) -> None:
        """Wait until every arrival has its plan."""
        if not self._idle.is_set():
            self._hurry.set()
        await self._idle.wait()

    def refuses(self, head: Head, arrival: Arrival) -> str:
        """Return what refuses the object before the answer (R-18, R-34), or "".

        The limits of rules and expressions bound the time that this takes to a few milliseconds
        (R-10, R-32): there is nothing that could be broken off at a time limit.
        """
        routing = self.routing
        if not routing.ruleset.may_refuse:
            return ""
        sop_class_uid = arrival.instance.sop_class_uid
        return refusal(head, routing.facts(arrival), routing.ruleset, sop_class_uid=sop_class_uid)

    def _plan(self, routing: Routing, arrival: Arrival, head: Head) -> Plan:
        sop_class_uid = arrival.instance.sop_class_uid
        return plan(head, routing.facts(arrival), routing.ruleset, sop_class_uid=sop_class_uid)

    def _decide(self, routing: Routing, arrival: Arrival, head: Head) -> Plan:
        """Return the plan; what goes wrong in here holds this arrival and no other."""
        source = arrival.source.fetched_from
        if source and not (self.caching and self.caching.ruled(source)):
            return cached(source)
        try:
            decided = self._plan(routing, arrival, head)
        except Exception:
            log.exception("rules failed", arrival=f"{arrival.id:x}")
            return Plan(hold=HoldReason.RULE_ERROR)
        if decided.refuse and source:
            return cached(source)
        if decided.refuse:
            # The sender heard Success under an earlier configuration: keep it for a person.
            return replace(decided, refuse=False, hold=HoldReason.NO_RULE)
        targets = tuple([self._archived(routing.placed(target)) for target in decided.targets])
        # Mostly they are what they were.
        return decided if targets == decided.targets else replace(decided, targets=targets)

    def _archived(self, target: Target) -> Target:
        """Return the target for the archive if it takes the object as it came, and at once."""
        if self._archiving is None or target.recipe or target.hold or target.filtered_by:
            return target
        takes = self._archiving.takes(target.destination)
        return replace(target, archived=True) if takes else target

    def placed(self, target: Target) -> Target:
        """Return the target as it can be used by the configuration in force."""
        return self.routing.placed(target)

    async def run(self) -> None:
        """Plan what arrives until cancelled."""
        while True:
            await self._something.wait()
            if len(self._queue) < BATCH:
                await self._company()
            self._something.clear()
            self._hurry.clear()
            while self._queue:
                count = min(len(self._queue), BATCH)
                batch = [self._queue[place] for place in range(count)]
                try:
                    await self._adopt(batch)
                except Exception as error:
                    if not isinstance(error, StorageError):
                        # A fault of ours: no belt may end for good.
                        log.exception("routing failed")
                    # The arrivals are safe in the log: the same batch when the disk allows.
                    log.error("routing waits for the journal", error=str(error))
                    await asyncio.sleep(RETRY_S)
                    continue
                for _ in range(count):
                    self._queued_bytes -= len(self._queue.popleft().data or b"")
                if len(self._queue) < MOST_WAITING // 2 and self._queued_bytes < MOST_BYTES // 2:
                    self._room.set()
            self._adopted_at = monotonic()
            self._idle.set()

    async def _company(self) -> None:
        """Wait until more has come, unless somebody waits for what is here."""
        streaming = monotonic() - self._adopted_at < STREAM_GAP_S
        with suppress(TimeoutError):
            async with asyncio.timeout(STREAM_S if streaming else COMPANY_S):
                await self._hurry.wait()

    async def _adopt(self, batch: Sequence[Acknowledged]) -> None:
        # One configuration for all of it: the revision that is written is that of the plans.
        routing = self.routing
        adoptions = [await self._adoption(routing, item) for item in batch]
        lsns = {item.lsn for item in batch if item.lsn}
        lsn = self._log.watermark(lsns) if lsns else None
        now = self._clock()
        policy = routing.duplicates
        alike = await self._likenesses(batch) if policy.content else {}
        again: dict[int, str] = {}

        def judged(arrival: Arrival, made: Plan, earlier: Sequence[Earlier]) -> Plan:
            if same := alike.get(arrival.id):
                earlier = [
                    replace(one, sha256=arrival.sha256) if one.arrival_id in same else one
                    for one in earlier
                ]
            final = judge(policy, arrival, made, earlier, now)
            again[arrival.id] = kind_of(arrival, earlier, final)
            return final

        wholes = routing.ruleset.wholes
        file = self._archiving.file if self._archiving else None
        shelve = self.caching.shelve if self.caching else None
        job = adopt(adoptions, self._ids, now, judged, lsn, routing.revision, wholes, file, shelve)
        done = await self._database.write(job, urgent=False)
        self._log.settled(lsns)
        if lsn is not None:
            self._log.committed(lsn)
        if self.caching is not None:
            fetched = [item.arrival for item in batch if item.arrival.source.fetched_from]
            if fetched:
                self.caching.filed(fetched)
        wanted: dict[tuple[str, str], bool] = {}
        for item, adopted in zip(batch, done, strict=True):
            final = adopted.plan
            self._witness.planned(item.arrival, final, again.get(item.arrival.id, ""))
            self._joined(adopted.gathers, item.carrier)
            study = item.arrival.instance.study_uid
            for target in final.targets:
                self._planned(target.destination, item.arrival.instance)
            for target in final.targets:
                if not target.filtered_by and not target.hold and not target.archived:
                    place = (target.destination, study)
                    wanted[place] = wanted.get(place, False) or target.priority == "stat"
        for (destination, study), stat in wanted.items():
            self._wake(destination, study, stat)

    async def _likenesses(self, batch: Sequence[Acknowledged]) -> dict[int, Collection[int]]:
        """Return by arrival which earlier ones are the same image, coded otherwise (R-75)."""
        if self._alike is None:
            return {}
        found = await asyncio.gather(*(self._alike(item.arrival, item.data) for item in batch))
        return {item.arrival.id: same for item, same in zip(batch, found, strict=True) if same}

    async def _adoption(self, routing: Routing, item: Acknowledged) -> Adoption:
        arrival = item.arrival
        try:
            head = item.head or await self._head_of(arrival, item.data)
        except StorageError as error:
            log.error("unreadable arrival", arrival=f"{arrival.id:x}", error=str(error))
            made = Plan(hold=HoldReason.CORRUPT)
        except Exception:
            log.exception("head not read", arrival=f"{arrival.id:x}")
            made = Plan(hold=HoldReason.RULE_ERROR)
        else:
            began = monotonic()
            made = self._decide(routing, arrival, head)
            self._witness.judged(monotonic() - began)
            said = announced(head) if made.joins else Announced()
            made, entry = noted(made, arrival, head, self._archiving)
            return Adoption(
                arrival=arrival,
                plan=made,
                data=item.data,
                known=item.known,
                announced=said,
                entry=entry,
                place=self._place(arrival, head),
            )
        return Adoption(arrival=arrival, plan=made, data=item.data, known=item.known)

    def _place(self, arrival: Arrival, head: Head) -> object:
        """Return where a fetched object stands in the cache, None if nobody can tell."""
        if self.caching is None or not arrival.source.fetched_from:
            return None
        try:
            return self.caching.place(head)
        except Exception:
            log.exception("place not read", arrival=f"{arrival.id:x}")
            return None
