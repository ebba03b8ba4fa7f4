"""When optional deliveries end: after their own time, however idle the lane was before (R-46)."""

import pytest

from tests.flows.rig import Rig, destination
from tests.objects.samples import study

RULE = '[[rule]]\nname = "all"\nsend = ["b", { to = "a", required = false }]\n'


@pytest.mark.req("R-46")
async def test_a_short_life_counts_also_after_a_time_without_anything_optional(rig: Rig) -> None:
    good, bad = await rig.sink(), await rig.sink()
    tables = destination("a", bad.port, 'optional_for = "400ms"') + destination("b", good.port)
    await rig.start(tables + RULE)
    await rig.accepted(*study(2))
    await rig.wait_for({"done": 4})
    await rig.drop(bad)
    await rig.accepted(*study(2, seed="later"))
    await rig.wait_for({"done": 4}, to="b")
    await rig.wait_for({"done": 2, "discarded": 2}, to="a")


@pytest.mark.req("R-2", "R-46")
async def test_a_shorter_life_counts_at_once_for_what_waits(rig: Rig) -> None:
    good, shut = await rig.sink(), await rig.sink()
    remote = destination("b", good.port) + RULE
    await rig.start(destination("a", shut.port, 'window = "never"') + remote)
    await rig.accepted(*study(2))
    await rig.wait_for({"done": 2}, to="b")
    assert await rig.states("a") == {"waiting": 2}
    extra = 'window = "never"\noptional_for = "200ms"'
    await rig.node.reload(rig.settings(destination("a", shut.port, extra) + remote))
    await rig.wait_for({"discarded": 2}, to="a")
