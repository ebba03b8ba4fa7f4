"""What is asked for next, and who comes first."""

import asyncio

import pytest

from waystation.flows.fetch_manifest import UIDS_AT_ONCE, WHOLE, Aim, Job, Manifest, jobs
from waystation.flows.fetch_places import Places


def manifest(**series: list[str]) -> Manifest:
    made = Manifest(series=dict.fromkeys(series))
    for uid, instances in series.items():
        made.put(uid, dict.fromkeys(instances, "1.2"))
    return made


def test_an_aim_is_complete_only_by_what_is_listed() -> None:
    known = manifest(a=["1", "2"], b=["3"])
    assert known.missing(WHOLE, {"1": "a", "3": "b"}) == ("2",)
    assert known.missing(Aim("b"), {"3": "b"}) == ()
    known.listed.discard("a")
    assert known.missing(WHOLE, {"1": "a", "2": "a", "3": "b"}) is None
    assert Manifest().missing(Aim("a"), {"1": "a"}) is None
    assert Manifest().missing(Aim("a", "1"), {"1": "a"}) == ()


def test_what_is_listed_anew_replaces_what_was_listed() -> None:
    known = manifest(a=["1", "2"], b=["3"])
    known.put("a", {"2": "1.2", "4": "1.2"})
    assert sorted(known.uids(WHOLE)) == ["2", "3", "4"]
    assert known.count(Aim("a")) == 2


@pytest.mark.req("W-106", "W-114")
def test_no_more_is_asked_for_than_lacks() -> None:
    known = manifest(a=["1", "2"], b=["3", "4"], c=["5"])
    here = {"1": "a", "2": "a", "3": "b"}
    assert jobs([WHOLE], Manifest(), {}, lists=True) == [Job("STUDY")]
    assert jobs([WHOLE], known, {}, lists=True) == [Job("STUDY")]
    assert jobs([WHOLE], known, here, lists=True) == [
        Job("SERIES", ("c",)),
        Job("IMAGE", ("b",), ("4",)),
    ]
    assert jobs([Aim("b"), Aim("c")], known, here, lists=True) == [
        Job("SERIES", ("c",)),
        Job("IMAGE", ("b",), ("4",)),
    ]
    assert jobs([Aim("a", "9")], known, here, lists=True) == [Job("IMAGE", ("a",), ("9",))]


def test_a_pacs_that_takes_no_lists_is_asked_one_by_one() -> None:
    aims = [Aim("a", "1"), Aim("a", "2"), Aim("b")]
    assert jobs(aims, Manifest(), {}, lists=False) == [
        Job("SERIES", ("b",)),
        Job("IMAGE", ("a",), ("1",)),
        Job("IMAGE", ("a",), ("2",)),
    ]
    many = [Aim("a", str(number)) for number in range(UIDS_AT_ONCE + 1)]
    assert [len(job.instances) for job in jobs(many, Manifest(), {}, lists=True)] == [
        UIDS_AT_ONCE,
        1,
    ]


@pytest.mark.req("W-140")
async def test_readers_come_before_prefetches_each_in_turn() -> None:
    places, order = Places(1), list[str]()
    gate = asyncio.Event()

    async def work(name: str, *, prefetch: bool = False) -> None:
        async with places.one(prefetch=prefetch):
            order.append(name)
            if name == "first":
                await gate.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(work("first"))
        await asyncio.sleep(0)
        group.create_task(work("ahead", prefetch=True))
        group.create_task(work("one"))
        gone = group.create_task(work("gone"))
        group.create_task(work("two"))
        await asyncio.sleep(0)
        assert places.waiting == 4
        gone.cancel()
        await asyncio.sleep(0)
        gate.set()
    assert order == ["first", "one", "two", "ahead"]
    assert places.waiting == 0
