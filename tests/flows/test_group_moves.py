"""What moves with a study when its member goes away, whatever its rows are doing (R-42 to R-44)."""

import asyncio
from typing import ClassVar

import pytest

from tests.flows.rig import Rig, destination
from tests.flows.test_groups import TO_READING, both, chosen, group, two
from tests.net.sink import Answer, Service, Sink, until
from tests.objects.elements import EXPLICIT_LITTLE, element
from tests.objects.files import Stored
from tests.objects.samples import study
from waystation.app.acting import Acting
from waystation.journal.decisions import Action
from waystation.journal.entries import Chosen
from waystation.web.view import ActionAsked

HANGING_PROTOCOL = "1.2.840.10008.5.1.4.38.1"


class Slow(Service):
    """Takes its time over each answer.  whole: how many objects were there, answered or not."""

    whole: ClassVar[int] = 0

    def _whole(self, context_id: int) -> None:
        Slow.whole += 1
        asyncio.get_running_loop().call_later(0.4, super()._whole, context_id)


def slow_to_switch(members: str = '["a", "b"]') -> str:
    return group(members=members).replace('switch_after = "300ms"', 'switch_after = "1h"')


@pytest.mark.req("R-44")
async def test_what_was_being_sent_when_its_study_moved_is_repeated_too(rig: Rig) -> None:
    Slow.whole = 0
    a, b = await rig.sink(Sink(service=Slow)), await rig.sink()
    objects = study(3)
    await rig.start(two(a, b) + group() + TO_READING)
    await rig.accepted(*objects)
    await until(lambda: Slow.whole == 2)
    await rig.node.pause_lane("a", "ann")
    await until(lambda: len(b.objects) == 3)
    assert sorted(set(b.uids())) == sorted(one.sop_instance for one in objects)
    assert len(a.objects) == 2


@pytest.mark.req("R-3", "R-42", "R-44")
async def test_a_member_that_is_gone_leaves_its_studies_to_the_others(rig: Rig) -> None:
    a, b = await both(rig)
    objects = study(4)
    await rig.start(two(a, b) + slow_to_switch() + TO_READING)
    await rig.accepted(*objects[:2])
    await rig.wait_for({"done": 2})
    await rig.drop(a)
    await rig.accepted(*objects[2:])
    await rig.wait_for({"done": 2, "waiting": 2})
    without = destination("b", b.port) + slow_to_switch('["b"]') + TO_READING
    await rig.node.reload(rig.settings(without))
    await until(lambda: len(b.objects) == 4)
    await rig.wait_for({"done": 6})
    left = await rig.rows("SELECT destination, n FROM tally WHERE state = 'waiting' AND n <> 0")
    assert left == []


@pytest.mark.req("R-3", "R-42")
async def test_a_member_that_is_gone_at_start_leaves_its_studies_to_the_others(rig: Rig) -> None:
    a, b = await both(rig)
    await rig.start(two(a, b) + slow_to_switch() + TO_READING)
    await rig.drop(a)
    await rig.accepted(*study(2))
    await rig.wait_for({"waiting": 2}, "a")
    await rig.restart(destination("b", b.port) + slow_to_switch('["b"]') + TO_READING)
    await rig.wait_for({"done": 2}, "b")


@pytest.mark.req("R-42", "R-59")
async def test_what_was_held_at_a_member_follows_its_study_once_it_is_let_go(rig: Rig) -> None:
    def picky(command: object) -> Answer:
        return 0xA900

    a, b = await rig.sink(Sink(script=picky)), await rig.sink()
    await rig.start(two(a, b) + group() + TO_READING)
    await rig.accepted(*study(2))
    await rig.wait_for({"held:object-refused": 2})
    await rig.node.pause_lane("a", "ann")
    await rig.accepted(*study(3)[2:])
    await rig.wait_for({"held:object-refused": 2, "done": 1})
    assert await chosen(rig) == ["b"]
    asked = ActionAsked(action=Action.RETRY, chosen=Chosen(), user="mta")
    await Acting(rig.node).act(asked)
    await rig.wait_for({"done": 3})
    assert len(b.objects) == 3


@pytest.mark.req("R-42")
async def test_an_object_without_a_study_waits_in_a_group_like_any_other(rig: Rig) -> None:
    a, b = await both(rig)
    shut = destination("a", a.port, 'window = "never"')
    await rig.start(shut + group(members='["a"]') + TO_READING)
    await rig.accepted(palette())
    await until(lambda: bool(rig.node.groups.why_waiting("reading")))
    await rig.node.reload(rig.settings(two(a, b) + group() + TO_READING))
    await rig.wait_for({"done": 1})


def palette() -> Stored:
    """Return an object of a class that belongs to no study."""
    uid = "2.25.77"
    return Stored(
        sop_class=HANGING_PROTOCOL,
        sop_instance=uid,
        transfer_syntax=EXPLICIT_LITTLE,
        data_set=element(0x00080016, "UI", HANGING_PROTOCOL) + element(0x00080018, "UI", uid),
    )


@pytest.mark.req("R-46")
async def test_an_optional_delivery_that_no_member_takes_in_time_ends(rig: Rig) -> None:
    a, _ = await both(rig)
    shut = destination("a", a.port, 'window = "never"\noptional_for = "500ms"')
    optional = TO_READING.replace('["reading"]', '[{ to = "reading", required = false }]')
    await rig.start(shut + group(members='["a"]') + optional)
    await rig.accepted(*study(2))
    await rig.wait_for({"discarded": 2})
    assert await rig.rows("SELECT DISTINCT by_rule FROM delivery") == [("optional expired",)]
