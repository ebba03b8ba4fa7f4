"""An association's images → sealed blobs → "Success".

Contract (S-1, R-4): `success` is produced in one place, behind the awaited journal commit and the
awaited sync of the blob.  Every other ending answers a failure status with a comment and leaves
nothing behind (R-8).  Fan-out begins after the answer: ``arrived`` is only told (R-10).
"""

import asyncio
from dataclasses import replace
from functools import partial

import structlog

from waystation.blobs.folder import Draft
from waystation.dicom.head import Head, Identity
from waystation.flows.admitting import Keeping, admit, arrival_of
from waystation.flows.claims import Claim
from waystation.flows.desk import Desk
from waystation.flows.incoming import Incoming
from waystation.flows.route import Acknowledged
from waystation.flows.sealing import journaled
from waystation.flows.stage import Stage, Stages
from waystation.flows.strand import Strand
from waystation.model.arrival import Arrival, Source
from waystation.model.errors import RefusedError, StorageError
from waystation.net.conversation import RECEIVE_BYTES
from waystation.net.listener import Guest
from waystation.timing.gather import Carrier
from waystation.wire.commands import (
    C_CANCEL_RQ,
    C_ECHO_RQ,
    C_STORE_RQ,
    HIGH,
    LOW,
    MEDIUM,
    Command,
    reply,
)
from waystation.wire.events import Aborted, DataCame, Event, MessageBegun, ReleaseAsked
from waystation.wire.status import (
    DATA_SET_MISMATCH,
    NOT_AUTHORISED,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    SOP_CLASS_NOT_SUPPORTED,
    UNRECOGNISED_OPERATION,
)

log = structlog.get_logger()
NO_STORE = "this peer may not store"
FETCH = "fetch"
PRIORITIES = {LOW: "low", MEDIUM: "normal", HIGH: "stat"}


def success(command: Command) -> Command:
    """Return the answer that promises: this object is kept."""
    return reply(command)


class Reception:
    """Serves one association that stores (and echoes)."""

    def __init__(self, guest: Guest, keeping: Keeping) -> None:
        self._keeping = keeping
        self._conversation = guest.conversation
        self._association = guest.conversation.association
        self._source = Source(
            peer=guest.caller.name,
            calling_ae=guest.request.calling_ae,
            called_ae=guest.request.called_ae,
            address=guest.conversation.peername,
            tls=guest.conversation.tls,
        )
        self._desk = Desk(guest, self._source, keeping.services)
        self._carrier = Carrier(peer=self._source.peer or self._source.calling_ae)
        self._loop = asyncio.get_running_loop()
        self._stages = Stages(RECEIVE_BYTES)
        self._incoming: Incoming | None = None
        self._claim: Claim | None = None
        self._strand = Strand(keeping.disk)
        self._task: asyncio.Task[None] | None = None
        self._kept = 0
        self._refused = 0
        self._whole_at = 0.0

    # what the conversation tells us

    def came(self, event: Event) -> None:
        """Take one event of the association."""
        match event:
            case DataCame(data=data, last=last) if self._incoming is None:
                self._desk.data(data, last)
            case DataCame(data=data, last=last):
                self._data(data, last)
            case MessageBegun(context_id=context_id, command=command, has_data=has_data):
                self._begun(context_id, command, has_data)
            case Aborted(by="us", problem=problem):
                log.warning("protocol fault", **self._who(), problem=problem)
            case Aborted(by=by):
                log.info("association aborted", **self._who(), by=by)
            case ReleaseAsked():
                self._carrier.released = True
            case _:
                pass

    def gone(self) -> None:
        """The transport is closed: what was not whole is forgotten (F24)."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.forget()
            if incoming.draft is not None:
                self._forget(incoming.draft)
        self._desk.gone()
        self._carrier.ended = True
        self._keeping.ended(self._carrier)
        log.info("association ended", **self._who(), stored=self._kept, refused=self._refused)

    def busy(self) -> bool:
        """True while an object is on its way in or being sealed, or a request is answered."""
        return self._incoming is not None or self._task is not None or self._desk.busy()

    # one message

    def _begun(self, context_id: int, command: Command, has_data: bool) -> None:
        if command.field == C_CANCEL_RQ:
            self._desk.cancel(command.message_id)
        elif command.is_response:
            if not self._desk.responded(command):
                self._conversation.abort(0, 0)
        elif self.busy():
            # One operation at a time was negotiated (L13).
            self._conversation.abort(0, 0)
        elif command.field == C_ECHO_RQ:
            self._answer(context_id, reply(command))
        elif command.field == C_STORE_RQ and has_data:
            self._conversation.message_begins()
            self._incoming = Incoming(
                command,
                self._association.contexts[context_id],
                self._keeping.blobs.draft,
                self._stages,
                self._source.calling_ae,
            )
            full = self._keeping.full()
            self._claim = self._keeping.claims.claim(self._source, command)
            if "store" not in self._desk.rights and self._claim is None:
                self._incoming.refuse(RefusedError(NOT_AUTHORISED, NO_STORE))
            elif full:
                self._incoming.refuse(RefusedError(OUT_OF_RESOURCES, full))
        elif self._desk.serves(context_id, command):
            self._desk.begun(context_id, command, has_data)
        else:
            self._unserved(context_id, command)

    def _unserved(self, context_id: int, command: Command) -> None:
        status = command.fault_status
        if not status:
            status = SOP_CLASS_NOT_SUPPORTED if command.known else UNRECOGNISED_OPERATION
        self._answer(context_id, reply(command, status, command.fault_comment or "not served"))

    def _data(self, data: memoryview, last: bool) -> None:
        incoming = self._incoming
        assert incoming is not None
        incoming.take(data)
        if self._claim is not None:
            self._claim.touched()
        if last:
            self._conversation.message_ends()
            self._incoming = None
            self._whole_at = self._loop.time()
            self._task = self._loop.create_task(self._keep(incoming))
        else:
            self._write_some(incoming)

    def _write_some(self, incoming: Incoming) -> None:
        """Write behind, in a disk thread; a peer that is faster than the disk waits."""
        while (piece := incoming.next_piece()) is not None:
            draft = incoming.draft
            assert draft is not None
            blocks, stage = piece
            writing = self._strand.run(partial(draft.write, blocks))
            writing.add_done_callback(partial(self._written, incoming, stage))
        if incoming.must_wait:
            self._conversation.pause()

    def _written(
        self, incoming: Incoming, stage: Stage | None, done: "asyncio.Future[None]"
    ) -> None:
        if stage is not None:
            self._stages.give_back(stage)
        error = done.exception()
        if error is not None:
            log.error("writing failed", **self._who(), error=str(error))
        # Of an object that has all come the sealing hears what failed.
        if self._incoming is incoming:
            if error is not None:
                incoming.refuse(RefusedError(OUT_OF_RESOURCES, "cannot write the object"))
            self._write_some(incoming)
            if not incoming.must_wait:
                self._conversation.resume()

    async def _keep(self, incoming: Incoming) -> None:
        """Keep one whole object and answer; the only way to an answer of a C-STORE."""
        command = incoming.command
        try:
            arrival, data = await self._accept(incoming)
        except RefusedError as fault:
            self._refuse(incoming, fault)
        except StorageError as error:
            log.error("cannot store", **self._who(), error=str(error))
            self._refuse(incoming, RefusedError(OUT_OF_RESOURCES, "cannot store the object"))
        except Exception:
            log.exception("storing failed", **self._who(), message_id=command.message_id)
            self._refuse(incoming, RefusedError(PROCESSING_FAILURE, "internal failure"))
        else:
            # Outside of what may still refuse: the sender has its one answer.
            self._remember(incoming, arrival, data)
        finally:
            incoming.forget()
            self._task = None
            # The last fragment may have come with the very read that made the peer wait.
            self._conversation.resume()

    async def _accept(self, incoming: Incoming) -> tuple[Arrival, bytes | None]:
        """Seal and journal the object, then promise (S-1 steps 2 to 7)."""
        keeping = self._keeping
        head, found = incoming.finish()
        priority = PRIORITIES.get(incoming.command.priority, "normal")
        arrival = arrival_of(keeping, self._source, incoming, found, priority)
        arrival = await self._admitted(incoming.command, head, found, arrival)
        arrival, data, lsn = await journaled(keeping, self._strand, incoming, arrival)
        self._kept += 1
        # Only a word to the router; first, so that nothing in between can leave it unsaid.
        self._carrier.objects += 1
        keeping.arrived(
            Acknowledged(arrival=arrival, head=head, data=data, lsn=lsn, carrier=self._carrier)
        )
        self._answer(incoming.context.id, success(incoming.command))
        return arrival, data

    async def _admitted(
        self, command: Command, head: Head, found: Identity, arrival: Arrival
    ) -> Arrival:
        """Return the arrival as it is kept: by the rules, or because we had asked for it (W-110).

        Raises `RefusedError`.
        """
        claim, keeping = self._claim, self._keeping
        claimant = None if claim is None else await claim.takes(command, found)
        if claimant is None:
            if claim is not None and claim.named:
                # The PACS says that it answers our request, and it is not what we asked for.
                raise RefusedError(DATA_SET_MISMATCH, "another study was asked for")
            if "store" not in self._desk.rights:
                raise RefusedError(NOT_AUTHORISED, NO_STORE)
            await admit(keeping, head, arrival)
            return arrival
        full = claimant.no_room()
        if full:
            raise RefusedError(OUT_OF_RESOURCES, full)
        await keeping.room()
        source = replace(arrival.source, way_in=FETCH, fetched_from=claimant.source)
        return replace(arrival, source=source)

    def _remember(self, incoming: Incoming, arrival: Arrival, data: bytes | None) -> None:
        """Count the object and keep it at hand: sent on at once, it need not be read again."""
        keeping = self._keeping
        keeping.witness.accepted(arrival, self._loop.time() - self._whole_at)
        if keeping.recent.wanted and (recent := data or incoming.whole()) is not None:
            keeping.recent.keep(arrival.id, recent)
        if self._claim is not None:
            self._claim.landed(arrival)

    def _refuse(self, incoming: Incoming, fault: RefusedError) -> None:
        if incoming.draft is not None:
            self._forget(incoming.draft)
        self._refused += 1
        size_bytes = incoming.size_bytes
        self._keeping.witness.refused(self._source, fault.status, fault.comment, size_bytes)
        self._answer(incoming.context.id, reply(incoming.command, fault.status, fault.comment))

    def _forget(self, draft: Draft) -> None:
        """Remove a draft once nobody writes into it any more."""
        self._strand.run(draft.discard).add_done_callback(self._forgotten)

    def _forgotten(self, done: "asyncio.Future[None]") -> None:
        error = done.exception()
        if error is not None:
            log.error("draft not removed", **self._who(), error=str(error))

    def _answer(self, context_id: int, command: Command) -> None:
        if self._association.established:
            self._association.send(context_id, command)
            self._conversation.flush()

    def _who(self) -> dict[str, str]:
        source = self._source
        return {"calling_ae": source.calling_ae, "address": source.address}
