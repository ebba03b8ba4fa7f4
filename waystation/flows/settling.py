"""How deliveries of one lane end: outcomes judged, written, and leases given back.

Contract (R-46, R-55, S-7): a delivered outcome is durable before the next object of its worker;
every other one is written however long the journal takes.  What nobody requires is never held:
it ends discarded, unless our own copy is damaged, which somebody must know.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog

from waystation.db.engine import Database
from waystation.flows.outcomes import Outcomes
from waystation.flows.witness import Attempt, Witness
from waystation.journal import claims, deliveries
from waystation.journal.deliveries import Settlement
from waystation.journal.intake import IntakeLog
from waystation.journal.sent import AS_STORED, Sent
from waystation.model.delivery import Delivery, HoldReason, Step
from waystation.model.errors import StorageError
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused
from waystation.timing.lane import Lane
from waystation.timing.pace import Pace
from waystation.timing.retry import RetryPolicy, after_failure

log = structlog.get_logger()
AGAIN_S = 1.0
OF_THE_OBJECT = (Fault.OBJECT, Fault.CONTEXT, Fault.OURS)


class Settling:
    """Of one lane."""

    def __init__(
        self,
        name: str,
        lane: Lane,
        database: Database,
        intake: IntakeLog,
        clock: Callable[[], float],
        witness: Witness,
    ) -> None:
        self.sending: dict[int, Delivery] = {}
        self.pace = Pace()
        self._name = name
        self._lane = lane
        self._database = database
        self._clock = clock
        self._witness = witness
        self._last_fault: dict[int, Fault] = {}
        self._outcomes = Outcomes(database, intake)

    def claimed(self, batch: Sequence[Delivery]) -> None:
        """These are leased to us."""
        for delivery in batch:
            self.sending[delivery.id] = delivery

    async def settle(self, settlement: Settlement) -> None:
        """Make an outcome durable."""
        if settlement.step is Step.DELIVERED:
            await self._outcomes.add(settlement)
        else:
            await self._write(settlement)
        # Durable: from here on nobody may give its lease back.
        self.sending.pop(settlement.delivery.id, None)

    async def _write(self, settlement: Settlement) -> None:
        """Write an outcome, however long the journal takes: it must not be forgotten."""
        while True:
            try:
                await self._database.write(deliveries.settle([settlement]))
                return
            except StorageError as error:
                log.error("outcome waits for the journal", to=self._name, error=str(error))
                await asyncio.sleep(AGAIN_S)

    async def give_back(self, batch: Sequence[Delivery], *, once: bool = False) -> None:
        """Return leases of what was not tried; ``once``: if that fails, the next start does."""
        ours = [delivery for delivery in batch if delivery.id in self.sending]
        while ours:
            try:
                await self._database.write(claims.give_back(ours))
                break
            except StorageError as error:
                log.error("leases not returned", to=self._name, n=len(ours), error=str(error))
                if once:
                    break
                await asyncio.sleep(AGAIN_S)
        for delivery in ours:
            self.sending.pop(delivery.id, None)

    async def discard(self, delivery: Delivery, by: str) -> None:
        """End what a filter refuses now although it was planned."""
        self.filtered(delivery.id, by, delivery.arrival_id)
        now = self._clock()
        await self.settle(
            Settlement(delivery=delivery, step=Step.DISCARD, tried=False, by_rule=by, now=now)
        )

    def filtered(self, delivery_id: int, by: str, arrival_id: int = 0) -> None:
        """A filter has ended a delivery."""
        self._witness.discarded(self._name, delivery_id, arrival_id, by)

    def _tell(
        self, delivery: Delivery, word: str, fault: str, outcome: Outcome, send_s: float
    ) -> None:
        why = "" if isinstance(outcome, Delivered) else outcome.why
        wait_s = max(0.0, self._clock() - send_s - delivery.created_at)
        self._witness.tried(
            Attempt(
                delivery=delivery,
                word=word,
                fault=fault,
                status=outcome.status,
                why=why,
                wait_s=wait_s,
                send_s=send_s,
            )
        )

    def delivered(
        self, delivery: Delivery, outcome: Delivered, now: float, began: float
    ) -> Settlement:
        """Return what to write.  now, began: of the attempt, monotonic seconds."""
        self._lane.succeeded(now, delivery)
        self.pace.sent(delivery.size_bytes, now)
        self._last_fault.pop(delivery.id, None)
        word = "warned" if outcome.warned else "delivered"
        self._tell(delivery, word, word, outcome, now - began)
        wall = self._clock()
        return Settlement(
            delivery=delivery,
            step=Step.DELIVERED,
            due=wall,
            status=outcome.status,
            why=outcome.comment,
            now=wall,
            sent=Sent(syntax=outcome.syntax, sha256=outcome.sha256, detail=outcome.detail)
            if outcome.syntax
            else AS_STORED,
        )

    def refused(self, delivery: Delivery, outcome: Refused, now: float, began: float) -> Settlement:
        """Return what to write for one that will never be sent as it is."""
        # It says nothing about the destination: a trial is still to be made.
        self._lane.released(now)
        settlement = self._ended(delivery, outcome.reason, outcome, object_failed=False)
        self._tell(delivery, _ending(settlement), "refused", outcome, now - began)
        return settlement

    def deferred(
        self,
        policy: RetryPolicy,
        delivery: Delivery,
        outcome: Deferred,
        now: float,
        *,
        began: float,
        others_up: int,
        alone: bool,
    ) -> tuple[Settlement, bool]:
        """Return what to write and whether the lane may go on."""
        fault = self._lane.failed(
            outcome,
            now,
            jitter=random.random(),
            delivery=delivery,
            others_up=others_up,
            alone=alone,
        )
        wall = self._clock()
        charged = Deferred(
            fault=fault, why=outcome.why, status=outcome.status, connected=outcome.connected
        )
        last = self._last_fault.get(delivery.id)
        decision = after_failure(policy, delivery, charged, now=wall, last_fault=last)
        self._last_fault[delivery.id] = fault
        flowing = fault in OF_THE_OBJECT
        if decision.hold is not None:
            ended = self._ended(
                delivery, decision.hold, outcome, object_failed=decision.charge_object
            )
            self._tell(delivery, _ending(ended), fault.value, outcome, now - began)
            return ended, flowing
        self._tell(delivery, "deferred", fault.value, outcome, now - began)
        assert decision.next_at is not None
        return Settlement(
            delivery=delivery,
            step=Step.DEFERRED,
            # What the lane is to blame for keeps its place in the queue.
            due=decision.next_at if decision.next_at > wall else None,
            status=outcome.status,
            why=outcome.why,
            object_failed=decision.charge_object,
            now=wall,
        ), flowing

    def _ended(
        self, delivery: Delivery, hold: HoldReason, outcome: Outcome, *, object_failed: bool
    ) -> Settlement:
        """Hold a delivery for a person, or let an optional one go."""
        assert not isinstance(outcome, Delivered)
        self._last_fault.pop(delivery.id, None)
        self._lane.forget(delivery.id)
        optional = not delivery.required and hold is not HoldReason.CORRUPT
        return Settlement(
            delivery=delivery,
            step=Step.DISCARD if optional else Step.REFUSED,
            status=outcome.status,
            why=outcome.why,
            hold=None if optional else hold,
            by_rule=deliveries.OPTIONAL_EXPIRED if optional else None,
            object_failed=object_failed,
            now=self._clock(),
        )

    async def close(self, grace_s: float) -> None:
        """Write what is left."""
        await self._outcomes.close(grace_s)


def _ending(settlement: Settlement) -> str:
    return "discarded" if settlement.hold is None else f"held {settlement.hold.value}"
