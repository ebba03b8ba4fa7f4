"""The association at hand while one batch is sent.

Contract (R-61 to R-64, S-7): `prepare` makes sure that an association carries the object in a
syntax that the receiver accepted, or says how the delivery ends; `store` sends it.  An object in
its stored syntax leaves as it is.  An association that broke, or was left in the middle of an
object, is never used again.
"""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from waystation.codecs.pool import CodecPool
from waystation.destinations.base import Pieces
from waystation.destinations.calling import Caller
from waystation.destinations.contexts import Pair, all_of, choices, offer, refusal
from waystation.destinations.memory import ContextMemory
from waystation.destinations.recoding import UNFIT, Recoded, WorkroomError, recode
from waystation.dicom.uids import name_of
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.errors import ConfigError, LostError, StorageError, UnreachableError
from waystation.model.outcome import Deferred, Delivered, Fault, Outcome, Refused
from waystation.net.client import Call
from waystation.net.pool import CallPool
from waystation.timing.status import classify_silence, classify_status, classify_unreachable


class Line:
    """One batch on its way.  broken: the way itself failed, nothing more may be tried."""

    def __init__(
        self,
        caller: Caller,
        idle: CallPool,
        memory: ContextMemory,
        codecs: CodecPool | None,
        batch: Sequence[Delivery],
    ) -> None:
        self._caller = caller
        self._settings = caller.settings
        self._policy = caller.settings.transcode
        self._idle = idle
        self._memory = memory
        self._codecs = codecs
        self._batch = batch
        self._call: Call | None = None
        self._key: tuple[str, str] = ("", "")
        self._context_id = 0
        self._syntax = ""
        self.broken = False

    async def prepare(self, place: int, delivery: Delivery) -> Outcome | None:
        """Make sure that an association carries this object; None if it does."""
        pair = (delivery.sop_class_uid, delivery.transfer_syntax_uid)
        known = self._memory.why_refused(pair)
        if known and not delivery.attempts:
            return Refused(reason=HoldReason.NO_CONTEXT, why=f"refused before: {known}")
        key = self._caller.key(delivery)
        if self._call is None:
            self._key = key
            self._call = self._idle.take(key)
        if self._call is not None and not self._usable(self._call, key, pair):
            self.end(reusable=False)
        if self._call is None:
            failed = await self._open(place, delivery)
            if failed is not None:
                self.broken = True
                return failed
            assert self._call is not None
            self._choose(self._call, pair)
        if self._syntax:
            if known:
                await self._memory.accepted(pair)
            return None
        return await self._refused(self._call, pair)

    def _usable(self, call: Call, key: tuple[str, str], pair: Pair) -> bool:
        """Whether this association settles the matter, by an accepted context or by refusing
        everything that there is to offer."""
        if (
            not call.alive
            or key != self._key
            or call.sent >= self._settings.max_per_association
            or not call.offered(pair)
        ):
            return False
        self._choose(call, pair)
        return bool(self._syntax) or all(map(call.offered, all_of(pair, self._policy)))

    def _choose(self, call: Call, pair: Pair) -> None:
        """Take the best syntax that was accepted, "" if none was (R-62)."""
        self._syntax = ""
        for syntax in choices(pair[1], self._policy):
            context_id = call.context_for(pair[0], syntax)
            if context_id is not None:
                self._context_id, self._syntax = context_id, syntax
                return

    async def _refused(self, call: Call, pair: Pair) -> Outcome:
        text = refusal(pair, self._policy, call.refusals)
        await self._memory.refuse(pair, text)
        return Deferred(fault=Fault.CONTEXT, why=text, connected=True)

    async def _open(self, place: int, delivery: Delivery) -> Outcome | None:
        """Open an association for the rest of the batch, this object's contexts first."""
        self._key = self._caller.key(delivery)
        rest = ((d.sop_class_uid, d.transfer_syntax_uid) for d in self._batch[place:])
        pairs = offer(rest, self._policy)
        try:
            call = await self._called(self._caller.calling_ae(delivery), pairs)
        except UnreachableError as error:
            return classify_unreachable(error)
        except ConfigError as error:
            return Deferred(fault=Fault.PEER, why=str(error))
        self._call = call
        await self._memory.saw({each: call.context_for(*each) is not None for each in pairs})
        return None

    async def _called(self, calling_ae: str, pairs: Sequence[Pair]) -> Call:
        """Open an association; if there is no room, once more without those of ours that linger."""
        try:
            return await self._caller.open(calling_ae, pairs)
        except UnreachableError as error:
            if error.permanent or error.layer != "rejected" or not self._idle.idle:
                raise
        await self._idle.close()
        return await self._caller.open(calling_ae, pairs)

    async def store(self, place: int, delivery: Delivery, payload: bytes | Pieces) -> Outcome:
        """Send the object in the syntax that `prepare` found."""
        if self._syntax == delivery.transfer_syntax_uid:
            return await self._send(delivery, payload)
        try:
            made = await recode(delivery, payload, self._syntax, self._codecs)
        except UNFIT as error:
            return self._unfit(delivery, error)
        except StorageError as error:
            return Refused(reason=HoldReason.CORRUPT, why=str(error))
        except WorkroomError as error:
            return self._short(error)
        try:
            return await self._send_recoded(place, delivery, made)
        finally:
            made.drop()

    async def _send_recoded(self, place: int, delivery: Delivery, made: Recoded) -> Outcome:
        if self._call is None or not self._call.alive:
            # Converting took longer than the receiver cared to wait.
            failed = await self.prepare(place, delivery)
            if failed is not None:
                return failed
            if self._syntax != made.syntax:
                self.broken = True
                why = "the receiver accepts another syntax than a moment ago"
                return Deferred(fault=Fault.TRANSIENT, why=why, connected=True)
        try:
            outcome = await self._send(delivery, made.payload)
        except UNFIT as error:
            return self._unfit(delivery, error)
        except WorkroomError as error:
            return self._short(error)
        if isinstance(outcome, Delivered):
            return replace(outcome, syntax=made.syntax, sha256=made.sha256, detail=made.detail)
        return outcome

    def _short(self, error: WorkroomError) -> Deferred:
        """We lack something that the next object would lack too."""
        self.broken = True
        return Deferred(fault=Fault.TRANSIENT, why=str(error), connected=True)

    def _unfit(self, delivery: Delivery, error: Exception) -> Refused:
        stored = name_of(delivery.transfer_syntax_uid)
        why = f"accepted only as {name_of(self._syntax)}, stored as {stored}: {error}"
        return Refused(reason=HoldReason.NO_CONTEXT, why=why)

    async def _send(self, delivery: Delivery, payload: bytes | Pieces) -> Outcome:
        """Send bytes; a broken association, or one left in the middle, is thrown away."""
        call, self._call = self._call, None
        assert call is not None
        uids = (delivery.sop_class_uid, delivery.sop_instance_uid)
        origin = self._settings.originator
        answered = False
        try:
            if isinstance(payload, Pieces):
                async with aclosing(payload.pieces) as pieces:
                    reply = await call.store(self._context_id, *uids, pieces, origin)
            else:
                reply = await call.store(self._context_id, *uids, payload, origin)
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
            self._idle.give_back(self._key, call, self._settings.linger_s)
        else:
            self._idle.retire(call)
