"""What is fetched from a PACS that does as the Standard says."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.flows.broker_rig import BrokerRig, all_of, path_of, uids
from tests.flows.old_pacs import Ending, Move, held, truthful
from tests.objects.samples import study

STUDY_A = study(5, seed="broker a")
A = held(STUDY_A[0]).study


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[BrokerRig]:
    made = BrokerRig(tmp_path)
    made.pacs.load(*STUDY_A)
    try:
        yield made
        if made.running:
            assert await made.node.sweep.account() == 0
    finally:
        await made.close()
        shutil.rmtree(made.data, ignore_errors=True)


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
