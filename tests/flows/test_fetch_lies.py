"""A PACS that sends too little, too much or something else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.flows.broker_rig import BrokerRig, all_of, broker_rig, path_of, uids
from tests.flows.old_pacs import (
    Asked,
    Ending,
    Move,
    held,
    series_of,
    truthful,
)
from tests.objects.samples import study

STUDY_A = study(5, seed="broker a")
A = held(STUDY_A[0]).study
OTHER = study(2, seed="another study")
SERIES_B = series_of(2, 2)
B = SERIES_B[0].study


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[BrokerRig]:
    async with broker_rig(tmp_path, *STUDY_A) as made:
        yield made


# what it sends


@pytest.mark.req("W-113", "W-114", "WT-7")
async def test_what_was_not_sent_is_asked_for_again_one_by_one(rig: BrokerRig) -> None:
    async def drops(move: Move) -> Ending:
        if move.asked.level == "IMAGE":
            return await truthful(move)
        for one in move.wanted[:3]:
            await move.store(one)
        # As if nothing were wrong.
        return Ending(completed=len(move.wanted))

    await rig.start()
    rig.pacs.move = drops
    assert set(await rig.read(A)) == uids(STUDY_A)
    assert set(rig.pacs.moves[1].instances) == {one.sop_instance for one in STUDY_A[3:]}


@pytest.mark.req("W-113", "WT-7")
@pytest.mark.parametrize("lie", ["success", "warning", "no counts", "duplicates"])
async def test_counts_prove_nothing_where_uids_are_known(rig: BrokerRig, lie: str) -> None:
    async def lies(move: Move) -> Ending:
        for one in [STUDY_A_HELD[0]] * (5 if lie == "duplicates" else 1):
            await move.store(one)
        if lie == "warning":
            return Ending(0xB000, 1, 4, 0, [one.sop_instance for one in STUDY_A[1:]])
        if lie == "no counts":
            return Ending(0, None, None, None)
        return Ending(0, 5, 0, 0)

    await rig.start(attempts=1)
    rig.pacs.move = lies
    failure, got = await rig.failure(A)
    assert (failure.status, failure.missing) == (502, 4)
    assert got == [STUDY_A[0].sop_instance]
    await rig.settled()
    (last,) = rig.broker.progress()
    assert (last.state, last.n_missing) == ("incomplete", 4)
    assert set(last.missing) == {one.sop_instance for one in STUDY_A[1:]}
    assert await rig.broker.whole("old", path_of(A)) is None


STUDY_A_HELD = [held(one) for one in STUDY_A]


@pytest.mark.req("W-111", "WT-11")
async def test_another_study_is_refused_and_never_in_the_cache(rig: BrokerRig) -> None:
    async def wrong(move: Move) -> Ending:
        statuses = [await move.store(held(one)) for one in OTHER]
        assert statuses == [0xA900, 0xA900]
        return Ending(completed=2)

    await rig.start(attempts=1, more=TO_ARCHIVE)
    rig.pacs.load(*OTHER)
    rig.pacs.move = wrong
    assert await rig.fails(502, A) == []
    assert await rig.in_cache() == set()
    assert await rig.rows("SELECT count(*) FROM arrival") == [(0,)]


TO_ARCHIVE = '[[rule]]\nname = "all"\nsend = ["archive"]\n'


@pytest.mark.req("W-106", "W-111")
async def test_what_is_sent_besides_is_kept_and_not_read_by_those_who_did_not_want_it(
    rig: BrokerRig,
) -> None:
    async def everything(move: Move) -> Ending:
        for one in SERIES_B:
            await move.store(one)
        return Ending(completed=4)

    await rig.start()
    rig.pacs.held = [*SERIES_B]
    rig.pacs.move = everything
    wanted = SERIES_B[0].series
    assert set(await rig.read(B, wanted)) == {one.stored.sop_instance for one in SERIES_B[:2]}
    await rig.settled()
    assert len(await rig.in_cache()) == 4


@pytest.mark.req("W-110", "W-111")
async def test_what_nobody_asked_for_goes_the_ordinary_way(rig: BrokerRig) -> None:
    """The same PACS forwards another study while it answers a C-MOVE of ours."""

    async def forwards(move: Move) -> Ending:
        ending = await truthful(move)
        for one in OTHER:
            assert await move.store(held(one), originator=None) == 0
        return ending

    await rig.start(more=TO_ARCHIVE)
    rig.pacs.load(*OTHER)
    rig.pacs.move = forwards
    assert set(await rig.read(A)) == uids(STUDY_A)
    await rig.settled()
    assert await rig.in_cache() == uids(STUDY_A)
    assert await rig.rows("SELECT count(*) FROM archived") == [(2,)]


@pytest.mark.req("W-110")
@pytest.mark.parametrize("sequential", [True, False])
async def test_two_moves_at_once_without_an_originator(rig: BrokerRig, sequential: bool) -> None:
    quirks = 'quirks = ["no_move_originator", "sequential"]' if sequential else ""
    await rig.start(quirks)
    rig.pacs.names_originator = False
    rig.pacs.held += SERIES_B
    rig.pacs.pace_s = 0.01
    both = await asyncio.gather(rig.read(A), rig.read(B))
    assert set(both[0]) == uids(STUDY_A)
    assert set(both[1]) == {one.stored.sop_instance for one in SERIES_B}
    await rig.settled()
    assert len(await rig.in_cache()) == 9
    assert await rig.rows("SELECT DISTINCT way_in FROM arrival") == [("fetch",)]


@pytest.mark.req("W-110")
async def test_an_object_from_elsewhere_is_not_claimed(rig: BrokerRig) -> None:
    await rig.start('senders = ["10.9.8.0/24"]', attempts=1, more=TO_ARCHIVE)
    assert await rig.fails(502, A) == []
    assert await rig.in_cache() == set()
    assert await rig.rows("SELECT count(*) FROM archived") == [(5,)]


@pytest.mark.req("W-113", "W-114")
async def test_failed_sub_operations_end_in_what_lacks(rig: BrokerRig) -> None:
    async def partly(move: Move) -> Ending:
        for one in move.wanted[:2]:
            if one.stored.sop_instance != STUDY_A[4].sop_instance:
                await move.store(one)
        failed = [one.stored.sop_instance for one in move.wanted]
        failed = failed[2:] or failed
        return Ending(0xB000, 2, len(failed), 0, failed)

    await rig.start(attempts=3, quiet="5s")
    rig.pacs.move = partly
    began = asyncio.get_running_loop().time()
    failure, got = await rig.failure(A)
    # Nobody waits for what the PACS says that it did not send.
    assert asyncio.get_running_loop().time() - began < 4
    assert (failure.status, failure.missing, len(got)) == (502, 1, 4)
    assert len(rig.pacs.moves) == 3


@pytest.mark.req("W-110", "W-114")
async def test_stragglers_are_waited_for(rig: BrokerRig) -> None:
    late: list[asyncio.Task[None]] = []

    async def lags(move: Move) -> Ending:
        for one in move.wanted[:2]:
            await move.store(one)
        other = Move(rig.pacs, move._service, move.asked, move.command)

        async def rest() -> None:
            for one in move.wanted[2:]:
                await asyncio.sleep(0.05)
                assert await other.store(one) == 0
            await other.close()

        late.append(asyncio.create_task(rest()))
        return Ending(completed=5)

    await rig.start(quiet="2s")
    rig.pacs.move = lags
    assert set(await rig.read(A)) == uids(STUDY_A)
    assert len(rig.pacs.moves) == 1
    await asyncio.gather(*late)


@pytest.mark.req("W-110", "W-113")
async def test_a_straggler_after_the_end_completes_what_was_given_up(rig: BrokerRig) -> None:
    moves: list[Move] = []

    async def forgets(move: Move) -> Ending:
        moves.append(Move(rig.pacs, move._service, move.asked, move.command))
        for one in move.wanted[:4]:
            await move.store(one)
        return Ending(completed=5)

    await rig.start(attempts=1)
    rig.pacs.move = forgets
    assert len(await rig.fails(502, A)) == 4
    assert await moves[0].store(STUDY_A_HELD[4]) == 0
    await moves[0].close()
    whole = None
    for _ in range(200):
        whole = await rig.broker.whole("old", path_of(A))
        if whole is not None:
            break
        await asyncio.sleep(0.01)
    assert whole is not None
    assert len(whole.objects) == 5
    await whole.reading.close()


# what it lists


@pytest.mark.req("W-108", "W-113")
async def test_without_image_queries_counts_are_compared_and_that_is_said(rig: BrokerRig) -> None:
    await rig.start('quirks = ["no_image_find"]', attempts=1)
    reading = await rig.broker.want("old", path_of(A))
    assert len(await all_of(reading)) == 5
    assert reading.verified == "counts"
    assert "does not list its instances" in reading.warnings[0]
    await rig.settled()
    again = await rig.broker.want("old", path_of(A))
    assert (again.complete, again.verified) == (True, "counts")
    await again.close()


@pytest.mark.req("W-108", "W-113")
async def test_without_image_queries_a_failed_sub_operation_is_incomplete(rig: BrokerRig) -> None:
    async def partly(move: Move) -> Ending:
        for one in move.wanted[:4]:
            await move.store(one)
        return Ending(0xB000, 4, 1, 0)

    await rig.start('quirks = ["no_image_find"]', attempts=1)
    rig.pacs.move = partly
    assert len(await rig.fails(502, A)) == 4
    assert await rig.broker.whole("old", path_of(A)) is None


@pytest.mark.req("W-108", "W-113")
async def test_a_series_is_compared_with_the_count_of_its_own(rig: BrokerRig) -> None:
    async def partly(move: Move) -> Ending:
        for one in move.wanted[:3]:
            await move.store(one)
        return Ending(0, None, None, None)

    await rig.start('quirks = ["no_image_find"]', attempts=1)
    rig.pacs.move = partly
    failure, got = await rig.failure(A, STUDY_A_HELD[0].series)
    assert (failure.status, failure.missing, len(got)) == (502, 2, 3)


@pytest.mark.req("W-108")
async def test_a_pacs_that_lists_nothing_and_counts_nothing_is_taken_at_its_word(
    rig: BrokerRig,
) -> None:
    def silent_about_images(asked: Asked) -> int | None:
        return 0xA900 if asked.level == "IMAGE" else None

    async def uncounted(move: Move) -> Ending:
        for one in move.wanted:
            await move.store(one)
        return Ending(0, None, None, None)

    await rig.start(attempts=1)
    rig.pacs.counts = False
    rig.pacs.find = silent_about_images
    rig.pacs.move = uncounted
    reading = await rig.broker.want("old", path_of(A))
    assert len(await all_of(reading)) == 5
    assert reading.verified == "none"
    assert reading.warnings
