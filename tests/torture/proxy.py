"""A TCP proxy that breaks connections at a chosen byte (F12), in the crowd's event loop."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from tests.torture.crowd import HOST

RESET = struct.pack("ii", 1, 0)
PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Cut:
    """Reset after so many bytes: up from the caller, down to it; None lets all through."""

    up: int | None = None
    down: int | None = None


class FaultProxy:
    """One port in front of another; each connection takes the next cut, later ones none."""

    def __init__(self, target: int, cuts: Iterable[Cut]) -> None:
        self.target = target
        self.port = 0
        self.made = 0
        self._cuts = deque(cuts)
        self._server: asyncio.Server | None = None

    @property
    def left(self) -> int:
        """How many cuts nobody has met yet."""
        return len(self._cuts)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut = self._cuts.popleft() if self._cuts else Cut()
        self.made += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self.target)
        except OSError:
            writer.transport.abort()
            return
        pumps = [
            asyncio.create_task(_pump(reader, far_writer, cut.up)),
            asyncio.create_task(_pump(far_reader, writer, cut.down)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        broken = any(pump.done() and not pump.cancelled() and pump.result() for pump in pumps)
        if not broken:
            await asyncio.wait(pumps, timeout=5.0)
        for pump in pumps:
            pump.cancel()
        for each in (writer, far_writer):
            _end(each, reset=broken)


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None
) -> bool:
    """Pass bytes on; return True when the limit was reached, False at the end of the stream."""
    passed = 0
    while limit is None or passed < limit:
        most = PIECE if limit is None else min(PIECE, limit - passed)
        try:
            data = await reader.read(most)
            if not data:
                writer.write_eof()
                return False
            writer.write(data)
            await writer.drain()
        except OSError:
            return False
        passed += len(data)
    return True


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    raw = writer.get_extra_info("socket")
    if reset and raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
