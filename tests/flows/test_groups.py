"""Groups: one of several destinations takes each study (R-42 to R-46, RT-7)."""

import pytest

from tests.flows.rig import Rig, destination
from tests.net.sink import Answer, Sink, until, until_async
from tests.objects.samples import study
from waystation.flows import groups
from waystation.timing.lane import Lane

TO_READING = '[[rule]]\nname = "all"\nsend = ["reading"]\n'


def group(extra: str = "", members: str = '["a", "b"]') -> str:
    return (
        f'[group.reading]\nmembers = {members}\nswitch_after = "300ms"\n'
        f'return_after = "300ms"\n{extra}\n'
    )


async def both(rig: Rig) -> tuple[Sink, Sink]:
    return await rig.sink(), await rig.sink()


def two(a: Sink, b: Sink) -> str:
    return destination("a", a.port) + destination("b", b.port)


async def chosen(rig: Rig) -> list[str]:
    return [str(row[0]) for row in await rig.rows("SELECT member FROM choice ORDER BY study")]


@pytest.mark.req("R-42")
async def test_the_first_member_takes_a_study_and_one_delivery_is_all_there_is(rig: Rig) -> None:
    a, b = await both(rig)
    await rig.start(two(a, b) + group() + TO_READING)
    await rig.accepted(*study(4))
    await rig.wait_for({"done": 4})
    assert (len(a.objects), len(b.objects)) == (4, 0)
    rows = await rig.rows("SELECT DISTINCT destination, grp, origin FROM delivery")
    assert rows == [("a", "reading", "rule")]
    assert await chosen(rig) == ["a"]


@pytest.mark.req("R-42", "R-44")
async def test_a_dead_member_is_passed_over_once_it_was_away_for_long_enough(rig: Rig) -> None:
    a, b = await both(rig)
    await rig.start(two(a, b) + group() + TO_READING)
    await rig.drop(a)
    await rig.accepted(*study(3))
    await rig.wait_for({"done": 3})
    assert len(b.objects) == 3
    rows = await rig.rows("SELECT member, why FROM choice")
    assert rows[0][0] == "b"
    assert "a down for" in str(rows[0][1])


@pytest.mark.req("R-44", "RT-7")
@pytest.mark.parametrize(
    ("on_switch", "at_b", "repeats"), [("whole-study", 6, 3), ("remainder", 3, 0)]
)
async def test_a_member_that_dies_in_mid_study_gives_the_study_away(
    rig: Rig, on_switch: str, at_b: int, repeats: int
) -> None:
    a, b = await both(rig)
    objects = study(6)
    await rig.start(two(a, b) + group(f'on_switch = "{on_switch}"') + TO_READING)
    await rig.accepted(*objects[:3])
    await rig.wait_for({"done": 3})
    await rig.drop(a)
    await rig.accepted(*objects[3:])
    await until(lambda: len(b.objects) == at_b)
    await rig.wait_for({"done": 6 + repeats})
    rows = await rig.rows("SELECT count(*) FROM delivery WHERE origin = 'switch'")
    assert rows == [(repeats,)]


@pytest.mark.req("R-44")
async def test_a_look_for_another_reason_does_not_hide_that_a_member_is_ill_by_now(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between the moment at which it is ill and the look at it.
    monkeypatch.setattr(groups, "SHORTEST_S", 0.6)
    a, b = await both(rig)
    objects = study(4)
    await rig.start(two(a, b) + group() + TO_READING)
    await rig.accepted(*objects[:2])
    await rig.wait_for({"done": 2})
    await rig.drop(a)
    await rig.accepted(*objects[2:])
    lane = rig.node.belts["a"].lane
    await until(lambda: lane.away_since is not None and rig.node.groups.now() > ill_at(lane))
    rig.node.groups.wake("reading", "1.2.3")
    await rig.wait_for({"done": 6})
    assert len(b.objects) == 4


def ill_at(lane: Lane) -> float:
    """Return when it has been away for long enough, by the settings of `group`."""
    return (lane.away_since or 0.0) + 0.35


@pytest.mark.req("R-43")
async def test_late_objects_stay_with_their_member(rig: Rig) -> None:
    a, b = await both(rig)
    objects = study(4)
    config = two(a, b) + TO_READING
    await rig.start(config + group(members='["b", "a"]'))
    await rig.accepted(*objects[:2])
    await rig.wait_for({"done": 2})
    # The order is another now; the study that has begun stays, new ones do not.
    await rig.node.reload(rig.settings(config + group()))
    await rig.accepted(*objects[2:])
    await rig.accepted(*study(1, seed="new"))
    await rig.wait_for({"done": 5})
    assert (len(a.objects), len(b.objects)) == (1, 4)


@pytest.mark.req("R-45")
async def test_new_studies_come_back_after_unbroken_health(rig: Rig) -> None:
    a, b = await both(rig)
    await rig.start(
        two(a, b)
        + group('return_after = "100ms"').replace('return_after = "300ms"\n', "")
        + TO_READING
    )
    await rig.node.pause_lane("a", "ann")
    await rig.accepted(*study(1, seed=1))
    await rig.wait_for({"done": 1})
    assert len(b.objects) == 1
    await rig.node.resume_lane("a")

    async def back() -> bool:
        await rig.accepted(*study(1, seed=len(a.objects) + len(b.objects) + 100))
        return bool(a.objects)

    await until_async(back)


@pytest.mark.req("R-42")
async def test_nobody_open_waits_in_the_group_and_starts_when_somebody_opens(rig: Rig) -> None:
    a, b = await both(rig)
    shut = destination("a", a.port, 'window = "never"') + destination(
        "b", b.port, 'window = "never"'
    )
    await rig.start(shut + group() + TO_READING)
    await rig.accepted(*study(2))
    rows = await rig.rows("SELECT DISTINCT destination, state FROM delivery")
    assert rows == [("reading", "waiting")]
    await until(lambda: "a never opens" in rig.node.groups.why_waiting("reading"))
    await rig.node.reload(rig.settings(two(a, b) + group() + TO_READING))
    await rig.wait_for({"done": 2})


@pytest.mark.req("R-40")
async def test_what_waited_too_long_in_a_group_goes_to_the_first_that_is_well_whatever_the_hours(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "LONGEST_SLEEP_S", 0.1)
    a, b = await both(rig)
    shut = destination("a", a.port, 'window = "never"') + destination(
        "b", b.port, 'window = "never"'
    )
    await rig.start(shut + group('send_anyway_after = "500ms"') + TO_READING)
    await rig.accepted(*study(3))
    assert await rig.states() == {"waiting": 3}
    await rig.wait_for({"done": 3})
    assert [len(a.objects), len(b.objects)] == [3, 0]
    began = rig.node.clock()
    await rig.accepted(*study(2, seed="later"))
    await rig.wait_for({"done": 5})
    assert rig.node.clock() - began >= 0.5
    await until(lambda: not rig.node.belts["a"]._claiming.through)


@pytest.mark.req("R-44")
async def test_single_refused_objects_switch_nobody(rig: Rig) -> None:
    def picky(command: object) -> Answer:
        return 0xA900

    a, b = await rig.sink(Sink(script=picky)), await rig.sink()
    await rig.start(two(a, b) + group() + TO_READING)
    await rig.accepted(*study(2))
    await rig.wait_for({"held:object-refused": 2})
    assert b.objects == []


@pytest.mark.req("R-3")
async def test_a_group_that_is_gone_holds_what_waits_in_it(rig: Rig) -> None:
    a, b = await both(rig)
    shut = destination("a", a.port, 'window = "never"')
    await rig.start(shut + group(members='["a"]') + TO_READING)
    await rig.accepted(*study(2))
    await rig.node.reload(rig.settings(two(a, b)))
    await rig.wait_for({"held:destination-gone": 2})
    await rig.node.reload(rig.settings(two(a, b) + group() + TO_READING))
    await rig.wait_for({"done": 2})


@pytest.mark.req("R-42")
async def test_choices_survive_a_restart(rig: Rig) -> None:
    a, b = await both(rig)
    objects = study(4)
    await rig.start(two(a, b) + group(members='["b", "a"]') + TO_READING)
    await rig.accepted(*objects[:2])
    await rig.wait_for({"done": 2})
    await rig.restart(two(a, b) + group() + TO_READING)
    await rig.accepted(*objects[2:])
    await rig.wait_for({"done": 4})
    assert (len(a.objects), len(b.objects)) == (0, 4)
