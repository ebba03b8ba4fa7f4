"""Due deliveries → destination → outcome → settled; one lane per destination.

Contract (R-47 to R-58, S-7): each lane has its own workers, health and errors; an unexpected
error holds that one delivery and the lane goes on.  A study is sent in order of acceptance by one
worker at a time.  An outcome is durable before the next object of that worker is sent, so that
a crash repeats at most one object per association.  Nothing polls: a lane sleeps until it is
woken, until something may leave, or until its health changes; while it cannot send it asks the
journal nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing

import structlog

from waystation.db.engine import Database
from waystation.destinations.base import Cargo, Destination
from waystation.flows.claiming import BATCH, LEASE_S, Claiming, Room, Screen, Turn
from waystation.flows.lane_settings import LaneSettings
from waystation.flows.metering import Meters
from waystation.flows.optional import OptionalLives
from waystation.flows.rounds import keep_going
from waystation.flows.settling import Settling
from waystation.flows.treat import Treatments, as_wanted
from waystation.flows.witness import SILENT, Witness
from waystation.journal import claims, deliveries
from waystation.journal.claims import PRIORITIES
from waystation.journal.intake import IntakeLog
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import StorageError
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused
from waystation.timing.fairness import STAT
from waystation.timing.lane import Health, Lane
from waystation.timing.pace import Pace

log = structlog.get_logger()

RENEW_S = 20.0
# Longest sleep while something waits: a clock that was set back cannot hide it for longer.
LONGEST_SLEEP_S = 60.0
AGAIN_S = 1.0
SHORTEST_S = 0.02
CLOSE_S = 2.0


class LaneBelt:
    """The workers of one destination.

    clock: Unix seconds.  changed: called with the destination's name when its health is another.
    """

    def __init__(
        self,
        destination: Destination,
        settings: LaneSettings,
        database: Database,
        intake: IntakeLog,
        cargo: Cargo,
        clock: Callable[[], float],
        witness: Witness = SILENT,
        *,
        paused_by: str = "",
        meters: Meters | None = None,
        screen: Screen | None = None,
        treatments: Treatments | None = None,
        changed: Callable[[str], None] = lambda _destination: None,
    ) -> None:
        self.destination = destination
        self.lane = Lane(settings.policy, paused_by=paused_by)
        self._database = database
        self._own_cargo = cargo
        self._treatments = treatments
        self._clock = clock
        self._meters = meters or Meters(clock)
        self._changed = changed
        self._noticed = self.lane.health(float("-inf"))
        self._wake = asyncio.Event()
        self._turns: dict[asyncio.Task[None], Turn] = {}
        self._probe: asyncio.Task[None] | None = None
        self._stopping = False
        self._renewed_at = 0.0
        # Unknown until looked: what waited before this life may be urgent.
        self._stat_hinted = True
        self._optional = OptionalLives(self.name, database, clock)
        self._settling = Settling(self.name, self.lane, database, intake, clock, witness)
        self._claiming = Claiming(self.name, settings, database, self._settling, clock, screen)
        self._claiming.something_came()
        self._use(settings)

    def _use(self, settings: LaneSettings) -> None:
        self.settings = self._claiming.settings = settings
        self._around = self._meters.around(self.name, settings)

    @property
    def name(self) -> str:
        """The destination's name."""
        return self.destination.name

    @property
    def associations(self) -> int:
        """How many studies are being sent side by side."""
        return len(self._turns)

    @property
    def pace(self) -> Pace:
        """How fast it goes."""
        return self._settling.pace

    def let_through(self, study_uid: str) -> None:
        """Send what waits of a study whatever the window (R-40)."""
        self._claiming.through.add(study_uid)
        self.wake()

    def wake(self, study_uid: str | None = None, *, stat: bool = True) -> None:
        """There may be something to do; ``study_uid``: only for this study.

        stat: it may be urgent.  A study that is being served needs no round: its worker claims
        again when its batch is done, and ends with a wake of its own.
        """
        self._claiming.something_came()
        self._stat_hinted = self._stat_hinted or stat
        needed = self._optional.something_came() or study_uid is None or stat
        served = study_uid in self._busy() and not self.settings.split_study
        if needed or (not served and self.lane.may_send(self.now())):
            self._wake.set()

    def change(self, settings: LaneSettings) -> None:
        """Go by other settings from now on; associations and health stay."""
        self.lane.settings_changed(self.now(), settings.policy)
        self._use(settings)
        self.wake()

    def pause(self, author: str) -> None:
        """A person stops the lane; receiving and planning go on."""
        self.lane.pause(author)
        self._notice()

    def resume(self) -> None:
        """Let a paused lane go on."""
        self.lane.resume()
        self._notice()
        self.wake()

    def now(self) -> float:
        """Return the monotonic clock that the lane lives by."""
        return asyncio.get_running_loop().time()

    def _busy(self) -> set[str]:
        return {turn.study for turn in self._turns.values()}

    def _notice(self) -> None:
        """Tell others when the health is another; a pause of the lane's own is none of theirs."""
        health = self.lane.health(self.now())
        if health is Health.RESTING:
            health = Health.FLOWING
        if health is not self._noticed:
            self._noticed = health
            self._changed(self.name)

    async def run(self) -> None:
        """Serve the lane until `stop`."""
        await keep_going(
            "lane",
            self._round,
            self._wake,
            self._clock,
            AGAIN_S,
            over=lambda: self._stopping,
            to=self.name,
        )

    async def stop(self, grace_s: float) -> None:
        """Let objects that are being sent finish, then end everything."""
        self._stopping = True
        self._wake.set()
        if self._turns:
            await asyncio.wait(self._turns, timeout=grace_s)
        tasks = [*self._turns, *([self._probe] if self._probe else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._settling.close(CLOSE_S)
        await self.destination.close()

    def _sleep_s(self) -> float | None:
        """Return how long nothing can happen, None for until woken."""
        waits: list[float] = [RENEW_S] if self._settling.sending else []
        if self._optional.at is not None:
            waits.append(self._optional.at - self._clock())
        now = self.now()
        if self.lane.may_send(now):
            anybody = self._room() is Room.ANYBODY
            # What may leave and was not claimed belongs to a study that is being served.
            least_s = AGAIN_S if self._turns else SHORTEST_S
            waits += self._claiming.waits(PRIORITIES if anybody else (STAT,), least_s)
        elif (wake := self.lane.next_wake(now)) is not None:
            waits.append(wake - now if self._may_probe() else self._claiming.until_opening_s())
        if not waits:
            return None
        return min(max(min(waits), SHORTEST_S), LONGEST_SLEEP_S)

    async def _round(self) -> float | None:
        """Start what may start now; return how long nothing can happen."""
        await self._begin()
        self._notice()
        return self._sleep_s()

    async def _begin(self) -> None:
        await self._optional.expire(self.settings.optional_for_s)
        now = self.now()
        if self._stat_hinted and not self.lane.may_send(now) and not self._claiming.open():
            # Whether to probe depends on what may pass the window.
            self._stat_hinted = False
            await self._claiming.refresh()
        if self.lane.probe_due(now) and self._probe is None and self._may_probe():
            self.lane.probe_begun(now)
            self._probe = asyncio.create_task(self._ask())
        if self._settling.sending and now - self._renewed_at > RENEW_S:
            self._renewed_at = now
            until = self._clock() + LEASE_S
            await self._database.write(deliveries.renew(list(self._settling.sending), until))
        while not self._stopping and self.lane.may_send(self.now()):
            room = self._room()
            if room is Room.NOBODY or not await self._start(room):
                return

    def _room(self) -> Room:
        """Return who may begin beside those who are being served (R-50)."""
        if len(self._turns) < self.lane.width(self.settings.parallel, self.now()):
            return Room.ANYBODY
        due = self._claiming.first_due[STAT]
        known = due is not None and due <= self._clock()
        return Room.STAT if self._stat_hinted or known else Room.NOBODY

    def _may_probe(self) -> bool:
        """No probe outside the window, unless something may leave all the same (R-57)."""
        settings = self.settings
        return settings.probe_outside_window or self._claiming.open() or self._claiming.passes_now()

    async def _start(self, room: Room) -> bool:
        """Start one more worker; return whether to look for another."""
        hinted, self._stat_hinted = self._stat_hinted, False
        turn, wanted = await self._claiming.next(
            busy=() if self.settings.split_study else self._busy(),
            aside=self.lane.aside,
            only_stat=room is Room.STAT,
            stat_hinted=hinted,
        )
        if wanted or (turn is not None and turn.priority == STAT):
            self._stat_hinted = True
        for other in self._turns.values():
            if other.study in wanted and other.priority != STAT:
                other.yields = True
        if turn is None:
            if not self._turns and self._claiming.empty:
                self.lane.nothing_to_try(self.now())
            return False
        if room is Room.STAT and not self._beyond():
            return False
        batch = await self._claim(turn)
        if not batch:
            return True
        if self._stopping:
            await self._settling.give_back(batch, once=True)
            return False
        if not self._turns:
            self.pace.working(True, self.now())
        task = asyncio.create_task(self._serve(turn, batch))
        self._turns[task] = turn
        return True

    def _beyond(self) -> bool:
        """Return whether one association more than ``parallel`` may serve ``stat``; else let
        one of the others end its turn after the object at hand.
        """
        most = self.lane.width(self.settings.parallel + 1, self.now())
        if len(self._turns) < most:
            return True
        others = [turn for turn in self._turns.values() if turn.priority != STAT]
        if others and not any(turn.yields for turn in others):
            max(others, key=lambda turn: turn.priority).yields = True
        return False

    async def _claim(self, turn: Turn) -> list[Delivery]:
        limit = BATCH if self.lane.away_since is None else 1
        return await self._claiming.batch(turn, limit, self.lane.aside)

    async def _serve(self, turn: Turn, batch: list[Delivery]) -> None:
        """Send one study until nothing of it may leave, or others are to have a turn."""
        mine: list[Delivery] = batch
        try:
            while batch:
                self.lane.began(self.now())
                flowing = await self._send(turn, batch) and self.lane.may_send(self.now())
                if not flowing or turn.over or self._halted(turn):
                    break
                mine = batch = await self._claim(turn)
        except StorageError as error:
            log.error("lane waits for the journal", to=self.name, error=str(error))
        except Exception:
            log.exception("worker failed", to=self.name)
        finally:
            # Nobody else returns these leases while this process lives.
            try:
                self._released(mine)
                await self._settling.give_back(mine, once=True)
            finally:
                self._claiming.ended(turn)
                task = asyncio.current_task()
                if task is not None:
                    self._turns.pop(task, None)
                if not self._turns:
                    self.pace.working(False, self.now())
                self._wake.set()

    async def _send(self, turn: Turn, batch: list[Delivery]) -> bool:
        """Send a batch; return False if the lane has to stop.  What was not tried goes back."""
        flowing = True
        sending, only = self._settling.sending, self.settings.only_deidentified
        began = self.now()
        try:
            made = as_wanted(
                self._treatments, self.destination, batch, self._own_cargo, self._around, only
            )
            async with aclosing(made) as outcomes:
                async for delivery, outcome in outcomes:
                    flowing = await self._judge(delivery, outcome, began)
                    told_with_others = isinstance(outcome, Delivered) and outcome.more
                    if not flowing or (self._halted(turn) and not told_with_others):
                        break
                    began = self.now()
        except Exception:
            log.exception("sending failed", to=self.name)
            at_hand = next((d for d in batch if d.id in sending), None)
            if at_hand is not None:
                problem = Refused(reason=HoldReason.OBJECT_REFUSED, why="internal error, see log")
                await self._judge(at_hand, problem, began)
        self._released(batch)
        await self._settling.give_back(batch)
        return flowing

    def _released(self, batch: Sequence[Delivery]) -> None:
        if any(delivery.id in self._settling.sending for delivery in batch):
            self.lane.released(self.now())

    def _halted(self, turn: Turn) -> bool:
        """Return whether the next object must wait: for a person, a window, or its betters."""
        if self._stopping or turn.yields or not self._claiming.goes_on(turn):
            return True
        return self.lane.health(self.now()) is Health.PAUSED

    async def _judge(self, delivery: Delivery, outcome: Outcome, began: float) -> bool:
        """Make an outcome durable; return whether the lane may go on."""
        now = self.now()
        flowing = True
        match outcome:
            case Delivered():
                settlement = self._settling.delivered(delivery, outcome, now, began)
            case Refused():
                settlement = self._settling.refused(delivery, outcome, now, began)
            case _:
                others = 0 if outcome.connected else max(0, len(self._turns) - 1)
                settlement, flowing = self._settling.deferred(
                    self.settings.policy,
                    delivery,
                    outcome,
                    now,
                    began=began,
                    others_up=others,
                    alone=await self._alone(outcome),
                )
        await self._settling.settle(settlement)
        self._notice()
        return flowing

    async def _alone(self, outcome: Deferred) -> bool:
        """Return whether nothing else waits, where that makes a difference."""
        if not outcome.connected or not self.lane.at_cap or len(self._settling.sending) > 1:
            return False
        return not await self._database.read(claims.anything_waits(self.name))

    async def _ask(self) -> None:
        """Probe a destination that is down or blocked."""
        try:
            outcome = await self.destination.probe()
        except Exception:
            log.exception("probe failed", to=self.name)
            outcome = Deferred(fault=Fault.TRANSIENT, why="internal error in the probe")
        self._probe = None
        self.lane.probe_result(outcome, self.now())
        self._notice()
        if outcome is None:
            log.info("destination answers again", to=self.name)
        self._wake.set()
