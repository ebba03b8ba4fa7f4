"""A belt's sleep: until woken, until a time is over, or until somebody sets the clock.

Contract (R-41, R-58): waits run on the monotonic clock; a step of the wall clock ends them within
half a second, because whoever waits for an instant must look again.
"""

import asyncio
from collections.abc import Callable

SLICE_S = 0.5
STEP_S = 0.25


async def nap(wake: asyncio.Event, sleep_s: float | None, clock: Callable[[], float]) -> None:
    """Return after ``sleep_s`` (None: never), on ``wake``, or when ``clock`` was set.

    clock: Unix seconds.
    """
    loop = asyncio.get_running_loop()
    ahead = clock() - loop.time()
    until = None if sleep_s is None else loop.time() + sleep_s
    while not wake.is_set():
        left = None if until is None else until - loop.time()
        if left is not None and left <= 0:
            return
        try:
            async with asyncio.timeout(None if left is None else min(left, SLICE_S)):
                await wake.wait()
        except TimeoutError:
            if abs(clock() - loop.time() - ahead) > STEP_S:
                return
