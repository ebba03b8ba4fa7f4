"""A proxy that is slow in every way a line can be: rate, latency, jitter, crumbs, tiny windows."""

import asyncio
import contextlib
import random
import socket
from dataclasses import dataclass

from tests.torture.crowd import HOST

TINY = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """One direction of a line.

    bytes_per_s: 0 for no limit.  delay_s, jitter_s: before each piece.  piece: largest piece
    passed on.  tiny: the smallest windows that the system gives.
    """

    bytes_per_s: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    piece: int = 65_536
    tiny: bool = False


class SlowProxy:
    """One port in front of another.  up: from the caller to the target; down: back to it."""

    def __init__(self, target: int, *, up: Pace, down: Pace, seed: int = 0) -> None:
        self._target = target
        self._up = up
        self._down = down
        self._chance = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.connections = 0

    async def start(self) -> None:
        listening = socket.create_server((HOST, 0))
        if self._up.tiny:
            # Before listening: the window is told when a connection is made.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TINY)
        self._server = await asyncio.start_server(self._serve, sock=listening, limit=TINY)
        self.port = listening.getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        far = socket.socket()
        if self._down.tiny:
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TINY)
        far.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(far, (HOST, self._target))
        except OSError:
            far.close()
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(sock=far, limit=TINY)
        pumps = [
            asyncio.create_task(self._pump(reader, far_writer, self._up)),
            asyncio.create_task(self._pump(far_reader, writer, self._down)),
        ]
        self._tasks.update(pumps)
        await asyncio.wait(pumps)
        self._tasks.difference_update(pumps)
        for each in (writer, far_writer):
            each.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pace: Pace
    ) -> None:
        writer.transport.set_write_buffer_limits(high=TINY)
        with contextlib.suppress(OSError):
            while data := await reader.read(pace.piece):
                wait_s = pace.delay_s + self._chance.uniform(0.0, pace.jitter_s)
                if pace.bytes_per_s:
                    wait_s += len(data) / pace.bytes_per_s
                await asyncio.sleep(wait_s)
                writer.write(data)
                await writer.drain()
            writer.write_eof()
