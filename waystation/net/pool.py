"""Idle associations that may be used again, each for a short linger.

Contract: what `take` returns is alive and belongs to the taker; `give_back` starts its linger,
after which it is released.  A call that raised must not be given back (R-61).
"""

import asyncio
from collections.abc import Hashable

from waystation.net.client import Call


class CallPool:
    """At most one idle call per key."""

    def __init__(self) -> None:
        self._idle: dict[Hashable, tuple[Call, asyncio.TimerHandle]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def take(self, key: Hashable) -> Call | None:
        """Return the idle call for ``key``, or None."""
        found = self._idle.pop(key, None)
        if found is None:
            return None
        call, timer = found
        timer.cancel()
        if call.alive:
            return call
        call.abort()
        return None

    def give_back(self, key: Hashable, call: Call, linger_s: float) -> None:
        """Keep ``call`` for ``linger_s`` seconds, then release it."""
        if not call.alive:
            call.abort()
        elif linger_s <= 0 or key in self._idle:
            self.retire(call)
        else:
            loop = asyncio.get_running_loop()
            self._idle[key] = (call, loop.call_later(linger_s, self._expire, key))

    def retire(self, call: Call) -> None:
        """Release a call in the background."""
        task = asyncio.get_running_loop().create_task(call.release())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _expire(self, key: Hashable) -> None:
        found = self._idle.pop(key, None)
        if found is not None:
            self.retire(found[0])

    @property
    def idle(self) -> int:
        """How many calls are open and unused."""
        return len(self._idle)

    async def close(self) -> None:
        """Release everything and wait for it."""
        for key in list(self._idle):
            self._idle[key][1].cancel()
            self._expire(key)
        if self._ending:
            await asyncio.gather(*self._ending, return_exceptions=True)
