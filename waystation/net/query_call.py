"""Associations of ours whose operations have any number of answers, or let the peer ask back.

Contract: `ask` yields every response to one request, the final one last; an operation that is left
before its final response ends the association by A-ABORT, unless `cancel` was said and the rest was
read.  What the peer asks meanwhile (C-STORE of a C-GET, N-EVENT-REPORT) is served by the
``attendant``, one message at a time; without one it is a fault of the peer.  Answers that nobody
takes stop the reading (backpressure).  Raises what `Call` raises.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Protocol

from waystation.model.errors import LostError, UnreachableError
from waystation.net.client import Call, Waits
from waystation.wire.commands import (
    C_CANCEL_RQ,
    C_FIND_RQ,
    C_GET_RQ,
    C_MOVE_RQ,
    MEDIUM,
    N_ACTION_RQ,
    N_CREATE_RQ,
    N_EVENT_REPORT_RQ,
    N_SET_RQ,
    RESPONSE_BIT,
    Command,
)
from waystation.wire.events import DataCame, Event, MessageBegun
from waystation.wire.items import AcceptedContext, AssociateRequest
from waystation.wire.limits import Limits
from waystation.wire.status import Category, category

# Reading stops when so many answers wait, and goes on when so few are left.
MANY, FEW = 256, 64


@dataclass(frozen=True, slots=True)
class Answer:
    """One response.  data: its data set, in the transfer syntax of the context."""

    command: Command
    data: bytes = b""

    @property
    def status(self) -> int:
        return self.command.status


class Sink(Protocol):
    """Takes one message of the peer."""

    def write(self, data: memoryview) -> None:
        """Take a piece of its data set; the view dies when this returns."""

    async def finish(self) -> Command:
        """The message is whole: return the response.  Must not raise."""

    def forget(self) -> None:
        """The association ended before the message did."""


class Attendant(Protocol):
    """Serves what the peer asks of us."""

    def begun(self, context: AcceptedContext, command: Command) -> Sink:
        """A request of the peer has begun."""


class QueryCall(Call):
    """One association of ours for queries, retrieval and normalised services."""

    def __init__(self, request: AssociateRequest, waits: Waits, limits: Limits) -> None:
        super().__init__(request, waits, limits)
        self.attendant: Attendant | None = None
        self._identifier_bytes = limits.service_bytes
        self._asked: Command | None = None
        self._answers: asyncio.Queue[Answer | None] = asyncio.Queue()
        self._answer: Command | None = None
        self._data = bytearray()
        self._sink: Sink | None = None
        self._serving: asyncio.Task[None] | None = None
        self._held = False

    # what the conversation tells us

    def came(self, event: Event) -> None:
        """Take one event of the association."""
        match event:
            case MessageBegun(context_id=context_id, command=command, has_data=has_data):
                self._begun(context_id, command, has_data)
            case DataCame(context_id=context_id, data=data, last=last):
                self._came_data(context_id, data, last)
            case _:
                super().came(event)

    def gone(self) -> None:
        """The transport is closed."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.forget()
        super().gone()

    def _begun(self, context_id: int, command: Command, has_data: bool) -> None:
        if not command.is_response:
            self._asks(context_id, command, has_data)
            return
        asked = self._asked
        if asked is None:
            self._answered(command)
        elif (command.field, command.message_id) != (
            asked.field | RESPONSE_BIT,
            asked.message_id,
        ):
            self._strayed("a response to another message")
        elif has_data:
            self._answer = command
        else:
            self._deliver(Answer(command))

    def _asks(self, context_id: int, command: Command, has_data: bool) -> None:
        if self.attendant is None:
            self._strayed(f"a {command.name} that it may not send")
        elif self._serving is not None:
            self._strayed("a request before the answer to the last one")
        else:
            sink = self.attendant.begun(self.contexts[context_id], command)
            if has_data:
                self._sink = sink
            else:
                self._serve(context_id, sink)

    def _came_data(self, context_id: int, data: memoryview, last: bool) -> None:
        sink = self._sink
        if sink is not None:
            sink.write(data)
            if last:
                self._sink = None
                self._serve(context_id, sink)
        elif self._answer is not None:
            self._data += data
            if len(self._data) > self._identifier_bytes:
                self._strayed(f"an answer of more than {self._identifier_bytes} bytes")
            elif last:
                answer, self._answer = Answer(self._answer, bytes(self._data)), None
                self._data.clear()
                self._deliver(answer)

    def _serve(self, context_id: int, sink: Sink) -> None:
        self._serving = asyncio.get_running_loop().create_task(self._respond(context_id, sink))

    async def _respond(self, context_id: int, sink: Sink) -> None:
        response = await sink.finish()
        self._serving = None
        if self.alive:
            self._association.send(context_id, response)
            self._flush()

    def _deliver(self, answer: Answer) -> None:
        self._answers.put_nowait(answer)
        if self._answers.qsize() >= MANY and self._conversation is not None:
            self._conversation.pause()

    def _fail(self, problem: str, result: int = 0) -> None:
        super()._fail(problem, result)
        if self._asked is not None:
            self._answers.put_nowait(None)

    # what callers do

    def context_of(self, sop_class: str) -> AcceptedContext:
        """Return the context in force for a class.

        Raises `UnreachableError`, permanent, if the peer did not accept it.
        """
        context_id = self.context_for(sop_class)
        if context_id is None:
            from waystation.dicom.uids import name_of

            raise UnreachableError(
                "associate", f"{name_of(sop_class)}: not accepted by the peer", permanent=True
            )
        return self.contexts[context_id]

    def find(
        self, context: AcceptedContext, identifier: bytes, priority: int = MEDIUM
    ) -> AsyncGenerator[Answer, None]:
        """Send C-FIND-RQ; yield the answers."""
        return self._query(C_FIND_RQ, context, identifier, priority)

    def move(
        self,
        context: AcceptedContext,
        identifier: bytes,
        destination: str,
        priority: int = MEDIUM,
    ) -> AsyncGenerator[Answer, None]:
        """Send C-MOVE-RQ towards the AE title ``destination``; yield the answers."""
        return self._query(C_MOVE_RQ, context, identifier, priority, destination)

    def get(
        self, context: AcceptedContext, identifier: bytes, priority: int = MEDIUM
    ) -> AsyncGenerator[Answer, None]:
        """Send C-GET-RQ; yield the answers.  The ``attendant`` takes the objects."""
        return self._query(C_GET_RQ, context, identifier, priority)

    async def action(
        self, context: AcceptedContext, instance_uid: str, action_type: int, data: bytes
    ) -> Answer:
        """Send N-ACTION-RQ; return the response."""
        command = replace(
            self._request(N_ACTION_RQ, context),
            sop_instance_uid=instance_uid,
            action_type_id=action_type,
        )
        return await self._last(context, command, data)

    async def create(self, context: AcceptedContext, instance_uid: str, data: bytes) -> Answer:
        """Send N-CREATE-RQ; return the response.  instance_uid: "" lets the peer make one."""
        command = replace(self._request(N_CREATE_RQ, context), sop_instance_uid=instance_uid)
        return await self._last(context, command, data)

    async def set(self, context: AcceptedContext, instance_uid: str, data: bytes) -> Answer:
        """Send N-SET-RQ; return the response."""
        command = replace(self._request(N_SET_RQ, context), sop_instance_uid=instance_uid)
        return await self._last(context, command, data)

    async def event_report(
        self, context: AcceptedContext, instance_uid: str, event_type: int, data: bytes
    ) -> Answer:
        """Send N-EVENT-REPORT-RQ; return the response."""
        command = replace(
            self._request(N_EVENT_REPORT_RQ, context),
            sop_instance_uid=instance_uid,
            event_type_id=event_type,
        )
        return await self._last(context, command, data)

    def hold(self) -> None:
        """Read nothing more until `go_on`: the ``attendant`` can take no more."""
        self._held = True
        if self._conversation is not None:
            self._conversation.pause()

    def go_on(self) -> None:
        """Read again."""
        self._held = False
        if self._conversation is not None and self._answers.qsize() < MANY:
            self._conversation.resume()

    def cancel(self) -> None:
        """Say C-CANCEL for the operation under way; its answers still have to be read."""
        asked = self._asked
        context_id = self.context_for(asked.sop_class_uid) if asked is not None else None
        if asked is not None and context_id is not None and self.alive:
            command = Command(field=C_CANCEL_RQ, message_id=asked.message_id)
            self._association.send(context_id, command)
            self._flush()

    async def ask(
        self, context: AcceptedContext, command: Command, data: bytes
    ) -> AsyncGenerator[Answer, None]:
        """Send a request; yield its responses, the final one last.  Raises `LostError`."""
        if not self.alive:
            raise LostError(self._problem or "association is closed")
        self._asked = command
        self._answers = asyncio.Queue()
        self._association.send(context.id, command, data)
        self._flush()
        final = False
        try:
            while not final:
                answer = await self._next()
                final = category(answer.status) is not Category.PENDING
                if final:
                    self._asked = None
                yield answer
        finally:
            self._asked = None
            if not final:
                self.abort()

    async def _last(self, context: AcceptedContext, command: Command, data: bytes) -> Answer:
        last = None
        async for answer in self.ask(context, command, data):
            last = answer
        assert last is not None
        return last

    async def _next(self) -> Answer:
        """Return the next answer; `LostError` if nothing moves for the time of a response."""
        conversation = self._conversation
        assert conversation is not None
        while True:
            before = conversation.received_bytes
            try:
                async with asyncio.timeout(self._waits.response_s):
                    answer = await self._answers.get()
            except TimeoutError:
                if conversation.received_bytes == before and self._serving is None:
                    self._fail(f"no response within {self._waits.response_s:g} s")
                    self.abort()
                    raise LostError(self._problem, sent=True, timed_out=True) from None
                continue
            if answer is None:
                raise LostError(self._problem or "association is closed", sent=True)
            if self._answers.qsize() <= FEW and not self._held:
                conversation.resume()
            return answer

    def _query(
        self,
        field: int,
        context: AcceptedContext,
        identifier: bytes,
        priority: int,
        destination: str = "",
    ) -> AsyncGenerator[Answer, None]:
        command = replace(
            self._request(field, context), priority=priority, move_destination=destination
        )
        return self.ask(context, command, identifier)

    def _request(self, field: int, context: AcceptedContext) -> Command:
        return Command(
            field=field,
            message_id=next(self._message_ids),
            sop_class_uid=context.abstract_syntax,
        )

    def _flush(self) -> None:
        if self._conversation is not None:
            self._conversation.flush()
