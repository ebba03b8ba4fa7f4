"""What a lane tells of its backlog, with a real node behind it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.flows.rig import Rig, destination
from tests.flows.test_lanes import SLOWLY
from tests.objects.samples import study
from waystation.app.lane_numbers import LaneNumbers
from waystation.app.view import View
from waystation.timing.budget import Limits, RateEntry
from waystation.timing.window import NEVER

RULE = '[[rule]]\nname = "all"\nsend = ["a"]\n'


async def no_faults() -> list[str]:
    return []


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@pytest.mark.req("R-51")
async def test_a_lane_tells_what_waits_how_fast_it_goes_and_when_it_will_be_done(rig: Rig) -> None:
    sink = await rig.sink()
    try:
        await rig.start(destination("a", sink.port, SLOWLY) + RULE)
        await rig.accepted(*study(200))
        await rig.node.router.settled()
        view = (await View(rig.node, no_faults).lanes()).lanes[0]
        assert view.waiting_bytes is not None
        assert view.clears_at is not None
        assert view.waiting_bytes > 50_000
        left_s = view.clears_at - rig.node.clock()
        assert left_s == pytest.approx(view.waiting_bytes / 40_960, rel=0.3)
        assert (view.open, view.associations) == (True, 1)
        await rig.wait_for({"done": 200})
        view = (await View(rig.node, no_faults).lanes()).lanes[0]
        assert (view.waiting_bytes, view.clears_at) == (0, None)
        assert view.objects_per_s == pytest.approx(200 / 60)
        text = (await View(rig.node, no_faults).metrics_text()).decode()
        assert 'waystation_queue_bytes{destination="a",priority="normal"} 0.0' in text
        assert 'waystation_lane_rate_bytes{destination="a"} ' in text
    finally:
        await rig.close()


@pytest.mark.req("R-51")
async def test_nobody_says_when_a_shut_or_paused_lane_will_be_done(rig: Rig) -> None:
    sink = await rig.sink()
    try:
        await rig.start(destination("a", sink.port) + RULE)
        numbers, belt = LaneNumbers(rig.node), rig.node.belts["a"]
        slow = Limits(rates=(RateEntry(bytes_per_s=10.0),))
        belt.change(replace(belt.settings, limits=slow))
        until = numbers.clears_at(belt, 1000)
        assert until == pytest.approx(rig.node.clock() + 100, abs=5)
        assert numbers.clears_at(belt, None) is None
        belt.pause("anna")
        assert numbers.clears_at(belt, 1000) is None
        belt.resume()
        belt.change(replace(belt.settings, window=NEVER))
        assert numbers.clears_at(belt, 1000) is None
    finally:
        await rig.close()
