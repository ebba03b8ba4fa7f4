"""Defects of shipped routers that must not happen here: lost, or falsely sent (N-1 to N-7)."""

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.flows.rig import CT, TINY, TO_A, Rig, changed, destination, rule
from tests.net.sink import store
from tests.objects.elements import element, header
from tests.objects.files import Stored
from tests.objects.samples import study


@pytest.mark.req("N-1")
async def test_a_half_written_object_is_never_sent(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    call = await rig.call(CT)
    go_on = asyncio.Event()

    async def stalling() -> AsyncIterator[bytes]:
        yield CT.data_set[:300_000]
        yield CT.data_set[300_000:400_000]
        await go_on.wait()
        yield CT.data_set[400_000:]

    answer = asyncio.create_task(call.store(1, CT.sop_class, CT.sop_instance, stalling()))
    await asyncio.sleep(0.1)
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    assert sink.uids() == [TINY.sop_instance]
    assert await rig.rows("SELECT id FROM arrival WHERE sop_instance <> ''") != []
    go_on.set()
    assert (await answer).status == 0
    await call.release()
    await rig.wait_for({"done": 2})
    assert sink.objects[1].data_set == CT.data_set


@pytest.mark.req("N-2")
async def test_what_nobody_wants_is_held_and_never_lost(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + rule("a", when='{ Modality = "XA" }'))
    await rig.accepted(TINY, CT)
    assert await rig.arrivals() == [("no-rule", "held")] * 2
    rig.node.sweep._clock = lambda: rig.node.clock() + 1e7
    assert await rig.node.sweep.once() == 0
    assert len(rig.blobs()) == 1
    assert len(await rig.rows("SELECT arrival FROM parcel")) == 1


@pytest.mark.req("N-2", "R-18")
async def test_what_every_filter_takes_away_is_held_and_never_lost(rig: Rig) -> None:
    sink = await rig.sink()
    config = destination("a", sink.port, 'refuse = ["CTImageStorage"]')
    await rig.start(config + TO_A)
    await rig.accepted(TINY)
    assert (await rig.arrivals())[0][0] == "no-rule"
    assert await rig.states() == {"discarded": 1}
    rows = await rig.rows("SELECT by_rule FROM delivery")
    assert "refuse" in rows[0][0]


def _odd(stored: Stored, extra: bytes) -> Stored:
    """Return ``stored`` with elements of group 0009 behind group 0008."""
    at = stored.data_set.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    return replace(stored, data_set=stored.data_set[:at] + extra + stored.data_set[at:])


PRIVATE = element(0x00090010, "LO", "ACME")
ODDITIES = {
    "unknown VR": PRIVATE + header(0x00091001, "ZZ", 4) + b"abcd",
    "unknown VR in the long form": PRIVATE
    + struct.pack("<HH2sHI", 0x0009, 0x1001, b"ZZ", 0, 4)
    + b"abcd",
    "odd length": PRIVATE + struct.pack("<HH2sH", 0x0009, 0x1001, b"LO", 3) + b"abc",
    "wrong VM": element(0x00090010, "LO", "A\\B\\C") + element(0x00091001, "US", b"\1\0\2\0\3\0"),
    "bad number": PRIVATE + element(0x00091002, "DS", "no number at all"),
}


@pytest.mark.req("N-4")
@pytest.mark.parametrize("case", ODDITIES)
async def test_odd_elements_are_passed_on_verbatim(rig: Rig, case: str) -> None:
    one = _odd(TINY, ODDITIES[case])
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(one)
    await rig.wait_for({"done": 1})
    assert sink.objects[0].data_set == one.data_set


@pytest.mark.req("N-5")
async def test_a_receiver_that_takes_all_but_one_has_exactly_one_not_done(rig: Rig) -> None:
    objects = study(9)
    sink = await rig.sink()
    sink.script = lambda c: 0xC000 if c.sop_instance_uid == objects[4].sop_instance else 0
    await rig.start(destination("a", sink.port) + TO_A)
    await rig.accepted(*objects)
    await rig.wait_for({"done": 8, "held:object-refused": 1})


@pytest.mark.req("N-6")
async def test_one_that_expires_takes_nobody_along(rig: Rig) -> None:
    objects = study(20)
    bad = objects[7].sop_instance
    sink = await rig.sink()
    sink.script = lambda c: 0xC000 if c.sop_instance_uid == bad else 0
    retry = '{ first = "20ms", cap = "50ms", lifetime = "100ms", tries = 99, object = ["30ms"] }'
    await rig.start(destination("a", sink.port, retry=retry) + TO_A)
    await rig.accepted(*objects)
    await rig.wait_for({"done": 19, "held:expired": 1})
    assert len(await rig.rows("SELECT arrival FROM parcel")) == 20


@pytest.mark.req("N-7", "R-20")
async def test_every_matching_rule_gives_its_delivery(rig: Rig) -> None:
    sinks = [await rig.sink() for _ in range(3)]
    names = ("a", "b", "c")
    config = "".join(destination(n, s.port) for n, s in zip(names, sinks, strict=True))
    await rig.start(config + "".join(rule(name) for name in names))
    await rig.accepted(TINY)
    await rig.wait_for({"done": 3})
    assert [len(sink.objects) for sink in sinks] == [1, 1, 1]


@pytest.mark.req("N-3")
async def test_a_queued_object_is_not_overwritten_by_a_later_one_of_its_uid(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + TO_A + '[duplicates]\ndifferent = "newest"\n')
    await rig.node.pause_lane("a", "test")
    call = await rig.call(CT)
    for one in (CT, changed(CT)):
        assert (await store(call, one)).status == 0
    await call.release()
    await rig.node.router.settled()
    await rig.node.resume_lane("a")
    await rig.wait_for({"done": 2})
    assert [one.data_set for one in sink.objects] == [CT.data_set, changed(CT).data_set]
