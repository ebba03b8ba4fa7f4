"""What a caller asks besides storing: one request at a time on an association of its own.

Contract: a request for a class that is served here is collected (L8) and given to its service in a
task; each answer waits for the network, so that nothing piles up in memory.  C-CANCEL sets
``cancelled``, the end of the association too; a service looks at it between two steps.  A service
that fails answers a failure, never a success.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from waystation.model.arrival import Source
from waystation.model.errors import LostError, WaystationError
from waystation.net.listener import Guest
from waystation.wire.commands import (
    C_FIND_RQ,
    C_GET_RQ,
    C_MOVE_RQ,
    C_STORE_RQ,
    N_ACTION_RQ,
    N_CREATE_RQ,
    N_EVENT_REPORT_RQ,
    N_GET_RQ,
    N_SET_RQ,
    RESPONSE_BIT,
    Command,
    reply,
)
from waystation.wire.items import AcceptedContext
from waystation.wire.limits import DEFAULT_LIMITS
from waystation.wire.status import (
    CANNOT_UNDERSTAND,
    OUT_OF_RESOURCES,
    PROCESSING_FAILURE,
    Category,
    category,
    status_text,
)

log = structlog.get_logger()
QUERIES = {C_FIND_RQ, C_MOVE_RQ, C_GET_RQ}
KINDS = QUERIES | {N_ACTION_RQ, N_CREATE_RQ, N_EVENT_REPORT_RQ, N_GET_RQ, N_SET_RQ}
# How long the requester of a C-GET may take to answer one object.
STORED_WITHIN_S = 60.0
UNFINISHED = {Category.PENDING, Category.CANCEL}
TOO_LONG = 0x0213
# Answers that may wait for one write.
MOST_UNSENT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Sub-operations of a retrieval."""

    remaining: int = 0
    completed: int = 0
    failed: int = 0
    warning: int = 0


class Asked:
    """One request under way.

    options: the bytes of extended negotiation that are in force, b"" for none.
    answered: its final response has been sent.
    gone: the caller has left; nothing can be answered any more.
    """

    def __init__(
        self, desk: "Desk", context: AcceptedContext, command: Command, options: bytes
    ) -> None:
        self.context = context
        self.command = command
        self.options = options
        self.source = desk.source
        self.rights = desk.rights
        self.identifier = b""
        self.cancelled = asyncio.Event()
        self.answered = False
        self._desk = desk

    @property
    def gone(self) -> bool:
        """True when the association has ended."""
        return self._desk.over

    @property
    def contexts(self) -> Mapping[int, AcceptedContext]:
        """The contexts of the association, by id."""
        return self._desk.contexts

    async def answer(
        self,
        status: int,
        *,
        data: bytes = b"",
        comment: str = "",
        offending: tuple[int, ...] = (),
        counts: Counts | None = None,
        sop_instance: str = "",
        error_id: int | None = None,
    ) -> None:
        """Send one response and wait until the network has room again.

        sop_instance: the one that an N-CREATE made, if the request named none.
        """
        command = reply(self.command, status, comment)
        if sop_instance or error_id is not None:
            uid = sop_instance or command.sop_instance_uid
            command = replace(command, sop_instance_uid=uid, error_id=error_id)
        if offending or (command.sop_instance_uid and self.command.field in QUERIES):
            uid = "" if self.command.field in QUERIES else self.command.sop_instance_uid
            command = replace(command, offending_elements=offending, sop_instance_uid=uid)
        if counts is not None:
            command = replace(
                command,
                # After the end, only a cancelled one has some left (PS3.4 C.4.2.1.6).
                remaining=counts.remaining if category(status) in UNFINISHED else None,
                completed=counts.completed,
                failed=counts.failed,
                warning=counts.warning,
            )
        pending = category(status) is Category.PENDING
        if not pending:
            # With the final response the caller may ask for something else.
            self._desk.ended(self)
        await self._desk.send(self.context.id, command, data, soon=pending)

    async def store(
        self,
        context_id: int,
        command: Command,
        data: bytes | AsyncGenerator[bytes, None],
    ) -> Command:
        """Send an object to the caller; return its response.  Raises `LostError`."""
        return await self._desk.store(context_id, command, data)

    async def report(self, event_type: int, data: bytes) -> None:
        """Send N-EVENT-REPORT on this association.  Raises `LostError` if it was not heard."""
        command = Command(
            field=N_EVENT_REPORT_RQ,
            message_id=self.command.message_id,
            sop_class_uid=self.command.sop_class_uid,
            sop_instance_uid=self.command.sop_instance_uid,
            event_type_id=event_type,
        )
        response = await self._desk.store(self.context.id, command, data)
        if response.status:
            raise LostError(f"answered {status_text(response.status)}", sent=True)


class Service(Protocol):
    """Answers requests of one kind."""

    async def serve(self, asked: Asked) -> None:
        """Answer one request to its end."""


# What a node serves besides storing, by abstract syntax.
Services = Mapping[str, Service]


class Desk:
    """The requests of one association."""

    def __init__(self, guest: Guest, source: Source, services: Services) -> None:
        self.source = source
        self.rights = guest.caller.rights
        self.over = False
        self._conversation = guest.conversation
        self._association = guest.conversation.association
        self._options = guest.options
        self._services = services
        self._asked: Asked | None = None
        self._collecting = False
        self._due = 0
        self._data = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()
        self._response: asyncio.Future[Command] | None = None
        self._expected = (0, 0)
        self._unsent = 0

    @property
    def contexts(self) -> Mapping[int, AcceptedContext]:
        """The contexts in force, by id."""
        return self._association.contexts

    # what the conversation tells us

    def serves(self, context_id: int, command: Command) -> bool:
        """Tell whether a request is for us."""
        context = self.contexts[context_id]
        return command.field in KINDS and context.abstract_syntax in self._services

    def begun(self, context_id: int, command: Command, has_data: bool) -> None:
        """A request begins."""
        context = self.contexts[context_id]
        options = self._options.get(context.abstract_syntax, b"")
        self._asked = Asked(self, context, command, options)
        limits = DEFAULT_LIMITS
        is_query = command.field in QUERIES
        self._due = limits.identifier_bytes if is_query else limits.service_bytes
        self._data = bytearray()
        self._collecting = has_data
        if has_data:
            self._conversation.message_begins()
        else:
            self._start(self._asked)

    def data(self, data: memoryview, last: bool) -> None:
        """A piece of the request's data set."""
        asked = self._asked
        if asked is None or not self._collecting:
            return
        if len(self._data) <= self._due:
            self._data += data
        if last:
            self._conversation.message_ends()
            self._collecting = False
            asked.identifier = bytes(self._data)
            self._data = bytearray()
            self._start(asked)

    def cancel(self, message_id: int) -> None:
        """The caller wants no more of a request."""
        if self._asked is not None and self._asked.command.message_id == message_id:
            self._asked.cancelled.set()

    def responded(self, command: Command) -> bool:
        """Take the response to an object that we sent; False if none was awaited."""
        response = self._response
        awaited = response is not None and not response.done()
        if not awaited or (command.field, command.message_id) != self._expected:
            return False
        assert response is not None
        response.set_result(command)
        return True

    def gone(self) -> None:
        """The association is over."""
        self.over = True
        if self._asked is not None:
            self._asked.cancelled.set()
        if self._response is not None and not self._response.done():
            self._response.set_exception(LostError("the requester has left", sent=True))

    def busy(self) -> bool:
        """True while a request is under way."""
        return self._asked is not None

    # what services do

    def ended(self, asked: Asked) -> None:
        """A request has its final response; its service may still be clearing up."""
        asked.answered = True
        if self._asked is asked:
            self._asked = None

    async def send(
        self, context_id: int, command: Command, data: bytes = b"", *, soon: bool = False
    ) -> None:
        """Send a message, and wait until the network has room again.

        soon: together with what is sent before the loop comes round, in one write.
        """
        if not self._association.established:
            return
        self._association.send(context_id, command, data)
        if soon and self._unsent < MOST_UNSENT:
            self._send_soon()
            return
        self._unsent = 0
        self._conversation.flush()
        if not self._conversation.writable:
            await self._conversation.drain()

    def _send_soon(self) -> None:
        self._unsent += 1
        if self._unsent == 1:
            asyncio.get_running_loop().call_soon(self._send_now)

    def _send_now(self) -> None:
        if self._unsent:
            self._unsent = 0
            self._conversation.flush()

    async def store(
        self, context_id: int, command: Command, data: bytes | AsyncGenerator[bytes, None]
    ) -> Command:
        """Send one object or event to the caller and return its response."""
        if not self._association.established or self._response is not None:
            raise LostError("the requester has left")
        self._response = asyncio.get_running_loop().create_future()
        self._expected = (command.field | RESPONSE_BIT, command.message_id)
        try:
            if isinstance(data, bytes):
                await self.send(context_id, command, data)
            else:
                await self._pieces(context_id, command, data)
            return await self._awaited(self._response)
        finally:
            response, self._response = self._response, None
            if not response.done():
                response.cancel()
            elif not response.cancelled():
                response.exception()

    async def _pieces(
        self, context_id: int, command: Command, data: AsyncGenerator[bytes, None]
    ) -> None:
        self._association.begin_data(context_id, command)
        whole = False
        try:
            before: bytes | None = None
            async for piece in data:
                if before is not None:
                    await self._piece(before, last=False)
                before = piece
            await self._piece(before or b"", last=True)
            whole = True
        finally:
            if not whole:
                # Half of an object is on the wire: only an abort makes the requester forget it.
                self._conversation.abort()

    async def _piece(self, piece: bytes, *, last: bool) -> None:
        if not self._association.established:
            raise LostError("the requester has left", sent=True)
        self._association.send_data(piece, last)
        self._conversation.flush()
        if not self._conversation.writable:
            await self._conversation.drain()

    async def _awaited(self, response: "asyncio.Future[Command]") -> Command:
        try:
            async with asyncio.timeout(STORED_WITHIN_S):
                return await response
        except TimeoutError:
            self._conversation.abort()
            raise LostError(f"no response within {STORED_WITHIN_S:g} s", sent=True) from None

    # one request

    def _start(self, asked: Asked) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, asked: Asked) -> None:
        command = asked.command
        try:
            if command.fault_status:
                await asked.answer(command.fault_status, comment=command.fault_comment)
            elif len(asked.identifier) > self._due:
                status = OUT_OF_RESOURCES if command.field in QUERIES else TOO_LONG
                await asked.answer(status, comment=f"more than {self._due} bytes")
            else:
                await self._services[asked.context.abstract_syntax].serve(asked)
        except LostError as error:
            log.info("request not answered", kind=command.name, why=str(error))
        except Exception:
            log.exception("request failed", kind=command.name, calling_ae=self.source.calling_ae)
            status = CANNOT_UNDERSTAND if command.field in QUERIES else PROCESSING_FAILURE
            if not asked.answered:
                with suppress(WaystationError):
                    await asked.answer(status, comment="internal failure")
        finally:
            self.ended(asked)


def store_command(message_id: int, sop_class: str, sop_instance: str, priority: int) -> Command:
    """Return the command that carries one object to the caller."""
    return Command(
        field=C_STORE_RQ,
        message_id=message_id,
        sop_class_uid=sop_class,
        sop_instance_uid=sop_instance,
        priority=priority,
    )
