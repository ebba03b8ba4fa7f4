"""The answers to one C-FIND of ours, read by a task of its own.

Contract: `Answers` is iterated once and raises what the association does (`LostError`).  Whoever
stops listening, or is cancelled, breaks nothing: `stop` says C-CANCEL (or ends the association, for
a PACS that does not know it) and the rest is read, unheard, until the final answer (W-59).
"""

import asyncio
from contextlib import aclosing
from typing import Final

from waystation.net.query_call import Answer, QueryCall
from waystation.wire.items import AcceptedContext

# Answers that wait for who listens; behind them the association stops reading.
WAITING: Final = 64


class Answers:
    """Reads the answers.  task: what reads them; done once the final one has come."""

    def __init__(self, call: QueryCall, context: AcceptedContext, identifier: bytes) -> None:
        self._call = call
        self._queue: asyncio.Queue[Answer | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(WAITING)
        self._heard = True
        self.task = asyncio.get_running_loop().create_task(self._read(context, identifier))
        self.task.add_done_callback(self._over)

    async def _read(self, context: AcceptedContext, identifier: bytes) -> None:
        async with aclosing(self._call.find(context, identifier)) as answers:
            async for answer in answers:
                if self._heard:
                    await self._room.acquire()
                    self._queue.put_nowait(answer)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._queue.put_nowait(None)
        if not self._heard and not task.cancelled():
            task.exception()

    def __aiter__(self) -> "Answers":
        return self

    async def __anext__(self) -> Answer:
        found = await self._queue.get()
        if found is None:
            self.task.result()
            raise StopAsyncIteration
        self._room.release()
        return found

    def stop(self, *, cancel: bool = True) -> None:
        """Listen no more; the association has been ended where ``cancel`` is False."""
        self._heard = False
        self._room.release()
        if self.task.done():
            self._over(self.task)
        elif cancel:
            self._call.cancel()
        else:
            self._call.abort()
