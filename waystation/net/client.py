"""Associations that we ask for: echo and store over one connection, one operation at a time.

Contract: `Call.open` raises `UnreachableError` naming how far it came.  After that a broken
connection, an abort or a missing answer raises `LostError`; its ``sent`` says whether a message
had gone out whose fate is unknown (S-7).  A call that raised is never used again (R-61).
"""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from waystation.model.errors import LostError, UnreachableError
from waystation.model.peer import Remote
from waystation.net.connecting import connect
from waystation.net.conversation import Conversation, Patience
from waystation.wire import status as words
from waystation.wire.association import Association
from waystation.wire.commands import C_ECHO_RQ, C_STORE_RQ, RESPONSE_BIT, Command
from waystation.wire.events import (
    Aborted,
    AssociateAccepted,
    AssociateRejected,
    DataCame,
    Event,
    MessageBegun,
    Released,
)
from waystation.wire.items import (
    AcceptedContext,
    AssociateAccept,
    AssociateRequest,
    Extended,
    ProposedContext,
    Role,
)
from waystation.wire.limits import Limits

Buffer = bytes | memoryview
VERIFICATION = "1.2.840.10008.1.1"
# How often, within the time for a response, it is looked whether bytes still move.
LOOKS = 8
_UNKNOWN = sys.maxsize
# Result/Reason of PS3.8 table 9-18.
_CONTEXT_WORDS = {
    0: "accepted",
    1: "refused by the user",
    2: "refused without a reason",
    3: "SOP class not supported",
    4: "transfer syntax not supported",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Our own time-outs, seconds (L19)."""

    connect_s: float = 10.0
    associate_s: float = 30.0
    response_s: float = 60.0
    release_s: float = 5.0


class Call:
    """One association of ours.  Not for use by two tasks at once."""

    def __init__(self, request: AssociateRequest, waits: Waits, limits: Limits) -> None:
        self._waits = waits
        self._association = Association.requesting(request, limits)
        self._conversation: Conversation | None = None
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reply: asyncio.Future[Command] | None = None
        self._closed = asyncio.Event()
        self._message_ids = itertools.cycle(range(1, 65_536))
        self._problem = ""
        self._expected = (0, 0)
        self._whole = True
        self._unsent = _UNKNOWN
        self._look: asyncio.TimerHandle | None = None
        self._offered = {
            (context.abstract_syntax, syntax): context.id
            for context in request.contexts
            for syntax in context.transfer_syntaxes
        }
        self._accepted: dict[tuple[str, str], int] = {}
        self.sent = 0

    @classmethod
    async def open(
        cls,
        remote: Remote,
        contexts: Sequence[ProposedContext],
        waits: Waits | None = None,
        limits: Limits | None = None,
        *,
        roles: Sequence[Role] = (),
        extended: Sequence[Extended] = (),
    ) -> Self:
        """Connect, negotiate, and return the established association.

        Raises `UnreachableError`; its ``permanent`` is True for a permanent rejection.
        """
        limits = limits or Limits()
        request = AssociateRequest(
            called_ae=remote.ae_title,
            calling_ae=remote.calling_ae,
            contexts=tuple(contexts),
            max_pdu=limits.max_pdu,
            roles=tuple(roles),
            extended=tuple(extended),
        )
        call = cls(request, waits or Waits(), limits)
        call._conversation = await connect(remote, call._waits.connect_s, call._converse)
        opened = False
        try:
            await call._associate(remote)
            opened = True
        finally:
            if not opened:
                call.abort()
        return call

    def _converse(self) -> Conversation:
        patience = Patience(request_s=self._waits.release_s, idle_s=1e9)
        return Conversation(self._association, patience, lambda _: self)

    async def _associate(self, remote: Remote) -> None:
        assert self._conversation is not None
        self._association.begin()
        self._conversation.flush()
        try:
            async with asyncio.timeout(self._waits.associate_s):
                await self._opened
        except TimeoutError as error:
            raise UnreachableError(
                "associate",
                f"{remote.name}: no answer to A-ASSOCIATE-RQ in {self._waits.associate_s:g} s",
            ) from error

    # what the conversation tells us

    def came(self, event: Event) -> None:
        """Take one event of the association."""
        match event:
            case MessageBegun(command=command):
                self._answered(command)
            case DataCame():
                pass
            case AssociateAccepted():
                for context in self.contexts.values():
                    pair = (context.abstract_syntax, context.transfer_syntax)
                    self._accepted.setdefault(pair, context.id)
                if not self._opened.done():
                    self._opened.set_result(None)
            case AssociateRejected(reject=no):
                text = words.reject_text(no.result, no.source, no.reason)
                self._fail(text, no.result)
            case Aborted(by="peer", source=source, reason=reason):
                self._fail(f"aborted by the peer: {words.abort_text(source, reason)}")
            case Aborted(problem=problem):
                self._fail(problem or "connection lost")
            case Released():
                self._fail("released")
            case _:
                self._fail("the peer released the association")

    def gone(self) -> None:
        """The transport is closed."""
        self._fail("connection closed")
        self._closed.set()

    def _answered(self, command: Command) -> None:
        """Take a response.  Only the one to the message that is out counts, and never a success
        for an object of which the peer has not seen the end (S-7)."""
        reply = self._reply
        if reply is None or reply.done():
            self._strayed("a response that nobody waits for")
        elif command.field != self._expected[0] or command.message_id != self._expected[1]:
            self._strayed("a response to another message")
        elif not self._whole and words.category(command.status) is not words.Category.FAILURE:
            self._strayed("a response before the end of the object")
        else:
            reply.set_result(command)

    def _strayed(self, problem: str) -> None:
        self._fail(f"the peer sent {problem}")
        self.abort()

    def _fail(self, problem: str, result: int = 0) -> None:
        if not self._problem:
            self._problem = problem
        if not self._opened.done():
            layer = "rejected" if result else "associate"
            self._opened.set_exception(
                UnreachableError(layer, self._problem, permanent=result == 1)
            )
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(LostError(self._problem, sent=True))

    # what callers do

    @property
    def contexts(self) -> Mapping[int, AcceptedContext]:
        """The accepted presentation contexts, by id."""
        return self._association.contexts

    @property
    def accepted(self) -> AssociateAccept | None:
        """What the peer answered to the request for this association."""
        return self._association.accepted

    @property
    def alive(self) -> bool:
        """True while operations can be sent."""
        conversation = self._conversation
        return (
            not self._problem
            and conversation is not None
            and conversation.connected
            and self._association.established
        )

    def context_for(self, sop_class: str, transfer_syntax: str | None = None) -> int | None:
        """Return the id of an accepted context, or None."""
        if transfer_syntax is not None:
            return self._accepted.get((sop_class, transfer_syntax))
        return next((id_ for pair, id_ in self._accepted.items() if pair[0] == sop_class), None)

    def offered(self, pair: tuple[str, str]) -> bool:
        """Return True if a context of this (SOP class, transfer syntax) was proposed."""
        return pair in self._offered

    def refusals(self, pair: tuple[str, str]) -> str:
        """Return in plain words why the context of ``pair`` did not come into force."""
        if pair not in self._offered:
            return "not offered"
        accept = self._association.accepted
        results = {result.id: result.result for result in accept.contexts} if accept else {}
        return _CONTEXT_WORDS.get(results.get(self._offered[pair], -1), "not answered")

    async def echo(self) -> Command:
        """Send C-ECHO-RQ; return the response."""
        context_id = self.context_for(VERIFICATION)
        if context_id is None:
            raise UnreachableError("associate", "verification was not accepted", permanent=True)
        command = Command(
            field=C_ECHO_RQ, message_id=next(self._message_ids), sop_class_uid=VERIFICATION
        )
        return await self._ask(context_id, command, b"", None)

    async def store(
        self,
        context_id: int,
        sop_class_uid: str,
        sop_instance_uid: str,
        data: Buffer | AsyncIterator[Buffer],
        originator: tuple[str, int] | None = None,
    ) -> Command:
        """Send one instance; return the response with its status.

        data: the data set in the context's transfer syntax, whole or in pieces.
        originator: who asked for it by C-MOVE (AE title), and the Message ID of that request.
        Raises `LostError`.
        """
        command = Command(
            field=C_STORE_RQ,
            message_id=next(self._message_ids),
            sop_class_uid=sop_class_uid,
            sop_instance_uid=sop_instance_uid,
            move_originator_ae=originator[0] if originator else "",
            move_originator_message_id=originator[1] if originator else None,
        )
        self.sent += 1
        if isinstance(data, bytes | memoryview):
            return await self._ask(context_id, command, data, None)
        return await self._ask(context_id, command, b"", data)

    async def _ask(
        self,
        context_id: int,
        command: Command,
        data: Buffer,
        pieces: AsyncIterator[Buffer] | None,
    ) -> Command:
        if not self.alive:
            raise LostError(self._problem or "association is closed")
        conversation = self._conversation
        assert conversation is not None
        loop = asyncio.get_running_loop()
        self._reply = loop.create_future()
        self._expected = (command.field | RESPONSE_BIT, command.message_id)
        self._whole = pieces is None
        self._unsent = _UNKNOWN
        self._watch(loop.time())
        try:
            if pieces is not None:
                await self._send_pieces(conversation, context_id, command, pieces)
            elif command.field == C_STORE_RQ:
                self._association.begin_data(context_id, command)
                self._association.send_data(data, True)
                conversation.flush()
            else:
                self._association.send(context_id, command)
                conversation.flush()
            return await self._reply
        finally:
            self._forget_reply()

    def _watch(self, moved_at: float) -> None:
        """Look again in a while whether the peer still does anything."""
        every = self._waits.response_s / LOOKS
        self._look = asyncio.get_running_loop().call_later(every, self._check, moved_at)

    def _check(self, moved_at: float) -> None:
        """Give up when nothing has moved for the time of a response (L19)."""
        conversation = self._conversation
        assert conversation is not None
        now = asyncio.get_running_loop().time()
        unsent = conversation.unsent_bytes
        ours = not self._whole and conversation.writable
        if unsent < self._unsent or ours:
            moved_at = now
        self._unsent = unsent
        if now - moved_at >= self._waits.response_s * (1 - 0.5 / LOOKS):
            self._fail(f"no response within {self._waits.response_s:g} s")
            self.abort()
        else:
            self._watch(moved_at)

    def _forget_reply(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
        reply, self._reply = self._reply, None
        if reply is not None and not reply.cancel() and not reply.cancelled():
            reply.exception()

    async def _send_pieces(
        self,
        conversation: Conversation,
        context_id: int,
        command: Command,
        pieces: AsyncIterator[Buffer],
    ) -> None:
        self._association.begin_data(context_id, command)
        before: Buffer | None = None
        async for piece in pieces:
            if before is not None:
                await self._send_piece(conversation, before, last=False)
            before = piece
        self._whole = True
        await self._send_piece(conversation, before or b"", last=True)

    async def _send_piece(self, conversation: Conversation, piece: Buffer, *, last: bool) -> None:
        if not self.alive:
            raise LostError(self._problem or "association is closed", sent=True)
        self._association.send_data(piece, last)
        conversation.flush()
        self._unsent = _UNKNOWN
        if not conversation.writable:
            await conversation.drain()

    async def release(self) -> None:
        """End in order; by abort if the peer does not answer in time."""
        if self._conversation is None:
            return
        if self.alive:
            self._association.release()
            self._conversation.flush()
            try:
                async with asyncio.timeout(self._waits.release_s):
                    await self._closed.wait()
            except TimeoutError:
                self.abort()
        else:
            self._conversation.sever()

    def abort(self) -> None:
        """End by A-ABORT and close at once."""
        if self._conversation is not None and self._conversation.connected:
            self._conversation.abort()
            self._conversation.sever()
