"""One study out of the archive and several PACS: each instance once, nothing silently fewer."""

import asyncio
from dataclasses import replace

import pytest

from tests.flows.holding import DOWN, STUDY, S, Site
from tests.net.sink import until
from waystation.flows.fetch import FetchFailed
from waystation.flows.holders import Holders
from waystation.flows.sightings import Sightings


@pytest.mark.req("W-131")
async def test_the_pacs_with_most_gives_and_the_others_only_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    has = {"a": {"1": S, "2": S}, "b": {"1": S, "2": S, "3": S}, "c": {"4": "1.2.2", "3": S}}
    site = Site(monkeypatch, has)
    assert await site.read() == ["1", "2", "3", "4"]
    last = {"study": "1.2", "series": "1.2.2", "instance": "4"}
    assert site.wanted == [("b", STUDY), ("c", last)]


@pytest.mark.req("W-131")
async def test_one_pacs_alone_is_asked_without_a_question_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(monkeypatch, {"a": {"1": S}})
    assert await site.read() == ["1"]
    assert site.listed == []


@pytest.mark.req("W-131")
async def test_where_it_was_last_seen_is_asked_alone_until_it_has_gone_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(monkeypatch, {"a": {"1": S}, "b": {"1": S, "2": S}})
    await site.read()
    site.wanted.clear()
    assert await site.read() == ["1", "2"]
    assert site.wanted == [("b", STUDY)]
    site.has["b"] = {}
    assert await site.read() == ["1"]


@pytest.mark.req("W-131")
async def test_what_the_archive_has_leaves_first_and_only_the_rest_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(monkeypatch, {"a": {"1": S, "2": S, "3": S}}, own=["1", "2"])
    assert await site.read() == ["1", "2", "3"]
    assert site.wanted == [("a", {"study": "1.2", "series": S, "instance": "3"})]


@pytest.mark.req("W-131")
async def test_the_archive_does_not_wait_for_a_pacs_that_thinks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("waystation.flows.holders.HEAD_START_S", 0.01)
    site = Site(monkeypatch, {"a": {"1": S, "2": S}}, own=["1"])
    site.slow.clear()
    assert await site.holders.whole("", STUDY) is None
    reading = await site.holders.want("", STUDY)
    each = aiter(reading)
    assert (await anext(each)).sop_instance_uid == "1"
    site.slow.set()
    assert (await anext(each)).sop_instance_uid == "2"
    assert await anext(each, None) is None
    await reading.close()


@pytest.mark.req("W-131")
async def test_pacs_that_have_no_more_are_asked_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(monkeypatch, {"a": {"1": S}, "b": {}}, own=["1", "2"])
    for _ in range(3):
        assert await site.read() == ["1", "2"]
    assert sorted(site.listed) == ["a", "b"]
    assert site.wanted == []
    instance = {"study": "1.2", "series": S, "instance": "2"}
    assert await site.read(instance) == ["2"]
    assert len(site.listed) == 2


@pytest.mark.req("W-129", "W-104")
async def test_a_source_that_fails_is_a_warning_or_the_answer_but_never_404(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(monkeypatch, {"a": {"1": S}, "b": DOWN})
    assert await site.read() == ["1"]
    assert site.warnings == ["source b did not answer (it is asleep)"]
    site = Site(monkeypatch, {"a": {}, "b": DOWN})
    with pytest.raises(FetchFailed) as caught:
        await site.read()
    assert (caught.value.status, caught.value.source) == (504, "b")
    site = Site(monkeypatch, {"b": DOWN}, own=["1"])
    assert await site.read() == ["1"]
    assert site.warnings == ["source b did not answer (it is asleep)"]


@pytest.mark.req("W-129", "W-90")
async def test_a_source_that_fails_late_breaks_the_answer_and_the_next_one_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("waystation.flows.holders.HEAD_START_S", 0.01)
    site = Site(monkeypatch, {"b": DOWN}, own=["1"])
    site.slow.clear()
    assert await site.holders.whole("", STUDY) is None
    reading = await site.holders.want("", STUDY)
    site.slow.set()
    with pytest.raises(FetchFailed):
        [each async for each in reading]
    await reading.close()
    assert await site.read() == ["1"]
    assert site.warnings == ["source b did not answer (it is asleep)"]


@pytest.mark.req("W-104", "W-89")
async def test_nobody_has_it_is_404_and_what_was_deleted_here_410(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for names in (["a"], ["a", "b"]):
        site = Site(monkeypatch, {name: {} for name in names})
        for gone, status in ((False, 404), (True, 410)):
            site.gone = gone
            with pytest.raises(FetchFailed) as caught:
                await site.read()
            assert caught.value.status == status


@pytest.mark.req("W-114", "W-131")
async def test_what_the_first_pacs_fails_to_send_comes_from_the_next_or_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for others, blind, missing in (
        ({}, False, 1),
        ({"1": S}, False, 1),
        # As many come in all as the first one has, and one of its own is not among them.
        ({"1": S, "8": S}, False, 1),
        ({"1": S, "3": S, "8": S}, False, 0),
        # Nobody knows what the first one should have sent.
        ({"1": S, "3": S, "8": S}, True, 1),
    ):
        site = Site(monkeypatch, {"a": {"1": S, "2": S, "3": S}, "b": others})
        site.lacks, site.blind = {"3"}, {"a"} if blind else set()
        if not missing:
            assert await site.read() == ["1", "2", "3", "8"]
            continue
        with pytest.raises(FetchFailed) as caught:
            await site.read()
        assert caught.value.missing == missing


@pytest.mark.req("W-131")
async def test_what_only_another_pacs_has_comes_the_second_time_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    has = {"a": {"1": S, "2": S}, "b": {"3": "1.2.2"}}
    site = Site(monkeypatch, has)
    for _ in range(2):
        assert sorted(await site.read()) == ["1", "2", "3"]
    # That nobody else has anything of one series says nothing of the others.
    site = Site(monkeypatch, has)
    assert await site.read({"study": "1.2", "series": S}) == ["1", "2"]
    assert sorted(await site.read()) == ["1", "2", "3"]


@pytest.mark.req("W-131", "W-129")
async def test_a_pacs_that_was_down_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {"a": {"1": S}, "b": DOWN})
    assert await site.read() == ["1"]
    site.has["b"] = {"2": S}
    assert await site.read() == ["1", "2"]


@pytest.mark.req("W-131")
async def test_what_all_pacs_said_is_believed_for_a_while_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("waystation.flows.holders.Sightings", lambda: Sightings(lambda: now[0]))
    site = Site(monkeypatch, {"a": {"1": S}, "b": {}})
    site.has["b"] = {"1": S}
    await site.read()
    site.has["b"] = {"1": S, "2": S}
    assert await site.read() == ["1"]
    now[0] += site.federated[0].terms.revalidate_s
    assert await site.read() == ["1", "2"]


@pytest.mark.req("W-131")
async def test_an_instance_is_looked_for_where_some_of_its_study_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(monkeypatch, {"a": {"1": S, "2": S}, "b": {"3": S}})
    await site.read()
    site.wanted.clear()
    for uid, source in (("2", "a"), ("3", "b")):
        path = {"study": "1.2", "series": S, "instance": uid}
        assert await site.read(path) == [uid]
        assert site.wanted.pop() == (source, path)


@pytest.mark.req("W-131", "W-62")
async def test_what_a_pacs_lists_and_does_not_have_is_never_404(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(monkeypatch, {"a": {"1": S, "2": S}}, own=["1"])
    site.vanished = {"2"}
    with pytest.raises(FetchFailed) as caught:
        await site.read()
    assert (caught.value.status, caught.value.source) == (502, "a")


@pytest.mark.req("W-131", "W-108")
async def test_a_pacs_that_does_not_list_is_compared_by_its_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    all_of_it = {"1": S, "2": S, "3": S}
    by_count = "source a does not list its instances; it is compared by its count only"
    site = Site(monkeypatch, {"a": all_of_it}, own=["1"])
    site.blind = {"a"}
    for _ in range(2):
        assert await site.read() == ["1", "2", "3"]
        assert site.warnings == [by_count]
    assert site.wanted == [("a", STUDY)] * 2
    site = Site(monkeypatch, {"a": all_of_it}, own=["1", "2", "3"])
    site.blind = {"a"}
    assert (await site.read(), site.wanted) == (["1", "2", "3"], [])
    assert site.warnings == [by_count]
    site.uncounted = {"a"}
    site.own = ["1", "2"]
    site.holders = Holders(site, lambda: site, site._archived, site._deleted)  # type: ignore[arg-type,return-value]
    assert await site.read() == ["1", "2"]
    assert site.warnings == ["source a does not list its instances; it may have more"]
    site = Site(monkeypatch, {"a": {}, "b": all_of_it}, own=["1", "2", "3"])
    site.blind = {"a"}
    assert (await site.read(), site.warnings) == (["1", "2", "3"], [])


@pytest.mark.req("W-131")
async def test_what_is_asked_for_one_reader_is_not_left_to_another_or_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("waystation.flows.holders.HEAD_START_S", 0.0)
    monkeypatch.setattr("waystation.flows.holders.COLLECTED_S", 0.02)
    site = Site(monkeypatch, {"a": {"1": S, "2": S}}, own=["1"])
    site.slow.clear()
    both = await asyncio.gather(*(site.holders.whole("", STUDY) for _ in range(2)))
    assert both == [None, None]
    readings = [await site.holders.want("", STUDY) for _ in range(2)]
    assert site.listed == ["a", "a"]
    for reading in readings:
        await reading.close()
    # Nobody comes for this one; and who asked for that one leaves while it waits.
    await site.holders.whole("", STUDY)
    monkeypatch.setattr("waystation.flows.holders.HEAD_START_S", 30.0)
    leaving = asyncio.create_task(site.holders.whole("", STUDY))
    await until(lambda: len(site.listed) == 4)
    leaving.cancel()
    await until(lambda: not site.thinking)
    site.has["a"] = {"1": S}
    site.slow.set()
    assert await site.read() == ["1"]
    assert len(site.listed) == 5


@pytest.mark.req("W-17")
async def test_whether_it_exists_is_asked_without_moving_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(monkeypatch, {"a": {"1": S, "2": S}, "b": {"1": S}}, own=["1"])
    assert await site.holders.exists("", STUDY) == 2
    assert site.wanted == []


async def test_a_named_source_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, {"a": {"1": S}, "b": {"2": S}}, own=["3"])
    reading = await site.holders.want("b", STUDY)
    assert [replace(each, id=0).sop_instance_uid async for each in reading] == ["2"]
    assert await site.holders.exists("a", STUDY) == 1
