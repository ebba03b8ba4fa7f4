"""Data sets read while others are sent: a disk answers several readers sooner than one.

Contract: an `Ahead` belongs to one batch; `take` gives the payload of a place, which was begun by
`begin` or by `look`; `close` lets go of what nobody took.  What is in memory is never read.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from waystation.destinations.base import WHOLE_BYTES, Cargo, Pieces, stock_of
from waystation.model.delivery import Delivery

# Objects that are being read while one is sent, and what they may weigh together.
MOST: Final = 3
MOST_BYTES: Final = 2 * WHOLE_BYTES
Payload = bytes | Pieces


class Ahead:
    """Of one batch."""

    def __init__(self, batch: Sequence[Delivery], cargo: Cargo) -> None:
        self._batch = batch
        self._cargo = cargo
        self._stock = stock_of(cargo)
        self._begun: dict[int, bytes | asyncio.Task[Payload]] = {}

    def begin(self, place: int) -> None:
        """Begin to read the object at a place, unless that was done."""
        if place not in self._begun:
            delivery = self._batch[place]
            self._begun[place] = self._stock(delivery) or asyncio.create_task(self._load(delivery))

    def look(self, place: int) -> None:
        """Begin to read what follows the object at a place."""
        weight = 0
        for following in range(place + 1, min(place + 1 + MOST, len(self._batch))):
            delivery = self._batch[following]
            weight += delivery.size_bytes
            if weight > MOST_BYTES and following > place + 1:
                return
            if following not in self._begun and self._stock(delivery) is None:
                self._begun[following] = asyncio.create_task(self._load(delivery))

    async def take(self, place: int) -> Payload:
        """Return the object at a place.  Raises `StorageError`."""
        self.begin(place)
        ready = self._begun.pop(place)
        return ready if isinstance(ready, bytes) else await ready

    async def _load(self, delivery: Delivery) -> Payload:
        return await self._cargo.load(delivery)

    async def drop(self, place: int) -> None:
        """Let go of an object that is not wanted."""
        await _end(self._begun.pop(place, b""))

    async def close(self) -> None:
        """Let go of what was begun and not taken."""
        for place in list(self._begun):
            await self.drop(place)


async def _end(begun: bytes | asyncio.Task[Payload]) -> None:
    if isinstance(begun, bytes):
        return
    begun.cancel()
    # What it ended with, nobody waits for any more.
    (payload,) = await asyncio.gather(begun, return_exceptions=True)
    if isinstance(payload, Pieces):
        await payload.pieces.aclose()
