"""Idle associations that may be used again."""

import asyncio

import pytest

from tests.net.sink import call_to, running, until
from waystation.net.pool import CallPool

BOTH_LOOPS = True


@pytest.mark.req("R-48")
async def test_a_call_given_back_is_the_one_that_is_taken() -> None:
    async with running() as sink:
        pool = CallPool()
        call = await call_to(sink.remote())
        pool.give_back("study", call, 5.0)
        assert pool.take("other study") is None
        assert pool.take("study") is call
        assert pool.take("study") is None
        pool.give_back("study", call, 5.0)
        await pool.close()
        assert pool.idle == 0
        await until(lambda: sink.open_now == 0)


@pytest.mark.req("R-48")
async def test_after_its_linger_a_call_is_released() -> None:
    async with running() as sink:
        pool = CallPool()
        pool.give_back("a", await call_to(sink.remote()), 0.05)
        assert pool.idle == 1
        await until(lambda: sink.open_now == 0)
        assert pool.idle == 0
        assert pool.take("a") is None
        await pool.close()


async def test_without_linger_it_is_released_at_once() -> None:
    async with running() as sink:
        pool = CallPool()
        pool.give_back("a", await call_to(sink.remote()), 0.0)
        await until(lambda: sink.open_now == 0)
        await pool.close()


@pytest.mark.req("R-48")
async def test_two_that_served_one_key_linger_both() -> None:
    async with running() as sink:
        pool = CallPool()
        first, second = await call_to(sink.remote()), await call_to(sink.remote())
        pool.give_back("a", first, 0.05)
        pool.give_back("a", second, 5.0)
        assert pool.idle == 2
        await until(lambda: sink.open_now == 1)
        assert pool.take("a") is second
        assert pool.take("a") is None
        second.abort()
        await pool.close()


@pytest.mark.req("R-61")
async def test_a_call_whose_peer_went_away_is_never_handed_out() -> None:
    async with running() as sink:
        pool = CallPool()
        call = await call_to(sink.remote())
        pool.give_back("a", call, 5.0)
        for guest in list(sink.listener._guests):
            guest.conversation.abort()
        await until(lambda: not call.alive)
        assert pool.take("a") is None
        dead = await call_to(sink.remote())
        dead.abort()
        pool.give_back("a", dead, 5.0)
        assert pool.idle == 0
        await pool.close()
        await asyncio.sleep(0)


async def test_when_many_linger_the_oldest_makes_room() -> None:
    async with running() as sink:
        pool = CallPool(most=2)
        calls = [await call_to(sink.remote()) for _ in range(3)]
        for number, call in enumerate(calls):
            pool.give_back(number, call, 5.0)
        assert pool.idle == 2
        await until(lambda: sink.open_now == 2)
        assert pool.take(0) is None
        assert pool.take(2) is calls[2]
        calls[2].abort()
        await pool.close()
