"""A source whose objects land when the test says so, and a caller that sees each piece."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

from waystation.flows.fetch import FetchFailed, Path, Reading, Whole
from waystation.model.delivery import Delivery
from waystation.web.dicomweb import DicomWeb

PACS = '[pacs.old]\nae_title = "OLD"\nhost = "127.0.0.1"\nport = 1\n'


class Script:
    """A `Reading`.  Objects are given with `land`, the end with `done` or `fail`."""

    def __init__(self, *ready: Delivery) -> None:
        self.link = "/api/v1/fetches/f1"
        self.expected: int | None = None
        self.missing = 0
        self.uids: Collection[str] | None = None
        self.verified = "uids"
        self.complete = False
        self.warnings: Sequence[str] = ()
        self.closed = asyncio.Event()
        self._queue: asyncio.Queue[Delivery | FetchFailed | None] = asyncio.Queue()
        for one in ready:
            self.land(one)

    def land(self, *some: Delivery) -> None:
        for one in some:
            self._queue.put_nowait(one)

    def done(self) -> "Script":
        self._queue.put_nowait(None)
        return self

    def fail(self, error: FetchFailed) -> "Script":
        self._queue.put_nowait(error)
        return self

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        while (found := await self._queue.get()) is not None:
            if isinstance(found, FetchFailed):
                raise found
            yield found

    async def close(self) -> None:
        self.closed.set()


class Scripted:
    """An `Origin`: what it was asked, and what it gives."""

    def __init__(self, reading: Script | FetchFailed, *, cached: Sequence[Delivery] = ()) -> None:
        self.reading = reading
        self.cached = cached
        self.counted: int | None = 1
        self.wanted: list[tuple[str, dict[str, str], bool]] = []

    async def want(self, source: str, path: Path, *, filed: bool = False) -> Reading:
        self.wanted.append((source, dict(path), filed))
        if isinstance(self.reading, FetchFailed):
            raise self.reading
        return self.reading

    async def whole(self, source: str, path: Path) -> Whole | None:
        if not self.cached:
            return None
        assert isinstance(self.reading, Script)
        found = [
            one
            for one in self.cached
            if path.get("instance", one.sop_instance_uid) == one.sop_instance_uid
        ]
        return Whole(objects=found, reading=self.reading)

    async def exists(self, source: str, path: Path) -> int | None:
        if isinstance(self.reading, FetchFailed):
            raise self.reading
        return self.counted


class Watcher:
    """One request whose answer is seen piece by piece; `leave` ends the connection."""

    def __init__(
        self, frame: DicomWeb, path: str, accept: str = "*/*", encoding: str = "identity"
    ) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.ended = False
        self._news = asyncio.Event()
        self._left = asyncio.Event()
        self._begun = False
        headers = [(b"host", b"127.0.0.1:8080"), (b"accept", accept.encode())]
        headers.append((b"accept-encoding", encoding.encode()))
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "method": "GET",
            "scheme": "http",
            "path": "/dicom-web" + path,
            "raw_path": b"/dicom-web" + path.encode(),
            "query_string": b"",
            "headers": headers,
            "client": ("127.0.0.1", 5000),
            "server": ("127.0.0.1", 8080),
        }
        self.task = asyncio.create_task(frame(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._begun:
            self._begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")
            self.ended = not message.get("more_body", False)
        self._news.set()

    async def has(self, words: bytes) -> None:
        """Wait until the body has some bytes."""
        async with asyncio.timeout(30):
            while words not in self.body:
                self._news.clear()
                await self._news.wait()

    def leave(self) -> None:
        self._left.set()

    async def over(self) -> bool:
        """Wait for the end; return whether the answer ended in order."""
        async with asyncio.timeout(30):
            await asyncio.gather(self.task, return_exceptions=True)
        return self.ended
