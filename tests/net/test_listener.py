"""What the listener lets in, and how it defends itself: rows L13, L15 to L18 and E4, E5, E13."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.net.sink import HOST, IMPLICIT, OPEN_GATE, SHORT, Sink, call_to, running, until
from tests.objects.samples import sample
from tests.peers.raw import APPLICATION_CONTEXT, associate_request, data_pdus, store_command
from waystation.model.errors import UnreachableError
from waystation.model.peer import Caller
from waystation.net.client import VERIFICATION, Call
from waystation.net.conversation import Patience
from waystation.net.gate import GateSettings
from waystation.net.listener import ListenerSettings
from waystation.wire.negotiate import propose

BOTH_LOOPS = True
TINY = sample("tiny")
REQUEST = associate_request(
    [(VERIFICATION, [IMPLICIT]), (TINY.sop_class, [TINY.transfer_syntax])], called="SINK"
)
PATIENT = Patience()
ABORT_PDU = 7
OPEN: list["Line"] = []
REJECT_PDU = 3


@pytest.fixture(autouse=True)
async def _lines_are_closed() -> AsyncIterator[None]:
    yield
    while OPEN:
        await OPEN.pop().close()
    await asyncio.sleep(0)


class Line:
    """A bare connection; the fixture closes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, sink: Sink) -> "Line":
        line = cls(*await asyncio.open_connection(HOST, sink.port))
        OPEN.append(line)
        return line

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def pdu(self) -> tuple[int, bytes]:
        head = await self._reader.readexactly(6)
        kind, length = struct.unpack(">BxI", head)
        return kind, await self._reader.readexactly(length)

    async def rest(self) -> bytes:
        """Return what comes until the other side closes."""
        try:
            async with asyncio.timeout(30):
                return await self._reader.read()
        except ConnectionError:
            return b""

    @property
    def ended(self) -> bool:
        return self._reader.at_eof() or self._reader.exception() is not None

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


def sink_with(
    gate: GateSettings = OPEN_GATE, *, patience: Patience = PATIENT, **limits: float
) -> Sink:
    return Sink(gate=gate, settings=ListenerSettings(patience=patience, **limits))  # type: ignore[arg-type]


@pytest.mark.req("L15")
async def test_a_socket_without_a_request_is_closed_in_time() -> None:
    async with running(sink_with(patience=Patience(request_s=0.1))) as sink:
        idle, half = await Line.open(sink), await Line.open(sink)
        half.send(REQUEST[:40])
        assert await idle.rest() == b""
        assert await half.rest() == b""
        assert sink.associations == 0


@pytest.mark.req("L18", "F16")
async def test_beyond_the_limit_the_oldest_idle_socket_is_closed() -> None:
    async with running(sink_with(max_sockets=3)) as sink:
        lines = []
        for _ in range(5):
            lines.append(await Line.open(sink))
            await asyncio.sleep(0.02)
        await until(lambda: lines[1].ended)
        assert [line.ended for line in lines] == [True, True, False, False, False]
        call = await call_to(sink.remote())
        assert (await call.echo()).status == 0
        await call.release()


@pytest.mark.req("L18", "F16")
async def test_a_burst_of_idle_sockets_leaves_no_more_than_the_limit() -> None:
    async with running(sink_with(max_sockets=5, max_sockets_per_address=100)) as sink:
        lines = await asyncio.gather(*(Line.open(sink) for _ in range(40)))
        await until(lambda: sum(not line.ended for line in lines) <= 5)
        call = await call_to(sink.remote())
        assert (await call.echo()).status == 0
        await call.release()


@pytest.mark.req("L18")
async def test_one_address_gets_so_many_sockets_and_no_more() -> None:
    async with running(sink_with(max_sockets_per_address=2)) as sink:
        first, second = await Line.open(sink), await Line.open(sink)
        await asyncio.sleep(0.02)
        third = await Line.open(sink)
        assert await third.rest() == b""
        assert not first.ended
        assert not second.ended
        await first.close()
        await until(lambda: sink.listener._per_address[HOST] == 1)
        call = await call_to(sink.remote())
        assert (await call.echo()).status == 0
        await call.release()
        await second.close()
    assert sink.refused == ["sockets"]


@pytest.mark.req("L18")
async def test_new_sockets_come_at_a_bounded_pace() -> None:
    async with running(sink_with(new_burst=3, new_per_s=1.0)) as sink:
        lines = [await Line.open(sink) for _ in range(4)]
        assert await lines[3].rest() == b""
        assert not lines[2].ended


@pytest.mark.req("L18")
async def test_associations_do_not_count_as_idle_sockets() -> None:
    async with running(sink_with(max_sockets=1, max_sockets_per_address=1)) as sink:
        calls = [await call_to(sink.remote()) for _ in range(5)]
        for call in calls:
            assert (await call.echo()).status == 0
            await call.release()


@pytest.mark.req("L15", "L18")
async def test_sockets_get_half_the_time_while_half_of_the_pool_is_taken() -> None:
    async with running(sink_with(max_sockets=4, patience=Patience(request_s=4.0))) as sink:
        lines = []
        for _ in range(3):
            lines.append(await Line.open(sink))
            await asyncio.sleep(0.01)
        visitors = list(sink.listener._waiting)
        assert [visitor._hurry is not None for visitor in visitors] == [False, False, True]
        assert visitors[2]._hurry is not None
        left = visitors[2]._hurry.when() - asyncio.get_running_loop().time()
        assert 1.5 < left <= 2.0


@pytest.mark.req("L17", "E5")
async def test_associations_over_the_total_are_refused_for_now() -> None:
    few = GateSettings(titles=("SINK",), anybody=True, max_associations=2)
    async with running(Sink(gate=few)) as sink:
        calls = [await call_to(sink.remote()) for _ in range(2)]
        with pytest.raises(UnreachableError, match="2/3/2") as raised:
            await call_to(sink.remote())
        assert not raised.value.permanent
        await calls[0].release()
        await until(lambda: sink.open_now == 1)
        third = await call_to(sink.remote())
        await third.release()
        await calls[1].release()


@pytest.mark.req("L17")
async def test_one_peer_does_not_take_the_associations_of_others() -> None:
    callers = (
        Caller(name="greedy", ae_title="GREEDY", max_associations=1),
        Caller(name="other", ae_title="CALLER"),
    )
    gate = GateSettings(titles=("SINK",), callers=callers, max_associations=10, max_per_peer=5)
    async with running(Sink(gate=gate)) as sink:
        greedy = replace(sink.remote(), calling_ae="GREEDY")
        first = await call_to(greedy)
        with pytest.raises(UnreachableError, match="2/3/2"):
            await call_to(greedy)
        other = await call_to(sink.remote())
        await first.release()
        await other.release()


@pytest.mark.req("E13", "R-15")
@pytest.mark.parametrize(
    ("called", "calling", "expected"),
    [("OTHER", "CT1", (1, 1, 7)), ("SINK", "MR1", (1, 1, 3)), ("OTHER", "MR1", (1, 1, 7))],
)
async def test_a_refusal_is_read_off_the_wire(
    called: str, calling: str, expected: tuple[int, int, int]
) -> None:
    gate = GateSettings(titles=("SINK",), callers=(Caller(name="ct", ae_title="CT1"),))
    async with running(Sink(gate=gate)) as sink:
        line = await Line.open(sink)
        line.send(associate_request([(VERIFICATION, [IMPLICIT])], called=called, calling=calling))
        kind, body = await line.pdu()
        assert (kind, tuple(body[1:])) == (REJECT_PDU, expected)


@pytest.mark.req("E1", "E4", "R-9")
async def test_without_room_new_associations_are_refused_for_now_and_old_ones_go_on() -> None:
    async with running() as sink:
        before = await call_to(sink.remote())
        sink.room = lambda: "volume full"
        with pytest.raises(UnreachableError, match="2/3/2"):
            await call_to(sink.remote())
        assert (await before.echo()).status == 0
        sink.room = lambda: ""
        after = await call_to(sink.remote())
        await after.release()
        await before.release()


async def test_an_address_nobody_may_call_from_is_closed_unanswered() -> None:
    callers = (Caller(name="far", ae_title="*", address=("10.9.0.0/16",)),)
    async with running(Sink(gate=GateSettings(titles=("SINK",), callers=callers))) as sink:
        line = await Line.open(sink)
        assert await line.rest() == b""
        assert sink.refused == ["address"]


@pytest.mark.req("R-16")
async def test_the_refusing_list_wins_inside_the_accepting_one() -> None:
    mr, ct = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2"
    callers = (Caller(name="p", ae_title="CALLER", accept=(mr, ct)),)
    gate = GateSettings(titles=("SINK",), callers=callers, refuse=(mr,))
    async with running(Sink(gate=gate)) as sink:
        wanted = [(name, [TINY.transfer_syntax]) for name in (mr, ct, "1.2.3.4")]
        call = await Call.open(sink.remote(), propose(wanted)[0], SHORT)
        accepted = {context.abstract_syntax for context in call.contexts.values()}
        assert accepted == {ct}
        await call.release()


@pytest.mark.req("L16")
async def test_silence_between_messages_ends_by_abort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waystation.net.conversation.TICK_S", 0.05)
    async with running(sink_with(patience=Patience(idle_s=0.15))) as sink:
        line = await Line.open(sink)
        line.send(REQUEST)
        await line.pdu()
        kind, body = await line.pdu()
        assert (kind, body[2:]) == (ABORT_PDU, bytes([2, 0]))


@pytest.mark.req("L16", "F16")
async def test_a_message_that_trickles_ends_by_abort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waystation.net.conversation.TICK_S", 0.05)
    patience = Patience(pace_s=0.2, pace_bytes=1000)
    async with running(sink_with(patience=patience)) as sink:
        line = await Line.open(sink)
        line.send(REQUEST)
        await line.pdu()
        line.send(data_pdus(3, 3, store_command(TINY.sop_class, TINY.sop_instance)))
        body = data_pdus(3, 2, TINY.data_set)
        answer = asyncio.create_task(line.pdu())
        for start in range(0, 400, 4):
            line.send(body[start : start + 4])
            await asyncio.sleep(0.02)
            if answer.done():
                break
        kind, said = await answer
        assert (kind, said[2:]) == (ABORT_PDU, bytes([2, 0]))
        assert sink.objects == []


@pytest.mark.req("L16")
async def test_a_message_that_keeps_its_pace_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waystation.net.conversation.TICK_S", 0.02)
    patience = Patience(pace_s=0.2, pace_bytes=64, idle_s=0.1)
    async with running(sink_with(patience=patience)) as sink:
        line = await Line.open(sink)
        line.send(REQUEST)
        await line.pdu()
        line.send(data_pdus(3, 3, store_command(TINY.sop_class, TINY.sop_instance)))
        body = data_pdus(3, 2, TINY.data_set)
        step = len(body) // 25
        for start in range(0, len(body), step):
            line.send(body[start : start + step])
            await asyncio.sleep(0.02)
        kind, _ = await line.pdu()
        assert kind == 4
        assert sink.objects[0].data_set == TINY.data_set


@pytest.mark.req("S-38")
@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
        bytes(range(256)),
    ],
    ids=["http", "tls", "ssh", "proxy", "bytes"],
)
async def test_other_protocols_are_aborted_at_once_and_harm_nobody(garbage: bytes) -> None:
    async with running() as sink:
        line = await Line.open(sink)
        line.send(garbage)
        kind, _ = await line.pdu()
        assert kind == ABORT_PDU
        call = await call_to(sink.remote())
        assert (await call.echo()).status == 0
        await call.release()


@pytest.mark.req("E14")
async def test_another_application_context_is_refused_for_good() -> None:
    async with running() as sink:
        line = await Line.open(sink)
        request = associate_request(
            [(VERIFICATION, [IMPLICIT])],
            called="SINK",
            application_context=APPLICATION_CONTEXT + ".9",
        )
        line.send(request)
        kind, body = await line.pdu()
        assert (kind, tuple(body[1:])) == (REJECT_PDU, (1, 1, 2))


@pytest.mark.req("S-73")
async def test_draining_lets_the_message_under_way_end_and_takes_no_more() -> None:
    async with running() as sink:
        line = await Line.open(sink)
        line.send(REQUEST)
        await line.pdu()
        idle = await call_to(sink.remote())
        line.send(data_pdus(3, 3, store_command(TINY.sop_class, TINY.sop_instance)))
        whole = data_pdus(3, 2, TINY.data_set)
        line.send(whole[:50])
        await until(lambda: sink.open_now == 2)
        await asyncio.sleep(0.05)
        drained = asyncio.create_task(sink.listener.drain(5.0))
        await until(lambda: not idle.alive)
        with pytest.raises(UnreachableError):
            await call_to(sink.remote())
        line.send(whole[50:])
        kind, _ = await line.pdu()
        assert kind == 4
        await drained
        assert sink.uids() == [TINY.sop_instance]
