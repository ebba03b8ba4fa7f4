"""Delivery by C-STORE to another application entity.

Contract (R-48, R-53, R-61, R-64, S-7): an association belongs to (calling AE, study) and lingers
for what arrives meanwhile; the stored syntax is proposed and the stored bytes are sent; what the
receiver does not accept ends as a context fault after this one association.  An association that
broke or fell silent is never used again.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from waystation.destinations.base import Cargo, Pieces
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import ConfigError, LostError, StorageError, UnreachableError
from waystation.model.outcome import Deferred, Fault, Outcome, Refused
from waystation.model.peer import Remote
from waystation.net.client import VERIFICATION, Call, Waits
from waystation.net.pool import CallPool
from waystation.timing.status import classify_silence, classify_status, classify_unreachable
from waystation.wire.limits import Limits
from waystation.wire.negotiate import propose

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomSettings:
    """How to call.  calling: ``own``, ``passthrough`` or ``fixed:NAME`` (R-53)."""

    remote: Remote
    calling: str = "own"
    waits: Waits = Waits()
    limits: Limits = Limits()
    linger_s: float = 5.0
    max_per_association: int = 1000
    reuse: str = "study"
    retry_on_warning: bool = False


class DicomDestination:
    """One ``[destination.NAME]`` of kind dicom."""

    def __init__(self, name: str, settings: DicomSettings) -> None:
        self.name = name
        self._settings = settings
        self._pool = CallPool()
        self.associations_opened = 0

    async def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        """Send a batch of one study over one association, or more if contexts demand it."""
        line = _Line(self, batch)
        loading: asyncio.Task[bytes | Pieces] | None = None
        try:
            for place, delivery in enumerate(batch):
                loading = loading or asyncio.create_task(_load(cargo, delivery))
                outcome = await line.prepare(place, delivery)
                try:
                    payload = await loading
                except StorageError as error:
                    loading = None
                    yield delivery, Refused(reason=HoldReason.CORRUPT, why=str(error))
                    if line.broken:
                        return
                    continue
                loading = None
                if outcome is None:
                    if place + 1 < len(batch):
                        loading = asyncio.create_task(_load(cargo, batch[place + 1]))
                    outcome = await line.store(delivery, payload)
                yield delivery, outcome
                if line.broken:
                    return
        finally:
            if loading is not None:
                loading.cancel()
                await asyncio.gather(loading, return_exceptions=True)
            line.end()

    async def probe(self) -> Deferred | None:
        """C-ECHO on a new association (R-57)."""
        try:
            call = await self.open(self._settings.remote.calling_ae, [(VERIFICATION, IMPLICIT)])
        except UnreachableError as error:
            return classify_unreachable(error)
        except ConfigError as error:
            return Deferred(fault=Fault.PEER, why=str(error))
        if call.context_for(VERIFICATION) is None:
            # A receiver without Verification has answered all the same: it is there.
            self._pool.retire(call)
            return None
        try:
            reply = await call.echo()
        except (LostError, UnreachableError) as error:
            call.abort()
            return Deferred(fault=Fault.TRANSIENT, why=f"echo: {error}", connected=True)
        self._pool.retire(call)
        if reply.status:
            return Deferred(
                fault=Fault.TRANSIENT, why=f"echo answered {reply.status:04X}", connected=True
            )
        return None

    async def open(self, calling_ae: str, pairs: Sequence[Pair]) -> Call:
        """Open an association that offers ``pairs`` of (SOP class, transfer syntax)."""
        settings = self._settings
        contexts = propose([(sop_class, [syntax]) for sop_class, syntax in pairs])[0]
        self.associations_opened += 1
        return await Call.open(
            replace(settings.remote, calling_ae=calling_ae),
            contexts,
            settings.waits,
            settings.limits,
        )

    def calling_ae(self, delivery: Delivery) -> str:
        """Return the title to call with for this delivery."""
        calling = self._settings.calling
        if calling.startswith("fixed:"):
            return calling.removeprefix("fixed:")
        if calling == "passthrough" and delivery.calling_ae:
            return delivery.calling_ae
        return self._settings.remote.calling_ae

    def key(self, delivery: Delivery) -> tuple[str, str]:
        """Return what an association may be shared by (R-48)."""
        shared = {"any": "", "series": delivery.series_uid, "study": delivery.study_uid}
        return (self.calling_ae(delivery), shared[self._settings.reuse])

    async def close(self) -> None:
        """Release what lingers."""
        await self._pool.close()


IMPLICIT = "1.2.840.10008.1.2"


async def _load(cargo: Cargo, delivery: Delivery) -> bytes | Pieces:
    return await cargo.load(delivery)


class _Line:
    """The association at hand while one batch is sent."""

    def __init__(self, owner: DicomDestination, batch: Sequence[Delivery]) -> None:
        self._owner = owner
        self._settings = owner._settings
        self._pool = owner._pool
        self._batch = batch
        self._call: Call | None = None
        self._key: tuple[str, str] = ("", "")
        self.broken = False

    async def prepare(self, place: int, delivery: Delivery) -> Outcome | None:
        """Make sure that an association carries this object; None if it does."""
        pair = (delivery.sop_class_uid, delivery.transfer_syntax_uid)
        key = self._owner.key(delivery)
        if self._call is None:
            self._key = key
            self._call = self._pool.take(key)
        if self._call is not None and not self._fits(self._call, pair, key):
            self.end(reusable=False)
        if self._call is None:
            failed = await self._open(place, delivery)
            if failed is not None:
                self.broken = True
                return failed
        call = self._call
        assert call is not None
        if call.context_for(*pair) is None:
            return Deferred(
                fault=Fault.CONTEXT,
                why=f"no presentation context for {pair[0]} in {pair[1]}: {call.refusals(pair)}",
                connected=True,
            )
        return None

    def _fits(self, call: Call, pair: Pair, key: tuple[str, str]) -> bool:
        return (
            call.alive
            and key == self._key
            and call.offered(pair)
            and call.sent < self._settings.max_per_association
        )

    async def _open(self, place: int, delivery: Delivery) -> Outcome | None:
        """Open an association for the rest of the batch, this object's context first."""
        self._key = self._owner.key(delivery)
        pairs = [(d.sop_class_uid, d.transfer_syntax_uid) for d in self._batch[place:]]
        try:
            self._call = await self._owner.open(self._owner.calling_ae(delivery), pairs)
        except UnreachableError as error:
            return classify_unreachable(error)
        except ConfigError as error:
            return Deferred(fault=Fault.PEER, why=str(error))
        return None

    async def store(self, delivery: Delivery, payload: bytes | Pieces) -> Outcome:
        """Send the object; a broken association, or one left in the middle, is thrown away."""
        call, self._call = self._call, None
        assert call is not None
        pair = (delivery.sop_class_uid, delivery.transfer_syntax_uid)
        context_id = call.context_for(*pair)
        assert context_id is not None
        answered = False
        try:
            if isinstance(payload, Pieces):
                async with aclosing(payload.pieces) as pieces:
                    reply = await call.store(context_id, pair[0], delivery.sop_instance_uid, pieces)
            else:
                reply = await call.store(context_id, pair[0], delivery.sop_instance_uid, payload)
            answered = True
        except LostError as error:
            self.broken = True
            return classify_silence(str(error))
        except StorageError as error:
            return Refused(reason=HoldReason.CORRUPT, why=str(error))
        finally:
            if not answered:
                # Perhaps half of the object is on the wire: only an abort makes the receiver
                # forget it, and no other object may go out behind it.
                call.abort()
        self._call = call
        outcome = classify_status(
            reply.status, reply.error_comment, retry_on_warning=self._settings.retry_on_warning
        )
        if isinstance(outcome, Deferred) and outcome.fault is not Fault.OBJECT:
            self.end(reusable=False)
            self.broken = True
        return outcome

    def end(self, *, reusable: bool = True) -> None:
        """Let the association linger, or release it."""
        call, self._call = self._call, None
        if call is None:
            return
        if reusable and call.sent < self._settings.max_per_association:
            self._pool.give_back(self._key, call, self._settings.linger_s)
        else:
            self._pool.retire(call)
