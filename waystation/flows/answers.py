"""The answers to one C-FIND of ours, read by a task of its own.

Contract: `Answers` is iterated once and raises `LostError` where the association does.  Whoever
stops listening, or is cancelled, breaks nothing: `stop` says C-CANCEL (or ends the association, for
a PACS that does not know it) and the rest is read, unheard, until the final answer (W-59).
"""

import asyncio
from contextlib import aclosing, suppress
from typing import Final

from waystation.model.errors import LostError
from waystation.net.query_call import Answer, QueryCall
from waystation.wire.items import AcceptedContext

# Answers that wait for who listens; behind them the association stops reading.
WAITING: Final = 64


class Answers:
    """Reads the answers.  ended: whether the final one has come."""

    def __init__(self, call: QueryCall, context: AcceptedContext, identifier: bytes) -> None:
        self._call = call
        self._queue: asyncio.Queue[Answer | LostError | None] = asyncio.Queue(WAITING)
        self._heard = True
        self.task = asyncio.get_running_loop().create_task(self._read(context, identifier))

    async def _read(self, context: AcceptedContext, identifier: bytes) -> None:
        last: LostError | None = None
        try:
            async with aclosing(self._call.find(context, identifier)) as answers:
                async for answer in answers:
                    if self._heard:
                        await self._queue.put(answer)
        except LostError as error:
            last = error
        if self._heard:
            await self._queue.put(last)

    def __aiter__(self) -> "Answers":
        return self

    async def __anext__(self) -> Answer:
        found = await self._queue.get()
        if found is None:
            raise StopAsyncIteration
        if isinstance(found, LostError):
            raise found
        return found

    def stop(self, *, cancel: bool = True) -> None:
        """Listen no more."""
        self._heard = False
        while not self._queue.empty():
            with suppress(asyncio.QueueEmpty):
                self._queue.get_nowait()
        if self.task.done():
            return
        if cancel:
            self._call.cancel()
        else:
            self._call.abort()
