"""HL7 over MLLP: a port, its connections, and the frames on them (L31).

Contract: one message of a connection at a time; its answer leaves before the next one is read, so
that a sender cannot pile up work.  A frame that is too long is answered once and the connection
closed; one that does not end in time closes it without a word.  Who may speak is decided by
``admit``, from the address alone, anew for each message: settings may have changed.  A failure in
``take`` closes the connection: no answer is no acknowledgement.  A sender that has vanished, or
does not read its answers, is dropped, as connections are few.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from waystation.hl7.errors import Hl7Error
from waystation.hl7.frames import Frames, framed
from waystation.hl7.message import LARGEST

log = structlog.get_logger()
PIECE = 1 << 16
FLUSH_S = 30.0
# Silence between messages may last for days: only the network can tell that nobody is there.
PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class MllpSettings:
    """Limits of the port (L31).  frame_s: from the first byte of a message to its last."""

    largest: int = LARGEST
    connections: int = 64
    frame_s: float = 30.0
    handshake_s: float = 10.0


Take = Callable[[bytes, str], Awaitable[bytes]]
Refuse = Callable[[bytes, Hl7Error], bytes]
# Address → name of the sender ("" if it has none), or None for "not you".
Admit = Callable[[str], str | None]


class MllpListener:
    """One bound port."""

    def __init__(self, settings: MllpSettings, take: Take, refuse: Refuse, admit: Admit) -> None:
        self.settings = settings
        self.admit = admit
        self._take = take
        self._refuse = refuse
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._busy: set[asyncio.Task[None]] = set()
        self._closing = False

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Bind and listen; return the port.  Raises OSError if it cannot be bound."""
        options: dict[str, Any] = {"ssl": tls}
        if tls is not None:
            options["ssl_handshake_timeout"] = self.settings.handshake_s
        self._server = await asyncio.start_server(
            self._connected, host, port, limit=PIECE, backlog=256, **options
        )
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._tasks)

    async def stop(self, grace_s: float = 5.0) -> None:
        """Take no more; let messages under way have their answer, then close."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        for task, writer in list(self._tasks.items()):
            if task not in self._busy:
                writer.close()
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername") or ("",)
        address = str(peer[0])
        task = asyncio.current_task()
        name = self.admit(address)
        if task is None or self._closing or name is None or self._is_full():
            if name is None:
                log.warning("hl7 connection refused", address=address)
            writer.close()
            return
        self._tasks[task] = writer
        try:
            _watch(writer)
            await self._serve(reader, writer, address, task)
        except (OSError, TimeoutError, asyncio.CancelledError) as error:
            log.debug("hl7 connection ended", address=address, why=type(error).__name__)
        except Exception:
            log.exception("hl7 connection failed", address=address)
        finally:
            self._tasks.pop(task, None)
            self._busy.discard(task)
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                async with asyncio.timeout(FLUSH_S):
                    await writer.wait_closed()
            # Whoever does not read his answers is not waited for.
            writer.transport.abort()

    def _is_full(self) -> bool:
        if len(self._tasks) < self.settings.connections:
            return False
        log.warning("hl7 connection refused", why="too many connections")
        return True

    async def _serve(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        address: str,
        task: "asyncio.Task[None]",
    ) -> None:
        frames = Frames(self.settings.largest)
        while not self._closing:
            try:
                message = await self._message(reader, frames)
            except Hl7Error as fault:
                await self._answer(writer, self._refuse(frames.begun, fault))
                return
            if message is None:
                return
            name = self.admit(address)
            if name is None:
                log.warning("hl7 connection refused", address=address)
                return
            self._busy.add(task)
            await self._answer(writer, await self._take(message, name))
            self._busy.discard(task)

    async def _message(self, reader: asyncio.StreamReader, frames: Frames) -> bytes | None:
        """Return the next message, None at the end of the connection."""
        deadline: float | None = None
        loop = asyncio.get_running_loop()
        while (message := frames.next()) is None:
            if not frames.is_open:
                deadline = None
            elif deadline is None:
                deadline = loop.time() + self.settings.frame_s
            async with asyncio.timeout_at(deadline):
                data = await reader.read(PIECE)
            if not data:
                return None
            frames.feed(data)
        return message

    async def _answer(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        writer.write(framed(answer))
        async with asyncio.timeout(FLUSH_S):
            await writer.drain()


def _watch(writer: asyncio.StreamWriter) -> None:
    """Let the network notice a peer that is gone."""
    found = writer.get_extra_info("socket")
    if found is None:
        return
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in PROBES.items():
        # Not every system lets a program choose.
        if (option := getattr(socket, name, None)) is not None:
            found.setsockopt(socket.IPPROTO_TCP, option, value)
