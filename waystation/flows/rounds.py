"""The life of a belt: a round, a sleep until there is something to do, and no end (R-47).

Contract: what a round raises is logged and the round comes again; only cancelling, or ``over``,
ends it.  A wake that comes during a round is not lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import structlog

from waystation.flows.nap import nap
from waystation.model.errors import StorageError

log = structlog.get_logger()


async def keep_going(
    belt: str,
    round_: Callable[[], Awaitable[float | None]],
    wake: asyncio.Event,
    clock: Callable[[], float],
    again_s: float,
    *,
    over: Callable[[], bool] = lambda: False,
    **about: str,
) -> None:
    """Run a belt's rounds.

    round_: does what is due; returns for how many seconds nothing is, None for until woken.
    again_s: when a round that failed comes again.  belt, about: for the log.
    """
    while not over():
        wake.clear()
        try:
            sleep_s = await round_()
        except StorageError as error:
            log.error("belt waits for the journal", belt=belt, error=str(error), **about)
            sleep_s = again_s
        except Exception:
            log.exception("belt failed", belt=belt, **about)
            sleep_s = again_s
        await nap(wake, sleep_s, clock)


async def keep_all_going(
    belts: Callable[[], Iterable[Coroutine[Any, Any, None]]], changed: asyncio.Event
) -> None:
    """Run the belts that there are, and others once that has changed; none of them ends by itself.

    belts: makes them anew.
    """
    while True:
        changed.clear()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(belt) for belt in belts()]
            await changed.wait()
            for task in tasks:
                task.cancel()
