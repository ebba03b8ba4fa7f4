"""One PACS asked by C-FIND: what goes out, what comes back, and every way to fail (W-62)."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from tests.flows.inquiring import ID, NAME, fails, found, query, tree, upstream
from tests.flows.scripted_pacs import (
    ABORT,
    CUT,
    IMAGE,
    LEVEL,
    SERIES,
    SILENT,
    STUDY,
    ScriptedPacs,
    running,
    until,
)
from tests.net.sink import plain_server, swallow
from waystation.dicom.head import Head
from waystation.dicom.uids import STUDY_ROOT_FIND
from waystation.model.peer import Remote
from waystation.model.upstream import UpstreamTerms
from waystation.wire.items import AssociateReject


@pytest.mark.req("W-20", "W-21", "W-22", "W-26", "WT-3")
@pytest.mark.parametrize(
    ("level", "keys", "uids"),
    [
        ("STUDY", {ID: "1"}, {("1.1", "", ""), ("1.2", "", "")}),
        ("SERIES", {STUDY: "1.2"}, {("1.2", "1.2.1", ""), ("1.2", "1.2.2", "")}),
        (
            "IMAGE",
            {STUDY: "1.2", SERIES: "1.2.1"},
            {("1.2", "1.2.1", "1.2.1.1"), ("1.2", "1.2.1", "1.2.1.2")},
        ),
    ],
)
async def test_each_level_is_one_find_that_carries_every_uid_of_the_path(
    level: str, keys: dict[int, str], uids: set[tuple[str, str, str]]
) -> None:
    async with running(ScriptedPacs(tree)) as pacs, upstream(pacs.terms()) as one:
        rows, warnings = await found(one, query(level, keys))
    assert {row.uids for row in rows} == uids
    assert not warnings
    (head,) = pacs.asked
    assert head.text(LEVEL) == level
    assert {tag: head.text(tag) for tag in keys} == keys
    assert pacs.models == [STUDY_ROOT_FIND]
    assert pacs.offered == [{}]


@pytest.mark.req("W-23", "W-24", "W-25", "W-26", "WT-3")
@pytest.mark.parametrize(
    ("level", "keys", "asked", "n"),
    [
        ("IMAGE", {STUDY: "1.1"}, ["SERIES", "IMAGE", "IMAGE"], 4),
        ("SERIES", {ID: "1"}, ["STUDY", "SERIES", "SERIES"], 4),
        ("IMAGE", {ID: "1"}, ["STUDY", *["SERIES", "IMAGE", "IMAGE"] * 2], 8),
        ("SERIES", {STUDY: "1.1", NAME: ""}, ["STUDY", "SERIES"], 2),
    ],
)
async def test_what_lies_deeper_is_asked_level_by_level_with_the_parents_in_place(
    level: str, keys: dict[int, str], asked: list[str], n: int
) -> None:
    async with running(ScriptedPacs(tree)) as pacs, upstream(pacs.terms()) as one:
        rows, warnings = await found(one, query(level, keys))
    assert len({row.uids for row in rows}) == len(rows) == n
    assert [head.text(LEVEL) for head in pacs.asked] == asked
    for head in pacs.asked:
        if head.text(LEVEL) != "STUDY":
            assert head.text(STUDY) in ("1.1", "1.2")
            assert not head.text(ID), "a key of the study does not belong to a series"
        if head.text(LEVEL) == "IMAGE":
            assert head.text(SERIES).startswith(head.text(STUDY))
    assert not warnings
    if NAME in keys:
        assert rows[0].record.values(NAME, "PN") == ("Doe^Jane",)


@pytest.mark.req("W-23", "W-24", "W-56")
async def test_relational_queries_are_asked_in_one_where_the_pacs_takes_them() -> None:
    def all_images(head: Head) -> Iterable[dict[int, Any]]:
        for study in ("1.1", "1.2"):
            yield {STUDY: study, SERIES: f"{study}.1", IMAGE: f"{study}.1.1", ID: "1"}

    services = {STUDY_ROOT_FIND: b"\1\1\1"}
    async with (
        running(ScriptedPacs(all_images, services=services)) as pacs,
        upstream(pacs.terms()) as one,
    ):
        rows, warnings = await found(one, query("IMAGE", {ID: "1"}))
        assert [row.uids for row in rows] == [
            ("1.1", "1.1.1", "1.1.1.1"),
            ("1.2", "1.2.1", "1.2.1.1"),
        ]
        assert not warnings
        assert [head.text(LEVEL) for head in pacs.asked] == ["IMAGE"]
        assert pacs.offered == [{STUDY_ROOT_FIND: b"\1"}]
        await found(one, query("STUDY", {ID: "1"}))
    assert pacs.offered == [{STUDY_ROOT_FIND: b"\1"}, {}], "only what a query needs"


@pytest.mark.req("W-24")
async def test_more_than_fifty_studies_are_not_asked_one_by_one() -> None:
    def many(head: Head) -> Iterable[dict[int, Any]]:
        return ({STUDY: f"1.{n}", ID: "1"} for n in range(1, 60))

    async with running(ScriptedPacs(many)) as pacs, upstream(pacs.terms()) as one:
        failure = await fails(one, query("SERIES", {ID: "1"}))
        assert failure.status == 413
        assert "StudyInstanceUID" in failure.text
        await until(lambda: pacs.cancelled)


@pytest.mark.req("W-24", "W-130")
@pytest.mark.parametrize(
    ("level", "keys", "what"),
    [("SERIES", {ID: "1"}, "3 studies"), ("IMAGE", {STUDY: "1.1"}, "3 series")],
)
async def test_what_find_max_cuts_off_above_is_told_and_not_asked_below(
    level: str, keys: dict[int, str], what: str
) -> None:
    def many(head: Head) -> Iterable[dict[int, Any]]:
        for n in range(1, 40):
            yield {STUDY: f"1.{n}", SERIES: f"1.1.{n}", ID: "1"}

    async with running(ScriptedPacs(many)) as pacs, upstream(pacs.terms(find_max=3)) as one:
        failure = await fails(one, query(level, keys))
        assert failure.status == 413
        assert what in failure.text
        await until(lambda: pacs.cancelled)
        assert len(pacs.asked) == 1


STATUSES = [
    (0xA700, 503),
    (0xA900, 502),
    (0x0122, 502),
    (0xC000, 502),
    (0xCFFF, 502),
    (0xFE00, 502),
    (0x0110, 502),
    (0xB000, 502),
    (0x1234, 502),
]


@pytest.mark.req("W-62", "W-52", "WT-1")
@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize(("status", "expected"), STATUSES)
async def test_a_failed_find_is_no_empty_answer(status: int, expected: int, after: int) -> None:
    def script(head: Head) -> Iterable[dict[int, Any] | int]:
        yield from [{STUDY: "1.1", ID: "1"}] * after
        yield status

    async with running(ScriptedPacs(script)) as pacs, upstream(pacs.terms()) as one:
        failure = await fails(one)
        assert (failure.status, failure.dimse_status) == (expected, status)
        assert failure.source == "old"
        assert (failure.retry_s is not None) == (expected == 503)
        # The association has had its final answer: it serves the next query.
        pacs.answer = tree
        assert len((await found(one, query("STUDY", {ID: "1"})))[0]) == 2
    assert pacs.associations == 1


@pytest.mark.req("W-62", "WT-1")
@pytest.mark.parametrize(
    ("word", "expected"), [(ABORT, 502), (CUT, 502), (SILENT, 504)], ids=["abort", "cut", "silent"]
)
async def test_an_association_that_breaks_is_no_empty_answer(word: str, expected: int) -> None:
    def script(head: Head) -> Iterable[dict[int, Any] | str]:
        yield {STUDY: "1.1", ID: "1"}
        yield word

    async with running(ScriptedPacs(script)) as pacs, upstream(pacs.terms(find_s=0.2)) as one:
        assert (await fails(one)).status == expected
        assert one.down is None


@pytest.mark.req("W-62")
async def test_who_is_turned_away_is_told_why() -> None:
    async with running() as pacs, upstream(pacs.terms()) as one:
        pacs.reject = AssociateReject(1, 1, 3)
        failure = await fails(one)
        assert failure.status == 502
        assert "OLDPACS" in failure.text
        assert "BROKER" in failure.text
        pacs.reject = AssociateReject(2, 3, 1)
        failure = await fails(one)
        assert (failure.status, failure.retryable) == (503, True)
        assert failure.retry_s
        pacs.reject = None
        pacs.services.clear()
    async with (
        running(ScriptedPacs(services={"1.2.840.10008.5.1.4.1.2.1.1": b""})) as pacs,
        upstream(pacs.terms()) as one,
    ):
        assert (await fails(one)).status == 502, "no accepted context"


@pytest.mark.req("W-62")
async def test_nobody_there_is_502_and_nobody_answering_is_504() -> None:
    async with running() as pacs:
        gone = pacs.terms()
    async with upstream(gone) as one:
        assert (await fails(one)).status == 502
        assert one.down is not None
    nowhere = Remote(name="old", ae_title="X", host="no.such.host.invalid", port=104)
    async with upstream(UpstreamTerms(name="old", find=nowhere, move=nowhere, get=nowhere)) as one:
        assert (await fails(one)).status == 502
    async with plain_server(swallow) as remote:
        terms = UpstreamTerms(name="old", find=remote, move=remote, get=remote, associate_s=0.2)
        async with upstream(terms) as one:
            assert (await fails(one)).status == 504


@pytest.mark.req("W-58", "W-62")
async def test_matches_that_do_not_match_are_dropped_and_what_cannot_be_checked_is_told() -> None:
    def careless(head: Head) -> Iterable[dict[int, Any]]:
        yield {STUDY: "1.1", ID: "1", NAME: "Doe^Jane"}
        yield {STUDY: "1.2", ID: "2", NAME: "Doe^Jane"}
        yield {STUDY: "1.3", NAME: "Doe^Jane"}

    async with (
        running(ScriptedPacs(careless, pending=0xFF01)) as pacs,
        upstream(pacs.terms()) as one,
    ):
        rows, warnings = await found(one, query("STUDY", {ID: "1", NAME: ""}))
    assert [row.study_uid for row in rows] == ["1.1", "1.3"]
    assert len(warnings) == 2
    assert any("PatientID" in text and "old" in text for text in warnings)
    assert any("every key" in text for text in warnings)
    assert not any("Jane" in text for text in warnings)


@pytest.mark.req("W-59", "WT-16")
async def test_a_limit_cancels_and_the_next_query_is_clean() -> None:
    def many(head: Head) -> Iterable[dict[int, Any]]:
        return ({STUDY: f"1.{n}", ID: head.text(ID)} for n in range(1, 10_001))

    async with (
        running(ScriptedPacs(many)) as pacs,
        upstream(pacs.terms(find_max=100_000, find_most=1)) as one,
    ):
        rows, _ = await found(one, query("STUDY", {ID: "1"}), limit=1)
        assert [row.study_uid for row in rows] == ["1.1"]
        pacs.answer = tree
        rows, _ = await found(one, query("STUDY", {ID: "1"}))
        assert [row.study_uid for row in rows] == ["1.1", "1.2"]
        assert pacs.cancelled == [1]
        assert pacs.said < 9_000
        assert pacs.associations == 1


@pytest.mark.req("W-59")
async def test_who_goes_away_while_the_pacs_is_silent_cancels_too() -> None:
    async with (
        running(ScriptedPacs(lambda head: [SILENT])) as pacs,
        upstream(pacs.terms(find_s=30.0)) as one,
    ):
        task = asyncio.create_task(found(one, query("STUDY", {ID: "1"})))
        await until(lambda: pacs.asked)
        task.cancel()
        await until(lambda: pacs.cancelled)
        assert task.cancelled()


@pytest.mark.req("W-130", "W-32")
async def test_find_max_ends_a_query_and_says_so() -> None:
    def many(head: Head) -> Iterable[dict[int, Any]]:
        return ({STUDY: f"1.{n}", ID: "1"} for n in range(1, 3_000))

    async with running(ScriptedPacs(many)) as pacs, upstream(pacs.terms(find_max=7)) as one:
        rows, warnings = await found(one, query("STUDY", {ID: "1"}))
        assert len(rows) == 7
        assert warnings == ["source old has more than 7 matches; narrow the query"]
        await until(lambda: pacs.cancelled)


@pytest.mark.req("W-60")
async def test_no_more_associations_than_allowed_and_a_full_pool_is_503() -> None:
    async with (
        running(ScriptedPacs(tree)) as pacs,
        upstream(pacs.terms(find_most=2, find_s=5.0)) as one,
    ):
        answers = await asyncio.gather(
            *(found(one, query("STUDY", {ID: "1"})) for _ in range(12)),
            *(found(one, query("IMAGE", {ID: "1"})) for _ in range(3)),
        )
        assert all(rows for rows, _ in answers)
        assert pacs.most_open <= 2
        async with (
            one.association(STUDY_ROOT_FIND, b""),
            one.association(STUDY_ROOT_FIND, b""),
        ):
            one.terms = pacs.terms(find_most=2, find_s=0.1)
            failure = await fails(one)
    assert (failure.status, failure.retryable) == (503, True)


@pytest.mark.req("W-60", "W-59")
async def test_an_association_that_ended_while_it_lingered_is_replaced_unseen() -> None:
    async with running(ScriptedPacs(tree)) as pacs, upstream(pacs.terms()) as one:
        await found(one, query("STUDY", {ID: "1"}))
        await pacs.stop()
        await pacs.start()
        rows, _ = await found(one, query("STUDY", {ID: "1"}))
        assert len(rows) == 2
        assert pacs.associations == 2


async def test_an_answer_that_cannot_be_read_or_names_nothing_is_told() -> None:
    script = ScriptedPacs(lambda head: [b"\x10\x00"])
    async with running(script) as pacs, upstream(pacs.terms()) as one:
        failure = await fails(one)
        assert failure.status == 502
        pacs.answer = lambda head: [{ID: "1"}, {STUDY: "1.1", ID: "1"}]
        rows, warnings = await found(one, query("STUDY", {ID: "1"}))
        assert [row.study_uid for row in rows] == ["1.1"]
        assert warnings == ["source old sent 1 matches without a UID; they are left out"]
