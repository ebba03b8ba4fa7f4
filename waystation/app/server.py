"""The HTTP server inside our event loop: uvicorn on a socket that we bound.

Contract: `start` returns once the port is bound and served; `stop` ends it within seconds.  No
signal handler is installed, nothing is logged that could carry a query.  Silence is limited here
because uvicorn has no limit of its own (L20, L21): a request has 10 s for its headers, and a
body has to make progress; connections are capped in all and per address.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_S = 10.0
# A body must bring this much within this time, or end: 1 KiB/s.
BODY_S, BODY_BYTES = 10.0, 10 * 1024
KEEP_ALIVE_S = 60
MOST_CONNECTIONS = 1000
MOST_PER_ADDRESS = 100
LARGEST_HEAD = 64 * 1024
STOP_S = 3
SHORT = 4096


class _Together:
    """A transport on which a short write waits for the next one, or for the loop's next turn.

    The head of an answer and its body are two writes; sent together they are one system call,
    and wake the other side once.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Send, or hold for a moment."""
        if self._held:
            held, self._held = self._held, b""
            self._transport.writelines([held, data])
        elif 0 < len(data) <= SHORT:
            self._held = bytes(data)
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)

    def close(self) -> None:
        """Send what is held, and close."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class PatientProtocol(H11Protocol):
    """uvicorn's own protocol with limits on silence, size and number."""

    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _body_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let the connection in, or tell it that there are too many."""
        super().connection_made(_Together(transport, self.loop))  # type: ignore[arg-type]
        address = self.client[0] if self.client else ""
        here = sum(1 for other in self.connections if _address(other) == address)
        if len(self.connections) > MOST_CONNECTIONS or here > MOST_PER_ADDRESS:
            self._end(b"503 Service Unavailable")
        else:
            self._allow(HEADER_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._allow(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and see how far the request is now."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        state = self.conn.their_state
        if state is h11.IDLE:
            self._head_came(len(data))
        elif state is h11.SEND_BODY:
            self._body_came(len(data))
        else:
            self._head_bytes = self._body_bytes = 0
            self._allow(None)

    def _head_came(self, n: int) -> None:
        self._head_bytes += n
        if self._head_bytes > LARGEST_HEAD:
            self._end(b"431 Request Header Fields Too Large")
        elif self._timer is None:
            self._allow(HEADER_S)

    def _body_came(self, n: int) -> None:
        first = self._body_bytes == 0
        self._head_bytes = 0
        self._body_bytes += n
        if first or self._body_bytes > BODY_BYTES:
            self._body_bytes = 1
            self._allow(BODY_S)

    def _allow(self, seconds: float | None) -> None:
        """Allow so much time for the next step, None for no limit."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._end(b"408 Request Timeout")

    def _end(self, status: bytes) -> None:
        if not self.transport.is_closing():
            head = b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            self.transport.write(head)
            self.transport.close()


def _address(connection: Any) -> str:
    client = getattr(connection, "client", None)
    return str(client[0]) if client else ""


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: the node has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


class WebServer:
    """One HTTP listener.  port: 0 until it is bound."""

    def __init__(self) -> None:
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = 0

    async def start(
        self, asgi: Any, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> int:
        """Bind and serve ``asgi``; return the port.  Raises OSError if it cannot be bound.

        tls: to serve https with.
        """
        bound = await _bind(host, port)
        config = uvicorn.Config(
            asgi,
            http=PatientProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=STOP_S,
            h11_max_incomplete_event_size=2 * LARGEST_HEAD,
        )
        config.load()
        config.ssl = tls
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[bound]), name="web")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise OSError("the HTTP server ended before it began")
            await asyncio.sleep(0.002)
        self.port = int(bound.getsockname()[1])
        return self.port

    async def stop(self) -> None:
        """Take no more connections, let answers finish, end."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        await self._task


async def _bind(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, _, _, _, address = found[0]
    return socket.create_server(address, family=family, backlog=256)
