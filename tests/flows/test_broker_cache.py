"""What stays of fetched objects, and what goes (WT-10)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.flows.broker_rig import BrokerRig, all_of, broker_rig, path_of, uids
from tests.flows.old_pacs import held
from tests.net.sink import until
from tests.objects.samples import study
from waystation.flows.cache import CacheLimits
from waystation.index import frame_tables, object_texts
from waystation.model.errors import StorageError

ROOMY = CacheLimits(min_free_bytes=0)
# Too big to ride in the journal.
STUDIES = [study(2, seed=f"cached {number}", kind="ct") for number in range(3)]
UIDS = [held(one[0]).study for one in STUDIES]
SIZE = sum(len(one.data_set) for one in STUDIES[0])


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[BrokerRig]:
    async with broker_rig(tmp_path, *(one for each in STUDIES for one in each)) as made:
        await made.start()
        yield made


async def fetched(rig: BrokerRig, *numbers: int) -> None:
    for number in numbers:
        assert set(await rig.read(UIDS[number])) == uids(STUDIES[number])
        await rig.settled()


async def here(rig: BrokerRig) -> set[str]:
    return {row[0] for row in await rig.rows("SELECT study FROM cache_entry")}


def files(rig: BrokerRig) -> list[Path]:
    return [one for one in (rig.data / "blobs").rglob("*") if one.is_file() and one.stat().st_size]


@pytest.mark.req("W-121")
async def test_what_was_not_read_for_longest_goes_first(rig: BrokerRig) -> None:
    await fetched(rig, 0, 1, 2)
    await all_of(await rig.broker.want("old", path_of(UIDS[0])))
    await until(lambda: not rig.brokerage.cache.no_room())
    rig.brokerage.cache.change(replace(ROOMY, max_bytes=2 * SIZE + 1000))
    # The rows go first, then the files.
    await until(lambda: len(files(rig)) == 4)
    assert await here(rig) == {UIDS[0], UIDS[2]}
    assert await rig.rows("SELECT count(*) FROM arrival WHERE blob_gone = 0") == [(4,)]


@pytest.mark.req("W-121")
async def test_age_counts_from_the_last_read(rig: BrokerRig) -> None:
    await fetched(rig, 0, 1)
    now = [rig.node.clock()]
    rig.node.clock = lambda: now[0]
    now[0] += 3000
    await all_of(await rig.broker.want("old", path_of(UIDS[1])))
    cache = rig.brokerage.cache
    now[0] += 1000
    cache.limits = replace(ROOMY, max_age_s=3600)
    sleep_s = await cache.tidy()
    assert await here(rig) == {UIDS[1]}
    assert sleep_s is not None
    assert 2599 < sleep_s < 2601


@pytest.mark.req("W-122", "WT-10")
async def test_what_is_being_read_stays(rig: BrokerRig) -> None:
    await fetched(rig, 0)
    reading = await rig.broker.want("old", path_of(UIDS[0]))
    instances = aiter(reading)
    first = await anext(instances)
    rig.brokerage.cache.limits = replace(ROOMY, max_age_s=0.0, max_bytes=1)
    assert await rig.brokerage.cache.tidy() is not None
    assert await rig.broker.forget("old", path_of(UIDS[0])) == 0
    rest = [one async for one in instances]
    for one in (first, *rest):
        assert len(await rig.bytes_of(one)) == one.size_bytes
    await reading.close()
    await rig.brokerage.cache.tidy()
    assert not await here(rig)
    assert not files(rig)


@pytest.mark.req("W-122")
async def test_a_pin_keeps_an_entry(rig: BrokerRig) -> None:
    await fetched(rig, 0)
    await rig.node.database.write(lambda job: job.run("UPDATE cache_entry SET pinned = 1"))
    rig.brokerage.cache.limits = replace(ROOMY, max_age_s=0.0, max_bytes=1)
    await rig.brokerage.cache.tidy()
    assert await here(rig) == {UIDS[0]}


@pytest.mark.req("W-121", "WT-10")
async def test_a_full_cache_that_is_all_in_use_takes_nothing_more(rig: BrokerRig) -> None:
    await fetched(rig, 0)
    reading = await rig.broker.want("old", path_of(UIDS[0]))
    rig.brokerage.cache.change(replace(ROOMY, max_bytes=SIZE - 1))
    await until(rig.brokerage.cache.no_room)
    failure, got = await rig.failure(UIDS[1])
    assert (failure.status, got, failure.retryable) == (503, [], True)
    assert len(rig.pacs.moves) == 1
    await reading.close()
    await until(lambda: not rig.brokerage.cache.no_room())
    rig.brokerage.cache.change(ROOMY)
    assert set(await rig.read(UIDS[1])) == uids(STUDIES[1])


@pytest.mark.req("W-121")
async def test_a_study_that_is_bigger_than_the_cache_is_refused_not_overfilled(
    rig: BrokerRig,
) -> None:
    rig.brokerage.cache.change(replace(ROOMY, max_bytes=SIZE // 4))
    rig.pacs.pace_s = 0.1
    failure, _ = await rig.failure(UIDS[0])
    assert failure.status == 503
    assert len(files(rig)) <= 1


@pytest.mark.req("W-120", "WT-10")
async def test_a_start_empties_nothing_and_leaves_strangers_alone(rig: BrokerRig) -> None:
    await fetched(rig, 0)
    stranger = rig.data / "blobs" / "holiday.jpg"
    stranger.write_bytes(b"not ours")
    await rig.stop()
    await rig.run()
    assert stranger.read_bytes() == b"not ours"
    moves = len(rig.pacs.moves)
    assert (await rig.broker.want("old", path_of(UIDS[0]))).complete
    assert len(rig.pacs.moves) == moves
    rig.brokerage.cache.limits = replace(ROOMY, max_age_s=0.0, max_bytes=1)
    await rig.brokerage.cache.tidy()
    assert stranger.exists()


@pytest.mark.req("W-124", "WT-10")
async def test_damaged_bytes_are_dropped_and_fetched_again(rig: BrokerRig) -> None:
    await fetched(rig, 0)
    damaged, missing = sorted(files(rig))[:2]
    with damaged.open("r+b") as file:
        file.seek(2000)
        file.write(b"\xff\xee\xdd")
    reading = await rig.broker.want("old", path_of(UIDS[0]))
    bad = 0
    for one in await all_of(reading):
        try:
            await rig.bytes_of(one)
        except StorageError:
            bad += 1
    assert bad == 1
    assert len(await rig.in_cache()) == 1
    objects = await all_of(await rig.broker.want("old", path_of(UIDS[0])))
    assert {one.sop_instance_uid for one in objects} == uids(STUDIES[0])
    for one in objects:
        assert len(await rig.bytes_of(one)) == one.size_bytes
    assert [one.level for one in rig.pacs.moves] == ["STUDY", "IMAGE"]
    await rig.settled()
    # A file that is gone is noticed at the start.
    await rig.stop()
    missing.unlink()
    await rig.run()
    assert len(await rig.in_cache()) == 1
    assert set(await rig.read(UIDS[0])) == uids(STUDIES[0])
    assert await rig.rows("SELECT count(*) FROM arrival WHERE hold_reason IS NOT NULL") == [(0,)]


@pytest.mark.req("W-125")
async def test_what_was_derived_counts_and_goes_with_its_object(rig: BrokerRig) -> None:
    await fetched(rig, 0)
    cache = rig.brokerage.cache
    await cache.tidy()
    before = cache.size_bytes
    assert before == SIZE
    arrivals = [row[0] for row in await rig.rows("SELECT arrival FROM cached")]
    await rig.node.database.write(object_texts.keep({arrivals[0]: b"x" * 500}, 1))
    await rig.node.database.write(frame_tables.keep(arrivals[1], b"y" * 300))
    await cache.tidy()
    assert cache.size_bytes == before + 800
    assert await rig.broker.forget("old", path_of(UIDS[0])) == 2
    assert cache.size_bytes == 0
    for table in ("instance_metadata", "frame_table", "cached", "cache_manifest", "cache_scope"):
        assert await rig.rows(COUNTS[table]) == [(0,)]


COUNTS = {
    "instance_metadata": "SELECT count(*) FROM instance_metadata",
    "frame_table": "SELECT count(*) FROM frame_table",
    "cached": "SELECT count(*) FROM cached",
    "cache_manifest": "SELECT count(*) FROM cache_manifest",
    "cache_scope": "SELECT count(*) FROM cache_scope",
}


@pytest.mark.req("W-122", "W-124")
async def test_the_sweep_leaves_what_the_cache_holds(rig: BrokerRig) -> None:
    await fetched(rig, 0)
    rig.node.sweep.settings = replace(rig.node.sweep.settings, keep_s=-10.0)
    assert await rig.node.sweep.once() == 0
    assert len(files(rig)) == 2


@pytest.mark.req("W-121")
async def test_a_volume_without_room_is_looked_at_again(
    rig: BrokerRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.flows.cache.AGAIN_S", 0.02)
    cache = rig.brokerage.cache
    cache.change(replace(ROOMY, min_free_bytes=1 << 60))
    await until(cache.no_room)
    failure, _ = await rig.failure(UIDS[0])
    assert (failure.status, "free space" in failure.text) == (503, True)
    cache.limits = ROOMY
    await until(lambda: not cache.no_room())
    assert set(await rig.read(UIDS[0])) == uids(STUDIES[0])
