"""Inside a lane: who goes next, and through which window."""

import asyncio
import time
from collections import Counter
from datetime import datetime, timedelta

import pytest

from tests.flows.priorities import RULES, names
from tests.flows.rig import TINY, Rig, destination
from tests.net.sink import SILENT, Sink, until
from tests.objects.samples import study

SLOWLY = 'limits = { rate = "40KiB/s" }'


class SetClock:
    """The node's clock, which a test may set."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead

    def set(self, hour: int, minute: int = 0, second: float = 0.0) -> None:
        """Set it to a local time of tomorrow."""
        day = datetime.now().astimezone() + timedelta(days=1)
        wanted = day.replace(hour=hour, minute=minute, second=0, microsecond=0).timestamp()
        self.ahead = wanted + second - time.time()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    made = SetClock()
    monkeypatch.setattr("waystation.app.node.time", made)
    return made


# windows


@pytest.mark.req("R-40")
async def test_stat_goes_through_a_shut_window_and_nothing_else_does(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, 'window = "never"') + RULES)
    await rig.accepted(*study(3))
    await rig.accepted(*study(2, seed="s"), calling_ae="ER")
    await rig.wait_for({"done": 2, "waiting": 3})
    await asyncio.sleep(0.1)
    assert sink.uids() == names(study(2, seed="s"))


@pytest.mark.req("R-40")
async def test_stat_waits_where_it_is_told_to(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, 'window = "never"\nstat_waits = true') + RULES)
    await rig.accepted(TINY, calling_ae="ER")
    await asyncio.sleep(0.1)
    assert await rig.states() == {"waiting": 1}


@pytest.mark.req("R-40")
async def test_what_has_waited_long_enough_goes_anyway(rig: Rig) -> None:
    sink = await rig.sink()
    extra = 'window = "never"\nsend_anyway_after = "300ms"'
    await rig.start(destination("a", sink.port, extra) + RULES)
    await rig.accepted(*study(3))
    assert sink.uids() == []
    await rig.wait_for({"done": 3})
    assert sink.uids() == names(study(3))


@pytest.mark.req("R-41")
async def test_a_lane_starts_within_a_second_of_its_opening_also_after_a_step_of_the_clock(
    rig: Rig, clock: SetClock
) -> None:
    clock.set(1)
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, 'window = "03:00-03:59"') + RULES)
    await rig.accepted(*study(2))
    clock.set(2, 59, 59.5)
    await rig.wait_for({"done": 2})
    clock.set(5)
    await rig.accepted(*study(1, seed="later"))
    await asyncio.sleep(1.2)
    assert len(sink.objects) == 2
    clock.set(3, 30)
    await rig.wait_for({"done": 3})


@pytest.mark.req("R-38")
@pytest.mark.parametrize(("closing", "ends"), [("object", False), ("finish-study", True)])
async def test_what_still_goes_when_the_window_shuts(
    closing: str, ends: bool, rig: Rig, clock: SetClock
) -> None:
    clock.set(3, 30)
    sink = await rig.sink()
    extra = f'window = "03:00-03:59"\nclosing = "{closing}"\n{SLOWLY}'
    await rig.start(destination("a", sink.port, extra) + RULES)
    await rig.accepted(*study(101)[:100])
    clock.set(5)
    belt = rig.node.belts["a"]
    await until(lambda: not belt._claiming._was_open)
    begun = len(sink.objects)
    assert begun < 90
    await rig.accepted(study(101)[100])
    if ends:
        await rig.wait_for({"done": 100, "waiting": 1})
    await until(lambda: sink.open_now == 0)
    sent = len(sink.objects)
    assert (sent == 100) if ends else (begun <= sent <= begun + 1)
    assert sink.uids() == names(study(sent))
    assert await rig.states() == {"done": sent, "waiting": 101 - sent}


@pytest.mark.req("R-57")
@pytest.mark.parametrize("asks", [True, False])
async def test_nobody_is_probed_outside_the_window_unless_told_so(
    asks: bool, rig: Rig, clock: SetClock
) -> None:
    clock.set(3, 30)
    sink = await rig.sink()
    port = sink.port
    await rig.drop(sink)
    extra = 'window = "03:00-03:59"\n' + ("probe_outside_window = true" if asks else "")
    await rig.start(destination("a", port, extra) + RULES)
    await rig.accepted(TINY)
    belt = rig.node.belts["a"]
    await until(lambda: belt.lane.health(belt.now()).value == "down")
    clock.set(5)
    await asyncio.sleep(0.6)
    back = Sink()
    await back.start(port=port)
    rig._sinks.append(back)
    await asyncio.sleep(0.6)
    assert (back.echoes > 0) is asks
    assert back.objects == []
    clock.set(3, 30)
    await rig.wait_for({"done": 1})


# who goes next


@pytest.mark.req("R-50")
async def test_stat_gets_an_association_beyond_those_that_are_busy(rig: Rig) -> None:
    normal = study(3)
    slow = names(normal)
    sink = await rig.sink(Sink(script=lambda c: SILENT if c.sop_instance_uid in slow else 0))
    await rig.start(destination("a", sink.port, "parallel = 1") + RULES)
    await rig.accepted(*normal)
    await until(lambda: len(sink.objects) == 1)
    await rig.accepted(*study(2, seed="s"), calling_ae="ER")
    await until(lambda: len(sink.objects) >= 3)
    assert sink.uids()[:3] == [slow[0], *names(study(2, seed="s"))]
    assert sink.associations == 2


@pytest.mark.req("R-50")
async def test_stat_goes_between_two_objects_of_its_own_study(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, SLOWLY) + RULES)
    objects = study(400)
    await rig.accepted(*objects[:-1])
    await until(lambda: len(sink.objects) >= 2)
    await rig.accepted(objects[-1], calling_ae="ER")
    await until(lambda: objects[-1].sop_instance in sink.uids())
    assert len(sink.objects) < 200
    rest = [uid for uid in sink.uids() if uid != objects[-1].sop_instance]
    assert rest == names(objects[: len(rest)])


@pytest.mark.req("R-50")
async def test_two_stat_studies_on_a_lane_of_one_end_the_turn_of_a_normal_one(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, f"parallel = 1\n{SLOWLY}") + RULES)
    await rig.accepted(*study(400))
    await until(lambda: len(sink.objects) >= 2)
    urgent = [study(1, seed=f"s{n}")[0] for n in range(3)]
    for one in urgent:
        await rig.accepted(one, calling_ae="ER")
    await until(lambda: set(names(urgent)) <= set(sink.uids()))
    assert len(sink.objects) < 200


@pytest.mark.req("R-50", "R-49")
async def test_studies_take_turns_of_so_many_bytes_and_keep_their_order(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.journal.claims.BATCH_BYTES", 4000)
    monkeypatch.setattr("waystation.flows.claiming.TURN_BYTES", 12_000)
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, 'parallel = 1\nwindow = "never"') + RULES)
    first, second = study(40), study(40, seed="b")
    await rig.accepted(*first)
    await rig.accepted(*second)
    await rig.node.reload(rig.settings(destination("a", sink.port, "parallel = 1") + RULES))
    await rig.wait_for({"done": 80})
    mine = set(names(first))
    seen = ["a" if uid in mine else "b" for uid in sink.uids()]
    assert "".join(dict.fromkeys(seen)) == "ab"
    assert len([n for n in range(1, 80) if seen[n] != seen[n - 1]]) >= 4
    assert [uid for uid in sink.uids() if uid in mine] == names(first)
    assert [uid for uid in sink.uids() if uid not in mine] == names(second)


@pytest.mark.req("R-49")
async def test_a_study_is_shared_among_associations_only_if_told(rig: Rig) -> None:
    sink = await rig.sink()
    extra = f"split_study = true\nparallel = 3\n{SLOWLY}"
    await rig.start(destination("a", sink.port, extra) + RULES)
    await rig.accepted(*study(60))
    await rig.wait_for({"done": 60})
    assert sink.associations == 3
    assert Counter(sink.uids()) == Counter(names(study(60)))
