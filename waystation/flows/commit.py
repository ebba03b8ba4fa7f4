"""Storage commitment that is asked of us (PS3.4 annex J; S-8, T-48).

Contract: N-ACTION is answered with success once the request is in the journal, and refused (0110)
if its report could not be delivered.  Success in the report means that the object was read again,
its digest is that of the wire, and the archive keeps it; or that a destination with ``commit_by``
has promised it to us, which is waited for (R-60).  The report goes out on the association of the
request while that is open, else on one of ours, again and again for seven days.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

import structlog

from waystation.db.engine import Database
from waystation.destinations.base import Cargo, Pieces
from waystation.dicom.uids import (
    EXPLICIT_VR_LE,
    IMPLICIT_VR_LE,
    STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
)
from waystation.flows.commitment_data import read_request, write_report
from waystation.flows.desk import Asked
from waystation.flows.rounds import keep_going
from waystation.journal import commitments, shelved, verifications
from waystation.journal.commitments import Failure, Promise
from waystation.journal.ids import IdSource
from waystation.journal.verifications import Cover
from waystation.model.errors import LostError, StorageError, UnreachableError, WaystationError
from waystation.model.peer import Remote
from waystation.net.query_call import QueryCall
from waystation.wire.commands import N_ACTION_RQ, N_EVENT_REPORT_RQ
from waystation.wire.items import Role
from waystation.wire.limits import DEFAULT_LIMITS
from waystation.wire.negotiate import propose
from waystation.wire.status import (
    NOT_AUTHORISED,
    PROCESSING_FAILURE,
    SUCCESS,
    UNRECOGNISED_OPERATION,
    status_text,
)

log = structlog.get_logger()
NO_SUCH_INSTANCE, NO_SUCH_ACTION, BAD_ARGUMENT = 0x0112, 0x0123, 0x0115
TOO_MANY = NOT_YET = 0x0213
NOT_HERE, CLASS_DIFFERS, DAMAGED, TRANSACTION_TAKEN = 0x0112, 0x0119, 0x0110, 0x0131
REQUEST_COMMITMENT = 1
DAY_S = 86_400.0
LIFETIME_S = 7 * DAY_S
KEPT_S = 30 * DAY_S
FIRST_S, CAP_S = 30.0, 3600.0
MOST_AT_ONCE = 16
AGAIN_S = 5.0
# Between two looks whether a destination has promised what it covers.
WAIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vows:
    """What commitment needs of the node.

    cargo: reads from the disk, never from memory.  settled: waits until what was acknowledged is
    on file.  remote: where a peer takes reports, None if nobody knows.  hear: takes the reports
    that destinations send us.  covering: the destinations whose own promise counts like the
    archive (``commit_by``).  complete: told of the studies and series (their UIDs) of a list that
    is all here: the sender has nothing more to send of them (R-71).
    """

    database: Database
    ids: IdSource
    clock: Callable[[], float]
    cargo: Cargo
    settled: Callable[[], Awaitable[None]]
    remote: Callable[[str, str], Remote | None]
    may: Callable[[str, Asked], bool]
    hear: Callable[[Asked], Awaitable[tuple[int, str]]]
    covering: Callable[[], Sequence[str]]
    complete: Callable[[Collection[str]], None] = lambda _uids: None


class Commitment:
    """Serves N-ACTION, and the belt that reports."""

    def __init__(self, vows: Vows) -> None:
        self._vows = vows
        self._wake = asyncio.Event()
        # Requests whose association may still be open, until their first report.
        self._asked: dict[int, Asked] = {}

    async def serve(self, asked: Asked) -> None:
        """Take one request."""
        status, comment = await self._take(asked)
        if status:
            log.warning(
                "commitment refused",
                calling_ae=asked.source.calling_ae,
                status=f"{status:04X}",
                why=comment,
            )
        await asked.answer(status, comment=comment)
        self._wake.set()

    async def _take(self, asked: Asked) -> tuple[int, str]:
        vows, command, source = self._vows, asked.command, asked.source
        if command.field == N_EVENT_REPORT_RQ:
            return await vows.hear(asked)
        if command.field != N_ACTION_RQ:
            return UNRECOGNISED_OPERATION, "only N-ACTION and N-EVENT-REPORT are served here"
        if not vows.may("commit", asked):
            return NOT_AUTHORISED, "not allowed to this peer"
        if command.sop_instance_uid != STORAGE_COMMITMENT_INSTANCE:
            return NO_SUCH_INSTANCE, "not the instance of this service"
        if command.action_type_id != REQUEST_COMMITMENT:
            return NO_SUCH_ACTION, "no such action"
        request = read_request(asked.identifier, asked.context.transfer_syntax)
        if isinstance(request, str):
            return BAD_ARGUMENT, request
        if len(request.objects) > DEFAULT_LIMITS.references:
            return TOO_MANY, f"more than {DEFAULT_LIMITS.references} references"
        if vows.remote(source.peer, source.called_ae) is None:
            return PROCESSING_FAILURE, "no address is known for the report"
        promise = Promise(
            id=vows.ids.next(),
            transaction_uid=request.transaction_uid,
            peer=source.peer,
            calling_ae=source.calling_ae,
            called_ae=source.called_ae,
            objects=request.objects,
            created_at=vows.clock(),
        )
        kept_id, taken = await vows.database.write(commitments.add(promise))
        if taken:
            failures = [(*one, TRANSACTION_TAKEN) for one in request.objects]
            await vows.database.write(commitments.verified(kept_id, failures))
        # What was asked is in the journal now; it may be much, and is not needed again.
        asked.identifier = b""
        self._asked[kept_id] = asked
        return SUCCESS, ""

    async def run(self) -> None:
        """Report until cancelled."""
        await keep_going("commitment", self._round, self._wake, self._vows.clock, AGAIN_S)

    async def _round(self) -> float | None:
        vows = self._vows
        now = vows.clock()
        await vows.database.write(commitments.forget(now - KEPT_S))
        due = await vows.database.read(commitments.due(now, MOST_AT_ONCE))
        await asyncio.gather(*(self._report(promise) for promise in due))
        following = await vows.database.read(commitments.next_due())
        return None if following is None else max(following - vows.clock(), 0.0)

    async def _report(self, promise: Promise) -> None:
        vows = self._vows
        failures = promise.failures
        if failures is None:
            failures = tuple(await self.verify(promise))
            uids = [uid for _, uid in promise.objects]
            vows.complete(await vows.database.read(commitments.all_here(uids)))
            if await self._waits(promise, failures):
                return
            await vows.database.write(commitments.verified(promise.id, failures))
        try:
            await self._tell(promise, failures)
        except WaystationError as error:
            await self._later(promise, str(error))
        else:
            await vows.database.write(commitments.ended(promise.id, "told"))
            log.info(
                "commitment reported",
                calling_ae=promise.calling_ae,
                objects=len(promise.objects),
                failed=len(failures),
            )

    async def _waits(self, promise: Promise, failures: Sequence[Failure]) -> bool:
        """Put a report off while a destination may still promise what is missing."""
        now = self._vows.clock()
        pending = any(reason == NOT_YET for _, _, reason in failures)
        if pending and now - promise.created_at < DAY_S:
            why = "waits for the promise of a destination"
            await self._vows.database.write(commitments.again(promise.id, now + WAIT_S, why))
            asked = self._asked.get(promise.id)
            if asked is not None and asked.gone:
                del self._asked[promise.id]
            return True
        return False

    async def _later(self, promise: Promise, why: str) -> None:
        vows = self._vows
        now = vows.clock()
        if now - promise.created_at >= LIFETIME_S:
            await vows.database.write(commitments.ended(promise.id, "given-up", why))
            log.error("commitment not reported", calling_ae=promise.calling_ae, why=why)
            return
        pause_s = min(FIRST_S * 2.0 ** min(promise.attempts, 32), CAP_S)
        await vows.database.write(commitments.again(promise.id, now + pause_s, why))

    async def verify(self, promise: Promise) -> list[Failure]:
        """Read every object again; return those that are not safe, with the reason."""
        await self._vows.settled()
        uids = [uid for _, uid in promise.objects]
        known = await self._vows.database.read(shelved.by_uid(uids))
        others = [uid for uid in uids if uid not in known]
        covered = await self._vows.database.read(verifications.cover(others, self._vows.covering()))
        failures: list[Failure] = []
        for sop_class, uid in promise.objects:
            delivery = known.get(uid)
            if delivery is None:
                reason = _uncovered(sop_class, covered.get(uid))
                failures += [(sop_class, uid, reason)] if reason else []
            elif delivery.sop_class_uid != sop_class:
                failures.append((sop_class, uid, CLASS_DIFFERS))
            else:
                try:
                    payload = await self._vows.cargo.load(delivery)
                    if isinstance(payload, Pieces):
                        await payload.pieces.aclose()
                except StorageError as error:
                    log.error("not safe", arrival=f"{delivery.arrival_id:x}", why=str(error))
                    failures.append((sop_class, uid, DAMAGED))
        return failures

    async def _tell(self, promise: Promise, failures: tuple[Failure, ...]) -> None:
        """Deliver the report.  Raises if it was not heard."""
        asked = self._asked.pop(promise.id, None)
        if asked is not None and not asked.gone:
            syntax = asked.context.transfer_syntax
            try:
                await asked.report(*self._report_of(promise, failures, syntax))
            except LostError as error:
                log.info("report goes out on an association of ours", why=str(error))
            else:
                return
        await self._call(promise, failures)

    def _report_of(
        self, promise: Promise, failures: tuple[Failure, ...], syntax: str
    ) -> tuple[int, bytes]:
        return write_report(
            promise.transaction_uid, promise.objects, failures, promise.called_ae, syntax
        )

    async def _call(self, promise: Promise, failures: tuple[Failure, ...]) -> None:
        remote = self._vows.remote(promise.peer, promise.called_ae)
        if remote is None:
            raise UnreachableError("name", "no address is known for the report")
        contexts = propose([(STORAGE_COMMITMENT, [EXPLICIT_VR_LE, IMPLICIT_VR_LE])])[0]
        roles = [Role(STORAGE_COMMITMENT, scu=False, scp=True)]
        call = await QueryCall.open(remote, contexts, roles=roles)
        heard = False
        try:
            context = call.context_of(STORAGE_COMMITMENT)
            event, data = self._report_of(promise, failures, context.transfer_syntax)
            answer = await call.event_report(context, STORAGE_COMMITMENT_INSTANCE, event, data)
            heard = True
        finally:
            if not heard:
                call.abort()
        await call.release()
        if answer.status:
            raise LostError(f"the report was answered {status_text(answer.status)}", sent=True)


def _uncovered(sop_class: str, cover: Cover | None) -> int:
    """Return why no destination answers for an object, 0 if one does."""
    if cover is None:
        return NOT_HERE
    if cover.sop_class != sop_class:
        return CLASS_DIFFERS
    if cover.verified:
        return 0
    return NOT_YET if cover.pending else NOT_HERE
