"""An HTTP server in this process that answers by script.

Contract: every request that came whole is in ``requests``, in order; what broke off before its end
is only counted.  ``script`` is asked for each whole request: an `Answer`, or one of the words
`CUT` (the connection ends without a word), `SILENT` (no answer, ever) and `NOISE` (an answer that
is no HTTP).
"""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from typing import Any

import h11

from tests.objects.files import Stored, read_stored

HOST = "127.0.0.1"
CUT, SILENT, NOISE = "cut", "silent", "noise"
JSON = "application/dicom+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came.  connection: which one brought it, from 1."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    connection: int

    def stored(self) -> list[Stored]:
        """Return the DICOM files of a store request."""
        return [read_stored(content) for _, content in self.parts()]

    def parts(self) -> list[tuple[dict[str, str], bytes]]:
        """Return headers and content of each part of a multipart body."""
        found = re.fullmatch(
            r'multipart/related; type="application/dicom"; boundary=(\S+)',
            self.headers["content-type"],
        )
        assert found, self.headers["content-type"]
        mark = b"--" + found[1].encode()
        first, *pieces, last = (b"\r\n" + self.body).split(b"\r\n" + mark)
        assert first == b""
        assert last == b"--\r\n", last
        parts = []
        for piece in pieces:
            head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            headers = {k.lower(): v for k, v in BytesHeaderParser().parsebytes(head).items()}
            parts.append((headers, content))
        return parts


Script = Callable[[Request], Answer | str]


def answer_of(
    stored: Sequence[str] | Mapping[str, int] = (), failed: Mapping[str, int] | None = None
) -> bytes:
    """Return a store answer in DICOM JSON: UIDs with warning or failure reasons."""

    def items(reasons: Mapping[str, int], tag: str) -> list[dict[str, Any]]:
        return [
            {"00081155": {"vr": "UI", "Value": [uid]}}
            | ({tag: {"vr": "US", "Value": [reason]}} if reason else {})
            for uid, reason in reasons.items()
        ]

    good = stored if isinstance(stored, Mapping) else dict.fromkeys(stored, 0)
    data_set: dict[str, Any] = {"00081190": {"vr": "UR", "Value": ["http://x/studies/1"]}}
    if good:
        data_set["00081199"] = {"vr": "SQ", "Value": items(good, "00081196")}
    if failed:
        data_set["00081198"] = {"vr": "SQ", "Value": items(failed, "00081197")}
    return json.dumps(data_set).encode()


def stores_all(request: Request) -> Answer:
    """Answer as a good DICOMweb server; a request without objects is a bad one."""
    uids = [one.sop_instance for one in request.stored()] if request.method == "POST" else []
    if not uids:
        return Answer(status=400)
    return Answer(body=answer_of(uids), headers={"Content-Type": JSON})


@dataclass
class HttpSink:
    """One bound port; changed by assigning ``script``.  broken_off: requests without an end."""

    script: Script = stores_all
    requests: list[Request] = field(default_factory=list)
    answers: list[Answer | str] = field(default_factory=list)
    broken_off: int = 0
    connections: int = 0
    port: int = 0
    scheme: str = "http"
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{HOST}:{self.port}"

    def kept(self) -> dict[str, bytes]:
        """Return SOP Instance UID → data set of what was answered with status 200."""
        return {
            one.sop_instance: one.data_set
            for request, answer in zip(self.requests, self.answers, strict=False)
            if isinstance(answer, Answer) and answer.status == 200 and request.method == "POST"
            for one in request.stored()
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            # A task that ends cancelled would be complained about by asyncio's own streams.
            with suppress(OSError, h11.RemoteProtocolError, asyncio.CancelledError):
                await self._converse(self.connections, reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _converse(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        connection = h11.Connection(h11.SERVER)
        while (request := await self._receive(number, connection, reader)) is not None:
            self.requests.append(request)
            answer = self.script(request)
            self.answers.append(answer)
            if answer == SILENT:
                await asyncio.Event().wait()
            if answer == NOISE:
                writer.write(b"220 patient^name FTP ready\r\n")
                await writer.drain()
            if isinstance(answer, str):
                return
            headers = {"Content-Length": str(len(answer.body)), **answer.headers}
            for event in (
                h11.Response(status_code=answer.status, headers=list(headers.items())),
                h11.Data(data=answer.body),
                h11.EndOfMessage(),
            ):
                writer.write(connection.send(event) or b"")
            await writer.drain()
            if connection.our_state is not h11.DONE:
                return
            connection.start_next_cycle()

    async def _receive(
        self, number: int, connection: h11.Connection, reader: asyncio.StreamReader
    ) -> Request | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(1 << 16)
                if not data and head is not None:
                    self.broken_off += 1
                if not data:
                    return None
                connection.receive_data(data)
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                return Request(
                    method=head.method.decode(),
                    target=head.target.decode(),
                    headers={k.decode(): v.decode() for k, v in head.headers},
                    body=bytes(body),
                    connection=number,
                )
            else:
                return None

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def serving(
    script: Script = stores_all, *, tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[HttpSink]:
    """Serve until the block ends."""
    sink = HttpSink(script=script, scheme="https" if tls else "http")
    server = await asyncio.start_server(sink.serve, HOST, port, ssl=tls)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        sink.end()
        await asyncio.sleep(0)
