"""What is read ahead: as much as was said, each object once, and nothing stays behind."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

from tests.destinations.making import delivery
from tests.objects.samples import sample
from waystation.destinations.ahead import MOST, MOST_BYTES, Ahead
from waystation.destinations.base import Pieces
from waystation.model.delivery import Delivery


class Slow:
    """A cargo that answers when it is told to."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.closed = 0
        self.gate = asyncio.Event()

    async def load(self, delivery: Delivery) -> bytes | Pieces:
        self.begun.append(delivery.id)
        await self.gate.wait()
        return Pieces(self._pieces()) if delivery.id == 3 else bytes([delivery.id])

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"x"
        finally:
            self.closed += 1


def batch(*sizes: int) -> list[Delivery]:
    one = delivery(0, sample())
    return [replace(one, id=number, size_bytes=size) for number, size in enumerate(sizes)]


async def test_so_many_are_read_while_one_is_sent_and_each_once() -> None:
    cargo = Slow()
    cargo.gate.set()
    ahead = Ahead(batch(*[10] * 8), cargo)
    for place in range(8):
        payload = await ahead.take(place)
        assert isinstance(payload, Pieces) or payload == bytes([place])
        ahead.look(place)
        await asyncio.sleep(0)
        assert cargo.begun == list(range(min(place + 1 + MOST, 8)))
    await ahead.close()


async def test_of_big_ones_no_more_than_the_next() -> None:
    cargo = Slow()
    ahead = Ahead(batch(10, MOST_BYTES + 1, 10, 10), cargo)
    ahead.look(0)
    await asyncio.sleep(0)
    assert cargo.begun == [1]
    await ahead.close()


async def test_what_nobody_took_is_let_go_of() -> None:
    cargo = Slow()
    ahead = Ahead(batch(*[10] * 5), cargo)
    ahead.look(0)
    await asyncio.sleep(0)
    cargo.gate.set()
    await asyncio.sleep(0.01)
    await ahead.drop(1)
    await ahead.close()
    assert cargo.begun == [1, 2, 3]
