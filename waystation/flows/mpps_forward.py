"""Performed procedure steps go on to other SCPs, and changes of state to webhooks (T-58, T-64).

Contract: what was taken is in the journal before its sender hears success, and goes on to each
target one after the other: an N-SET never overtakes its N-CREATE, and no target waits for another.
A target that is away is tried again, with longer pauses, for seven days; a message that it refuses
is given up and told of, and the next one is sent.  A duplicate (0111) counts as arrived: we cannot
know how far an attempt came that broke off.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from waystation.db.engine import Database
from waystation.destinations.webhook import WebhookDestination
from waystation.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE, MPPS
from waystation.flows.rounds import keep_going
from waystation.index import mpps
from waystation.index.mpps import CREATE, DONE, EVENT, GIVEN_UP, Message
from waystation.index.step_rows import Told
from waystation.matching.entry_data import recoded
from waystation.model.errors import WaystationError
from waystation.model.outcome import Deferred, Delivered
from waystation.model.peer import Remote
from waystation.net.query_call import QueryCall
from waystation.wire.negotiate import propose
from waystation.wire.status import Category, category, status_text

log = structlog.get_logger()
AGAIN_S = 5.0
FIRST_S, CAP_S, LIFETIME_S = 15.0, 1800.0, 7 * 86_400.0
DUPLICATE = 0x0111
STEP_EVENT = "waystation.worklist.step"
NOBODY = "the configuration has no such destination"


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Who hears of procedures and states.

    remote, hook: where a target is, None if nobody knows any more.
    """

    names: Callable[[], Sequence[str]]
    remote: Callable[[str], Remote | None]
    hook: Callable[[str], WebhookDestination | None] = lambda _name: None


@dataclass(slots=True)
class _Lane:
    """What goes to one target, for as long as this process lives."""

    task: "asyncio.Task[None]"
    wake: asyncio.Event


class MppsForward:
    """The lane of each target: a belt of its own."""

    def __init__(self, database: Database, clock: Callable[[], float], targets: Targets) -> None:
        self._database = database
        self._clock = clock
        self._targets = targets
        self._wake = asyncio.Event()
        self._lanes: dict[str, _Lane] = {}

    def wake(self) -> None:
        """Something has to go on."""
        self._wake.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            await keep_going("mpps forward", self._look, self._wake, self._clock, AGAIN_S)
        finally:
            tasks = [lane.task for lane in self._lanes.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        """Wake the lane of each target for which something waits; begin those there are not yet."""
        for target in await self._database.read(mpps.targets()):
            if (lane := self._lanes.get(target)) is not None:
                lane.wake.set()
            else:
                wake = asyncio.Event()
                send = partial(self._send_all, target)
                belt = keep_going("mpps lane", send, wake, self._clock, AGAIN_S, target=target)
                self._lanes[target] = _Lane(asyncio.create_task(belt), wake)

    async def _send_all(self, target: str) -> float | None:
        """Send to one target until nothing is left, or it has to wait; return for how long."""
        while True:
            message = await self._database.read(mpps.first_of(target))
            if message is None:
                return None
            pause = message.due - self._clock()
            if pause > 0:
                return pause
            await self._try(message)

    async def _try(self, message: Message) -> None:
        if message.operation == EVENT:
            await self._tell(message)
            return
        remote = self._targets.remote(message.target)
        if remote is None:
            await self._give_up(message, NOBODY)
            return
        try:
            status = await self._send(remote, message)
        except WaystationError as error:
            await self._later(message, str(error))
            return
        arrived = category(status) in (Category.SUCCESS, Category.WARNING)
        if arrived or (status == DUPLICATE and message.operation == CREATE):
            await self._database.write(mpps.ended(message.id, DONE))
            return
        await self._give_up(message, f"answered {status_text(status)}")

    async def _tell(self, message: Message) -> None:
        """Post an event; one that was refused is given up, as it would be refused again."""
        hook = self._targets.hook(message.target)
        if hook is None:
            await self._give_up(message, NOBODY)
            return
        try:
            outcome = await hook.tell(STEP_EVENT, f"step-{message.id:x}", json.loads(message.data))
        finally:
            await hook.close()
        if isinstance(outcome, Delivered):
            await self._database.write(mpps.ended(message.id, DONE))
        elif isinstance(outcome, Deferred):
            await self._later(message, outcome.why)
        else:
            await self._give_up(message, outcome.why)

    async def _later(self, message: Message, why: str) -> None:
        now = self._clock()
        if now - message.created_at >= LIFETIME_S:
            await self._give_up(message, why)
            return
        pause = min(FIRST_S * 2.0 ** min(message.attempts, 16), CAP_S)
        await self._database.write(mpps.again(message.id, now + pause, why))
        log.warning("worklist message waits", target=message.target, why=why)

    async def _give_up(self, message: Message, why: str) -> None:
        await self._database.write(mpps.ended(message.id, GIVEN_UP, why))
        log.error("worklist message not forwarded", target=message.target, why=why)

    async def _send(self, remote: Remote, message: Message) -> int:
        call = await QueryCall.open(remote, propose([(MPPS, [EXPLICIT_VR_LE, IMPLICIT_VR_LE])])[0])
        try:
            context = call.context_of(MPPS)
            data = recoded(message.data, context.transfer_syntax)
            send = call.create if message.operation == CREATE else call.set
            answer = await send(context, message.sop_instance, data)
        except BaseException:
            call.abort()
            raise
        await call.release()
        return answer.status


def event_of(told: Told) -> dict[str, str | int]:
    """Return what a webhook hears of a change of state: ids, never a patient."""
    step, change = told.step, told.change
    return {
        "step": f"{step.id:x}",
        "version": step.version,
        "from": change.before.get("state", ""),
        "to": change.after.get("state", step.state.value),
        "what": change.what,
        "by": change.author.kind,
        "ScheduledProcedureStepID": step.step_id,
        "StudyInstanceUID": step.study_uid,
        "AccessionNumber": step.accession,
        "ScheduledStationAETitle": step.station,
        "Modality": step.modality,
    }
