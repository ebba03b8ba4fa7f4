"""Idle associations that may be used again, each for a short linger.

Contract: what `take` returns is alive and belongs to the taker; `give_back` starts its linger,
after which it is released; where more than ``most`` linger, the oldest is released at once.  A
call that raised must not be given back (R-61).
"""

import asyncio
from collections.abc import Hashable

from waystation.net.client import Call

# Receivers have few places for associations, and theirs are taken by who lingers, too.
MOST = 4


class CallPool:
    """Idle calls by key, several where several serve one key."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._idle: dict[Hashable, list[tuple[Call, asyncio.TimerHandle]]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def take(self, key: Hashable) -> Call | None:
        """Return an idle call for ``key``, the last one given back, or None."""
        idle = self._idle.get(key, [])
        while idle:
            call, timer = idle.pop()
            if not idle:
                del self._idle[key]
            timer.cancel()
            if call.alive:
                return call
            call.abort()
        return None

    def give_back(self, key: Hashable, call: Call, linger_s: float) -> None:
        """Keep ``call`` for ``linger_s`` seconds, then release it."""
        if not call.alive:
            call.abort()
        elif linger_s <= 0:
            self.retire(call)
        else:
            timer = asyncio.get_running_loop().call_later(linger_s, self._expire, key, call)
            self._idle.setdefault(key, []).append((call, timer))
            while self.idle > self._most:
                self.retire(self._oldest())

    async def end_oldest(self) -> None:
        """Release the oldest idle call, if there is one, and wait for it."""
        if self._idle:
            await self._oldest().release()

    def _oldest(self) -> Call:
        """Take out the oldest idle call."""
        key = next(iter(self._idle))
        call, timer = self._idle[key].pop(0)
        timer.cancel()
        if not self._idle[key]:
            del self._idle[key]
        return call

    def retire(self, call: Call) -> None:
        """Release a call in the background."""
        task = asyncio.get_running_loop().create_task(call.release())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _expire(self, key: Hashable, call: Call) -> None:
        rest = [entry for entry in self._idle.pop(key, []) if entry[0] is not call]
        if rest:
            self._idle[key] = rest
        self.retire(call)

    @property
    def idle(self) -> int:
        """How many calls are open and unused."""
        return sum(map(len, self._idle.values()))

    async def close(self) -> None:
        """Release everything and wait for it; what is given back later lingers again."""
        for entries in self._idle.values():
            for call, timer in entries:
                timer.cancel()
                self.retire(call)
        self._idle.clear()
        if self._ending:
            await asyncio.gather(*self._ending, return_exceptions=True)
