"""What a lane sends next: a turn of one study, and batches of it under a lease.

Contract (R-18, R-38, R-40, R-49, R-50): `next` finds who goes next; `batch` leases what of it may
leave at this moment, and discards by name what the destination's filter refuses by now.  Neither
asks the journal when nothing could leave.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from waystation.db.engine import Database
from waystation.flows.lane_settings import LaneSettings
from waystation.flows.settling import Settling
from waystation.journal import claims
from waystation.journal.claims import PRIORITIES, Claim, Due, Seen
from waystation.model.delivery import Delivery
from waystation.rules.classes import ClassFilter
from waystation.timing.fairness import (
    NORMAL,
    STAT,
    TURN_BYTES,
    TURN_OBJECTS,
    Candidate,
    Fairness,
    rank,
)
from waystation.timing.window import Schedule

BATCH = 100
# Several associations share a study only if none of them takes all of it.
SPLIT_BATCH = 10
LEASE_S = 60.0


class Room(Enum):
    """Who may begin now."""

    NOBODY = "nobody"
    STAT = "stat"
    ANYBODY = "anybody"


Screen = Callable[[ClassFilter, Sequence[Delivery]], Awaitable[Collection[int]]]


@dataclass(slots=True, eq=False)
class Turn:
    """One study on one association.

    rank: the class that it counts in.  yields: end after the object at hand.  whatever: what is
    leased may leave whatever the window says.  begun: some of it was leased while the window was
    open.  shut_at: when that shut meanwhile (Unix seconds).
    """

    study: str
    priority: int
    rank: int
    bytes_left: int
    objects_left: int
    yields: bool = False
    whatever: bool = False
    begun: bool = False
    shut_at: float | None = None

    @property
    def over(self) -> bool:
        """Whether others are to have a turn first."""
        return self.bytes_left <= 0 or self.objects_left <= 0


class Claiming:
    """Of one lane.

    screen: names those of a batch that ``refuse_when`` takes away.  first_due: by priority, the
    earliest due time of what was waiting when last looked.  through: studies that a group sends
    whatever the window (R-40).
    """

    def __init__(
        self,
        name: str,
        settings: LaneSettings,
        database: Database,
        settling: Settling,
        clock: Callable[[], float],
        screen: Screen | None,
    ) -> None:
        self.settings = settings
        self.first_due: list[float | None] = [None] * len(PRIORITIES)
        self.through: set[str] = set()
        self._name = name
        self._database = database
        self._settling = settling
        self._clock = clock
        self._screen = screen
        self._fairness = Fairness()
        self._last = ""
        self._came = 0
        self._open_since = float("-inf")
        self._was_open = True
        self._asked_of: tuple[float, Schedule] | None = None

    def open(self) -> bool:
        """Return whether the window is open, and remember since when."""
        now = self._clock()
        # A schedule is a set of minutes: asked once a minute, it may be asked for each object.
        asked = (now // 60, self.settings.window)
        if asked == self._asked_of:
            return self._was_open
        is_open = self.settings.window.is_open(now)
        if is_open and not self._was_open:
            self._open_since = now
        self._asked_of, self._was_open = asked, is_open
        return is_open

    @property
    def empty(self) -> bool:
        """Whether nothing waited when last looked, due or not."""
        return all(due is None for due in self.first_due)

    def something_came(self) -> None:
        """Something may wait that was not there when last looked."""
        self._came += 1
        if self.first_due[NORMAL] is None:
            self.first_due[NORMAL] = self._clock()

    def waits(self, priorities: Iterable[int], least_s: float) -> list[float]:
        """Return how long what is known to wait has to, by priority; never less than least_s."""
        now = self._clock()
        terms = self.settings.terms
        times = []
        for priority in priorities:
            due = self.first_due[priority]
            at = None if due is None else terms.leaves_at(priority, due, now)
            if at is not None:
                times.append(max(at - now, least_s))
        return times

    def until_opening_s(self) -> float:
        """Return how long the window stays shut, seconds."""
        now = self._clock()
        opens = self.settings.window.next_change(now)
        return float("inf") if opens is None else opens - now

    async def refresh(self) -> None:
        """Look what waits, without choosing."""
        await self._look([None] * len(PRIORITIES))

    async def _look(
        self, due_by: Due, *, busy: Collection[str] = (), served: Collection[str] = ()
    ) -> Seen:
        came = self._came
        seen = await self._database.read(
            claims.look(self._name, due_by, busy=busy, served=served, after=self._last)
        )
        self.first_due = list(seen.first_due)
        if self._came != came and self.first_due[NORMAL] is None:
            # It came while we looked.
            self.first_due[NORMAL] = self._clock()
        return seen

    def passes_now(self) -> bool:
        """Return whether something known may leave, be the window open or shut."""
        if self.through:
            return True
        now = self._clock()
        terms = self.settings.terms
        for priority, due in zip(PRIORITIES, self.first_due, strict=True):
            limit = terms.due_by(priority, now)
            if due is not None and limit is not None and due <= limit:
                return True
        return False

    async def next(
        self,
        *,
        busy: Collection[str],
        aside: Delivery | None,
        only_stat: bool,
        stat_hinted: bool,
    ) -> tuple[Turn | None, set[str]]:
        """Return the next turn, if there is one, and the busy studies that ``stat`` waits for.

        aside: a delivery whose study goes last.  stat_hinted: somebody said that ``stat`` may wait.
        """
        self.open()
        now = self._clock()
        terms = self.settings.terms
        due_by = [terms.due_by(priority, now) for priority in PRIORITIES]
        if only_stat:
            due_by[NORMAL:] = [None, None]
        known = self.first_due[STAT]
        stat_hinted = stat_hinted or (known is not None and known <= now)
        if not stat_hinted and due_by[NORMAL:] == [None, None]:
            return await self._let_through(busy, now, only_stat), set()
        last = "" if aside is None else aside.study_uid
        served = {*self._fairness.served, *([last] if last else [])}
        seen = await self._look(due_by, busy=busy, served=served)
        wanted = {each.study for each in seen.studies if each.priority == STAT}
        free = [each for each in seen.studies if each.study not in busy]
        free = [each for each in free if each.study != last] or free
        picked = self._fairness.pick(free, now=now, open_since=self._open_since)
        turn = self._turn(picked, now) or await self._let_through(busy, now, only_stat)
        return turn, wanted & set(busy)

    async def _let_through(self, busy: Collection[str], now: float, only_stat: bool) -> Turn | None:
        """Return a turn of a study that no window holds back; forget those that are through."""
        if only_stat:
            return None
        for study in sorted(self.through.difference(busy)):
            found = await self._database.read(claims.of_study(self._name, study, now))
            if found is not None:
                return self._turn(found, now)
            self.through.discard(study)
        return None

    def _turn(self, picked: Candidate | None, now: float) -> Turn | None:
        if picked is None:
            return None
        self._last = picked.study
        counted = rank(picked, now=now, open_since=self._open_since)
        return Turn(
            study=picked.study,
            priority=picked.priority,
            rank=counted,
            bytes_left=TURN_BYTES,
            objects_left=TURN_OBJECTS,
        )

    async def batch(self, turn: Turn, limit: int, aside: Delivery | None) -> list[Delivery]:
        """Lease what may leave of a study now, in order of acceptance.

        aside: a delivery that goes last: one poison object must stop no study.
        """
        while True:
            asked = self._asked(turn, limit, 0 if aside is None else aside.id)
            if asked is None:
                return []
            got = await self._database.write(claims.claim(self._name, asked), urgent=False)
            for number, by in got.filtered:
                self._settling.filtered(number, by)
            self._settling.claimed(got.batch)
            batch = await self._screened(got.batch)
            if batch:
                self._charge(turn, batch)
                return batch
            if not got.batch and not got.filtered:
                self._fairness.finished(turn.study)
                return []

    def _asked(self, turn: Turn, limit: int, aside: int) -> Claim | None:
        """Return what to ask for at this moment, None if nothing may leave."""
        now = self._clock()
        settings = self.settings
        is_open = self.open()
        due_by, made_by = settings.terms.due_by(turn.priority, now), float("inf")
        turn.whatever = settings.terms.passes(turn.priority)
        if is_open:
            turn.begun, turn.shut_at = True, None
        elif turn.study in self.through:
            due_by, turn.whatever = now, True
        elif settings.finish_study and turn.begun:
            turn.shut_at = turn.shut_at or now
            due_by, made_by = now, turn.shut_at
        elif due_by is not None:
            turn.whatever = True
        if due_by is None:
            return None
        return Claim(
            study=turn.study,
            priority=turn.priority,
            now=now,
            lease_until=now + LEASE_S,
            limit=min(limit, SPLIT_BATCH) if settings.split_study else limit,
            due_by=due_by,
            made_by=made_by,
            aside=aside,
            refuses=settings.filter.refuses_class,
            verified=settings.verified,
        )

    async def _screened(self, batch: list[Delivery]) -> list[Delivery]:
        asked = self.settings.filter
        if not batch or self._screen is None or asked.refuse_when is None:
            return batch
        try:
            refused = await self._screen(asked, batch)
        except BaseException:
            await self._settling.give_back(batch, once=True)
            raise
        for delivery in batch:
            if delivery.id in refused:
                await self._settling.discard(delivery, f"{self._name}.refuse_when")
        return [delivery for delivery in batch if delivery.id not in refused]

    def _charge(self, turn: Turn, batch: Sequence[Delivery]) -> None:
        size_bytes = sum(delivery.size_bytes for delivery in batch)
        turn.bytes_left -= size_bytes
        turn.objects_left -= len(batch)
        self._fairness.spent(turn.rank, size_bytes)

    def goes_on(self, turn: Turn) -> bool:
        """Return whether the window lets this turn go on with the object after this one."""
        if turn.whatever or self.open():
            return True
        if turn.shut_at is None:
            turn.shut_at = self._clock()
        return self.settings.finish_study

    def ended(self, turn: Turn) -> None:
        """A turn is over; more of its study may wait."""
        if turn.over:
            self._fairness.turn_over(turn.study)
