"""Studies for a group → the member that each goes to (R-42 to R-46).

Contract: a delivery to a group waits in the group until a member is chosen for its study; then
the study's rows move to that member's lane, in one transaction with the choice and its reason.
Lanes know nothing of groups.  A study that nobody has begun is chosen for anew whenever a turn or
somebody's health changes, which comes to the same as choosing when the lane claims it; one that
has begun stays (R-43) or moves as a whole (R-44).  Nothing polls: the belt sleeps until it is
woken, until somebody's hours change, or until somebody has been ill or well for long enough.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import structlog

from waystation.db.engine import Database
from waystation.flows.deliver import LaneBelt
from waystation.flows.optional import OptionalLives
from waystation.flows.rounds import keep_going
from waystation.journal import groups
from waystation.journal.groups import Move, Moved, Standing
from waystation.journal.ids import IdSource
from waystation.model.errors import StorageError
from waystation.timing.failover import Choice, Habits, Member, choose, stays
from waystation.timing.lane import Health
from waystation.timing.retry import DAY_S
from waystation.timing.window import ALWAYS, Schedule

log = structlog.get_logger()
AGAIN_S = 1.0
AT_ONCE = 20
# A step of the wall clock is noticed after so long.
LONGEST_SLEEP_S = 60.0
KEEP_CHOICES_S = 30 * 86_400.0
TIDY_S = 3600.0
SHORTEST_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberSettings:
    """One entry of ``members``."""

    to: str
    window: Schedule = ALWAYS
    cost: float = 0.0
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """``[group.NAME]``.  anyway_s: whatever the turns, after so long one is taken (R-40)."""

    habits: Habits
    members: tuple[MemberSettings, ...]
    anyway_s: float | None = None


class GroupBelt:
    """Chooses members for all groups of a node.

    belts: the lanes by name.  wake: tells a lane that something of a study has come.
    switched: told (group, from, to) when a study that had begun changes its member.
    """

    def __init__(
        self,
        settings: Mapping[str, GroupSettings],
        database: Database,
        ids: IdSource,
        clock: Callable[[], float],
        belts: Callable[[], Mapping[str, LaneBelt]],
        wake: Callable[[str, str], None],
        switched: Callable[[str, str, str], None] = lambda _group, _before, _after: None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._ids = ids
        self._clock = clock
        self._belts = belts
        self._wake_lane = wake
        self._switched = switched
        self._studies: dict[tuple[str, str], None] = {}
        # Groups to look at as a whole, and whether also if no member is other than it was.
        self._whole: dict[str, bool] = {}
        self._seen: dict[str, object] = {}
        # When that was: monotonic, and Unix seconds.
        self._looked_at: dict[str, tuple[float, float]] = {}
        self._tidied_at = float("-inf")
        self._look_at: dict[str, float] = {}
        self._waits: dict[str, str] = {}
        # Choices that left something behind, which was being sent; by group and study.
        self._left: dict[tuple[str, str], Move] = {}
        self._again_at = float("-inf")
        # Destinations that were ill and have not been well for long enough since.
        self._ill: set[str] = set()
        # Of what waits in the groups themselves; lanes look after the rest.
        self._lives: dict[str, OptionalLives] = {}
        self._something = asyncio.Event()
        self.change(settings)

    def now(self) -> float:
        """Return the monotonic clock that lanes live by."""
        return asyncio.get_running_loop().time()

    def change(self, settings: Mapping[str, GroupSettings]) -> None:
        """Go by other settings from now on."""
        self._settings = settings
        self._look_at = {}
        self._seen = {}
        self._left = {place: order for place, order in self._left.items() if place[0] in settings}
        for name in settings:
            self._whole[name] = True
            if name not in self._lives:
                self._lives[name] = OptionalLives(name, self._database, self._clock)
        self._something.set()

    def wake(self, group: str, study: str) -> None:
        """Something of a study waits for a group."""
        self._studies[group, study] = None
        if group in self._lives:
            self._lives[group].something_came()
        self._something.set()

    def changed(self, destination: str) -> None:
        """The health or the hours of a destination are others now."""
        for name, settings in self._settings.items():
            if any(member.to == destination for member in settings.members):
                self._whole.setdefault(name, False)
                self._something.set()

    def why_waiting(self, group: str) -> str:
        """Return why studies wait in the group, "" if none does."""
        return self._waits.get(group, "")

    async def run(self) -> None:
        """Choose until cancelled."""
        await keep_going("groups", self._round, self._something, self._clock, AGAIN_S)

    async def _round(self) -> float:
        """Place what waits; return how long nothing can change by itself."""
        now = self.now()
        for name, at in list(self._look_at.items()):
            if at <= now:
                del self._look_at[name]
                self._whole.setdefault(name, False)
        await self._place_woken()
        if self._left and self._again_at <= now:
            self._again_at = now + AGAIN_S
            for order in list(self._left.values()):
                await self._move(order)
        while self._whole:
            group, force = next(iter(self._whole.items()))
            self._whole.pop(group)
            try:
                await self._look(group, force=force)
            except BaseException:
                self._whole[group] = True
                raise
        for name in self._settings:
            self._look_at[name] = self._next_look(name)
        soonest = min(self._look_at.values(), default=self.now() + LONGEST_SLEEP_S)
        if self._left:
            soonest = min(soonest, self._again_at)
        for name, settings in self._settings.items():
            lives = self._lives[name]
            await lives.expire(self._optional_for_s(settings))
            if lives.at is not None:
                soonest = min(soonest, self.now() + lives.at - self._clock())
        return max(SHORTEST_S, soonest - self.now())

    def _optional_for_s(self, settings: GroupSettings) -> float:
        """Return the longest life that a member gives to what nobody requires."""
        members = [self._belts().get(member.to) for member in settings.members]
        return max((b.settings.optional_for_s for b in members if b is not None), default=DAY_S)

    async def _place_woken(self) -> None:
        """Place the studies that something new has come of."""
        while self._studies:
            group, study = next(iter(self._studies))
            del self._studies[group, study]
            try:
                await self._place(group, study)
            except StorageError:
                self._studies[group, study] = None
                raise

    async def _place_all(self, group: str, studies: Sequence[str]) -> None:
        """Place several studies side by side: their commits are shared."""
        ended = await asyncio.gather(
            *(self._place(group, study) for study in studies), return_exceptions=True
        )
        for error in ended:
            if error is not None:
                raise error

    async def _look(self, group: str, *, force: bool) -> None:
        """Place all that waits for a group, unless its members are as they were."""
        settings = self._settings.get(group)
        if settings is None:
            return
        habits = settings.habits
        self._looked_at[group] = (self.now(), self._clock())
        seen = [
            (member.name, member.ill(habits), member.proven(habits), member.door, member.turn)
            for member in self._members(settings)
        ]
        if not force and seen == self._seen.get(group) and settings.anyway_s is None:
            return
        self._waits.pop(group, None)
        after: str | None = None
        while page := await self._database.read(groups.studies(group, after)):
            for first in range(0, len(page), AT_ONCE):
                # What comes meanwhile does not wait for a look at everything.
                await self._place_woken()
                await self._place_all(group, page[first : first + AT_ONCE])
            after = page[-1]
        self._seen[group] = seen
        await self._tidy()

    async def _tidy(self) -> None:
        """Forget old choices, once in a while."""
        if self.now() - self._tidied_at < TIDY_S:
            return
        self._tidied_at = self.now()
        await self._database.write(
            groups.forget(self._clock() - KEEP_CHOICES_S, groups.PAGE), urgent=False
        )

    async def _place(self, group: str, study: str) -> None:
        found = await self._database.read(groups.standing(group, study))
        settings = self._settings.get(group)
        if found is None or settings is None:
            return
        members = {member.name: member for member in self._members(settings)}
        now = self._clock()
        mine = members.get(found.member)
        anyway = settings.anyway_s is not None and now - found.oldest_at >= settings.anyway_s
        if found.begun and stays(settings.habits, mine, found.last_at, now):
            await self._send_to(group, found, Choice(found.member, ""), repeat=False)
            self._let_through(found.member if anyway else "", study)
            return
        key = found.patient if settings.habits.sticky_patient and found.patient else study
        choice = choose(settings.habits, list(members.values()), key, stat=found.stat or anyway)
        if choice.member:
            ill = found.begun and (mine is None or mine.ill(settings.habits))
            repeat = ill and choice.member != found.member and settings.habits.whole_study
            await self._send_to(group, found, choice, repeat=repeat)
            self._let_through(choice.member if anyway else "", study)
            return
        self._waits[group] = choice.why
        if not found.begun and found.at != (group,):
            await self._database.write(groups.back_to_group(group, study))

    def _let_through(self, member: str, study: str) -> None:
        """A member's own hours do not hold back what has waited for too long (R-40)."""
        belt = self._belts().get(member)
        if belt is not None and not belt.settings.window.is_open(self._clock()):
            belt.let_through(study)

    async def _send_to(self, group: str, found: Standing, choice: Choice, *, repeat: bool) -> None:
        if found.at == (choice.member,) and found.member == choice.member:
            return
        left = self._left.get((group, found.study))
        if left is not None and left.member == choice.member:
            repeat = repeat or left.repeat
        moved = await self._move(
            Move(
                group=group, study=found.study, member=choice.member, why=choice.why, repeat=repeat
            )
        )
        if found.begun and found.member != choice.member:
            log.warning(
                "group switched",
                group=group,
                before=found.member,
                to=choice.member,
                planned_repeats=moved.repeats,
                why=choice.why,
            )
            self._switched(group, found.member, choice.member)
        else:
            log.info("group chose", group=group, to=choice.member, why=choice.why or "stays")

    async def _move(self, order: Move) -> Moved:
        """Carry out a choice.

        What the first member is sending ends soon, one way or the other; then it goes after the
        rest, or is repeated with the rest.
        """
        moved = await self._database.write(groups.move(order, self._ids, self._clock()))
        if moved.left:
            self._left[order.group, order.study] = order
            self._again_at = max(self._again_at, self.now() + SHORTEST_S)
        else:
            self._left.pop((order.group, order.study), None)
        if moved.rows or moved.repeats:
            self._wake_lane(order.member, order.study)
        return moved

    def _members(self, settings: GroupSettings) -> list[Member]:
        return [self._member(member, settings.habits) for member in settings.members]

    def _member(self, settings: MemberSettings, habits: Habits) -> Member:
        belt = self._belts().get(settings.to)
        if belt is None:
            return Member(name=settings.to, stopped="is no destination any more")
        now, at = self.now(), self._clock()
        health, why = belt.lane.describe(now)
        away, well = belt.lane.away_since, belt.lane.well_since
        stopped = health in (Health.PAUSED, Health.BLOCKED)
        door = belt.settings.window
        well_s = 0.0 if well is None else now - well
        if stopped or (away is not None and now - away >= habits.switch_after_s):
            self._ill.add(settings.to)
        elif well_s >= habits.return_after_s:
            self._ill.discard(settings.to)
        return Member(
            name=settings.to,
            door=door.is_open(at),
            turn=settings.window.is_open(at),
            cost=settings.cost,
            weight=settings.weight,
            away_s=None if away is None else now - away,
            well_s=well_s if settings.to in self._ill else inf,
            stopped=f"{health.value} {why}" if stopped else "",
            shut=(settings.window if door.is_open(at) else door).outlook(at),
        )

    def _next_look(self, group: str) -> float:
        """Return when a member changes by itself, seen from the last look at the group.

        Seen from now a change that came since would be missed.
        """
        settings = self._settings[group]
        now, at = self.now(), self._clock()
        looked, looked_wall = self._looked_at.get(group, (now, at))
        due = [now + LONGEST_SLEEP_S]
        for member in settings.members:
            belt = self._belts().get(member.to)
            if belt is None:
                continue
            for window in (member.window, belt.settings.window):
                change = window.next_change(looked_wall)
                if change is not None:
                    due.append(now + change - at)
            away, well = belt.lane.away_since, belt.lane.well_since
            if away is not None and away + settings.habits.switch_after_s > looked:
                due.append(away + settings.habits.switch_after_s)
            if well is not None and well + settings.habits.return_after_s > looked:
                due.append(well + settings.habits.return_after_s)
        return max(min(due), now) + SHORTEST_S
