"""Lanes over HTTP and lanes of hooks: what the status table makes of them in a running node."""

from pathlib import Path

import pytest

from tests.destinations.making_ways import program
from tests.flows.rig import RETRY, TO_A, Rig
from tests.net.http_sink import CUT, Answer, HttpSink, Request, serving, stores_all
from tests.net.sink import until, until_async
from tests.objects.samples import study
from waystation.timing.lane import Health


def stow(sink: HttpSink, extra: str = "") -> str:
    return (
        f'[destination.a]\nkind = "stow"\nurl = "{sink.url}"\nretry = {RETRY}\n'
        f'timeouts = {{ connect = "1s", progress = "1s", response = "500ms" }}\n{extra}\n'
    )


def stores(sink: HttpSink) -> list[Request]:
    """Return the requests that brought objects."""
    return [request for request in sink.requests if request.stored()]


@pytest.mark.req("R-54")
async def test_a_study_goes_in_few_requests(rig: Rig) -> None:
    objects = study(30)
    async with serving() as sink:
        await rig.start(stow(sink) + TO_A)
        await rig.node.pause_lane("a", "test")
        await rig.accepted(*objects)
        await rig.node.resume_lane("a")
        await rig.wait_for({"done": 30})
        assert sink.kept() == {one.sop_instance: one.data_set for one in objects}
        assert len(stores(sink)) <= 3
        await rig.stop()


@pytest.mark.req("RT-9", "R-55")
@pytest.mark.parametrize("how", [CUT, Answer(status=500), Answer(status=400), Answer(status=503)])
async def test_a_poison_object_among_many_is_held_and_the_others_are_delivered(
    rig: Rig, how: Answer | str
) -> None:
    objects = study(120)
    poison = objects[37].sop_instance

    def script(request: Request) -> Answer | str:
        bad = poison in [one.sop_instance for one in request.stored()]
        return how if bad else stores_all(request)

    async with serving(script) as sink:
        await rig.start(stow(sink, "max_per_request = 10") + TO_A)
        await rig.accepted(*objects)
        extra = 0
        while (states := await rig.states()).get("held:object-refused") != 1:
            assert extra < 40, states
            # Only while others pass is it clear that the object is to blame.
            await rig.accepted(*study(1, seed=f"other {extra}"))
            extra += 1
            await until_passed(rig, 119 + extra)
        await rig.wait_for({"done": 119 + extra, "held:object-refused": 1})
        assert poison not in sink.kept()
        await rig.stop()


async def until_passed(rig: Rig, count: int) -> None:
    """Return once so many are delivered."""

    async def passed() -> bool:
        return (await rig.states()).get("done", 0) >= count

    await until_async(passed)


@pytest.mark.req("O7", "R-57", "RT-9")
@pytest.mark.parametrize("status", [401, 403, 404, 301])
async def test_a_server_that_refuses_us_blocks_the_lane_until_it_does_not(
    rig: Rig, status: int
) -> None:
    async with serving(lambda _: Answer(status=status)) as sink:
        await rig.start(stow(sink) + TO_A)
        await rig.accepted(*study(4))
        lane = rig.node.belts["a"].lane
        await until(lambda: lane.health(0) is Health.BLOCKED)
        await until(lambda: len(sink.requests) > 4)
        assert len(stores(sink)) == 1
        assert await rig.states() == {"waiting": 4}
        assert (
            await rig.rows("SELECT object_failures FROM delivery WHERE object_failures > 0") == []
        )
        sink.script = stores_all
        await rig.wait_for({"done": 4})
        await rig.stop()


@pytest.mark.req("O3", "R-57")
async def test_a_server_that_is_away_gets_all_when_it_is_back(rig: Rig) -> None:
    async with serving() as sink:
        port = sink.port
        config = stow(sink) + TO_A
    await rig.start(config)
    await rig.accepted(*study(5))
    lane = rig.node.belts["a"].lane
    await until(lambda: lane.health(0) is Health.DOWN)
    async with serving(port=port) as risen:
        await rig.wait_for({"done": 5})
        assert len(risen.kept()) == 5
        await rig.stop()


async def test_hooks_are_told_beside_a_delivery(rig: Rig, tmp_path: Path) -> None:
    script = program(tmp_path / "count.sh", f"#!/bin/sh\necho x >> {tmp_path}/count\n")
    async with serving(lambda _: Answer()) as told, serving() as sink:
        config = stow(sink) + (
            f'[destination.told]\nkind = "webhook"\nurl = "{told.url}/hook"\n'
            f'[destination.run]\nkind = "command"\ncommand = ["{script}", "{{file}}"]\n'
            '[[rule]]\nname = "all"\nsend = ["a", "told", "run"]\n'
        )
        await rig.start(config)
        await rig.accepted(*study(3))
        await rig.wait_for({"done": 9})
        assert len(told.requests) == 3
        assert (tmp_path / "count").read_text() == "x\n" * 3
        left = [path for path in (rig.data / "hooks").rglob("*") if path.is_file()]
        assert left == []
        await rig.stop()


async def test_files_of_programs_that_a_crash_left_are_gone_after_the_start(rig: Rig) -> None:
    left = rig.data / "hooks" / "one-that-is-configured-no-more" / "x" / "object.dcm"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"patient")
    await rig.start("")
    assert not left.exists()


@pytest.mark.req("R-54")
async def test_what_one_answer_has_told_is_written_although_the_lane_halts(rig: Rig) -> None:
    objects = study(30)

    def script(request: Request) -> Answer:
        if request.stored():
            rig.node.lanes.belts["a"].pause("test")
        return stores_all(request)

    async with serving(script) as sink:
        await rig.start(stow(sink) + TO_A)
        await rig.node.pause_lane("a", "test")
        await rig.accepted(*objects)
        await rig.node.resume_lane("a")
        await until(lambda: len(stores(sink)) == 1)
        kept = len(sink.kept())
        await until_passed(rig, kept)
        assert (await rig.states()).get("done") == kept > 1
        await rig.stop()
