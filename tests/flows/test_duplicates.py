"""The same SOP instance again: equal bytes and other bytes (R-74, R-75, S-17)."""

import asyncio
from collections import Counter

import pytest

from tests.flows.rig import CT, TINY, TO_A, Rig, changed, destination
from tests.net.sink import Sink, until
from tests.objects.files import Stored
from tests.objects.samples import study


@pytest.mark.req("R-74", "S-17")
@pytest.mark.parametrize("one", [TINY, CT], ids=["in the log", "in a file"])
async def test_equal_bytes_are_absorbed_by_name(rig: Rig, one: Stored) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(one, one)
    await rig.wait_for({"done": 1})
    await rig.accepted(one)
    await asyncio.sleep(0.05)
    assert await rig.states() == {"done": 1}
    assert await rig.arrivals() == [(None, None), *[(None, "discarded:duplicate")] * 2]
    assert len(sink.objects) == 1


@pytest.mark.req("R-74", "S-17")
@pytest.mark.parametrize("setting", ['resend_after = "0s"', 'same = "send"'])
async def test_equal_bytes_go_out_again_when_that_is_meant(rig: Rig, setting: str) -> None:
    sink = await rig.sink()
    config = f"[duplicates]\n{setting}\n"
    await rig.start(destination("a", sink.port) + TO_A + config)
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    await asyncio.sleep(0.01)
    await rig.accepted(TINY)
    await rig.wait_for({"done": 2})
    assert sink.uids() == [TINY.sop_instance] * 2


@pytest.mark.req("R-74")
async def test_equal_bytes_are_absorbed_while_the_first_is_on_its_way(rig: Rig) -> None:
    config = '[duplicates]\nresend_after = "0s"\n'
    sink = await rig.sink()
    port = sink.port
    await rig.drop(sink)
    await rig.start(destination("a", port) + TO_A + config)
    await rig.accepted(TINY)
    await rig.accepted(TINY)
    assert await rig.arrivals() == [(None, None), (None, "discarded:duplicate")]
    back = Sink()
    await back.start(port=port)
    rig._sinks.append(back)
    await rig.wait_for({"done": 1})


@pytest.mark.req("R-74", "S-17", "N-3")
@pytest.mark.parametrize("one", [TINY, CT], ids=["in the log", "in a file"])
async def test_other_bytes_are_held_beside_the_first_and_both_are_kept(
    rig: Rig, one: Stored
) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    other = changed(one)
    await rig.accepted(one)
    await rig.wait_for({"done": 1})
    await rig.accepted(other)
    await rig.wait_for({"done": 1, "held:conflict": 1})
    assert (await rig.arrivals())[1] == ("conflict", "held")
    rows = await rig.rows("SELECT sha256 FROM arrival ORDER BY id")
    assert [bytes(row[0]).hex() for row in rows] == [one.digest, other.digest]
    assert [received.data_set for received in sink.objects] == [one.data_set]
    # Neither has taken the other's place: each can still be read.
    found = await rig.rows(
        "SELECT a.id, a.blob, a.size_bytes, a.sha256, p.data FROM arrival a"
        " LEFT JOIN parcel p ON p.arrival = a.id"
    )
    for _, blob, size_bytes, sha256, data in found:
        if blob:
            assert rig.node.blobs.intact(blob, size_bytes, bytes(sha256).hex())
        else:
            assert len(data) == size_bytes


@pytest.mark.req("R-74")
@pytest.mark.parametrize(
    ("policy", "states", "fate"),
    [
        ("newest", {"done": 2}, (None, None)),
        ("first", {"done": 1}, (None, "discarded:duplicates.different=first")),
    ],
)
async def test_other_policies_do_what_they_are_called(
    rig: Rig, policy: str, states: dict[str, int], fate: tuple[str | None, str | None]
) -> None:
    sink = await rig.sink()
    config = f'[duplicates]\ndifferent = "{policy}"\n'
    await rig.start(destination("a", sink.port) + TO_A + config)
    await rig.accepted(TINY, changed(TINY))
    await rig.wait_for(states)
    assert (await rig.arrivals())[1] == fate


@pytest.mark.req("S-17", "F7", "R-75", "RT-13")
async def test_many_senders_of_one_study_give_one_study(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    objects = study(20)
    for _ in range(3):
        await asyncio.gather(*(rig.accepted(*objects) for _ in range(6)))
    await rig.wait_for({"done": 20})
    assert Counter(sink.uids()) == Counter(one.sop_instance for one in objects)
    fates = Counter(await rig.arrivals())
    assert fates == {(None, None): 20, (None, "discarded:duplicate"): 18 * 20 - 20}
    await until(lambda: rig.node.watching.counters.answered["", "0000"] == 18 * 20)


@pytest.mark.req("R-74")
async def test_a_damaged_copy_does_not_absorb_a_good_one(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.node.pause_lane("a", "test")
    await rig.accepted(CT)
    rig.node.recent._held.clear()
    (file,) = rig.blobs()
    file.write_bytes(bytes(file.stat().st_size))
    await rig.node.resume_lane("a")
    await rig.wait_for({"held:corrupt": 1})
    await rig.accepted(CT)
    await rig.wait_for({"held:corrupt": 1, "done": 1})


@pytest.mark.req("R-74")
async def test_an_absorbed_copy_does_not_prolong_the_time(rig: Rig) -> None:
    sink = await rig.sink()
    config = '[duplicates]\nresend_after = "10m"\n'
    await rig.start(destination("a", sink.port) + TO_A + config)
    began = rig.node.clock()
    now = [began]
    rig.node.clock = rig.node.router._clock = rig.node.belts["a"]._clock = lambda: now[0]
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    now[0] = began + 400.0
    await rig.accepted(TINY)
    now[0] = began + 700.0
    await rig.accepted(TINY)
    await rig.wait_for({"done": 2})


@pytest.mark.req("R-75", "RT-13")
async def test_digests_are_remembered_when_the_files_are_gone(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A, keep="0s")
    await rig.accepted(CT)
    await rig.wait_for({"done": 1})
    rig.node.sweep._clock = lambda: rig.node.clock() + 60.0
    assert await rig.node.sweep.once() == 1
    assert rig.blobs() == []
    await rig.accepted(CT)
    await rig.accepted(changed(CT))
    fates = await rig.arrivals()
    assert fates == [(None, None), (None, "discarded:duplicate"), ("conflict", "held")]
