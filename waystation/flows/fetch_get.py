"""The objects of a C-GET of ours → sealed blobs → "Success" (W-107, W-112).

Contract (S-1): `success` is produced in one place, behind the awaited journal commit and the
awaited sync of the blob, as for a C-STORE over the listener.  What does not belong to the study
that was asked for is refused.  Of an object no more than two buffers are in memory.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from waystation.blobs.folder import Draft
from waystation.dicom.head import Head, Identity
from waystation.flows.admitting import Keeping, arrival_of
from waystation.flows.claims import Claimant
from waystation.flows.incoming import Incoming
from waystation.flows.route import Acknowledged
from waystation.flows.sealing import journaled
from waystation.flows.stage import Stage, Stages
from waystation.flows.strand import Strand
from waystation.model.arrival import Arrival, Source
from waystation.model.errors import RefusedError, StorageError
from waystation.net.conversation import RECEIVE_BYTES
from waystation.timing.gather import Carrier
from waystation.wire.commands import C_ECHO_RQ, C_STORE_RQ, Command, reply
from waystation.wire.items import AcceptedContext
from waystation.wire.status import (
    DATA_SET_MISMATCH,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    UNRECOGNISED_OPERATION,
)

log = structlog.get_logger()


def success(command: Command) -> Command:
    """Return the answer that promises: this object is kept."""
    return reply(command)


class GetTaker:
    """Takes the objects that one association brings.

    source: as their arrivals tell it.  hold, go_on: stop and resume the reading.
    """

    def __init__(
        self,
        keeping: Keeping,
        source: Source,
        claimant: Claimant,
        hold: Callable[[], None],
        go_on: Callable[[], None],
    ) -> None:
        self.keeping = keeping
        self.source = source
        self.claimant = claimant
        self.hold = hold
        self.go_on = go_on
        self.stages = Stages(RECEIVE_BYTES)
        self.strand = Strand(keeping.disk)
        self.carrier = Carrier(peer=source.peer or source.calling_ae)

    def begun(self, context: AcceptedContext, command: Command) -> "GetSink":
        """A message of the PACS has begun."""
        return GetSink(self, context, command)

    def ended(self) -> None:
        """The association is over for us."""
        self.carrier.ended = self.carrier.released = True
        self.keeping.ended(self.carrier)


class GetSink:
    """One C-STORE (or C-ECHO) of the PACS."""

    def __init__(self, taker: GetTaker, context: AcceptedContext, command: Command) -> None:
        self._taker = taker
        self._command = command
        self._incoming: Incoming | None = None
        if command.field != C_STORE_RQ:
            return
        draft = taker.keeping.blobs.draft
        calling = taker.source.calling_ae
        self._incoming = Incoming(command, context, draft, taker.stages, calling)
        full = taker.keeping.full() or taker.claimant.no_room()
        if full:
            self._incoming.refuse(RefusedError(OUT_OF_RESOURCES, full))

    def write(self, data: memoryview) -> None:
        """Take a piece of the data set."""
        self._taker.claimant.touched()
        incoming = self._incoming
        if incoming is not None:
            incoming.take(data)
            self._write_some(incoming)

    def _write_some(self, incoming: Incoming) -> None:
        """Write behind, in a disk thread; a PACS that is faster than the disk waits."""
        while (piece := incoming.next_piece()) is not None:
            draft = incoming.draft
            assert draft is not None
            blocks, stage = piece
            writing = self._taker.strand.run(partial(draft.write, blocks))
            writing.add_done_callback(partial(self._written, incoming, stage))
        if incoming.must_wait:
            self._taker.hold()

    def _written(
        self, incoming: Incoming, stage: Stage | None, done: "asyncio.Future[None]"
    ) -> None:
        if stage is not None:
            self._taker.stages.give_back(stage)
        if (error := done.exception()) is not None:
            log.error("writing failed", source=self._taker.claimant.source, error=str(error))
            incoming.refuse(RefusedError(OUT_OF_RESOURCES, "cannot write the object"))
        if self._incoming is incoming:
            self._write_some(incoming)
            if not incoming.must_wait:
                self._taker.go_on()

    async def finish(self) -> Command:
        """Keep the object; return the response."""
        incoming, command = self._incoming, self._command
        if incoming is None:
            if command.field == C_ECHO_RQ:
                return reply(command)
            return reply(command, UNRECOGNISED_OPERATION, "only C-STORE is served here")
        # Nothing is written behind any more; what is on its way the sealing waits for.
        self._incoming = None
        try:
            return await self._keep(incoming)
        except RefusedError as fault:
            return self._refuse(incoming, fault)
        except StorageError as error:
            log.error("cannot store", source=self._taker.claimant.source, error=str(error))
            no_disk = RefusedError(OUT_OF_RESOURCES, "cannot store the object")
            return self._refuse(incoming, no_disk)
        except Exception:
            log.exception("storing failed", source=self._taker.claimant.source)
            return self._refuse(incoming, RefusedError(PROCESSING_FAILURE, "internal failure"))
        finally:
            incoming.forget()
            self._taker.go_on()

    async def _keep(self, incoming: Incoming) -> Command:
        """Seal and journal the object, then promise (S-1 steps 2 to 7)."""
        taker, keeping = self._taker, self._taker.keeping
        head, found = incoming.finish()
        arrival = self._arrival(incoming, found)
        await keeping.room()
        began = asyncio.get_running_loop().time()
        arrival, data, lsn = await journaled(keeping, taker.strand, incoming, arrival)
        self._tell(head, arrival, data, lsn)
        keeping.witness.accepted(arrival, asyncio.get_running_loop().time() - began)
        if keeping.recent.wanted and (recent := data or incoming.whole()) is not None:
            keeping.recent.keep(arrival.id, recent)
        taker.claimant.took(arrival)
        return success(self._command)

    def _arrival(self, incoming: Incoming, found: Identity) -> Arrival:
        if found.study_uid != self._taker.claimant.study:
            raise RefusedError(DATA_SET_MISMATCH, "another study was asked for")
        return arrival_of(self._taker.keeping, self._taker.source, incoming, found)

    def _tell(self, head: Head, arrival: Arrival, data: bytes | None, lsn: int) -> None:
        carrier = self._taker.carrier
        carrier.objects += 1
        told = Acknowledged(arrival=arrival, head=head, data=data, lsn=lsn, carrier=carrier)
        self._taker.keeping.arrived(told)

    def _refuse(self, incoming: Incoming, fault: RefusedError) -> Command:
        taker = self._taker
        if incoming.draft is not None:
            self._forget(incoming.draft)
        taker.keeping.witness.refused(
            taker.source, fault.status, fault.comment, incoming.size_bytes
        )
        return reply(self._command, fault.status, fault.comment)

    def forget(self) -> None:
        """The association ended before the object did."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.forget()
            if incoming.draft is not None:
                self._forget(incoming.draft)

    def _forget(self, draft: Draft) -> None:
        """Remove a draft once nobody writes into it any more."""
        self._taker.strand.run(draft.discard).add_done_callback(_forgotten)


def _forgotten(done: "asyncio.Future[None]") -> None:
    if (error := done.exception()) is not None:
        log.error("draft not removed", error=str(error))
