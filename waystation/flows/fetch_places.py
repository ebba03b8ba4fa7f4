"""How many retrievals a PACS bears at one time, and whose turn it is (W-140).

Contract: places are given in the order in which they were asked for, those of readers before those
of prefetches.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Places:
    """The places of one PACS."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._queues: tuple[deque[asyncio.Future[None]], ...] = (deque(), deque())

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return sum(map(len, self._queues))

    @asynccontextmanager
    async def one(self, *, prefetch: bool = False) -> AsyncIterator[None]:
        """Wait for a place, and have it."""
        await self._take(self._queues[prefetch])
        try:
            yield
        finally:
            self._give()

    async def _take(self, queue: deque["asyncio.Future[None]"]) -> None:
        if self._left > 0 and not self.waiting:
            self._left -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give()
            elif turn in queue:
                queue.remove(turn)
            raise

    def _give(self) -> None:
        for queue in self._queues:
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._left += 1
