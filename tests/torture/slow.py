"""A proxy that is slow in every way a line can be: rate, latency, jitter, crumbs, tiny windows."""

import asyncio
import contextlib
import random
import socket
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

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
    """One port in front of another.  up: from the caller to the target; down: back to it.

    It reads only what it is about to pass on, so that hardly anything is hidden in here.
    """

    def __init__(self, target: int, *, up: Pace, down: Pace, seed: int = 0) -> None:
        self._target = target
        self._up = up
        self._down = down
        self._chance = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening = socket.create_server((HOST, 0))
        self._listening.setblocking(False)
        if up.tiny:
            # Before anybody connects: the window is told when a connection is made.
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TINY)
        self.port = self._listening.getsockname()[1]
        self.connections = 0

    async def start(self) -> None:
        self._begin(self._accept())

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listening.close()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            near, _ = await loop.sock_accept(self._listening)
            self.connections += 1
            self._begin(self._serve(near))

    async def _serve(self, near: socket.socket) -> None:
        with near, socket.socket() as far:
            far.setblocking(False)
            if self._down.tiny:
                far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TINY)
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().sock_connect(far, (HOST, self._target))
                await asyncio.gather(
                    self._pump(near, far, self._up), self._pump(far, near, self._down)
                )

    async def _pump(self, source: socket.socket, sink: socket.socket, pace: Pace) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(source, pace.piece):
            wait_s = pace.delay_s + self._chance.uniform(0.0, pace.jitter_s)
            if pace.bytes_per_s:
                wait_s += len(data) / pace.bytes_per_s
            await asyncio.sleep(wait_s)
            await loop.sock_sendall(sink, data)
        sink.shutdown(socket.SHUT_WR)
