"""A lane narrowed, alone with one object, and since when it is well, on a simulated clock."""

import pytest

from tests.timing.clockwork import REFUSED_CONNECTION, REJECTED, Belt, delivery
from waystation.model.delivery import HoldReason
from waystation.model.outcome import Deferred, Delivered
from waystation.timing.lane import Health, Lane
from waystation.timing.retry import DAY_S, RetryPolicy
from waystation.timing.status import classify_status

POLICY = RetryPolicy()


def status(code: int) -> Deferred:
    outcome = classify_status(code)
    assert isinstance(outcome, Deferred)
    return outcome


FULL = status(0xA700)


def fail(lane: Lane, outcome: Deferred, now: float, *, others_up: int = 0) -> None:
    lane.failed(outcome, now, jitter=0.5, delivery=delivery(1), others_up=others_up)


def test_a_narrowed_lane_tries_one_association_more_every_now_and_then() -> None:
    lane = Lane(POLICY)
    fail(lane, REJECTED, 0.0, others_up=1)
    assert [lane.width(4, at) for at in (0.0, 30.0, 60.0, 90.0, 900.0)] == [1, 2, 3, 4, 4]
    fail(lane, REJECTED, 30.0, others_up=1)
    assert [lane.width(4, at) for at in (30.0, 89.0, 90.0, 150.0)] == [1, 1, 2, 3]
    for at in (100.0, 200.0, 300.0, 400.0):
        fail(lane, REJECTED, at, others_up=1)
    assert [lane.width(4, at) for at in (400.0, 699.0, 700.0)] == [1, 1, 2]
    fail(lane, REJECTED, 5000.0, others_up=2)
    assert [lane.width(4, at) for at in (5000.0, 5030.0)] == [2, 3]


def test_health_tells_since_when_it_is_so() -> None:
    lane = Lane(POLICY)
    assert (lane.away_since, lane.well_since) == (None, float("-inf"))
    fail(lane, REFUSED_CONNECTION, 10.0)
    fail(lane, REFUSED_CONNECTION, 11.0)
    fail(lane, REJECTED, 12.0)
    assert (lane.away_since, lane.well_since) == (10.0, None)
    lane.probe_begun(400.0)
    lane.probe_result(None, 400.0)
    lane.began(400.0)
    lane.succeeded(401.0, delivery(1))
    assert (lane.away_since, lane.well_since) == (None, 401.0)
    lane.succeeded(500.0, delivery(2))
    assert lane.well_since == 401.0


@pytest.mark.parametrize(
    ("trouble", "back"), [(REFUSED_CONNECTION, True), (REJECTED, True), (status(0x0124), False)]
)
def test_a_good_probe_is_believed_where_nothing_waits_to_try_it(
    trouble: Deferred, back: bool
) -> None:
    lane = Lane(POLICY)
    fail(lane, trouble, 0.0)
    lane.nothing_to_try(1.0)
    assert lane.health(1.0) is not Health.FLOWING
    lane.probe_begun(400.0)
    lane.probe_result(None, 400.0)
    lane.nothing_to_try(400.0)
    assert (lane.health(400.0) is Health.FLOWING) is back
    assert (lane.well_since == 400.0) is back


@pytest.mark.req("R-55")
def test_an_object_alone_on_its_lane_is_held_after_the_longest_pauses_and_its_tries() -> None:
    belt = Belt(answer=lambda mine, now: FULL)
    belt.add(delivery(1))
    belt.run(DAY_S)
    assert belt.held == {1: HoldReason.OBJECT_REFUSED}
    # The night of a full disk is over before a person has to do with it.
    assert 6 * 3600 < belt.attempts[1][-1] < 14 * 3600


@pytest.mark.req("R-55", "R-56")
def test_a_full_disk_with_two_objects_is_no_fault_of_theirs() -> None:
    belt = Belt(answer=lambda mine, now: FULL if now < 6 * DAY_S else Delivered())
    belt.add(delivery(1), delivery(2))
    belt.run(8 * DAY_S)
    assert belt.done.keys() == {1, 2}
