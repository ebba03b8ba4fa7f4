"""Objects that came in a request → sealed blobs → "stored" (W-93, W-94).

Contract (S-1, R-4): `success` is produced in one place, behind the awaited journal commit and the
awaited sync of the blob, exactly as for C-STORE; limits, filters, validation and duplicates are
the same too.  Every other ending gives a reason and leaves nothing behind (R-8).  Of an object no
more than two buffers are in memory; the next may come in while some are being sealed.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import partial

import structlog

from waystation.blobs.folder import Draft
from waystation.dicom.errors import DatasetError
from waystation.dicom.part10 import Meta, read_meta
from waystation.dicom.uids import is_uid
from waystation.dicomweb.store_answer import SYNTAX_NOT_SUPPORTED, UNREADABLE, Outcome
from waystation.flows.admitting import Keeping, admit, arrival_of
from waystation.flows.incoming import Incoming
from waystation.flows.route import Acknowledged
from waystation.flows.sealing import journaled
from waystation.flows.stage import Stage, Stages
from waystation.flows.strand import Strand
from waystation.model.arrival import Arrival, Source
from waystation.model.errors import RefusedError, StorageError
from waystation.timing.gather import Carrier
from waystation.wire.commands import C_STORE_RQ, Command
from waystation.wire.items import AcceptedContext
from waystation.wire.status import (
    DATA_SET_MISMATCH,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    SOP_CLASS_NOT_SUPPORTED,
)

log = structlog.get_logger()
# Pieces in which bytes are taken; a stage has room for one behind what it holds.
BITE = 64 * 1024
# A file's meta information is far shorter.
LONGEST_META = 1 << 20
FIRST_LOOK = 4096
# So many objects may be on their way to the disk at the same time, of one request.
SEALING = 4


def success(arrival: Arrival) -> Outcome:
    """Return the answer that promises: this object is kept."""
    who = arrival.instance
    return Outcome(
        sop_class_uid=who.sop_class_uid,
        sop_instance_uid=who.sop_instance_uid,
        study_uid=who.study_uid,
        series_uid=who.series_uid,
    )


def refused(fault: RefusedError, meta: Meta | None = None) -> Outcome:
    """Return the answer that says why an object is not kept."""
    known = meta is not None and is_uid(meta.sop_instance_uid)
    return Outcome(
        sop_class_uid=meta.sop_class_uid if meta is not None and known else "",
        sop_instance_uid=meta.sop_instance_uid if meta is not None and known else "",
        reason=fault.status,
        comment=fault.comment,
    )


@dataclass(slots=True)
class _Object:
    """One object on its way in.  study_uid: the one it must belong to, "" for any."""

    strand: Strand
    study_uid: str
    stages: Stages = field(default_factory=lambda: Stages(BITE))
    first: bytearray = field(default_factory=bytearray)
    meta: Meta | None = None
    incoming: Incoming | None = None
    fault: RefusedError | None = None
    writing: deque[tuple["asyncio.Future[None]", Stage | None]] = field(default_factory=deque)


class Deposit:
    """The objects of one request; `close` must be called in the end."""

    def __init__(self, keeping: Keeping, source: Source) -> None:
        self._keeping = keeping
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._carrier = Carrier(peer=source.peer or source.calling_ae or source.address)
        self._object: _Object | None = None
        self._ends: list[asyncio.Future[Outcome]] = []
        self._sealing: set[asyncio.Future[Outcome]] = set()

    def begin(self, study_uid: str = "") -> None:
        """Begin an object."""
        self._object = _Object(Strand(self._keeping.disk), study_uid)

    def fail(self, status: int, comment: str, names: tuple[str, str] = ("", "")) -> None:
        """Note that a part failed which is no object.  names: SOP class and instance."""
        end: asyncio.Future[Outcome] = self._loop.create_future()
        fault = RefusedError(status, comment)
        end.set_result(refused(fault, Meta("", *names, 0)))
        self._keeping.witness.refused(self._source, fault.status, fault.comment, 0)
        self._ends.append(end)

    async def take(self, data: bytes) -> None:
        """Take bytes of the object, in any pieces; waits for the disk where it must."""
        one = self._object
        assert one is not None
        if one.incoming is None and one.fault is None:
            one.first += data
            if len(one.first) < FIRST_LOOK:
                return
            data = self._look(one)
        await self._feed(one, data)

    def _look(self, one: _Object, *, all_there: bool = False) -> bytes:
        """Read the meta information if it is there; return what follows it."""
        try:
            meta = read_meta(bytes(one.first))
        except DatasetError as error:
            if all_there or len(one.first) > LONGEST_META:
                one.fault = RefusedError(UNREADABLE, error.comment)
            return b""
        rest = bytes(one.first[meta.data_set_offset :])
        one.meta, one.first = meta, bytearray()
        if not is_uid(meta.transfer_syntax_uid):
            one.fault = RefusedError(SYNTAX_NOT_SUPPORTED, "transfer syntax is no UID")
        elif not (is_uid(meta.sop_class_uid) and is_uid(meta.sop_instance_uid)):
            one.fault = RefusedError(UNREADABLE, "meta information without SOP class or instance")
        elif not self._keeping.bounds.classes.stores(meta.sop_class_uid):
            one.fault = RefusedError(SOP_CLASS_NOT_SUPPORTED, "this SOP class is not stored here")
        else:
            one.incoming = self._incoming(one, meta)
        return rest

    def _incoming(self, one: _Object, meta: Meta) -> Incoming:
        command = Command(
            field=C_STORE_RQ,
            message_id=1,
            sop_class_uid=meta.sop_class_uid,
            sop_instance_uid=meta.sop_instance_uid,
        )
        context = AcceptedContext(1, meta.sop_class_uid, meta.transfer_syntax_uid)
        draft = self._keeping.blobs.draft
        made = Incoming(command, context, draft, one.stages, self._source.calling_ae)
        full = self._keeping.full()
        if full:
            made.refuse(RefusedError(OUT_OF_RESOURCES, full))
        return made

    async def _feed(self, one: _Object, data: bytes) -> None:
        incoming = one.incoming
        if incoming is None:
            return
        view = memoryview(data)
        for at in range(0, len(view), BITE):
            incoming.take(view[at : at + BITE])
            if incoming.size_bytes > self._keeping.bounds.largest:
                incoming.refuse(RefusedError(UNREADABLE, "the object is too large"))
            await self._write_some(one, incoming)

    async def _write_some(self, one: _Object, incoming: Incoming) -> None:
        """Write behind, in a disk thread; a sender that is faster than the disk waits."""
        while True:
            while (piece := incoming.next_piece()) is not None:
                blocks, stage = piece
                assert incoming.draft is not None
                job = partial(incoming.draft.write, blocks)
                one.writing.append((one.strand.run(job), stage))
            if not incoming.must_wait:
                return
            await self._written(one, incoming)

    async def _written(self, one: _Object, incoming: Incoming) -> None:
        writing, stage = one.writing.popleft()
        try:
            await writing
        except StorageError as error:
            log.error("writing failed", address=self._source.address, error=str(error))
            incoming.refuse(RefusedError(OUT_OF_RESOURCES, "cannot write the object"))
        if stage is not None:
            one.stages.give_back(stage)

    async def end(self) -> None:
        """The object is complete; what becomes of it, `outcomes` tells."""
        one, self._object = self._object, None
        assert one is not None
        if one.incoming is None and one.fault is None:
            await self._feed(one, self._look(one, all_there=True))
        while len(self._sealing) >= SEALING:
            await asyncio.wait(self._sealing, return_when=asyncio.FIRST_COMPLETED)
        task = self._loop.create_task(self._keep(one, self._loop.time()))
        self._ends.append(task)
        self._sealing.add(task)
        task.add_done_callback(self._sealing.discard)

    async def drop(self) -> None:
        """Forget the object that is not complete."""
        one, self._object = self._object, None
        if one is not None and one.incoming is not None:
            one.incoming.forget()
            if one.incoming.draft is not None:
                await self._forget(one, one.incoming.draft)

    async def outcomes(self) -> list[Outcome]:
        """Return what became of every part, in order."""
        if self._ends:
            # Whoever waits may be cancelled; what is being sealed never is.
            await asyncio.wait(self._ends)
        return [end.result() for end in self._ends]

    async def close(self) -> None:
        """Forget what is not complete; wait for what is."""
        await self.drop()
        if self._sealing:
            await asyncio.wait(self._sealing)
        self._carrier.ended = self._carrier.released = True
        self._keeping.ended(self._carrier)

    async def _keep(self, one: _Object, whole_at: float) -> Outcome:
        """Keep one whole object; the only way to its answer."""
        incoming = one.incoming
        try:
            if one.fault is not None or incoming is None:
                raise one.fault or RefusedError(UNREADABLE, "no DICOM file")
            outcome, arrival, data = await self._accept(one, incoming)
        except RefusedError as fault:
            return await self._refuse(one, fault)
        except StorageError as error:
            log.error("cannot store", address=self._source.address, error=str(error))
            word = "cannot store the object"
            return await self._refuse(one, RefusedError(OUT_OF_RESOURCES, word))
        except Exception:
            log.exception("storing failed", address=self._source.address)
            return await self._refuse(one, RefusedError(PROCESSING_FAILURE, "internal failure"))
        keeping = self._keeping
        keeping.witness.accepted(arrival, self._loop.time() - whole_at)
        if keeping.recent.wanted and (recent := data or incoming.whole()) is not None:
            keeping.recent.keep(arrival.id, recent)
        incoming.forget()
        return outcome

    async def _accept(
        self, one: _Object, incoming: Incoming
    ) -> tuple[Outcome, Arrival, bytes | None]:
        """Seal and journal the object, then promise (S-1 steps 2 to 7)."""
        keeping = self._keeping
        head, found = incoming.finish()
        arrival = arrival_of(keeping, self._source, incoming, found)
        if one.study_uid and found.study_uid != one.study_uid:
            raise RefusedError(DATA_SET_MISMATCH, "Study Instance UID differs from the path")
        await admit(keeping, head, arrival)
        arrival, data, lsn = await journaled(keeping, one.strand, incoming, arrival)
        self._carrier.objects += 1
        keeping.arrived(
            Acknowledged(arrival=arrival, head=head, data=data, lsn=lsn, carrier=self._carrier)
        )
        return success(arrival), arrival, data

    async def _refuse(self, one: _Object, fault: RefusedError) -> Outcome:
        incoming = one.incoming
        size = 0 if incoming is None else incoming.size_bytes
        if incoming is not None:
            incoming.forget()
            if incoming.draft is not None:
                await self._forget(one, incoming.draft)
        self._keeping.witness.refused(self._source, fault.status, fault.comment, size)
        return refused(fault, one.meta)

    async def _forget(self, one: _Object, draft: Draft) -> None:
        """Remove a draft once nobody writes into it any more."""
        try:
            await one.strand.run(draft.discard)
        except OSError as error:
            log.error("draft not removed", address=self._source.address, error=str(error))
        for writing, _ in one.writing:
            writing.exception()
