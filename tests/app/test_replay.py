"""New deliveries from kept files, and decisions by expression, in a running node."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.flows.rig import Rig, destination, rule
from tests.objects.files import Stored
from tests.objects.samples import study
from waystation.app.view import View
from waystation.journal.decisions import Action
from waystation.journal.entries import Chosen
from waystation.model.errors import ConfigError
from waystation.web.view import ActionAsked, ReplayAsked

EVERYTHING = ReplayAsked(where="True", since=0.0, user="ann")
SHUT = 'window = "never"'


async def no_faults() -> list[str]:
    return []


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path)
    yield made
    if made.running:
        assert await made.node.sweep.account() == 0
    await made.close()


def view(rig: Rig) -> View:
    return View(rig.node, no_faults, rig.folder)


async def delivered(rig: Rig, *stored: Stored) -> None:
    """Deliver objects to ``a``; beside it stands ``b``, which no rule names."""
    sink = await rig.sink()
    other = await rig.sink()
    config = destination("a", sink.port) + destination("b", other.port, SHUT) + rule("a")
    await rig.start(config)
    await rig.accepted(*stored)
    await rig.wait_for({"done": len(stored)}, "a")


@pytest.mark.req("R-78")
async def test_what_is_delivered_is_not_delivered_again_unless_asked(rig: Rig) -> None:
    await delivered(rig, *study(3))
    first = await view(rig).replay(EVERYTHING)
    assert (first.arrivals, first.made, first.already) == (3, 0, 3)
    again = await view(rig).replay(replace(EVERYTHING, again=True))
    assert (again.made, again.studies, dict(again.to)) == (3, 1, {"a": 3})
    await rig.wait_for({"done": 6}, "a")
    rows = await rig.rows("SELECT priority, origin FROM delivery ORDER BY id DESC LIMIT 3")
    assert set(rows) == {(2, "replay")}


@pytest.mark.req("R-78")
async def test_a_dry_run_makes_nothing_and_says_the_same(rig: Rig) -> None:
    await delivered(rig, *study(3))
    asked = replace(EVERYTHING, to="b")
    dry = await view(rig).replay(replace(asked, preview=True))
    assert await rig.states("b") == {}
    wet = await view(rig).replay(asked)
    assert (dry.made, dict(dry.to)) == (wet.made, dict(wet.to)) == (3, {"b": 3})
    assert await rig.states("b") == {"waiting": 3}
    twice = await view(rig).replay(replace(asked, again=True))
    assert (twice.made, twice.already) == (0, 3)


@pytest.mark.req("R-78")
async def test_filters_apply_to_a_replay_whoever_asks(rig: Rig) -> None:
    sink = await rig.sink()
    one = study(1)[0]
    filters = f'refuse = ["{one.sop_class}"]'
    config = destination("a", sink.port) + destination("b", sink.port, filters) + rule("a")
    await rig.start(config)
    await rig.accepted(one)
    await rig.wait_for({"done": 1}, "a")
    done = await view(rig).replay(replace(EVERYTHING, to="b"))
    assert (done.arrivals, done.made, done.filtered) == (1, 0, 1)


@pytest.mark.req("R-78")
async def test_an_expression_and_a_time_choose(rig: Rig) -> None:
    await delivered(rig, *study(2), *study(1, seed="x", kind="private"))
    asked = replace(EVERYTHING, to="b", preview=True)
    assert (await view(rig).replay(replace(asked, where="Modality == 'CT'"))).made in (2, 3)
    assert (await view(rig).replay(replace(asked, where="InstanceNumber == 1"))).made == 2
    assert (await view(rig).replay(replace(asked, since=rig.node.clock() + 60))).arrivals == 0
    assert (await view(rig).replay(replace(asked, until=1.0))).arrivals == 0


async def test_what_cannot_be_understood_is_said(rig: Rig) -> None:
    await delivered(rig, *study(1))
    for wrong in (replace(EVERYTHING, where="Modalty == 'CT'"), replace(EVERYTHING, to="nope")):
        with pytest.raises(ConfigError):
            await view(rig).replay(wrong)


async def test_what_is_held_needs_its_decision_first(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + rule("a", when='{ Modality = "none" }'))
    await rig.accepted(*study(2))
    done = await view(rig).replay(replace(EVERYTHING, to="a"))
    assert (done.held, done.arrivals, done.made) == (2, 0, 0)


async def test_live_traffic_goes_on_while_everything_is_replayed(rig: Rig) -> None:
    await delivered(rig, *study(30))
    call = await rig.call(*study(5, seed="live"))
    done = await view(rig).replay(replace(EVERYTHING, again=True))
    assert done.made == 30
    await rig.accepted(*study(5, seed="live"))
    await rig.wait_for({"done": 65}, "a")
    await call.release()


# decisions by expression


@pytest.mark.req("R-59")
async def test_a_decision_by_expression_touches_only_what_it_is_true_of(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, SHUT) + rule("a"))
    await rig.accepted(*study(4))
    shown = view(rig)
    asked = ActionAsked(
        action=Action.HOLD, chosen=Chosen(), user="ann", where="InstanceNumber <= 2"
    )
    preview = await shown.act(replace(asked, preview=True))
    assert (preview.matching, preview.changed) == (2, 0)
    assert (await shown.act(asked)).changed == 2
    assert await rig.states("a") == {"held:operator": 2, "waiting": 2}
    listed = await shown.deliveries(Chosen(state="held"), "InstanceNumber == 1")
    assert [one.reason for one in listed] == ["operator"]
    released = replace(asked, action=Action.RELEASE, where="InstanceNumber == 1")
    assert (await shown.act(released)).changed == 1
    with pytest.raises(ConfigError):
        await shown.deliveries(Chosen(), "nonsense ==")


@pytest.mark.req("R-59")
async def test_held_arrivals_are_chosen_by_expression_too(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + rule("a", when='{ Modality = "none" }'))
    await rig.accepted(*study(3))
    shown = view(rig)
    where = "InstanceNumber == 2"
    assert len(await shown.arrivals(Chosen(), where)) == 1
    asked = ActionAsked(
        action=Action.DISCARD, chosen=Chosen(), user="ann", because="test", where=where
    )
    assert (await shown.act(asked)).changed == 1
    ended = [why for _, why in await rig.arrivals()]
    assert sorted(map(str, ended)) == ["discarded:ann", "held", "held"]


@pytest.mark.req("R-78")
async def test_a_resend_by_expression_is_a_delivery_of_its_own(rig: Rig) -> None:
    await delivered(rig, *study(3))
    asked = ActionAsked(
        action=Action.RESEND, chosen=Chosen(), user="ann", where="InstanceNumber == 3"
    )
    assert (await view(rig).act(asked)).changed == 1
    await rig.wait_for({"done": 4}, "a")
    rows = await rig.rows("SELECT origin FROM delivery ORDER BY id DESC LIMIT 1")
    assert rows == [("resend",)]


@pytest.mark.req("R-76")
async def test_a_running_node_explains_what_waits(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port, SHUT) + rule("a"))
    objects = study(3)
    await rig.accepted(*objects)
    rows = await rig.rows("SELECT DISTINCT study FROM arrival")
    told = await view(rig).explain(str(rows[0][0]))
    assert told is not None
    assert (told.running, told.objects, told.judged) == (True, 3, 3)
    (way,) = told.ways
    assert (way.states, way.ahead) == ({"waiting": 3}, 0)
    assert way.why_not_now[0].startswith("window shut")
    assert await view(rig).explain("9.9.9") is None


async def test_what_waits_for_the_choice_of_a_group_is_no_lost_lane(rig: Rig) -> None:
    sink = await rig.sink()
    group = '[group.g]\nstrategy = "by-time"\nmembers = [{ to = "a", window = "never" }]\n'
    await rig.start(destination("a", sink.port) + group + rule("g"))
    await rig.accepted(*study(2))
    seen = await view(rig).lanes()
    lane = next(one for one in seen.lanes if one.counts.destination == "g")
    assert (lane.state, lane.kind, lane.counts.waiting) == ("choosing", "group", 2)
    assert sum(seen.ages["g"]) == 2
