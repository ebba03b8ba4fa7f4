"""A listener for the time of one command: objects of a C-MOVE, reports of a commitment.

Contract: bound to the one address from which the PACS is reached, and to no other; answers to one
called AE title; takes every storage class in the syntax that the sender prefers, bytes as they
come, and the services that are named.  `stop` ends it; messages under way are finished first.
"""

import asyncio
import socket
from collections.abc import Mapping

from waystation.model.errors import ConfigError
from waystation.model.peer import Remote
from waystation.net.gate import Gate, GateSettings
from waystation.net.listener import Guest, Listener, ListenerSettings
from waystation.net.query_call import Attendant, Sink
from waystation.wire.events import DataCame, Event, MessageBegun

GRACE_S = 5.0


def local_address(remote: Remote) -> str:
    """Return our own address on the way to ``remote``; nothing is sent.

    Raises `ConfigError` if there is no way.
    """
    try:
        family, kind, proto, _, place = socket.getaddrinfo(
            remote.host, remote.port, type=socket.SOCK_DGRAM
        )[0]
        with socket.socket(family, kind, proto) as probe:
            probe.connect(place)
            return str(probe.getsockname()[0])
    except OSError as error:
        raise ConfigError(remote.host, f"no way there: {error.strerror or error}") from error


class Catcher:
    """One bound port; ``attendant`` takes what comes.

    services: classes besides storage, with their extended negotiation; the caller may be SCP.
    """

    def __init__(
        self, attendant: Attendant, ae_title: str, services: Mapping[str, bytes] | None = None
    ) -> None:
        gate = GateSettings(
            titles=(ae_title,), anybody=True, services=services or {}, peer_scp=("*",)
        )
        self._listener = Listener(
            Gate(gate),
            ListenerSettings(),
            lambda guest: _Visit(guest, attendant),
            lambda: "",
        )

    async def start(self, host: str, port: int) -> int:
        """Bind; return the port.  Raises `ConfigError` if it cannot be bound."""
        try:
            return await self._listener.start(host, port)
        except OSError as error:
            raise ConfigError("--port", f"{host}:{port}: {error.strerror or error}") from error

    async def stop(self) -> None:
        """Take nothing more."""
        await self._listener.drain(GRACE_S)


class _Visit:
    """One association of a caller."""

    def __init__(self, guest: Guest, attendant: Attendant) -> None:
        self._conversation = guest.conversation
        self._attendant = attendant
        self._sink: Sink | None = None
        self._task: asyncio.Task[None] | None = None

    def came(self, event: Event) -> None:
        """Take one event of the association."""
        match event:
            case MessageBegun(context_id=context_id, command=command, has_data=has_data):
                if self.busy() or command.is_response:
                    self._conversation.abort()
                    return
                context = self._conversation.association.contexts[context_id]
                sink = self._attendant.begun(context, command)
                if has_data:
                    self._conversation.message_begins()
                    self._sink = sink
                else:
                    self._serve(context_id, sink)
            case DataCame(context_id=context_id, data=data, last=last):
                sink_here = self._sink
                if sink_here is not None:
                    sink_here.write(data)
                    if last:
                        self._conversation.message_ends()
                        self._sink = None
                        self._serve(context_id, sink_here)
            case _:
                pass

    def _serve(self, context_id: int, sink: Sink) -> None:
        self._task = asyncio.get_running_loop().create_task(self._answer(context_id, sink))

    async def _answer(self, context_id: int, sink: Sink) -> None:
        response = await sink.finish()
        self._task = None
        if self._conversation.association.established:
            self._conversation.association.send(context_id, response)
            self._conversation.flush()

    def gone(self) -> None:
        """The transport is closed."""
        if self._sink is not None:
            self._sink.forget()
            self._sink = None

    def busy(self) -> bool:
        """True while an object is on its way."""
        return self._sink is not None or self._task is not None
