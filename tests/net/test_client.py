"""Associations of ours, against our own listener, on both event loops."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from tests.net.sink import (
    ABORT,
    CUT,
    HOST,
    OPEN_GATE,
    SHORT,
    SILENT,
    STRAY,
    TWICE,
    Answer,
    Service,
    Sink,
    call_to,
    plain_server,
    running,
    store,
    swallow,
    until,
)
from tests.objects.elements import element
from tests.objects.files import Stored
from tests.objects.samples import sample
from tests.peers.raw import command_set, data_pdus
from waystation.model.errors import LostError, UnreachableError
from waystation.model.peer import Remote
from waystation.net.client import Waits
from waystation.net.gate import GateSettings
from waystation.wire import pdus
from waystation.wire.commands import C_ECHO_RSP
from waystation.wire.events import Event
from waystation.wire.items import AssociateAccept, ContextResult

BOTH_LOOPS = True
TINY = sample("tiny")
CT = sample("ct")


async def test_an_echo_is_answered() -> None:
    async with running() as sink:
        call = await call_to(sink.remote())
        answer = await call.echo()
        assert (answer.field, answer.status) == (C_ECHO_RSP, 0)
        await call.release()
        assert sink.echoes == 1
        await until(lambda: sink.open_now == 0)


@pytest.mark.parametrize("one", [TINY, CT], ids=["512 bytes", "half a megabyte"])
async def test_what_is_stored_whole_arrives_byte_for_byte(one: Stored) -> None:
    async with running() as sink:
        call = await call_to(sink.remote(), [one])
        assert (await store(call, one)).status == 0
        await call.release()
    assert [(o.sop_instance, o.data_set) for o in sink.objects] == [
        (one.sop_instance, one.data_set)
    ]
    assert sink.objects[0].calling_ae == "CALLER"


@pytest.mark.parametrize("size", [2, 1000, 131_068, 300_000])
async def test_what_is_stored_in_pieces_arrives_byte_for_byte(size: int) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, min(len(CT.data_set), size * 300), size):
            yield CT.data_set[start : start + size]

    async with running() as sink:
        call = await call_to(sink.remote(), [CT])
        context_id = call.context_for(CT.sop_class)
        assert context_id is not None
        answer = await call.store(context_id, CT.sop_class, CT.sop_instance, pieces())
        assert answer.status == 0
        await call.release()
    assert sink.objects[0].data_set == CT.data_set[: size * 300]


async def test_a_failing_source_of_pieces_leaves_nothing_at_the_receiver() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield CT.data_set[:200_000]
        yield CT.data_set[200_000:400_000]
        raise RuntimeError("the disk broke")

    async with running() as sink:
        call = await call_to(sink.remote(), [CT])
        with pytest.raises(RuntimeError, match="the disk broke"):
            await call.store(1, CT.sop_class, CT.sop_instance, pieces())
        call.abort()
        await until(lambda: sink.open_now == 0)
        assert sink.objects == []


async def test_every_status_comes_back_with_its_comment() -> None:
    sink = Sink(script=lambda _: 0xA701)
    sink.comments[0xA701] = "no room left"
    async with running(sink):
        call = await call_to(sink.remote(), [TINY])
        answer = await store(call, TINY)
        assert (answer.status, answer.error_comment) == (0xA701, "no room left")
        assert call.alive
        await call.release()


@pytest.mark.req("S-7")
@pytest.mark.parametrize("how", [ABORT, CUT])
async def test_an_end_instead_of_an_answer_is_lost_never_success(how: Answer) -> None:
    async with running(Sink(script=lambda _: how)) as sink:
        call = await call_to(sink.remote(), [TINY])
        with pytest.raises(LostError) as raised:
            await store(call, TINY)
        assert raised.value.sent
        assert not call.alive
        with pytest.raises(LostError):
            await store(call, TINY)


@pytest.mark.req("S-7")
async def test_silence_ends_by_abort_and_is_lost() -> None:
    waits = Waits(response_s=0.2)
    async with running(Sink(script=lambda _: SILENT)) as sink:
        call = await call_to(sink.remote(), [TINY], waits=waits)
        with pytest.raises(LostError, match="no response within"):
            await store(call, TINY)
        assert not call.alive
        await until(lambda: sink.open_now == 0)


@pytest.mark.req("S-7")
async def test_an_answer_to_another_message_is_no_answer() -> None:
    async with running(Sink(script=lambda _: STRAY)) as sink:
        call = await call_to(sink.remote(), [TINY])
        with pytest.raises(LostError, match="another message"):
            await store(call, TINY)
        assert not call.alive


@pytest.mark.req("S-7")
async def test_a_second_success_for_one_object_never_counts_for_the_next() -> None:
    answers: list[Answer] = [TWICE, 0xC000]
    async with running(Sink(script=lambda _: answers.pop(0))) as sink:
        call = await call_to(sink.remote(), [TINY])
        first = await store(call, TINY)
        assert first.status == 0
        with contextlib.suppress(LostError):
            assert (await store(call, TINY)).status != 0


@pytest.mark.req("S-7")
async def test_success_before_the_end_of_the_object_is_no_success() -> None:
    """A receiver that answers early cannot have the object."""
    early = asyncio.Event()

    async def eager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(10)
        accept = AssociateAccept(
            called_ae="SINK",
            calling_ae="CALLER",
            contexts=(ContextResult(1, 0, CT.transfer_syntax),),
        )
        writer.write(pdus.encode_accept(accept))
        await reader.read(1 << 20)
        answer = command_set(
            element(0x00000100, "US", 0x8001, implicit=True),
            element(0x00000120, "US", 1, implicit=True),
            element(0x00000800, "US", 0x0101, implicit=True),
            element(0x00000900, "US", 0, implicit=True),
        )
        writer.write(data_pdus(1, 3, answer))
        early.set()
        await swallow(reader, writer)

    async def pieces() -> AsyncIterator[bytes]:
        yield CT.data_set[:100_000]
        yield CT.data_set[100_000:200_000]
        await early.wait()
        await asyncio.sleep(0.1)
        yield CT.data_set[200_000:]

    async with plain_server(eager) as remote:
        call = await call_to(remote, [CT])
        with pytest.raises(LostError):
            await call.store(1, CT.sop_class, CT.sop_instance, pieces())


class _SlowService(Service):
    def came(self, event: Event) -> None:
        super().came(event)
        conversation = self._guest.conversation
        conversation.pause()
        asyncio.get_running_loop().call_later(0.015, conversation.resume)


@pytest.mark.req("L19")
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "in pieces"])
async def test_a_slow_line_is_no_silence_while_bytes_move(whole: bool) -> None:
    """The receiver takes longer for the object than the time for a response."""
    loop = asyncio.get_running_loop()
    waits = Waits(response_s=0.3)
    big = CT.data_set * 2

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(big), 100_000):
            yield big[start : start + 100_000]

    sink = Sink(service=_SlowService)
    async with running(sink):
        assert sink.listener._server is not None
        listening = sink.listener._server.sockets[0]
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        call = await call_to(sink.remote(), [CT], waits=waits)
        began = loop.time()
        data = big if whole else pieces()
        answer = await call.store(1, CT.sop_class, CT.sop_instance, data)
        assert answer.status == 0
        assert loop.time() - began > waits.response_s
        assert sink.objects[0].data_set == big
        call.abort()


@pytest.mark.req("N-21")
async def test_each_way_of_being_unreachable_has_its_own_layer_and_words() -> None:
    said: dict[str, str] = {}

    async def fails(remote: Remote, waits: Waits = SHORT) -> tuple[str, bool]:
        with pytest.raises(UnreachableError) as raised:
            await call_to(remote, waits=waits)
        said[raised.value.layer + str(raised.value.permanent)] = str(raised.value)
        return raised.value.layer, raised.value.permanent

    def at(host: str, port: int) -> Remote:
        return Remote(name="x", ae_title="SINK", host=host, port=port)

    with socket.create_server((HOST, 0)) as taken:
        free_port = taken.getsockname()[1]
    assert await fails(at(HOST, free_port)) == ("connect", False)
    assert await fails(at("no-such-host.invalid", 104)) == ("name", False)
    assert await fails(at("x" * 70 + ".invalid", 104)) == ("name", False)

    async with plain_server(swallow) as mute:
        assert await fails(mute, Waits(associate_s=0.1)) == ("associate", False)

    async with running() as sink:
        sink.room = lambda: "full"
        assert await fails(sink.remote()) == ("rejected", False)
    async with running(Sink(gate=GateSettings(titles=("OTHER",), anybody=True))) as sink:
        assert await fails(sink.remote()) == ("rejected", True)
    assert len(set(said.values())) == len(said) == 5


async def test_a_call_that_is_given_up_while_opening_leaves_no_connection() -> None:
    came = asyncio.Event()
    left = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await swallow(reader, writer)
        left.set()

    async with plain_server(mute) as remote:
        task = asyncio.create_task(call_to(remote))
        await came.wait()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(30):
            await left.wait()


async def test_a_context_that_was_refused_says_why() -> None:
    refusing = GateSettings(titles=("SINK",), anybody=True, refuse=(TINY.sop_class,))
    async with running(Sink(gate=refusing)) as sink:
        call = await call_to(sink.remote(), [TINY], verification=True)
        pair = (TINY.sop_class, TINY.transfer_syntax)
        assert call.context_for(*pair) is None
        assert call.refusals(pair) == "SOP class not supported"
        assert call.refusals(("1.2.3", "1.2")) == "not offered"
        await call.release()


async def test_release_does_not_wait_for_ever() -> None:
    sink = Sink(gate=OPEN_GATE)
    async with running(sink):
        call = await call_to(sink.remote(), waits=Waits(release_s=0.1))
        assert call._conversation is not None
        call._conversation.pause()
        await call.release()
        assert not call.alive
