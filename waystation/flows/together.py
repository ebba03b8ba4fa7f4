"""What comes one by one, taken together as far as it has come."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def together(rest: AsyncIterator[T], most: int) -> AsyncGenerator[list[T], None]:
    """Yield what has come meanwhile, so many at a time, without waiting for more."""
    waiting: asyncio.Queue[T] = asyncio.Queue(most)

    async def pour() -> None:
        async for one in rest:
            await waiting.put(one)

    task = asyncio.create_task(pour())
    try:
        while not (task.done() and waiting.empty()):
            batch = await _one_of(waiting, task)
            while len(batch) < most and not waiting.empty():
                batch.append(waiting.get_nowait())
            if batch:
                yield batch
        task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _one_of(waiting: "asyncio.Queue[T]", task: "asyncio.Task[None]") -> list[T]:
    """Return the next that comes, [] if nothing comes any more."""
    if not waiting.empty():
        return []
    getting = asyncio.create_task(waiting.get())
    try:
        await asyncio.wait((getting, task), return_when=asyncio.FIRST_COMPLETED)
        return [getting.result()] if getting.done() else []
    finally:
        getting.cancel()
        await asyncio.gather(getting, return_exceptions=True)
