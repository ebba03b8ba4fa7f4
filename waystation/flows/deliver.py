"""Due deliveries → destination → outcome → settled; one lane per destination.

Contract (R-47 to R-58, S-7): each lane has its own workers, health and errors; an unexpected
error holds that one delivery and the lane goes on.  A study is sent in order of acceptance by one
worker at a time.  An outcome is durable before the next object of that worker is sent, so that
a crash repeats at most one object per association.  Nothing polls: a lane sleeps until it is
woken, until its next due time, or until its health changes.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from waystation.db.engine import Database
from waystation.destinations.base import Cargo, Destination
from waystation.flows.outcomes import Outcomes
from waystation.journal import deliveries
from waystation.journal.deliveries import Settlement
from waystation.journal.intake import IntakeLog
from waystation.model.delivery import Delivery, HoldReason, Step
from waystation.model.errors import StorageError
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused
from waystation.timing.lane import Health, Lane
from waystation.timing.retry import RetryPolicy, after_failure
from waystation.timing.window import ALWAYS, Schedule

log = structlog.get_logger()

BATCH = 100
LEASE_S = 60.0
RENEW_S = 20.0
# Longest sleep while something waits: a clock that was set back cannot hide it for longer.
LONGEST_SLEEP_S = 60.0
AGAIN_S = 1.0
CLOSE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """Pace of one lane.  window: when it may send."""

    policy: RetryPolicy
    parallel: int = 2
    window: Schedule = ALWAYS


class LaneBelt:
    """The workers of one destination.

    clock: Unix seconds.  told: called with (destination, outcome word) for the metrics.
    """

    def __init__(
        self,
        destination: Destination,
        settings: LaneSettings,
        database: Database,
        intake: IntakeLog,
        cargo: Cargo,
        clock: Callable[[], float],
        told: Callable[[str, str], None] = lambda _destination, _outcome: None,
        *,
        paused_by: str = "",
    ) -> None:
        self.destination = destination
        self.settings = settings
        self.lane = Lane(settings.policy, paused_by=paused_by)
        self._database = database
        self._cargo = cargo
        self._clock = clock
        self._told = told
        self._wake = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._sending: dict[int, Delivery] = {}
        self._last_fault: dict[int, Fault] = {}
        self._probe: asyncio.Task[None] | None = None
        self._stopping = False
        self._renewed_at = 0.0
        self._outcomes = Outcomes(database, intake)

    @property
    def name(self) -> str:
        """The destination's name."""
        return self.destination.name

    def wake(self, study_uid: str | None = None) -> None:
        """There may be something to do; ``study_uid``: only for this study.

        A study that is being served needs no round: its worker claims again when its batch is
        done, and ends with a wake of its own.
        """
        if study_uid is None or study_uid not in self._busy:
            self._wake.set()

    def now(self) -> float:
        """Return the monotonic clock that the lane lives by."""
        return asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Serve the lane until `stop`."""
        while not self._stopping:
            self._wake.clear()
            try:
                await self._round()
                sleep_s = await self._sleep_s()
            except StorageError as error:
                log.error("lane waits for the journal", to=self.name, error=str(error))
                sleep_s = AGAIN_S
            except Exception:
                # No lane may end for good.
                log.exception("lane failed", to=self.name)
                sleep_s = AGAIN_S
            try:
                async with asyncio.timeout(sleep_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def stop(self, grace_s: float) -> None:
        """Let objects that are being sent finish, then end everything."""
        self._stopping = True
        self._wake.set()
        if self._busy:
            await asyncio.wait(self._busy.values(), timeout=grace_s)
        tasks = [*self._busy.values(), *([self._probe] if self._probe else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._outcomes.close(CLOSE_S)
        await self.destination.close()

    async def _round(self) -> None:
        """Start what may start now."""
        now = self.now()
        if self.lane.probe_due(now) and self._probe is None and self._open_now():
            self.lane.probe_begun(now)
            self._probe = asyncio.create_task(self._ask())
        if self._sending and now - self._renewed_at > RENEW_S:
            self._renewed_at = now
            until = self._clock() + LEASE_S
            await self._database.write(deliveries.renew(list(self._sending), until))
        while (
            not self._stopping
            and len(self._busy) < self.lane.width(self.settings.parallel, self.now())
            and self._may_send()
        ):
            batch = await self._claim(None)
            if not batch:
                return
            if self._stopping:
                await self._give_back(batch)
                return
            study = batch[0].study_uid
            self._busy[study] = asyncio.create_task(self._serve(study, batch))

    def _may_send(self) -> bool:
        return self._open_now() and self.lane.may_send(self.now())

    def _open_now(self) -> bool:
        return self.settings.window.is_open(self._clock())

    async def _sleep_s(self) -> float | None:
        """Return how long nothing can happen, None for until woken."""
        waits: list[float] = [RENEW_S] if self._sending else []
        now = self.now()
        if len(self._busy) < self.settings.parallel:
            due = await self._database.read(deliveries.next_due(self.name))
            if due is not None:
                wake = self.lane.next_wake(now)
                lane_s = LONGEST_SLEEP_S if wake is None else wake - now
                if not self._open_now():
                    lane_s = LONGEST_SLEEP_S
                # What is due and was not claimed belongs to a study that is being served.
                least_s = AGAIN_S if self._busy else 0.02
                waits.append(min(max(due - self._clock(), lane_s, least_s), LONGEST_SLEEP_S))
        return min(waits) if waits else None

    async def _claim(self, study: str | None) -> list[Delivery]:
        now = self._clock()
        aside = self.lane.aside
        busy = list(self._busy)
        limit = 1 if self.lane.width(2, self.now()) == 1 else BATCH

        def job(others_first: bool) -> Callable[..., list[Delivery]]:
            avoided = [aside.study_uid] if others_first and aside is not None else []
            return deliveries.claim(
                self.name,
                now=now,
                lease_until=now + LEASE_S,
                limit=limit,
                busy=busy + avoided,
                study=study,
            )

        batch: list[Delivery] = []
        if aside is not None and study is None:
            batch = await self._database.write(job(True), urgent=False)
        if not batch:
            batch = await self._database.write(job(False), urgent=False)
        if aside is not None and len(batch) > 1:
            # The one that failed last goes last, so that one poison object stops no study.
            batch.sort(key=lambda delivery: delivery.id == aside.id)
        for delivery in batch:
            self._sending[delivery.id] = delivery
        return batch

    async def _serve(self, study: str, batch: list[Delivery]) -> None:
        """Send one study until nothing of it is due."""
        try:
            while batch:
                self.lane.began(self.now())
                if not await self._send(batch) or self._stopping or not self._may_send():
                    break
                batch = await self._claim(study)
        except StorageError as error:
            log.error("lane waits for the journal", to=self.name, error=str(error))
        except Exception:
            log.exception("worker failed", to=self.name)
        finally:
            # Nobody else returns these leases while this process lives.
            left = [d for d in self._sending.values() if d.study_uid == study]
            try:
                await self._give_back(left)
            finally:
                self._busy.pop(study, None)
                self._wake.set()

    async def _send(self, batch: list[Delivery]) -> bool:
        """Send a batch; return False if the lane has to stop.  What was not tried goes back."""
        flowing = True
        try:
            async with aclosing(self.destination.send(batch, self._cargo)) as outcomes:
                async for delivery, outcome in outcomes:
                    settlement, flowing = self._judge(delivery, outcome)
                    if settlement.step is Step.DELIVERED:
                        await self._outcomes.add(settlement)
                        # Durable: from here on nobody may give its lease back.
                        self._settled([settlement])
                    else:
                        await self._settle([settlement])
                    if not flowing or self._halted():
                        break
        except Exception:
            log.exception("sending failed", to=self.name)
            at_hand = next((d for d in batch if d.id in self._sending), None)
            if at_hand is not None:
                problem = Refused(reason=HoldReason.OBJECT_REFUSED, why="internal error, see log")
                await self._settle([self._refused(at_hand, problem)])
        left = [delivery for delivery in batch if delivery.id in self._sending]
        if left:
            self.lane.released(self.now())
            await self._settle([self._untried(delivery) for delivery in left])
        return flowing

    def _halted(self) -> bool:
        """Return whether the next object must wait for a person, a window or the next start."""
        paused = self.lane.health(self.now()) is Health.PAUSED
        return self._stopping or paused or not self._open_now()

    async def _give_back(self, batch: Sequence[Delivery]) -> None:
        """Return leases once; if that fails, the next start does it."""
        if not batch:
            return
        self.lane.released(self.now())
        try:
            await self._database.write(deliveries.settle([self._untried(d) for d in batch]))
        except StorageError as error:
            log.error("leases not returned", to=self.name, n=len(batch), error=str(error))
        for delivery in batch:
            self._sending.pop(delivery.id, None)

    async def _settle(self, settlements: Sequence[Settlement]) -> None:
        """Write outcomes, however long the journal takes: they must not be forgotten."""
        while True:
            try:
                await self._database.write(deliveries.settle(settlements))
                break
            except StorageError as error:
                log.error("outcome waits for the journal", to=self.name, error=str(error))
                await asyncio.sleep(1.0)
        self._settled(settlements)

    def _settled(self, settlements: Sequence[Settlement]) -> None:
        for settlement in settlements:
            self._sending.pop(settlement.delivery.id, None)

    def _untried(self, delivery: Delivery) -> Settlement:
        now = self._clock()
        return Settlement(delivery=delivery, step=Step.LOST, due=now, tried=False, now=now)

    def _judge(self, delivery: Delivery, outcome: Outcome) -> tuple[Settlement, bool]:
        """Return what to write and whether the lane may go on."""
        match outcome:
            case Delivered():
                return self._delivered(delivery, outcome), True
            case Refused():
                return self._refused(delivery, outcome), True
            case _:
                return self._deferred(delivery, outcome)

    def _delivered(self, delivery: Delivery, outcome: Delivered) -> Settlement:
        now = self._clock()
        self.lane.succeeded(self.now(), delivery)
        self._last_fault.pop(delivery.id, None)
        self._told(self.name, "warned" if outcome.warned else "done")
        log.debug("delivered", to=self.name, status=f"{outcome.status:04X}")
        return Settlement(
            delivery=delivery,
            step=Step.DELIVERED,
            due=now,
            status=outcome.status,
            why=outcome.comment,
            now=now,
        )

    def _refused(self, delivery: Delivery, outcome: Refused) -> Settlement:
        now = self._clock()
        self._forget(delivery)
        # It says nothing about the destination: a trial is still to be made.
        self.lane.released(self.now())
        self._told(self.name, "held")
        log.warning("delivery held", to=self.name, reason=outcome.reason.value, why=outcome.why)
        return Settlement(
            delivery=delivery,
            step=Step.REFUSED,
            due=now,
            status=outcome.status,
            why=outcome.why,
            hold=outcome.reason,
            now=now,
        )

    def _deferred(self, delivery: Delivery, outcome: Deferred) -> tuple[Settlement, bool]:
        now = self._clock()
        fault = self.lane.failed(
            outcome,
            self.now(),
            jitter=random.random(),
            delivery=delivery,
            others_up=max(0, len(self._busy) - 1) if not outcome.connected else 0,
        )
        charged = Deferred(
            fault=fault, why=outcome.why, status=outcome.status, connected=outcome.connected
        )
        decision = after_failure(
            self.settings.policy,
            delivery,
            charged,
            now=now,
            last_fault=self._last_fault.get(delivery.id),
        )
        self._last_fault[delivery.id] = fault
        self._told(self.name, fault.value)
        log.warning("not delivered", to=self.name, fault=fault.value, why=outcome.why)
        step = Step.DEFERRED if decision.next_at is not None else Step.REFUSED
        if decision.hold is not None:
            self._forget(delivery)
            log.warning("delivery held", to=self.name, reason=decision.hold.value)
        settlement = Settlement(
            delivery=delivery,
            step=step,
            due=now if decision.next_at is None else decision.next_at,
            status=outcome.status,
            why=outcome.why,
            hold=decision.hold,
            object_failed=decision.charge_object,
            now=now,
        )
        return settlement, fault in (Fault.OBJECT, Fault.CONTEXT, Fault.OURS)

    def _forget(self, delivery: Delivery) -> None:
        self._last_fault.pop(delivery.id, None)
        self.lane.forget(delivery.id)

    async def _ask(self) -> None:
        """Probe a destination that is down or blocked."""
        try:
            outcome = await self.destination.probe()
        except Exception:
            log.exception("probe failed", to=self.name)
            outcome = Deferred(fault=Fault.TRANSIENT, why="internal error in the probe")
        self._probe = None
        self.lane.probe_result(outcome, self.now())
        if outcome is None:
            log.info("destination answers again", to=self.name)
        self._wake.set()
