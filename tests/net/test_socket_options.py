"""What the sockets are told, so that small writes do not wait (R-87)."""

import asyncio
import socket
from collections import Counter

import pytest

from tests.net.sink import Sink, call_to, store
from tests.objects.samples import sample

TINY = sample("tiny")


@pytest.mark.req("R-87")
async def test_both_ends_send_at_once_and_the_listener_acknowledges_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: Counter[int] = Counter()
    from waystation.net import conversation

    class Watched:
        """A socket that notes what it is told; the real one of a transport cannot be patched."""

        def __init__(self, real: socket.socket) -> None:
            self._real = real

        def setsockopt(self, level: int, option: int, value: int) -> None:
            assert (level, value) == (socket.IPPROTO_TCP, 1)
            told[option] += 1
            self._real.setsockopt(level, option, value)

        def __getattr__(self, name: str) -> object:
            return getattr(self._real, name)

    begun = conversation.Conversation.connection_made

    def watched(self: conversation.Conversation, transport: asyncio.BaseTransport) -> None:
        begun(self, transport)
        if self._socket is not None:
            told[socket.TCP_NODELAY] += self._socket.getsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY
            )
            self._socket = Watched(self._socket)  # type: ignore[assignment]

    monkeypatch.setattr(conversation.Conversation, "connection_made", watched)
    sink = Sink()
    await sink.start()
    try:
        call = await call_to(sink.remote(), [TINY])
        before = told[socket.TCP_QUICKACK]
        for _ in range(3):
            assert (await store(call, TINY)).status == 0
        await call.release()
    finally:
        await sink.stop()
    assert told[socket.TCP_NODELAY] >= 2
    assert told[socket.TCP_QUICKACK] - before >= 3
