"""Rules that wait for a whole series or study (R-70 to R-73, RT-12)."""

import asyncio

import pytest

from tests.flows.rig import TINY, Rig, destination
from tests.objects.samples import study
from waystation.journal import gather_endings, gathers
from waystation.rules.expression import StudyCondition, StudyFacts

QUICK = '[completeness]\nquiet = "{quiet}"\nrelease = "{release}"\nforce_after = "{force}"\n'


def completeness(quiet: str = "60s", release: str = "200ms", force: str = "90s") -> str:
    return QUICK.format(quiet=quiet, release=release, force=force)


def gathering(extra: str = "", trigger: str = "study") -> str:
    return f'[[rule]]\nname = "whole"\ntrigger = "{trigger}"\nsend = ["a"]\n{extra}\n'


@pytest.mark.req("R-70", "R-71")
async def test_a_study_goes_when_its_association_was_released(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + gathering() + completeness())
    call = await rig.call(*study(3))
    await call.release()
    await rig.accepted(*study(3))
    assert await rig.states() == {}
    assert rig.node.gathers.open == 1
    await rig.wait_for({"done": 3})
    assert sink.associations == 1
    assert await rig.rows("SELECT evidence, state FROM gather") == [("release", "done")]


@pytest.mark.req("R-71", "RT-12")
async def test_three_associations_with_pauses_are_one_study(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + gathering() + completeness(release="600ms"))
    objects = study(6)
    for first in (0, 2, 4):
        await rig.accepted(*objects[first : first + 2])
        await asyncio.sleep(0.3)
        assert sink.objects == []
    await rig.wait_for({"done": 6})
    assert await rig.rows("SELECT count(*) FROM gather") == [(1,)]


@pytest.mark.req("R-71", "RT-12")
async def test_an_abort_in_the_middle_waits_for_quiet(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(
        destination("a", sink.port) + gathering() + completeness(quiet="1s", release="50ms")
    )
    objects = study(3)
    from tests.net.sink import store

    call = await rig.call(*objects)
    await store(call, objects[0])
    await store(call, objects[1])
    call.abort()
    await asyncio.sleep(0.5)
    assert await rig.states() == {}
    await rig.wait_for({"done": 2})
    assert await rig.rows("SELECT evidence FROM gather") == [("quiet",)]


@pytest.mark.req("R-72", "RT-12")
async def test_a_restart_between_the_last_object_and_completion_fires_once(rig: Rig) -> None:
    sink = await rig.sink()
    config = destination("a", sink.port) + gathering() + completeness(quiet="1s", release="60s")
    await rig.start(config)
    await rig.accepted(*study(4))
    await rig.restart()
    assert await rig.states() == {}
    await rig.wait_for({"done": 4})
    await rig.restart()
    assert len(sink.objects) == 4


@pytest.mark.req("R-72")
async def test_a_restart_goes_on_with_a_half_made_ending(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather_endings, "PAGE", 2)
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + gathering() + completeness(quiet="60s"))
    await rig.accepted(*study(5))
    (row,) = await rig.rows("SELECT id FROM gather")
    await rig.node.database.write(gather_endings.begin_ending(row[0], "quiet", rig.node.clock()))
    ending = gather_endings.Ending(
        evidence="quiet", targets=(await rig.node.database.read(gathers.unfinished()))[0].targets
    )
    await rig.node.database.write(
        gather_endings.end_page(row[0], ending, rig.node.ids, rig.node.clock())
    )
    await rig.restart()
    await rig.wait_for({"done": 5})
    assert await rig.rows("SELECT state FROM gather") == [("done",)]


@pytest.mark.req("R-73", "RT-12")
@pytest.mark.parametrize(
    ("late", "states"),
    [("delta", {"done": 4}), ("whole", {"done": 7}), ("hold", {"done": 3, "held:operator": 1})],
)
async def test_late_objects(rig: Rig, late: str, states: dict[str, int]) -> None:
    sink = await rig.sink()
    config = gathering(f'late = "{late}"') + completeness(quiet="300ms", release="60s")
    await rig.start(destination("a", sink.port) + config)
    objects = study(4)
    await rig.accepted(*objects[:3])
    await rig.wait_for({"done": 3})
    await rig.accepted(objects[3])
    await rig.wait_for(states)


@pytest.mark.req("R-71")
@pytest.mark.parametrize(
    ("on_force", "states"), [("send", {"done": 2}), ("hold", {"held:operator": 2})]
)
async def test_without_evidence_the_study_is_incomplete(
    rig: Rig, on_force: str, states: dict[str, int]
) -> None:
    sink = await rig.sink()
    config = gathering(f'on_force = "{on_force}"\nforce_after = "300ms"') + completeness()
    await rig.start(destination("a", sink.port) + config.replace("200ms", "60s"))
    await rig.accepted(*study(2))
    await rig.wait_for(states)


@pytest.mark.req("R-70")
async def test_if_complete_is_asked_once_at_completion(rig: Rig) -> None:
    sink = await rig.sink()
    few = 'if_complete = "study.instances >= 3"'
    await rig.start(
        destination("a", sink.port) + gathering(few) + completeness(quiet="300ms", release="60s")
    )
    await rig.accepted(*study(3))
    await rig.accepted(*study(2, seed="other"))
    await rig.wait_for({"done": 3})

    async def held() -> bool:
        return (await rig.arrivals()).count(("no-rule", "held")) == 2

    from tests.net.sink import until_async

    await until_async(held)


@pytest.mark.req("R-70", "R-34")
async def test_a_gather_counts_as_a_match(rig: Rig) -> None:
    sink = await rig.sink()
    await rig.start(destination("a", sink.port) + gathering() + completeness())
    await rig.accepted(TINY)
    assert await rig.arrivals() == [(None, None)]


@pytest.mark.req("R-2", "R-71")
async def test_a_reload_shortens_the_wait(rig: Rig) -> None:
    sink = await rig.sink()
    there = destination("a", sink.port) + gathering()
    await rig.start(there + completeness(release="60s"))
    await rig.accepted(*study(2))
    await rig.node.reload(rig.settings(there + completeness(quiet="300ms", release="60s")))
    await rig.wait_for({"done": 2})


@pytest.mark.req("R-32", "R-47")
async def test_an_if_complete_that_fails_holds_its_study_and_no_other(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = await rig.sink()
    few = 'if_complete = "study.instances >= 3"'
    await rig.start(
        destination("a", sink.port) + gathering(few) + completeness(quiet="300ms", release="60s")
    )
    judged = StudyCondition.judge

    def judge(asked: StudyCondition, study_: StudyFacts) -> tuple[bool, str]:
        if study_.instances == 4:
            raise RuntimeError("a fault of ours")
        return judged(asked, study_)

    monkeypatch.setattr(StudyCondition, "judge", judge)
    await rig.accepted(*study(4))
    await rig.accepted(*study(3, seed="other"))
    await rig.wait_for({"done": 3, "held:rule-error": 4})
