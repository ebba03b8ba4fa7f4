"""What ends the wait for a whole series or study (R-71, RT-12)."""

import pytest

from waystation.timing.gather import (
    FORCE,
    Announced,
    Carrier,
    Count,
    Habits,
    Seen,
    Terms,
    judge,
)

TERMS = Terms(quiet_s=120.0, release_s=30.0, force_s=5400.0)


def ended(peer: str, objects: int, *, released: bool = True) -> Carrier:
    return Carrier(peer=peer, objects=objects, ended=True, released=released)


@pytest.mark.req("R-71", "RT-12")
@pytest.mark.parametrize(
    ("seen", "now", "answer"),
    [
        (Seen(opened=0.0, last=10.0), 129.9, 130.0),
        (Seen(opened=0.0, last=10.0), 130.0, "quiet"),
        (Seen(opened=0.0, last=10.0, released=True), 39.9, 40.0),
        (Seen(opened=0.0, last=10.0, released=True), 40.0, "release"),
        (Seen(opened=0.0, last=10.0, counted=True), 10.0, "count"),
        (Seen(opened=0.0, last=10.0, counted=False), 11.0, 130.0),
        (Seen(opened=0.0, last=10.0, mpps=True, counted=True), 10.0, "mpps"),
        (Seen(opened=0.0, last=10.0, committed=True, counted=True), 10.0, "commitment"),
        (Seen(opened=0.0, last=5390.0), 5399.0, 5400.0),
        (Seen(opened=0.0, last=5390.0), 5400.0, FORCE),
    ],
)
def test_the_first_evidence_that_holds_ends_the_wait(
    seen: Seen, now: float, answer: str | float
) -> None:
    assert judge(TERMS, seen, now) == answer


@pytest.mark.req("R-71")
def test_only_the_words_of_the_configuration_are_evidence() -> None:
    terms = Terms(evidence=("count",), force_s=100.0)
    seen = Seen(opened=0.0, last=0.0, released=True)
    assert judge(terms, seen, 99.0) == 100.0
    assert judge(terms, seen, 100.0) == FORCE


@pytest.mark.req("R-71", "RT-12")
def test_an_abort_is_no_evidence() -> None:
    habits = Habits()
    for _ in range(3):
        habits.ended(ended("ct1", 50))
    assert habits.released([ended("ct1", 50), ended("ct1", 50)])
    assert not habits.released([ended("ct1", 50), ended("ct1", 20, released=False)])


@pytest.mark.req("R-71")
def test_an_open_association_may_bring_more() -> None:
    habits = Habits()
    habits.ended(ended("ct1", 50))
    assert not habits.released([ended("ct1", 50), Carrier(peer="ct1", objects=3)])


@pytest.mark.req("R-71", "RT-12")
def test_one_association_for_each_object_says_nothing_about_the_study() -> None:
    habits = Habits()
    carriers = [ended("us1", 1) for _ in range(4)]
    for carrier in carriers:
        habits.ended(carrier)
    assert not habits.released(carriers)
    assert not habits.tell("us1")


@pytest.mark.req("R-71")
def test_an_association_without_objects_does_not_change_a_peers_habits() -> None:
    habits = Habits()
    habits.ended(ended("ct1", 50))
    for _ in range(5):
        habits.ended(ended("ct1", 0))
    assert habits.tell("ct1")


def test_nothing_is_released_where_nothing_was_seen() -> None:
    assert not Habits().released([])


@pytest.mark.req("R-71")
@pytest.mark.parametrize(
    ("level", "objects", "holds"),
    [
        ("series", [Announced(acquisition="1", images=2)], False),
        ("series", [Announced(acquisition="1", images=2)] * 2, True),
        ("series", [Announced(acquisition="1", images=1), Announced()], None),
        (
            "series",
            [Announced(acquisition="1", images=1), Announced(acquisition="2", images=2)],
            False,
        ),
        ("series", [Announced(series=3)] * 2, False),
        ("series", [Announced(series=2, acquisition="1", images=9)] * 2, True),
        ("study", [Announced(acquisition="1", images=1)], None),
        ("study", [Announced(study=2)] * 2, True),
        ("study", [Announced(study=0)], None),
    ],
)
def test_the_count_that_objects_announce(
    level: str, objects: list[Announced], holds: bool | None
) -> None:
    count = Count()
    for announced in objects:
        count.add(level, announced)
    assert count.holds() is holds
    assert Count(count.kept).holds() is holds
