"""A recipe stays with its delivery: through gathers, resends, replays, groups and reloads."""

import pytest

from tests.flows.rig import CT, TINY, Rig, destination
from tests.flows.test_treat import WARD, head_of, ruled
from tests.objects.samples import study
from waystation.app.acting import Acting
from waystation.app.replaying import Replaying
from waystation.journal.decisions import Action
from waystation.journal.entries import Chosen
from waystation.web.view import ActionAsked, ReplayAsked

pytestmark = pytest.mark.req("R-65")

QUICK = '[completeness]\nstudy = ["quiet"]\nquiet = { study = "100ms", series = "100ms" }\n'


def wards(rig_sink: object) -> set[str]:
    """Return what arrived as Institution Name."""
    objects = getattr(rig_sink, "objects")  # noqa: B009 - any sink
    return {head_of(one).text(0x00080080) for one in objects}


@pytest.mark.req("R-3")
async def test_a_delivery_keeps_the_edits_that_it_was_planned_with(rig: Rig) -> None:
    sink = await rig.sink()
    text = destination("a", sink.port)
    await rig.start(text + ruled(f"edit = {WARD}"))
    await rig.node.pause_lane("a", "test")
    await rig.accepted(TINY)
    await rig.node.reload(rig.settings(text + ruled(f"edit = {WARD}".replace("Mary", "John"))))
    await rig.accepted(CT)
    await rig.node.resume_lane("a")
    await rig.wait_for({"done": 2})
    assert wards(sink) == {"St Mary", "St John"}


@pytest.mark.req("R-70")
async def test_what_was_gathered_is_edited_like_the_rest(rig: Rig) -> None:
    sink = await rig.sink()
    gathering = ruled(f"edit = {WARD}", more='trigger = "study"')
    await rig.start(destination("a", sink.port) + QUICK + gathering)
    await rig.accepted(*study(3))
    await rig.wait_for({"done": 3})
    assert wards(sink) == {"St Mary"}


@pytest.mark.req("R-21")
async def test_what_was_gathered_for_whom_it_went_to_otherwise_is_held(rig: Rig) -> None:
    sink = await rig.sink()
    gathering = ruled(f"edit = {WARD}", name="whole", more='trigger = "study"\ntake = "whole"')
    await rig.start(destination("a", sink.port) + QUICK + ruled("", name="plain") + gathering)
    objects = study(2)
    await rig.accepted(*objects)
    await rig.wait_for({"done": 2, "held:two-versions": 2})
    assert {one.data_set for one in sink.objects} == {one.data_set for one in objects}


async def test_what_is_sent_again_is_what_was_sent(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + ruled(f"edit = {WARD}"))
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    again = ActionAsked(action=Action.RESEND, chosen=Chosen(destination="a"), user="anna")
    await Acting(rig.node).act(again)
    await rig.wait_for({"done": 2})
    assert len({one.data_set for one in sink.objects}) == 1


@pytest.mark.req("R-78")
@pytest.mark.parametrize("to", ["", "a"])
async def test_a_replay_goes_through_the_steps_of_its_rule(rig: Rig, to: str) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + ruled(f"edit = {WARD}"))
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    asked = ReplayAsked(where="True", since=0.0, user="anna", to=to, again=True)
    done = await Replaying(rig.node, Acting(rig.node)).replay(asked)
    assert done.made == 1
    await rig.wait_for({"done": 2})
    assert len({one.data_set for one in sink.objects}) == 1
    assert wards(sink) == {"St Mary"}


@pytest.mark.req("R-42")
async def test_a_group_hands_the_steps_on_to_its_member(rig: Rig) -> None:
    sink = await rig.sink()
    group = '[group.g]\nstrategy = "failover"\nmembers = ["a"]\n'
    await rig.start(destination("a", sink.port) + group + ruled(f"edit = {WARD}", to="g"))
    await rig.accepted(TINY)
    await rig.wait_for({"done": 1})
    assert wards(sink) == {"St Mary"}
