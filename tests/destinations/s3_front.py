"""A front before an S3 server that lets everything through, or plays one fault for a while."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.peers.program import HOST


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What it answers instead of the server, after it has read the whole request."""

    status: int
    code: str


CUT, HANG = "cut", "hang"


@dataclass
class Front:
    """plays: what happens to the next requests, one each; ``always`` after these.

    heads: the head of each request, in lower case.  after: bytes of a request before a cut.
    """

    target: int
    plays: deque[Answer | str | None] = field(default_factory=deque)
    always: Answer | str | None = None
    heads: list[str] = field(default_factory=list)
    after: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection, one request after the other."""
        try:
            while await self._request(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.transport.abort()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head.decode("latin-1").lower())
        found = re.search(r"content-length: (\d+)", self.heads[-1])
        length = int(found[1]) if found else 0
        play = self.plays.popleft() if self.plays else self.always
        if play == CUT:
            await reader.readexactly(min(self.after, length))
            return False
        body = await reader.readexactly(length)
        if play == HANG:
            await reader.read()
            return False
        if isinstance(play, Answer):
            writer.write(_answer(play))
            await writer.drain()
            return True
        return await self._pass_on(head + body, writer)

    async def _pass_on(self, request: bytes, writer: asyncio.StreamWriter) -> bool:
        far_reader, far_writer = await asyncio.open_connection(HOST, self.target)
        try:
            closing = request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
            far_writer.write(closing)
            await far_writer.drain()
            while data := await far_reader.read(1 << 16):
                writer.write(data)
            await writer.drain()
        finally:
            far_writer.transport.abort()
        return False


def _answer(play: Answer) -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{play.code}</Code><Message>no</Message></Error>"
    head = f"HTTP/1.1 {play.status} X\r\ncontent-type: application/xml\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()


@asynccontextmanager
async def fronting(target: int) -> AsyncIterator[Front]:
    """Run a front before the server on port ``target``."""
    front = Front(target)
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.CancelledError):
            await front.serve(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(handle, HOST, 0)
    front.port = server.sockets[0].getsockname()[1]
    try:
        yield front
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
