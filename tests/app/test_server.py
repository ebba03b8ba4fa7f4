"""The HTTP server: silence, size and number have limits; signals stay the node's own."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from waystation.app import server
from waystation.app.server import WebServer, _Together

OK = b"HTTP/1.1 200 OK"


async def answering(scope: dict[str, object], receive: object, send: object) -> None:
    """Read the whole request and say so."""
    assert scope["type"] == "http"
    more = True
    while more:
        message = await receive()  # type: ignore[operator]
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    await send(start)  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"ok"})  # type: ignore[operator]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    web = WebServer()
    yield await web.start(answering, "127.0.0.1", 0)
    await web.stop()


async def exchange(port: int, *pieces: bytes, wait_s: float = 5.0) -> bytes:
    """Send ``pieces``, then return what comes until the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(wait_s):
            return await reader.read()
    finally:
        writer.close()


GET = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"


async def test_it_serves_on_a_free_port_without_naming_itself(port: int) -> None:
    answer = await exchange(port, GET)
    assert answer.startswith(OK)
    assert b"server:" not in answer.lower()


async def test_one_connection_serves_several_requests(port: int) -> None:
    keep = GET.replace(b"close", b"keep-alive")
    assert (await exchange(port, keep, keep, GET)).count(OK) == 3


@pytest.mark.req("L21")
@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"GET / HT"],
        [b"GET / HTTP/1.1\r\n", b"host: a\r\n"],
    ],
)
async def test_a_silent_request_is_ended(
    pieces: list[bytes], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEADER_S", 0.2)
    assert (await exchange(port, *pieces)).startswith(b"HTTP/1.1 408 ")


@pytest.mark.req("L21", "W-139")
async def test_a_header_that_drips_gets_no_more_time(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEADER_S", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    dripping = asyncio.create_task(_drip(writer))
    async with asyncio.timeout(30):
        answer = await reader.read()
    dripping.cancel()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")


async def _drip(writer: asyncio.StreamWriter) -> None:
    for byte in GET:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.05)


@pytest.mark.req("L21", "W-139")
async def test_a_body_that_makes_no_progress_is_ended(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "BODY_S", 0.2)
    head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n"
    assert (await exchange(port, head, b"x")).startswith(b"HTTP/1.1 408 ")


@pytest.mark.req("L20")
async def test_a_large_header_block_is_refused(port: int) -> None:
    field = b"x-long: " + b"x" * 8000 + b"\r\n"
    answer = await exchange(port, b"GET / HTTP/1.1\r\n", *([field] * 10))
    assert b"431" in answer.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "garbage", [b"\0\1\2\3\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"\x16\x03\x01\n\n"]
)
async def test_garbage_is_closed(garbage: bytes, port: int) -> None:
    assert OK not in await exchange(port, garbage)


@pytest.mark.req("L21")
@pytest.mark.parametrize("limit", ["MOST_PER_ADDRESS", "MOST_CONNECTIONS"])
async def test_only_so_many_connections_are_taken(
    limit: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, limit, 2)
    writers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(2)]
    assert (await exchange(port, GET)).startswith(b"HTTP/1.1 503 ")
    for writer in writers:
        writer.close()
        await writer.wait_closed()
    for _ in range(200):
        if (await exchange(port, GET)).startswith(OK):
            return
        await asyncio.sleep(0.01)
    pytest.fail("a place that became free is not given to the next one")


@pytest.mark.req("L21", "W-139")
async def test_a_connection_that_is_idle_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 0.1)
    web = WebServer()
    port = await web.start(answering, "127.0.0.1", 0)
    answer = await exchange(port, GET.replace(b"close", b"keep-alive"))
    assert answer.startswith(OK)
    await web.stop()


@pytest.mark.req("L21", "W-139")
def test_times_and_numbers_are_those_that_are_promised() -> None:
    assert (server.HEADER_S, server.KEEP_ALIVE_S) == (10, 60)
    assert server.BODY_BYTES / server.BODY_S == 1024
    assert (server.MOST_CONNECTIONS, server.MOST_PER_ADDRESS) == (1000, 100)


async def test_signals_stay_with_the_node() -> None:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    web = WebServer()
    await web.start(answering, "127.0.0.1", 0)
    assert [signal.getsignal(number) for number in numbers] == before
    await web.stop()


async def test_a_port_in_use_is_an_error_of_the_caller(port: int) -> None:
    with pytest.raises(OSError, match="in use"):
        await WebServer().start(answering, "127.0.0.1", port)


async def test_stopping_twice_or_before_the_start_does_nothing() -> None:
    web = WebServer()
    await web.stop()
    await web.start(answering, "127.0.0.1", 0)
    await web.stop()
    await web.stop()


async def test_an_idle_connection_does_not_hold_up_the_end() -> None:
    web = WebServer()
    port = await web.start(answering, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(GET.replace(b"close", b"keep-alive"))
    async with asyncio.timeout(30):
        await web.stop()
    writer.close()


class Recording:
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def writelines(self, data: list[bytes]) -> None:
        self.said.append(list(data))

    def close(self) -> None:
        self.said.append("close")

    def is_closing(self) -> bool:
        return "close" in self.said


async def test_the_head_of_an_answer_leaves_with_its_body() -> None:
    transport = Recording()
    together = _Together(cast("Any", transport), asyncio.get_running_loop())
    together.write(b"head")
    together.write(b"body")
    together.write(b"x" * 5000)
    assert transport.said == [[b"head", b"body"], b"x" * 5000]
    together.write(b"alone")
    await asyncio.sleep(0)
    assert transport.said[2:] == [b"alone"]
    together.write(b"last")
    together.close()
    await asyncio.sleep(0)
    assert transport.said[3:] == [b"last", "close"]
    together.write(b"late")
    await asyncio.sleep(0)
    assert transport.said[5:] == []
