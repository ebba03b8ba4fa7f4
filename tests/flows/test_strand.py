"""Strands: jobs one after the other in the threads of a pool."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.net.sink import until
from waystation.flows.strand import Strand


async def test_jobs_run_in_order_and_never_two_at_once() -> None:
    running, ran, most = 0, [], 0

    def job(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.001)
        running -= 1
        ran.append(number)
        return number

    with ThreadPoolExecutor(4) as pool:
        strand = Strand(pool)
        done = await asyncio.gather(*(strand.run(partial(job, n)) for n in range(30)))
    assert done == ran == list(range(30))
    assert most == 1


async def test_a_busy_loop_does_not_keep_the_next_job_waiting() -> None:
    second = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        strand = Strand(pool)
        strand.run(lambda: None)
        strand.run(second.set)
        # The loop hears nothing meanwhile.
        assert second.wait(5.0)


async def test_a_job_that_raises_stops_no_other() -> None:
    with ThreadPoolExecutor(1) as pool:
        strand = Strand(pool)
        first, second = strand.run(lambda: int("x")), strand.run(lambda: 2)
        with pytest.raises(ValueError, match="invalid literal"):
            await first
        assert await second == 2


async def test_strands_take_turns_in_a_pool_that_is_too_small_for_all() -> None:
    ran: list[str] = []
    gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        one, two = Strand(pool), Strand(pool)
        one.run(gate.wait)
        for _ in range(3):
            one.run(lambda: ran.append("one"))
        two.run(lambda: ran.append("two"))
        gate.set()
        await until(lambda: len(ran) == 4)
    assert ran[0] == "two"


async def test_what_a_pool_that_was_shut_down_does_not_take_is_done_at_once() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    assert await Strand(pool).run(lambda: 3) == 3
