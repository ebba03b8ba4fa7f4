"""What rules collect of a series or study → complete → deliveries.

Contract (R-70 to R-73): a gather ends once, by the first evidence that holds, or by force; its
deliveries are made in pages that a restart continues.  Instants are monotonic in here: a step of
the wall clock neither loses a gather nor fires it early.  Nothing polls.
"""

import asyncio
import heapq
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import structlog

from waystation.db.engine import Database
from waystation.flows.rounds import keep_going
from waystation.journal import gather_endings, gathers
from waystation.journal.gather_endings import Ending
from waystation.journal.gathers import Gather
from waystation.journal.ids import IdSource
from waystation.model.delivery import HoldReason
from waystation.model.plan import Target
from waystation.rules.plan import OTHERWISE
from waystation.rules.rule import ARCHIVE
from waystation.timing.gather import FORCE, Carrier, Count, Habits, Seen, Terms, judge

log = structlog.get_logger()
AGAIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What a complete gather is, for ``if_complete`` (R-70)."""

    instances: int
    series: int
    modalities: tuple[str, ...]
    peers: tuple[str, ...]
    complete_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherTerms:
    """What a rule wants of its gathers.

    takes: whether the rule wants what is complete, and the deciding clause in words.
    on_force: ``send`` or ``hold``.  late: ``delta``, ``whole`` or ``hold``.
    """

    terms: Terms = Terms()
    takes: Callable[[Whole], tuple[bool, str]] = lambda _whole: (True, "")
    on_force: str = "send"
    late: str = "delta"
    late_whole_s: float = 86_400.0


@dataclass(slots=True, eq=False)
class _Live:
    """One gather as it is watched.

    known: whether all that carried it was seen by this process.  committed: its sender asked for
    a promise for all of it, and all of that is here.  performed: so is all that its modality
    says it made.  planned: when it is looked at.
    """

    row: Gather
    opened: float
    last: float
    carriers: set[Carrier] = field(default_factory=set)
    known: bool = True
    committed: bool = False
    performed: bool = False
    planned: float = float("inf")


class GatherBelt:
    """Watches the open gathers.

    terms_of: what a rule (name, level) wants; a rule that is gone has defaults.
    placed: a target in its final form (held if its destination is gone).
    otherwise: what becomes of members of a peer that nobody takes.  clock: Unix seconds.
    told: called with (evidence, seconds from the last object) for each that ended.
    """

    def __init__(
        self,
        database: Database,
        ids: IdSource,
        clock: Callable[[], float],
        terms_of: Callable[[str, str], GatherTerms],
        placed: Callable[[Target], Target],
        otherwise: Callable[[str], str],
        wake: Callable[[str, str], None],
        told: Callable[[str, float], None] = lambda _evidence, _seconds: None,
    ) -> None:
        self._database = database
        self._ids = ids
        self._clock = clock
        self._terms_of = terms_of
        self._placed = placed
        self._otherwise = otherwise
        self._wake_lane = wake
        self._told = told
        self._habits = Habits()
        self._live: dict[int, _Live] = {}
        self._turns: list[tuple[float, int]] = []
        self._unended: list[Gather] = []
        self._something = asyncio.Event()

    @property
    def open(self) -> int:
        """How many gathers are open."""
        return len(self._live)

    def now(self) -> float:
        """Return the monotonic clock that gathers live by."""
        return asyncio.get_running_loop().time()

    async def start(self) -> None:
        """Take up what an earlier process left: the associations that carried it are gone."""
        wall, now = self._clock(), self.now()
        for row in await self._database.read(gathers.unfinished()):
            if row.state == gathers.COMPLETING:
                self._unended.append(row)
                continue
            live = _Live(
                row=row,
                opened=now - max(0.0, wall - row.opened_at),
                last=now - max(0.0, wall - row.last_at),
                known=False,
            )
            self._live[row.id] = live
            self._look(live, now)
        self._something.set()

    def joined(self, rows: Sequence[Gather], carrier: Carrier | None) -> None:
        """An arrival was written that joined these gathers."""
        now = self.now()
        for row in rows:
            live = self._live.get(row.id)
            if live is None:
                live = self._live[row.id] = _Live(row=row, opened=now, last=now)
            # What comes after a list that was complete is not in that list.
            live.row, live.last, live.committed, live.performed = row, now, False, False
            if carrier is None:
                live.known = False
            else:
                live.carriers.add(carrier)
            self._look(live, now)
        if rows:
            self._something.set()

    def ended(self, carrier: Carrier) -> None:
        """An association is over."""
        self._habits.ended(carrier)
        now = self.now()
        for live in [one for one in self._live.values() if carrier in one.carriers]:
            self._look(live, now)
            self._something.set()

    def complete(self, uids: Collection[str]) -> None:
        """All that the sender wants a promise for is here, of these studies and series."""
        now = self.now()
        for live in [one for one in self._live.values() if one.row.uid in uids]:
            live.committed = True
            self._look(live, now)
            self._something.set()

    def performed(self, uids: Collection[str]) -> None:
        """All that a modality says it made is here, of these studies and series."""
        now = self.now()
        for live in [one for one in self._live.values() if one.row.uid in uids]:
            live.performed = True
            self._look(live, now)
            self._something.set()

    def change(self, terms_of: Callable[[str, str], GatherTerms]) -> None:
        """Go by other terms from now on: everything is looked at again."""
        self._terms_of = terms_of
        now = self.now()
        for live in self._live.values():
            self._look(live, now)
        self._something.set()

    def _look(self, live: _Live, now: float) -> None:
        """Plan the next look at a gather, unless it is looked at before that anyway."""
        answer = self._judge(live, now)
        due = answer if isinstance(answer, float) else now
        if due < live.planned:
            live.planned = due
            heapq.heappush(self._turns, (due, live.row.id))

    def _judge(self, live: _Live, now: float) -> str | float:
        wanted = self._terms_of(live.row.rule, live.row.level)
        seen = Seen(
            opened=live.opened,
            last=live.last,
            counted=Count(live.row.count).holds(),
            released=live.known and self._habits.released(live.carriers),
            committed=live.committed,
            mpps=live.performed,
        )
        return judge(wanted.terms, seen, now)

    async def run(self) -> None:
        """End what is complete until cancelled."""
        await keep_going("gathers", self._round, self._something, self._clock, AGAIN_S)

    async def _round(self) -> float | None:
        while self._unended:
            await self._end(self._unended[0])
            del self._unended[0]
        while self._turns:
            due, gather_id = self._turns[0]
            live = self._live.get(gather_id)
            if live is None or live.planned != due:
                heapq.heappop(self._turns)
                continue
            now = self.now()
            if due > now:
                return due - now
            heapq.heappop(self._turns)
            live.planned = float("inf")
            answer = self._judge(live, now)
            if isinstance(answer, float):
                self._look(live, now)
                continue
            await self._complete(live, answer)
        return None

    async def _complete(self, live: _Live, evidence: str) -> None:
        try:
            row = await self._database.write(
                gather_endings.begin_ending(live.row.id, evidence, self._clock())
            )
        except BaseException:
            self._look(live, self.now())
            raise
        del self._live[live.row.id]
        self._told(evidence, self.now() - live.last)
        if row is not None:
            self._unended.append(row)
            await self._end(row)
            self._unended.remove(row)

    async def _end(self, row: Gather) -> None:
        """Make the deliveries, page by page."""
        ending = await self._ending(row)
        more, made = True, 0
        while more:
            page = await self._database.write(
                gather_endings.end_page(row.id, ending, self._ids, self._clock())
            )
            more, made = page.more, made + page.made
        log.info(
            "gather complete",
            rule=row.rule,
            level=row.level,
            by=row.evidence,
            objects=row.n,
            deliveries=made,
            generation=row.generation,
        )
        if not ending.hold_why:
            for target in ending.targets:
                self._wake_lane(target.destination, row.study)

    async def _ending(self, row: Gather) -> Ending:
        wanted = self._terms_of(row.rule, row.level)
        members = await self._database.read(gather_endings.members(row.id))
        whole = Whole(
            instances=members.instances,
            series=members.series,
            modalities=members.modalities,
            peers=members.peers,
            complete_by=row.evidence,
        )
        targets = tuple(self._placed(target) for target in row.targets)
        try:
            taken, clause = wanted.takes(whole)
        except Exception as error:
            # One failing rule must not keep the gathers of others from ending.
            log.exception("if_complete failed", rule=row.rule)
            held = tuple(replace(target, hold=HoldReason.RULE_ERROR) for target in targets)
            why = f"if_complete failed: {type(error).__name__}"
            return Ending(evidence=row.evidence, targets=held, hold_why=why)
        if not taken:
            log.info("gather not taken", rule=row.rule, clause=clause)
            archive = self._placed(Target(destination=ARCHIVE, rules=(OTHERWISE,)))
            return Ending(evidence=row.evidence, untaken=self._otherwise, archive=archive)
        why = ""
        if row.evidence == FORCE and wanted.on_force == "hold":
            why = f"{row.level} incomplete: no evidence in time (force_after)"
        again = False
        if row.generation > 1:
            if wanted.late == "hold":
                why = why or f"came after its {row.level} was complete (late = hold)"
            elif wanted.late == "whole":
                first = await self._database.read(gather_endings.first_ended_at(row))
                again = first is not None and self._clock() - first <= wanted.late_whole_s
        return Ending(evidence=row.evidence, targets=targets, hold_why=why, again=again)
