"""Nodes that archive: what comes in, what was left waiting, and what the sweep leaves alone."""

from contextlib import aclosing

import pytest

from tests.flows.rig import BIG, CT, TINY, TO_A, Rig, destination
from tests.objects.files import Stored
from tests.objects.samples import study
from waystation.model.query import IMAGE, Options, Query

OFF = "[archive]\nenabled = false\n"
GATHER = (
    '[[rule]]\nname = "whole"\nsend = ["archive"]\ntrigger = "study"\n'
    '[completeness]\nquiet = { study = "300ms", series = "300ms" }\n'
)


async def archived(rig: Rig) -> list[str]:
    """Return the SOP Instance UIDs that a query for everything finds."""
    query = Query(level=IMAGE, options=Options(relational=True))
    async with aclosing(rig.node.archivist.archive.search(query).run()) as answers:
        return sorted([found.image.sop_instance_uid async for found in answers if found.image])


def uids(*stored: Stored) -> list[str]:
    return sorted(one.sop_instance for one in stored)


@pytest.mark.req("T-29", "R-54")
async def test_an_empty_configuration_archives_and_finds_everything(rig: Rig) -> None:
    await rig.start("")
    await rig.accepted(TINY, BIG, CT)
    assert await archived(rig) == uids(TINY, BIG, CT)
    assert await rig.states("archive") == {"done": 3}
    await rig.restart()
    assert await archived(rig) == uids(TINY, BIG, CT)


@pytest.mark.req("S-18", "T-29")
async def test_the_sweep_leaves_what_the_archive_holds_and_takes_the_rest(rig: Rig) -> None:
    sink = await rig.sink()
    tables = destination("a", sink.port) + TO_A
    keep = '[[rule]]\nname = "keep"\nwhen = { Modality = "MR" }\nsend = ["archive"]\n'
    await rig.start(tables + keep, keep="0s")
    await rig.accepted(CT, TINY, BIG)
    await rig.wait_for({"done": 3}, "a")
    kept = await archived(rig)
    await rig.node.sweep.once()
    rows: dict[str, int] = dict(await rig.rows("SELECT sop_instance, blob_gone FROM arrival"))
    assert {uid for uid, gone in rows.items() if not gone} == set(kept)
    assert 0 < len(kept) < 3


@pytest.mark.req("T-29")
async def test_what_an_earlier_version_held_is_archived_at_start(rig: Rig) -> None:
    await rig.start(OFF)
    await rig.accepted(TINY, BIG)
    assert await rig.states("archive") == {"held:no-archive": 2}
    await rig.restart("")
    await rig.wait_for({"done": 2}, "archive")
    assert await archived(rig) == uids(TINY, BIG)


@pytest.mark.req("T-29", "R-70")
async def test_what_a_gather_sends_there_is_archived_once_it_is_complete(rig: Rig) -> None:
    objects = study(3, "gathered")
    await rig.start(GATHER)
    await rig.accepted(*objects)
    await rig.wait_for({"done": 3}, "archive")
    assert await archived(rig) == uids(*objects)


@pytest.mark.req("R-18", "T-29")
async def test_what_no_rule_takes_goes_there_if_the_configuration_says_so(rig: Rig) -> None:
    nobody = '[[rule]]\nname = "none"\nwhen = { Modality = "XA" }\nthen = "hold"\n'
    await rig.start(f'{nobody}[routing]\notherwise = "archive"\n')
    await rig.accepted(TINY)
    assert await archived(rig) == uids(TINY)


@pytest.mark.req("R-59", "T-29")
async def test_while_the_lane_is_paused_objects_wait_and_then_go_in(rig: Rig) -> None:
    await rig.start("")
    await rig.node.pause_lane("archive", "me")
    await rig.accepted(TINY)
    assert await rig.states("archive") == {"waiting": 1}
    await rig.node.resume_lane("archive")
    await rig.wait_for({"done": 1}, "archive")
    assert await archived(rig) == uids(TINY)


@pytest.mark.req("S-17", "T-30")
async def test_what_was_removed_and_comes_again_at_once_is_archived_again(rig: Rig) -> None:
    await rig.start("")
    await rig.accepted(TINY)
    await rig.accepted(TINY)
    assert await rig.states("archive") == {"done": 1}
    ((study_uid,),) = await rig.rows("SELECT DISTINCT study FROM arrival")
    when = f'{{ StudyInstanceUID = "{study_uid}" }}'
    retention = f'[archive.retention.all]\nolder_than = "0s"\nwhen = {when}\n'
    await rig.node.reload(rig.settings(retention))
    assert await rig.node.archivist.retention.once() == 1
    assert await archived(rig) == []
    await rig.accepted(TINY)
    assert await archived(rig) == uids(TINY)
