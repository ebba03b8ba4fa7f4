"""The HL7 port: frames in, answers out, and its limits (L31)."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.hl7.building import message, msh, pid
from tests.net.sink import until
from waystation.hl7.answer import acknowledgement, asked_of
from waystation.hl7.errors import Hl7Error
from waystation.hl7.frames import Frames, framed
from waystation.net import mllp
from waystation.net.mllp import MllpListener, MllpSettings

RAW = message(msh(control="C1"), pid())


class Taker:
    """Answers everything; may be made to wait or to fail."""

    def __init__(self) -> None:
        self.taken: list[tuple[bytes, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()
        self.fails = False
        self.answer = b""

    async def take(self, raw: bytes, name: str) -> bytes:
        self.taken.append((raw, name))
        self.begun.set()
        await self.gate.wait()
        if self.fails:
            raise RuntimeError("broken")
        return self.answer or acknowledgement(asked_of(raw), "W1", "20260101")

    def refuse(self, raw: bytes, fault: Hl7Error) -> bytes:
        return acknowledgement(asked_of(raw), "W1", "20260101", fault)


class Caller:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._frames = Frames()

    async def answer(self) -> bytes | None:
        """Return the next answer, None at the end of the connection."""
        while (found := self._frames.next()) is None:
            data = b""
            with suppress(ConnectionError):
                data = await self.reader.read(1 << 16)
            if not data:
                return None
            self._frames.feed(data)
        return found

    async def ask(self, raw: bytes) -> bytes | None:
        self.writer.write(framed(raw))
        return await self.answer()


class Calls:
    """The connections of one test."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._made: list[Caller] = []

    async def __call__(self) -> Caller:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self._number))
        self._made.append(caller)
        return caller

    async def close(self) -> None:
        for caller in self._made:
            caller.writer.close()
            with suppress(OSError):
                await caller.writer.wait_closed()


@asynccontextmanager
async def port(
    taker: Taker, settings: MllpSettings | None = None, name: str | None = "ris"
) -> AsyncIterator[tuple[MllpListener, Calls]]:
    listener = MllpListener(
        settings or MllpSettings(), taker.take, taker.refuse, lambda _address: name
    )
    call = Calls(await listener.start("127.0.0.1", 0))
    try:
        yield listener, call
    finally:
        await call.close()
        await listener.stop(0.1)


@pytest.mark.req("T-60")
async def test_each_message_of_a_connection_is_answered_in_turn() -> None:
    taker = Taker()
    async with port(taker) as (_, call):
        caller = await call()
        for _ in range(3):
            assert b"MSA|AA|C1" in (await caller.ask(RAW) or b"")
        caller.writer.write(framed(RAW) * 2)
        assert await caller.answer()
        assert await caller.answer()
        assert taker.taken == [(RAW, "ris")] * 5


@pytest.mark.req("T-61", "L31")
async def test_a_frame_that_is_too_long_is_refused_and_the_connection_closed() -> None:
    taker = Taker()
    async with port(taker, MllpSettings(largest=2000)) as (_, call):
        caller = await call()
        caller.writer.write(b"\x0b" + RAW + b"x" * 3000)
        answer = await caller.answer()
        assert b"MSA|AR|C1|more than 2000 bytes" in (answer or b"")
        assert await caller.answer() is None
        assert taker.taken == []


@pytest.mark.req("T-61", "L31")
async def test_a_frame_that_does_not_end_closes_the_connection() -> None:
    taker = Taker()
    async with port(taker, MllpSettings(frame_s=0.05)) as (listener, call):
        caller = await call()
        # Silence between messages is no fault.
        await caller.ask(RAW)
        caller.writer.write(b"\x0b" + RAW)
        assert await caller.answer() is None
        assert listener.connections == 0
        assert len(taker.taken) == 1


@pytest.mark.req("T-61", "L31")
async def test_more_connections_than_allowed_are_closed_at_once() -> None:
    taker = Taker()
    async with port(taker, MllpSettings(connections=2)) as (listener, call):
        first, second = await call(), await call()
        assert await first.ask(RAW)
        assert await second.ask(RAW)
        assert await (await call()).answer() is None
        assert listener.connections == 2
        assert await first.ask(RAW)


@pytest.mark.req("T-61")
async def test_who_is_not_known_is_not_heard() -> None:
    taker = Taker()
    async with port(taker, name=None) as (_, call):
        assert await (await call()).ask(RAW) is None
        assert taker.taken == []


async def test_a_failure_is_no_answer() -> None:
    taker = Taker()
    taker.fails = True
    async with port(taker) as (_, call):
        assert await (await call()).ask(RAW) is None
        taker.fails = False
        assert await (await call()).ask(RAW)


async def test_a_message_under_way_has_its_answer_before_the_port_closes() -> None:
    taker = Taker()
    taker.gate.clear()
    async with port(taker) as (listener, call):
        caller, idle = await call(), await call()
        await idle.writer.drain()
        asking = asyncio.create_task(caller.ask(RAW))
        await taker.begun.wait()
        stopping = asyncio.create_task(listener.stop(5))
        await asyncio.sleep(0)
        taker.gate.set()
        assert b"MSA|AA" in (await asking or b"")
        await stopping
        assert listener.connections == 0


async def test_what_is_no_frame_is_passed_over() -> None:
    taker = Taker()
    async with port(taker) as (_, call):
        caller = await call()
        caller.writer.write(b"GET / HTTP/1.1\r\n\r\n\r\n")
        assert await caller.ask(RAW)
        assert taker.taken == [(RAW, "ris")]


@pytest.mark.req("T-61")
async def test_who_may_no_longer_connect_is_not_heard_on_an_old_connection() -> None:
    taker = Taker()
    async with port(taker) as (listener, call):
        caller = await call()
        assert await caller.ask(RAW)
        listener.admit = lambda _address: None
        assert await caller.ask(RAW) is None
        assert len(taker.taken) == 1


async def test_a_vanished_sender_is_noticed_by_the_network() -> None:
    taker = Taker()
    async with port(taker) as (listener, call):
        assert await (await call()).ask(RAW)
        (writer,) = listener._tasks.values()
        told = writer.get_extra_info("socket")
        assert told.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        ends_s = told.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) + told.getsockopt(
            socket.IPPROTO_TCP, socket.TCP_KEEPINTVL
        ) * told.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
        assert ends_s <= 120


async def test_a_sender_that_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mllp, "FLUSH_S", 0.02)
    before = asyncio.all_tasks()
    taker = Taker()
    taker.answer = b"x" * (32 << 20)
    async with port(taker) as (_, call):
        caller = await call()
        caller.writer.write(framed(RAW))
        await taker.begun.wait()
        await until(lambda: asyncio.all_tasks() == before)
