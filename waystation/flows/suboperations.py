"""The sub-operations of one retrieval: objects out, one after the other, counted.

Contract (T-43 to T-45): the counts always add up to the number of objects; every object ends as
completed, as completed with a warning, or as failed with its UID in the list.  Pending answers
come after an object, no more than one each second.  A cancelled retrieval stops behind the object
in flight.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from waystation.codecs.pool import CodecPool
from waystation.destinations.ahead import Ahead
from waystation.destinations.base import Cargo, Pieces
from waystation.destinations.contexts import choices
from waystation.destinations.dicom import DicomDestination
from waystation.destinations.recoding import UNFIT, WorkroomError, recode
from waystation.dicom.uids import name_of
from waystation.flows.desk import Asked, Counts, store_command
from waystation.model.delivery import Delivery
from waystation.model.errors import LostError, StorageError
from waystation.model.outcome import Deferred, Delivered, Outcome
from waystation.wire.commands import Command
from waystation.wire.status import PENDING, Category, category, status_text

PENDING_EVERY_S = 1.0
# After so many associations in a row over which nothing arrived the rest has failed.
MOST_ATTEMPTS = 2
# With several associations: objects that make another one worth while, and that one takes at once.
PER_LANE = 100
CHUNK = 32


@dataclass(slots=True)
class Progress:
    """How far a retrieval is.  problem: the first failure.

    lacking: objects that are in no list because nobody gave them to us.
    """

    asked: Asked
    total: int
    completed: int = 0
    warning: int = 0
    failed: list[str] = field(default_factory=list)
    sent_bytes: int = 0
    problem: str = ""
    stopped: bool = False
    lacking: int = 0
    began: float = field(default_factory=time.monotonic)
    _told_at: float = field(default_factory=time.monotonic)

    @property
    def counts(self) -> Counts:
        """The numbers for an answer."""
        failed = len(self.failed) + self.lacking
        done = self.completed + self.warning + failed
        return Counts(
            remaining=self.total - done,
            completed=self.completed,
            failed=failed,
            warning=self.warning,
        )

    @property
    def over(self) -> bool:
        """True if nothing more may be sent: cancelled, stopped, or nobody is there."""
        return self.stopped or self.asked.cancelled.is_set()

    async def ended(self, delivery: Delivery, status: int | None, why: str = "") -> None:
        """Count one object.  status: what was answered, None if it was not sent at all."""
        kind = Category.FAILURE if status is None else category(status)
        if kind is Category.SUCCESS:
            self.completed += 1
        elif kind is Category.WARNING:
            self.warning += 1
        else:
            self.failed.append(delivery.sop_instance_uid)
            self.problem = self.problem or why
        if kind is not Category.FAILURE:
            self.sent_bytes += delivery.size_bytes
        now = time.monotonic()
        if now - self._told_at >= PENDING_EVERY_S and self.counts.remaining:
            self._told_at = now
            await self.asked.answer(PENDING, counts=self.counts)


class Way(Protocol):
    """How the objects of one retrieval leave."""

    async def send(self, deliveries: Sequence[Delivery], progress: Progress) -> None:
        """Send all of them, or as many as may be; may be called again with more."""

    async def close(self) -> None:
        """Nothing more follows."""


class MoveOut:
    """C-MOVE: over associations of our own to the destination.

    parallel: how many of them for a big study.
    """

    def __init__(self, destination: DicomDestination, cargo: Cargo, parallel: int = 1) -> None:
        self._destination = destination
        self._cargo = cargo
        self._parallel = parallel

    async def send(self, deliveries: Sequence[Delivery], progress: Progress) -> None:
        """Send in order; after a broken association the rest goes over a new one."""
        waiting = deque(deliveries)
        lanes = max(1, min(self._parallel, len(deliveries) // PER_LANE))
        share = CHUNK if lanes > 1 else len(deliveries)
        await self._lanes(waiting, progress, lanes, share)
        if lanes > 1 and 0 < len(waiting) < len(deliveries):
            # Given back by one association when the others had ended already.
            await self._lanes(waiting, progress, 1, len(waiting))
        while waiting and not progress.over:
            await progress.ended(waiting.popleft(), None, progress.problem)

    async def close(self) -> None:
        """End the associations."""
        await self._destination.close()

    async def _lanes(
        self, waiting: deque[Delivery], progress: Progress, lanes: int, share: int
    ) -> None:
        """Send over several associations, the others once the first has got an object through."""
        through = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(lanes - 1):
                tasks.create_task(self._behind(through, waiting, progress, share))
            try:
                await self._lane(waiting, progress, share, through)
            finally:
                through.set()

    async def _behind(
        self, through: asyncio.Event, waiting: deque[Delivery], progress: Progress, share: int
    ) -> None:
        await through.wait()
        if progress.completed + progress.warning:
            await self._lane(waiting, progress, share, through)

    async def _lane(
        self, waiting: deque[Delivery], progress: Progress, share: int, through: asyncio.Event
    ) -> None:
        """Send some at a time; give back what does not go over this association."""
        while waiting and not progress.over:
            rest = deque(waiting.popleft() for _ in range(min(share, len(waiting))))
            fruitless = 0
            try:
                while rest and not progress.over and fruitless < MOST_ATTEMPTS:
                    arrived = await self._round(rest, progress, through)
                    fruitless = 0 if arrived else fruitless + 1
            finally:
                waiting.extendleft(reversed(rest))
            if rest:
                return

    async def _round(
        self, rest: deque[Delivery], progress: Progress, through: asyncio.Event
    ) -> int:
        """Send until the way fails; return how many objects arrived."""
        arrived = 0
        async with aclosing(self._destination.send(list(rest), self._cargo)) as outcomes:
            async for delivery, outcome in outcomes:
                if isinstance(outcome, Deferred) and not outcome.connected:
                    # Nobody was reached: the object itself has not been tried.
                    progress.problem = progress.problem or outcome.why
                    break
                rest.popleft()
                if isinstance(outcome, Delivered):
                    arrived += 1
                    through.set()
                await progress.ended(delivery, *_told(outcome))
                if progress.over:
                    break
        return arrived


def _told(outcome: Outcome) -> tuple[int | None, str]:
    if isinstance(outcome, Delivered):
        return outcome.status, ""
    return None, outcome.why


class GetOut:
    """C-GET: on the association of the requester, where it takes the role of an SCP."""

    def __init__(self, cargo: Cargo, codecs: CodecPool | None, policy: str) -> None:
        self._cargo = cargo
        self._codecs = codecs
        self._policy = policy

    async def send(self, deliveries: Sequence[Delivery], progress: Progress) -> None:
        """Send in order; the requester leaving ends it."""
        asked = progress.asked
        takes = {
            (context.abstract_syntax, context.transfer_syntax): context.id
            for context in asked.contexts.values()
            if context.scp
        }
        ahead = Ahead(deliveries, self._cargo)
        try:
            for place, delivery in enumerate(deliveries):
                if progress.over:
                    return
                try:
                    status, why = await self._one(asked, delivery, takes, ahead, place)
                except LostError as error:
                    progress.stopped = True
                    progress.problem = str(error)
                    return
                await progress.ended(delivery, status, why)
        finally:
            await ahead.close()

    async def close(self) -> None:
        """The association is the requester's."""

    async def _one(
        self,
        asked: Asked,
        delivery: Delivery,
        takes: dict[tuple[str, str], int],
        ahead: Ahead,
        place: int,
    ) -> tuple[int | None, str]:
        stored = delivery.transfer_syntax_uid
        syntax = next(
            (
                each
                for each in choices(stored, self._policy)
                if (delivery.sop_class_uid, each) in takes
            ),
            "",
        )
        if not syntax:
            await ahead.drop(place)
            kind = f"{name_of(delivery.sop_class_uid)} in {name_of(stored)}"
            return None, f"not proposed: {kind}"
        context_id = takes[delivery.sop_class_uid, syntax]
        command = store_command(
            place % 65_535 + 1,
            delivery.sop_class_uid,
            delivery.sop_instance_uid,
            asked.command.priority,
        )
        try:
            payload = await ahead.take(place)
            ahead.look(place)
            if syntax == stored:
                response = await _store(asked, context_id, command, payload)
            else:
                made = await recode(delivery, payload, syntax, self._codecs)
                try:
                    response = await _store(asked, context_id, command, made.payload)
                finally:
                    made.drop()
        except (StorageError, WorkroomError, *UNFIT) as error:
            return None, str(error)
        return response.status, status_text(response.status)


async def _store(
    asked: Asked, context_id: int, command: Command, payload: bytes | Pieces
) -> Command:
    if isinstance(payload, bytes):
        return await asked.store(context_id, command, payload)
    async with aclosing(payload.pieces) as pieces:
        return await asked.store(context_id, command, pieces)
