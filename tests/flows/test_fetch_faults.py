"""A PACS that is down, slow or hangs: what readers hear, and for how long."""

import asyncio
import resource
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.flows.broker_rig import BrokerRig, all_of, broker_rig, path_of, uids
from tests.flows.inquiring import upstream
from tests.flows.old_pacs import (
    GETS,
    Asked,
    Ending,
    Move,
    held,
    series_of,
    truthful,
)
from tests.flows.scripted_pacs import ScriptedPacs, running
from tests.net.sink import ABORT, SILENT, until
from tests.objects.samples import study
from waystation.dicom.uids import STUDY_ROOT_MOVE
from waystation.flows.fetch_manifest import Job
from waystation.flows.fetch_transfer import MOVE, Transfer
from waystation.model.arrival import Arrival
from waystation.wire.items import AssociateReject

STUDY_A = study(5, seed="broker a")
A = held(STUDY_A[0]).study
OTHER = study(2, seed="another study")
SERIES_B = series_of(2, 2)
B = SERIES_B[0].study


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[BrokerRig]:
    async with broker_rig(tmp_path, *STUDY_A) as made:
        yield made


# the PACS cannot be had


def saying(word: int | str, _asked: Asked) -> int | str:
    return word


@pytest.mark.req("W-104", "W-115")
async def test_a_pacs_that_is_down_refuses_or_is_busy_is_told_from_an_empty_one(
    rig: BrokerRig,
) -> None:
    await rig.start()
    rig.broker.change(replace(rig.broker.terms, memory_s=0.0))
    for find, status in ((0xA700, 503), (0xC001, 502), (0xA900, 502), (ABORT, 502)):
        rig.pacs.find = partial(saying, find)
        assert await rig.fails(status, A) == []
    for reject, status in ((AssociateReject(1, 1, 3), 502), (AssociateReject(2, 3, 2), 503)):
        rig.pacs.reject = reject
        # Another association class: what is pooled must not hide it.
        await rig.brokerage._upstreaming.upstreams.close()
        assert await rig.fails(status, A) == []
    port, rig.pacs.reject = rig.pacs.port, None
    await rig.pacs.stop()
    rig.pacs.port = 0
    assert await rig.fails(502, A) == []
    rig.pacs.port = port
    await rig.pacs.start()
    rig.pacs.find = lambda _asked: None
    assert set(await rig.read(A)) == uids(STUDY_A)


@pytest.mark.req("W-115", "W-117")
async def test_a_slow_pacs_is_waited_for_and_a_silent_one_times_out(rig: BrokerRig) -> None:
    await rig.start(find="250ms", retrieve="250ms")
    rig.pacs.find_s = 0.1
    rig.pacs.pace_s = 0.1
    # Longer in all than the time-out, which runs only while nothing comes.
    assert set(await rig.read(A)) == uids(STUDY_A)
    rig.pacs.load(*OTHER)
    rig.pacs.find = lambda _asked: SILENT
    assert await rig.fails(504, held(OTHER[0]).study) == []


@pytest.mark.req("W-115", "W-116", "WT-9")
async def test_a_pacs_that_hangs_in_the_middle_times_out_and_is_asked_again(
    rig: BrokerRig,
) -> None:
    async def hangs(move: Move) -> Ending:
        await move.store(move.wanted[0])
        await asyncio.Event().wait()
        raise AssertionError

    await rig.start(retrieve="200ms", attempts=2)
    rig.pacs.move = hangs
    failure, got = await rig.failure(A)
    assert (failure.status, failure.missing) == (504, 3)
    assert len(got) == 2
    assert [one.level for one in rig.pacs.moves] == ["STUDY", "IMAGE"]
    await rig.settled()
    assert rig.broker.progress()[0].state == "incomplete"


@pytest.mark.req("W-115")
async def test_a_pacs_that_does_not_know_us_says_what_to_register(rig: BrokerRig) -> None:
    await rig.start()
    rig.pacs.destinations.clear()
    failure, got = await rig.failure(A)
    assert (failure.status, failure.dimse_status, failure.retryable) == (502, 0xA801, False)
    assert f"port {rig.node.dicom_port}" in failure.text
    assert "WAYSTATION" in failure.text
    assert len(rig.pacs.moves) == 1
    assert got == []


# failures pass


@pytest.mark.req("W-116", "W-117", "WT-9")
async def test_a_failure_is_told_again_for_a_moment_and_then_forgotten(rig: BrokerRig) -> None:
    await rig.start(attempts=1)
    rig.broker.change(replace(rig.broker.terms, memory_s=0.3))
    rig.pacs.move = aborting
    await rig.fails(502, A)
    await rig.settled()
    failure, _ = await rig.failure(A)
    assert failure.status == 502
    assert failure.retry_after_s is not None
    assert len(rig.pacs.moves) == 1
    rig.pacs.move = truthful
    await asyncio.sleep(0.3)
    assert set(await rig.read(A)) == uids(STUDY_A)


async def aborting(_move: Move) -> str:
    return ABORT


@pytest.mark.req("W-90")
async def test_what_is_known_to_lack_is_served_only_when_that_is_wanted(rig: BrokerRig) -> None:
    async def partly(move: Move) -> Ending:
        for one in move.wanted[:4]:
            await move.store(one)
        return Ending(0xB000, 4, 1, 0)

    await rig.start(attempts=1)
    rig.broker.change(replace(rig.broker.terms, partial="serve"))
    rig.pacs.move = partly
    assert len(await rig.fails(502, A)) == 4
    await rig.settled()
    reading = await rig.broker.want("old", path_of(A))
    assert (reading.missing, reading.expected, reading.complete) == (1, 5, False)
    assert reading.warnings
    assert len(await all_of(reading)) == 4


@pytest.mark.req("W-107")
async def test_a_c_get_that_fails_before_the_first_object_becomes_a_c_move(rig: BrokerRig) -> None:
    rig.pacs.services = GETS
    await rig.start('retrieve = "auto"')
    upstream = rig.brokerage._upstreaming.upstreams.get("old")
    assert upstream is not None
    await until(lambda: upstream.takes_get)
    assert set(await rig.read(A)) == uids(STUDY_A)
    assert (len(rig.pacs.gets), len(rig.pacs.moves)) == (1, 1)


@pytest.mark.req("W-119")
async def test_who_still_asks_whether_it_exists_hears_that_it_was_cancelled(
    rig: BrokerRig,
) -> None:
    await rig.start()
    rig.pacs.find = lambda _asked: SILENT
    reader = asyncio.create_task(rig.failure(A))
    await until(lambda: rig.pacs.finds)
    assert await rig.broker.cancel(rig.broker.progress()[0].id)
    failure, got = await reader
    assert (failure.status, failure.retryable, got) == (503, True, [])


@pytest.mark.req("W-108")
async def test_who_waits_for_a_pacs_that_sends_goes_on_when_it_has_sent(rig: BrokerRig) -> None:
    gate = asyncio.Event()

    async def ends_later(move: Move) -> Ending:
        ending = await truthful(move)
        await gate.wait()
        return ending

    await rig.start('quirks = ["sequential", "no_move_originator", "no_image_find"]')
    rig.pacs.held = [*SERIES_B]
    rig.pacs.move = ends_later
    first = asyncio.create_task(rig.read(B, SERIES_B[0].series))
    await until(lambda: rig.pacs.moves)
    second = asyncio.create_task(rig.read(B, SERIES_B[2].series))
    await until(lambda: rig.broker.progress()[0].readers == 2)
    await until(lambda: rig.broker.progress()[0].received == 2)
    await rig.node.router.settled()
    gate.set()
    async with asyncio.timeout(20):
        assert [len(one) for one in await asyncio.gather(first, second)] == [2, 2]


@pytest.mark.req("W-117")
async def test_who_needs_the_tables_waits_for_them_also_long_after_the_end(
    rig: BrokerRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.flows.fetch_stock.FILED_S", 0.0)
    await rig.start()
    rig.broker.change(replace(rig.broker.terms, linger_s=0.0))
    kept: list[Arrival] = []
    assert rig.node.router.caching is not None
    rig.node.router.caching = replace(rig.node.router.caching, filed=kept.extend)
    reader = asyncio.create_task(rig.read(A, filed=True))
    await until(lambda: len(kept) == len(STUDY_A))
    await until(lambda: rig.broker._lingering)
    await until(lambda: not rig.node.claims._open)
    rig.broker.filed(kept)
    async with asyncio.timeout(20):
        assert set(await reader) == uids(STUDY_A)
    assert rig.brokerage.cache._coming == 0


@pytest.mark.req("W-118")
async def test_a_transfer_that_has_ended_is_touched_and_cancelled_in_vain() -> None:
    pacs = ScriptedPacs(services={STUDY_ROOT_MOVE: b""})
    async with running(pacs), upstream(pacs.terms()) as one:
        transfer = Transfer(one, A, Job("STUDY"), 7, lambda _call: pytest.fail("no C-GET"))
        assert (await transfer.run(MOVE)).status == 0
        # The last pieces of an object come over an association of their own.
        transfer.touched()
        transfer.cancel()


@pytest.mark.req("W-117", "WT-9")
async def test_waiting_costs_no_time_of_the_processor(rig: BrokerRig) -> None:
    async def waits(move: Move) -> Ending:
        await move.store(move.wanted[0])
        await move.cancelled.wait()
        return Ending(0xFE00)

    await rig.start(retrieve="60s")
    rig.pacs.move = waits
    reading = await rig.broker.want("old", path_of(A))
    await anext(aiter(reading))
    await asyncio.sleep(0.1)
    before = _cpu_s()
    await asyncio.sleep(1.0)
    # WT-9: less than 1 s of 60 s; here a tenth of a second of one.
    assert _cpu_s() - before < 0.1
    rig.broker.change(replace(rig.broker.terms, leave_s=0.0))
    await reading.close()
    await rig.settled()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
