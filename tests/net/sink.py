"""A receiver in this process, on the product's own listener, that answers by script.

Contract: everything that came whole is in ``objects``, in order; an association counts once it is
accepted.  ``script`` is asked for each C-STORE: a status, or one of the words `ABORT` (A-ABORT),
`CUT` (the connection ends without a word), `SILENT` (no answer, ever), `TWICE` (success, said
twice) and `STRAY` (success for a message that nobody sent).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from tests.objects.files import Stored
from waystation.model.peer import Remote, TlsFiles
from waystation.net.client import VERIFICATION, Call, Waits
from waystation.net.gate import Gate, GateSettings
from waystation.net.listener import Guest, Listener, ListenerSettings
from waystation.wire.commands import C_ECHO_RQ, C_STORE_RQ, Command, reply
from waystation.wire.events import DataCame, Event, MessageBegun
from waystation.wire.negotiate import propose

HOST = "127.0.0.1"
IMPLICIT = "1.2.840.10008.1.2"
ABORT, CUT, SILENT, TWICE, STRAY = "abort", "cut", "silent", "twice", "stray"
Answer = int | str
OPEN_GATE = GateSettings(titles=("SINK",), anybody=True)
# The response is waited out by tests in which nobody answers; the others must not meet it.
SHORT = Waits(connect_s=15.0, associate_s=15.0, response_s=2.0, release_s=0.5)
PATIENT = Waits(connect_s=15.0, associate_s=15.0, response_s=30.0, release_s=2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One object as it came.  association: which one brought it, from 1."""

    sop_instance: str
    data_set: bytes
    transfer_syntax: str
    calling_ae: str
    association: int
    status: Answer


def success(_command: Command) -> Answer:
    return 0


@dataclass
class Sink:
    """One bound port; changed by assigning ``script``."""

    gate: GateSettings = OPEN_GATE
    settings: ListenerSettings = field(default_factory=ListenerSettings)
    script: Callable[[Command], Answer] = success
    room: Callable[[], str] = lambda: ""
    objects: list[Received] = field(default_factory=list)
    echoes: int = 0
    associations: int = 0
    open_now: int = 0
    port: int = 0
    refused: list[str] = field(default_factory=list)
    tls: list[bool] = field(default_factory=list)
    comments: dict[int, str] = field(default_factory=dict)
    service: "type[Service]" = field(default_factory=lambda: Service)

    async def start(self, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.listener = Listener(
            Gate(self.gate), self.settings, self._serve, lambda: self.room(), self._turned_away
        )
        self.port = await self.listener.start(HOST, port, tls, handshake_s=0.3)

    def _turned_away(self, reason: str, _peer: str) -> None:
        self.refused.append(reason)

    def _serve(self, guest: Guest) -> "Service":
        self.associations += 1
        self.open_now += 1
        self.tls.append(guest.conversation.tls)
        return self.service(self, guest, self.associations)

    async def stop(self) -> None:
        await self.listener.drain(0.0)
        await until(lambda: self.open_now == 0)

    def uids(self, status: Answer | None = None) -> list[str]:
        """Return the SOP Instance UIDs in order of arrival, of one status or of all."""
        return [one.sop_instance for one in self.objects if status in (None, one.status)]

    def remote(self, *, tls: TlsFiles | None = None, name: str = "sink") -> Remote:
        return Remote(
            name=name, ae_title="SINK", host=HOST, port=self.port, calling_ae="CALLER", tls=tls
        )


class Service:
    """One association of a `Sink`."""

    def __init__(self, sink: Sink, guest: Guest, number: int) -> None:
        self._sink = sink
        self._guest = guest
        self._number = number
        self._command: Command | None = None
        self._data = bytearray()

    def came(self, event: Event) -> None:
        match event:
            case MessageBegun(context_id=context_id, command=command):
                if command.field == C_ECHO_RQ:
                    self._sink.echoes += 1
                    self._send(context_id, reply(command))
                elif command.field == C_STORE_RQ:
                    self._guest.conversation.message_begins()
                    self._command = command
                    self._data = bytearray()
            case DataCame(context_id=context_id, data=data, last=last):
                self._data += data
                if last:
                    self._guest.conversation.message_ends()
                    self._whole(context_id)

    def _whole(self, context_id: int) -> None:
        command, self._command = self._command, None
        assert command is not None
        answer = self._sink.script(command)
        context = self._guest.conversation.association.contexts[context_id]
        self._sink.objects.append(
            Received(
                sop_instance=command.sop_instance_uid,
                data_set=bytes(self._data),
                transfer_syntax=context.transfer_syntax,
                calling_ae=self._guest.request.calling_ae,
                association=self._number,
                status=answer,
            )
        )
        if answer == ABORT:
            self._guest.conversation.abort()
        elif answer == CUT:
            self._guest.conversation.sever()
        elif answer == STRAY:
            self._send(context_id, replace(reply(command), message_id=command.message_id ^ 0x100))
        elif answer == TWICE:
            self._send(context_id, reply(command))
            self._send(context_id, reply(command))
        elif isinstance(answer, int):
            comment = self._sink.comments.get(answer, "")
            self._send(context_id, reply(command, answer, comment))

    def _send(self, context_id: int, command: Command) -> None:
        conversation = self._guest.conversation
        if conversation.association.established:
            conversation.association.send(context_id, command)
            conversation.flush()

    def gone(self) -> None:
        self._sink.open_now -= 1

    def busy(self) -> bool:
        return self._command is not None


@asynccontextmanager
async def running(
    sink: Sink | None = None, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Sink]:
    """Run a sink for a while."""
    made = sink or Sink()
    await made.start(tls=tls)
    try:
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def plain_server(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[Remote]:
    """Run a bare TCP server for a while; its handlers have ended when this returns."""
    busy: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        busy.add(writer)
        try:
            await handler(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            busy.discard(writer)

    server = await asyncio.start_server(handle, HOST, 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield Remote(name="plain", ae_title="SINK", host=HOST, port=port)
    finally:
        server.close()
        await until(lambda: not busy)


async def swallow(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Read everything and say nothing."""
    while await reader.read(1 << 16):
        continue


async def call_to(
    remote: Remote,
    stored: Sequence[Stored] = (),
    *,
    waits: Waits = SHORT,
    verification: bool = False,
) -> Call:
    """Open an association that offers what ``stored`` needs."""
    wanted = [(one.sop_class, [one.transfer_syntax]) for one in stored]
    if verification or not wanted:
        wanted.append((VERIFICATION, [IMPLICIT]))
    return await Call.open(remote, propose(wanted)[0], waits)


async def store(call: Call, stored: Stored) -> Command:
    """Send one object and return the response."""
    context_id = call.context_for(stored.sop_class, stored.transfer_syntax)
    assert context_id is not None
    return await call.store(context_id, stored.sop_class, stored.sop_instance, stored.data_set)


async def until(condition: Callable[[], object], within_s: float = 30.0) -> None:
    """Return once ``condition`` holds; fail if that takes too long."""

    async def holds() -> object:
        return condition()

    await until_async(holds, within_s)


async def until_async(condition: Callable[[], Awaitable[object]], within_s: float = 30.0) -> None:
    """Like `until`, for a condition that has to ask somebody."""
    loop = asyncio.get_running_loop()
    limit = loop.time() + within_s
    while not await condition():
        assert loop.time() < limit, "waited in vain"
        await asyncio.sleep(0.005)
