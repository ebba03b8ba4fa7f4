"""What is fetched from a PACS that does as the Standard says."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.flows.broker_rig import BrokerRig, all_of, broker_rig, path_of, uids
from tests.flows.old_pacs import Ending, Move, held, series_of
from tests.net.sink import call_to, store, until
from tests.objects.samples import study
from waystation.flows.fetch import LINK, FetchFailed
from waystation.model.peer import Remote

STUDY_A = study(5, seed="broker a")
A = held(STUDY_A[0]).study
# Three series of two objects.
SERIES_B = series_of(3, 2)
B = SERIES_B[0].study


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[BrokerRig]:
    async with broker_rig(tmp_path, *STUDY_A) as made:
        yield made


@pytest.mark.req("W-104", "W-112")
async def test_a_study_comes_whole_and_byte_for_byte(rig: BrokerRig) -> None:
    await rig.start()
    reading = await rig.broker.want("old", path_of(A))
    found = {one.sop_instance_uid: one for one in await all_of(reading)}
    assert found.keys() == uids(STUDY_A)
    assert reading.verified == "uids"
    await rig.settled()
    for stored in STUDY_A:
        assert await rig.bytes_of(found[stored.sop_instance]) == stored.data_set
    assert len(rig.pacs.moves) == 1


async def test_the_second_request_is_answered_from_the_cache(rig: BrokerRig) -> None:
    await rig.start()
    assert set(await rig.read(A)) == uids(STUDY_A)
    await rig.settled()
    finds = len(rig.pacs.finds)
    reading = await rig.broker.want("old", path_of(A))
    assert reading.complete
    assert {one.sop_instance_uid for one in await all_of(reading)} == uids(STUDY_A)
    assert (len(rig.pacs.moves), len(rig.pacs.finds)) == (1, finds)


@pytest.mark.req("W-104")
async def test_what_the_pacs_has_not_is_not_found_in_one_query(rig: BrokerRig) -> None:
    await rig.start()
    for path in (("1.2.3",), (A, "1.2.3"), (A, held(STUDY_A[0]).series, "1.2.3")):
        before = len(rig.pacs.finds)
        failure, got = await rig.failure(*path)
        assert (failure.status, got, failure.retryable) == (404, [], False)
        assert len(rig.pacs.finds) == before + 1
    assert not rig.pacs.moves


@pytest.mark.req("W-105", "W-150", "WT-12")
async def test_fifty_equal_requests_cause_one_transfer(rig: BrokerRig) -> None:
    await rig.start()
    found = await asyncio.gather(*(rig.read(A) for _ in range(50)))
    assert all(set(one) == uids(STUDY_A) and len(one) == len(STUDY_A) for one in found)
    assert [one.level for one in rig.pacs.moves] == ["STUDY"]
    assert sum(one.level == "STUDY" for one in rig.pacs.finds) == 1


@pytest.mark.req("W-109")
async def test_the_first_instance_is_read_while_the_pacs_still_sends(rig: BrokerRig) -> None:
    await rig.start()
    gate = asyncio.Event()

    async def one_by_one(move: Move) -> Ending:
        await move.store(move.wanted[0])
        await gate.wait()
        for one in move.wanted[1:]:
            await move.store(one)
        return Ending(completed=len(move.wanted))

    rig.pacs.move = one_by_one
    reading = await rig.broker.want("old", path_of(A))
    instances = aiter(reading)
    first = await anext(instances)
    assert first.sop_instance_uid == STUDY_A[0].sop_instance
    assert not gate.is_set()
    gate.set()
    assert len([one async for one in instances]) == len(STUDY_A) - 1
    await reading.close()


@pytest.mark.req("W-112")
async def test_what_is_fetched_meets_no_rule(rig: BrokerRig) -> None:
    rule = '[[rule]]\nname = "all"\nsend = ["archive"]\n'
    await rig.start(more=rule)
    await rig.read(A)
    await rig.node.router.settled()
    assert await rig.rows("SELECT count(*) FROM delivery") == [(0,)]
    assert await rig.rows("SELECT DISTINCT ended_why, fetched_from, way_in FROM arrival") == [
        ("kept:broker", "old", "fetch")
    ]
    assert await rig.rows("SELECT count(*) FROM cached") == [(len(STUDY_A),)]


async def test_what_is_kept_in_the_archive_meets_the_rules_too(rig: BrokerRig) -> None:
    rule = '[[rule]]\nname = "all"\nsend = ["archive"]\n'
    await rig.start('keep = "archive"', more=rule)
    await rig.read(A)
    await rig.settled()
    n = len(STUDY_A)
    assert await rig.rows("SELECT state, count(*) FROM delivery GROUP BY state") == [("done", n)]
    assert await rig.rows("SELECT count(*) FROM archived") == [(n,)]
    assert await rig.rows("SELECT count(*) FROM cached") == [(n,)]


@pytest.mark.req("W-112")
async def test_an_ordinary_sender_is_not_taken_for_a_second_one(rig: BrokerRig) -> None:
    """What was fetched for a reader is no earlier version of what somebody sends to be routed."""
    rule = '[[rule]]\nname = "all"\nsend = ["archive"]\n'
    await rig.start(more=rule)
    await rig.read(A)
    await rig.settled()
    call = await call_to(_remote(rig), STUDY_A)
    for stored in STUDY_A:
        assert (await store(call, stored)).status == 0
    await call.release()
    await rig.node.router.settled()
    n = len(STUDY_A)
    assert await rig.rows("SELECT state, count(*) FROM delivery GROUP BY state") == [("done", n)]
    assert await rig.rows("SELECT count(*) FROM cached") == [(n,)]


@pytest.mark.req("W-110", "W-111")
async def test_a_pacs_that_is_no_peer_may_store_what_was_asked_for_and_nothing_else(
    rig: BrokerRig,
) -> None:
    rig.dicom = 'peers = "known"'
    await rig.start(more='[peer.ct]\nae_title = "CT7"\naddress = ["10.9.9.9/32"]\n')
    assert set(await rig.read(A)) == uids(STUDY_A)
    await rig.settled()
    call = await call_to(_remote(rig), STUDY_A)
    assert (await store(call, STUDY_A[0])).status == 0x0124
    await call.release()
    # A reload does not shut the gate.
    await rig.node.reload(rig.node.settings, rig.node.text)
    assert rig.node.listener.gate.settings.senders == ("127.0.0.1/32",)


def _remote(rig: BrokerRig) -> Remote:
    port = rig.node.dicom_port
    return Remote(name="x", ae_title="WAYSTATION", host="127.0.0.1", port=port, calling_ae="CT1")


@pytest.mark.req("W-105", "W-106")
async def test_a_second_series_widens_to_the_study(rig: BrokerRig) -> None:
    rig.pacs.held = [*SERIES_B]
    await rig.start()
    first, second = (each.series for each in (SERIES_B[0], SERIES_B[2]))
    assert await rig.read(B, first) == [one.stored.sop_instance for one in SERIES_B[:2]]
    await rig.settled()
    assert [(one.level, one.series) for one in rig.pacs.moves] == [("SERIES", (first,))]
    rig.pacs.pace_s = 0.02
    both = await asyncio.gather(
        rig.read(B, first), rig.read(B, second), rig.read(B, SERIES_B[4].series)
    )
    assert [len(one) for one in both] == [2, 2, 2]
    await rig.settled()
    assert {one.level for one in rig.pacs.moves} == {"SERIES"}
    assert len(rig.pacs.moves) == 3
    moved = [uid for one in rig.pacs.moves for uid in one.series]
    assert sorted(moved) == sorted({one.series for one in SERIES_B})


@pytest.mark.req("W-106")
async def test_a_request_for_an_instance_moves_one_instance(rig: BrokerRig) -> None:
    rig.pacs.held = [*SERIES_B]
    await rig.start()
    one = SERIES_B[3]
    assert await rig.read(B, one.series, one.stored.sop_instance) == [one.stored.sop_instance]
    await rig.settled()
    assert [(m.level, m.instances) for m in rig.pacs.moves] == [
        ("IMAGE", (one.stored.sop_instance,))
    ]


@pytest.mark.req("W-118")
async def test_the_last_reader_that_leaves_ends_the_transfer(rig: BrokerRig) -> None:
    await rig.start()
    rig.broker.change(replace(rig.broker.terms, leave_s=0.02))
    rig.pacs.pace_s = 0.05
    readings = [await rig.broker.want("old", path_of(A)) for _ in range(2)]
    await anext(aiter(readings[0]))
    for one in readings:
        await one.close()
    await until(lambda: rig.pacs.cancels == 1)
    await rig.settled()
    assert rig.broker.progress()[0].state == "cancelled"
    here = (await rig.rows("SELECT count(*) FROM cached"))[0][0]
    assert 0 < here < len(STUDY_A)
    # What arrived stays, and the next one moves only the rest.
    assert set(await rig.read(A)) == uids(STUDY_A)
    assert [one.level for one in rig.pacs.moves] == ["STUDY", "IMAGE"]
    assert len(rig.pacs.moves[1].instances) == len(STUDY_A) - here


@pytest.mark.req("W-119")
async def test_progress_tells_how_far_it_is(rig: BrokerRig) -> None:
    await rig.start()
    rig.pacs.pace_s = 0.03
    reading = await rig.broker.want("old", path_of(A))
    fetch = reading.link.removeprefix(LINK)
    seen = [one async for one in rig.broker.follow(fetch)]
    assert (seen[0].state, seen[-1].state) == ("running", "complete")
    last = seen[-1]
    assert (last.expected, last.received, last.n_missing) == (5, 5, 0)
    assert (last.verified, last.way, last.level) == ("uids", "move", "study")
    assert last.size_bytes == sum(len(one.data_set) for one in STUDY_A)
    assert [one.id for one in rig.broker.progress(fetch)] == [fetch]
    await reading.close()


@pytest.mark.req("W-119")
async def test_a_fetch_can_be_cancelled_and_begun_without_a_reader(rig: BrokerRig) -> None:
    await rig.start()
    rig.pacs.pace_s = 0.05
    begun = await rig.broker.prefetch("old", path_of(A))
    assert begun.state == "running"
    assert await rig.broker.cancel(begun.id)
    await rig.settled()
    assert rig.broker.progress(begun.id)[0].state == "cancelled"
    assert not await rig.broker.cancel(begun.id)
    rig.pacs.pace_s = 0.0
    await rig.broker.prefetch("old", path_of(A))
    await rig.settled()
    assert (await rig.broker.want("old", path_of(A))).complete


@pytest.mark.req("W-123")
async def test_after_a_while_the_counts_are_compared_and_the_rest_is_fetched(
    rig: BrokerRig,
) -> None:
    await rig.start('revalidate = "0s"')
    await rig.read(A)
    await rig.settled()
    finds = len(rig.pacs.finds)
    assert set(await rig.read(A)) == uids(STUDY_A)
    assert (len(rig.pacs.moves), len(rig.pacs.finds)) == (1, finds + 1)
    await rig.settled()
    grown = study(6, seed="broker a")
    rig.pacs.load(grown[5])
    assert set(await rig.read(A)) == uids(grown)
    assert rig.pacs.moves[1].instances == (grown[5].sop_instance,)
    await rig.settled()
    rig.pacs.find = lambda _asked: 0xA700
    reading = await rig.broker.want("old", path_of(A))
    assert len(await all_of(reading)) == 6
    assert "cannot be asked" in reading.warnings[0]


@pytest.mark.req("W-123")
async def test_what_the_pacs_has_no_more_nobody_gets(rig: BrokerRig) -> None:
    await rig.start('revalidate = "0s"')
    await rig.read(A)
    await rig.settled()
    rig.pacs.held = []
    failure, got = await rig.failure(A)
    assert (failure.status, got) == (404, [])
    await rig.settled()
    await until(lambda: not rig.broker._forgetting)
    assert await rig.in_cache() == set()


@pytest.mark.req("W-105", "WT-12")
async def test_a_study_and_its_series_at_once_are_one_transfer(rig: BrokerRig) -> None:
    await rig.start()
    series = held(STUDY_A[0]).series
    both = await asyncio.gather(
        rig.read(A), rig.read(A, series), rig.read(A, series, STUDY_A[1].sop_instance)
    )
    assert [len(one) for one in both] == [5, 5, 1]
    await rig.settled()
    assert len(rig.pacs.moves) == 1


@pytest.mark.req("W-104")
async def test_whether_it_exists_is_asked_without_a_transfer(rig: BrokerRig) -> None:
    await rig.start()
    assert await rig.broker.exists("old", path_of(A)) == len(STUDY_A)
    assert await rig.broker.exists("old", path_of(A, held(STUDY_A[0]).series)) == len(STUDY_A)
    with pytest.raises(FetchFailed) as failed:
        await rig.broker.exists("old", path_of("1.2.3"))
    assert failed.value.status == 404
    assert not rig.broker.progress()


@pytest.mark.req("W-117")
async def test_a_restart_leaves_an_incomplete_entry_that_is_completed(rig: BrokerRig) -> None:
    await rig.start()
    rig.pacs.pace_s = 0.05
    reading = await rig.broker.want("old", path_of(A))
    await anext(aiter(reading))
    await rig.stop()
    await reading.close()
    rig.pacs.pace_s = 0.0
    await rig.run()
    assert await rig.broker.whole("old", path_of(A)) is None
    assert set(await rig.read(A)) == uids(STUDY_A)
    assert [one.level for one in rig.pacs.moves] == ["STUDY", "IMAGE"]


@pytest.mark.req("W-112")
async def test_a_crash_between_seal_and_plan_routes_nothing(
    rig: BrokerRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = '[[rule]]\nname = "all"\nsend = ["archive"]\n'
    await rig.start(more=rule)

    async def never(_self: object) -> None:
        await asyncio.Event().wait()

    await rig.stop()
    monkeypatch.setattr("waystation.flows.route.Router.run", never)
    monkeypatch.setattr("waystation.app.node.SETTLE_S", 0.01)
    await rig.run()
    reading = await rig.broker.want("old", path_of(A))
    instances = aiter(reading)
    for _ in STUDY_A:
        await anext(instances)
    assert await rig.rows("SELECT count(*) FROM arrival") == [(0,)]
    await reading.close()
    await rig.stop()
    monkeypatch.undo()
    await rig.run()
    assert await rig.rows("SELECT count(*) FROM delivery") == [(0,)]
    assert await rig.rows("SELECT count(*) FROM cached") == [(len(STUDY_A),)]
    assert await rig.rows("SELECT DISTINCT ended_why FROM arrival") == [("kept:broker",)]
