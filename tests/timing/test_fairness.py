"""Turns and shares of a lane, pick by pick."""

from collections import Counter
from collections.abc import Sequence

import pytest

from waystation.timing.fairness import (
    AGED_S,
    LOW,
    NORMAL,
    REMEMBERED,
    STAT,
    Candidate,
    Fairness,
    rank,
)

NOW = 1_000_000.0


def study(name: str, priority: int = NORMAL, since: float = NOW) -> Candidate:
    return Candidate(study=name, priority=priority, since=since)


def picked(fairness: Fairness, candidates: Sequence[Candidate]) -> str:
    found = fairness.pick(candidates, now=NOW, open_since=float("-inf"))
    assert found is not None
    return found.study


def test_nobody_waits() -> None:
    assert Fairness().pick([], now=NOW, open_since=0.0) is None


@pytest.mark.req("R-50")
def test_stat_goes_before_everything_and_then_the_oldest() -> None:
    waiting = [study("s2", STAT), study("n1", since=1.0), study("n2"), study("l", LOW, 0.5)]
    fairness = Fairness()
    assert picked(fairness, waiting) == "s2"
    assert picked(fairness, waiting[1:3]) == "n1"


@pytest.mark.req("R-50")
def test_studies_take_turns_and_newcomers_stand_behind_those_who_waited() -> None:
    fairness = Fairness()
    waiting = [study("a"), study("b")]
    order = []
    for number in range(7):
        name = picked(fairness, waiting)
        order.append(name)
        fairness.turn_over(name)
        if number == 2:
            waiting.append(study("c"))
    assert order == ["a", "b", "a", "b", "c", "a", "b"]


@pytest.mark.req("R-50")
def test_a_steady_stream_of_new_studies_starves_no_long_one() -> None:
    fairness = Fairness()
    turns = 0
    for number in range(100):
        name = picked(fairness, [study("long"), study(f"new {number}")])
        if name == "long":
            turns += 1
            fairness.turn_over(name)
        else:
            fairness.finished(name)
    assert turns >= 49


@pytest.mark.req("R-50")
@pytest.mark.parametrize("low_size", [1, 50])
def test_normal_gets_eight_bytes_for_one_of_low(low_size: int) -> None:
    fairness = Fairness()
    sent: Counter[int] = Counter()
    size = {NORMAL: 10, LOW: low_size}
    for _ in range(9000):
        one = fairness.pick([study("n"), study("l", LOW)], now=NOW, open_since=float("-inf"))
        assert one is not None
        fairness.spent(one.priority, size[one.priority])
        sent[one.priority] += size[one.priority]
    assert sent[NORMAL] / sent[LOW] == pytest.approx(8, rel=0.05)


@pytest.mark.req("R-50")
def test_a_share_that_nobody_wanted_is_not_saved_up() -> None:
    fairness = Fairness()
    for _ in range(100):
        assert picked(fairness, [study("n")]) == "n"
        fairness.spent(NORMAL, 10)
    both = [study("n"), study("l", LOW)]
    order = []
    for _ in range(20):
        one = fairness.pick(both, now=NOW, open_since=float("-inf"))
        assert one is not None
        fairness.spent(one.priority, 10)
        order.append(one.priority)
    assert order.count(LOW) in (2, 3, 4)


@pytest.mark.req("R-50")
def test_low_counts_as_normal_after_an_hour_in_which_it_could_have_gone() -> None:
    old = study("l", LOW, since=NOW - AGED_S)
    assert rank(old, now=NOW, open_since=float("-inf")) == NORMAL
    assert rank(old, now=NOW - 1, open_since=float("-inf")) == LOW
    # Behind a shut window nothing gets older.
    assert rank(old, now=NOW, open_since=NOW - 60) == LOW
    assert rank(study("s", STAT, since=0.0), now=NOW, open_since=0.0) == STAT


def test_what_is_remembered_has_a_bound() -> None:
    fairness = Fairness()
    for number in range(3 * REMEMBERED):
        fairness.turn_over(picked(fairness, [study(f"{number}")]))
    assert len(fairness.served) <= REMEMBERED + 2
