"""A lane through outages, refusals and poison, on a simulated clock."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.timing.clockwork import REFUSED_CONNECTION, REJECTED, Belt, delivery
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.outcome import Deferred, Delivered, Fault
from waystation.timing.lane import Health, Lane
from waystation.timing.retry import DAY_S, RetryPolicy
from waystation.timing.status import classify_silence, classify_status

POLICY = RetryPolicy()


def status(code: int) -> Deferred:
    outcome = classify_status(code)
    assert isinstance(outcome, Deferred)
    return outcome


FULL = status(0xA700)
LOST = classify_silence("aborted")


def outage(start: float, end: float, trouble: Deferred = REFUSED_CONNECTION) -> Belt:
    """Return a belt whose destination does not answer at all between two times."""
    return Belt(
        answer=lambda mine, now: trouble if start <= now < end else Delivered(),
        probe=lambda now: trouble if start <= now < end else None,
    )


def fail(
    lane: Lane, outcome: Deferred, now: float, number: int = 1, *, others_up: int = 0
) -> Fault:
    mine = delivery(number)
    return lane.failed(outcome, now, jitter=0.5, delivery=mine, others_up=others_up)


def test_a_new_lane_flows() -> None:
    lane = Lane(POLICY)
    assert lane.may_send(0.0)
    assert not lane.probe_due(0.0)
    assert lane.next_wake(7.0) == 7.0
    assert lane.describe(0.0) == (Health.FLOWING, "")


@pytest.mark.req("R-57")
def test_the_first_failed_connection_opens_the_breaker() -> None:
    lane = Lane(POLICY)
    lane.began(0.0)
    assert fail(lane, REFUSED_CONNECTION, 0.0) is Fault.TRANSIENT
    assert not lane.may_send(1e9)
    assert lane.next_wake(0.0) == 5.0
    assert lane.describe(1.0) == (Health.DOWN, "connection refused, 0 probes, next in 4 s")


@pytest.mark.req("R-55", "O3")
def test_failures_with_the_connection_up_rest_the_lane_and_the_third_opens_the_breaker() -> None:
    lane = Lane(POLICY)
    fail(lane, FULL, 0.0)
    assert lane.describe(0.0) == (Health.RESTING, "status A700, 30 s to go")
    assert not lane.may_send(29.9)
    assert lane.may_send(30.0)
    fail(lane, FULL, 30.0, 2)
    assert lane.next_wake(30.0) == 90.0
    fail(lane, FULL, 90.0, 3)
    assert lane.health(90.0) is Health.DOWN
    assert lane.probe_due(95.0)
    lane.probe_begun(95.0)
    lane.probe_result(None, 95.5)
    # C-ECHO was never the trouble: the pause of 120 s counts all the same.
    assert not lane.may_send(209.9)
    assert lane.may_send(210.0)


@pytest.mark.req("R-55")
@pytest.mark.parametrize(("jitter", "pause"), [(0.0, 24.0), (0.25, 27.0), (1.0, 36.0)])
def test_pauses_are_spread_by_a_fifth(jitter: float, pause: float) -> None:
    lane = Lane(POLICY)
    lane.failed(FULL, 0.0, jitter=jitter, delivery=delivery())
    assert lane.next_wake(0.0) == pytest.approx(pause)


@pytest.mark.req("R-55")
def test_retry_after_stretches_the_pause() -> None:
    lane = Lane(POLICY)
    busy = Deferred(fault=Fault.TRANSIENT, why="503", connected=True, rest_s=900.0)
    fail(lane, busy, 0.0)
    assert lane.next_wake(0.0) == 900.0


@pytest.mark.req("R-57", "F14")
def test_a_day_without_destination_is_probed_on_the_schedule_and_expires_nothing() -> None:
    belt = outage(0.0, DAY_S)
    belt.add(*(delivery(number) for number in range(1, 101)))
    belt.run(2 * DAY_S)
    assert len(belt.done) == 100
    assert not belt.held
    gaps = [later - earlier for earlier, later in pairwise(belt.probes)]
    assert {gap for gap, at in zip(gaps, belt.probes, strict=False) if at < 295} == {5.0}
    assert {gap for gap, at in zip(gaps, belt.probes, strict=False) if 300 <= at < 3585} == {15.0}
    assert {gap for gap, at in zip(gaps, belt.probes, strict=False) if at >= 3600} == {60.0}
    assert sum(map(len, belt.attempts.values())) == 101
    assert list(belt.done) == sorted(belt.done)


@pytest.mark.req("R-56", "S-22")
def test_a_week_without_destination_expires_nothing() -> None:
    belt = outage(0.0, 7 * DAY_S - 1)
    belt.add(*(delivery(number) for number in range(1, 101)))
    belt.run(8 * DAY_S)
    assert len(belt.done) == 100
    assert not belt.held


@pytest.mark.req("R-57")
@given(st.floats(0.5, 2 * DAY_S))
def test_draining_starts_soon_after_recovery(length: float) -> None:
    belt = outage(0.0, length)
    belt.add(delivery(1), delivery(2))
    belt.run(3 * DAY_S)
    first = min(belt.done.values())
    assert first - length <= (6.0 if length < 300 else 61.0)


@pytest.mark.req("R-57")
def test_a_good_probe_admits_one_delivery_whose_success_closes_the_breaker() -> None:
    lane = Lane(POLICY)
    fail(lane, REFUSED_CONNECTION, 0.0)
    lane.probe_begun(5.0)
    assert lane.next_wake(5.0) is None
    lane.probe_result(None, 5.1)
    assert lane.may_send(5.1)
    assert lane.width(4, 5.1) == 1
    lane.began(5.1)
    assert not lane.may_send(5.1)
    assert not lane.probe_due(1e6)
    assert lane.describe(5.2)[1] == "connection refused, 1 probe, one delivery on trial"
    lane.succeeded(6.0, delivery(1))
    assert lane.health(6.0) is Health.FLOWING
    assert lane.width(4, 6.0) == 4


@pytest.mark.req("R-57")
def test_a_failed_trial_leaves_the_breaker_open_on_the_old_schedule() -> None:
    lane = Lane(POLICY)
    fail(lane, REFUSED_CONNECTION, 0.0)
    lane.probe_begun(400.0)
    lane.probe_result(None, 400.0)
    lane.began(400.0)
    fail(lane, REFUSED_CONNECTION, 401.0)
    assert lane.health(401.0) is Health.DOWN
    assert lane.next_wake(401.0) == 416.0


@pytest.mark.req("R-57")
def test_a_trial_that_found_nothing_to_send_may_be_had_again() -> None:
    lane = Lane(POLICY)
    fail(lane, REFUSED_CONNECTION, 0.0)
    lane.probe_begun(5.0)
    lane.probe_result(None, 5.0)
    lane.began(5.0)
    lane.released(6.0)
    assert lane.may_send(6.0)


@pytest.mark.req("O7", "R-57")
@pytest.mark.parametrize("answer", [REJECTED, status(0x0124)], ids=["rejected", "not authorised"])
def test_a_permanent_refusal_blocks_and_is_probed_every_five_minutes(answer: Deferred) -> None:
    belt = Belt(answer=lambda mine, now: answer, probe=lambda now: REJECTED)
    belt.add(*(delivery(number) for number in range(1, 1001)))
    belt.run(DAY_S)
    assert belt.lane.health(belt.now) is Health.BLOCKED
    assert sum(map(len, belt.attempts.values())) == 1
    assert 280 <= len(belt.probes) <= 289
    assert not belt.held


@pytest.mark.req("O7")
def test_a_blocked_lane_flows_again_when_the_answer_changes() -> None:
    belt = outage(0.0, 1000.0, REJECTED)
    belt.add(delivery(1), delivery(2))
    belt.run(DAY_S)
    assert belt.done == {1: 1200.0, 2: 1200.0}


@pytest.mark.req("O7")
def test_only_a_trial_lifts_a_block() -> None:
    lane = Lane(POLICY)
    fail(lane, status(0x0124), 0.0)
    lane.succeeded(1.0, delivery(2))
    fail(lane, FULL, 1.0, 3)
    assert lane.health(1.0) is Health.BLOCKED


@pytest.mark.req("R-57")
def test_edited_settings_are_probed_at_once() -> None:
    lane = Lane(POLICY)
    fail(lane, REJECTED, 0.0)
    assert not lane.probe_due(10.0)
    lane.settings_changed(10.0)
    assert lane.probe_due(10.0)


@pytest.mark.req("O4")
def test_an_unknown_ending_goes_again_at_once_and_then_with_back_off() -> None:
    belt = Belt(lambda mine, now: LOST if len(belt.attempts[1]) < 4 else Delivered())
    belt.add(delivery(1))
    belt.run(DAY_S)
    assert belt.attempts[1] == [0.0, 0.0, 60.0, 180.0]
    assert belt.done == {1: 180.0}


@pytest.mark.req("R-55")
@pytest.mark.parametrize("same_study", [True, False])
@pytest.mark.parametrize("trouble", [FULL, LOST, status(0xC000)], ids=lambda o: o.why)
def test_one_poison_object_stops_no_lane(trouble: Deferred, same_study: bool) -> None:
    belt = Belt(lambda mine, now: trouble if mine.id == 3 else Delivered())
    study = {"study_uid": "2.25.7"} if same_study else {}
    belt.add(*(delivery(number, **study) for number in range(1, 1001)))
    while belt.queue and belt.now < 2 * DAY_S:
        # Something else always comes along, as it does in a working day.
        belt.run(belt.now + 600)
        belt.add(delivery(1000 + len(belt.done)))
        belt.now += 1
    assert set(range(1, 1001)) - {3} <= belt.done.keys()
    assert belt.held == {3: HoldReason.OBJECT_REFUSED}
    assert belt.done[1000] < 3600


@pytest.mark.req("R-55")
def test_a_lane_that_is_simply_down_makes_no_suspects() -> None:
    lane = Lane(POLICY)
    now = 0.0
    for _ in range(50):
        assert fail(lane, FULL, now) is Fault.TRANSIENT
        now += 3600.0


def test_an_association_too_many_makes_the_lane_narrower_not_down() -> None:
    lane = Lane(POLICY)
    assert fail(lane, REJECTED, 0.0, others_up=1) is Fault.TRANSIENT
    assert lane.health(0.0) is Health.FLOWING
    assert lane.width(4, 29.0) == 1


def test_a_paused_lane_sends_and_asks_nothing_and_names_its_author() -> None:
    lane = Lane(POLICY, paused_by="anna")
    fail(lane, REFUSED_CONNECTION, 0.0)
    assert lane.describe(0.0) == (Health.PAUSED, "by anna")
    assert not lane.may_send(1e9)
    assert not lane.probe_due(1e9)
    assert lane.next_wake(0.0) is None
    lane.resume()
    assert lane.probe_due(5.0)
    lane.pause("ben")
    assert lane.health(5.0) is Health.PAUSED


OUTCOMES = [
    REFUSED_CONNECTION,
    REJECTED,
    FULL,
    LOST,
    status(0x0124),
    status(0xC000),
    status(0x0211),
    Deferred(fault=Fault.CONTEXT, why="no context"),
    Deferred(fault=Fault.OURS, why="digest"),
]
Event = Callable[["Machine"], None]


class Machine:
    """Drives a lane as a shell with two workers would, keeping its promises."""

    def __init__(self) -> None:
        self.lane = Lane(POLICY)
        self.now = 0.0
        self.sending: list[Delivery] = []
        self.probing = 0
        self.next_id = 1

    def wait(self, wait_s: float) -> None:
        self.now += wait_s

    def begin(self) -> None:
        if len(self.sending) < 2 and self.lane.may_send(self.now):
            self.lane.began(self.now)
            self.sending.append(delivery(self.next_id % 3 + 1))
            self.next_id += 1

    def end(self, outcome: Deferred | None) -> None:
        if self.sending:
            mine = self.sending.pop(0)
            if outcome is None:
                self.lane.succeeded(self.now, mine)
            else:
                self.lane.failed(outcome, self.now, jitter=0.5, delivery=mine)

    def release(self) -> None:
        if self.sending:
            self.sending.pop()
            self.lane.released(self.now)

    def ask(self) -> None:
        if self.lane.probe_due(self.now):
            self.lane.probe_begun(self.now)
            self.probing += 1

    def told(self, outcome: Deferred | None) -> None:
        if self.probing:
            self.probing -= 1
            self.lane.probe_result(outcome, self.now)

    def check(self) -> None:
        assert self.probing <= 1
        self.lane.describe(self.now)
        wake = self.lane.next_wake(self.now)
        if wake is None:
            assert self.probing or self.sending
            return
        assert self.now <= wake <= self.now + POLICY.largest_pause_s
        assert self.lane.may_send(wake) or self.lane.probe_due(wake)


RESULTS = st.none() | st.sampled_from(OUTCOMES)
EVENTS = st.one_of(
    st.builds(lambda s: lambda m: m.wait(s), st.sampled_from([0.0, 1.0, 5.0, 30.0, 300.0, 4000.0])),
    st.just(Machine.begin),
    st.just(Machine.release),
    st.just(Machine.ask),
    st.builds(lambda o: lambda m: m.end(o), RESULTS),
    st.builds(lambda o: lambda m: m.told(o), RESULTS),
    st.just(lambda m: m.lane.settings_changed(m.now)),
)


@pytest.mark.req("R-57", "S-21")
@given(st.lists(EVENTS, max_size=60))
def test_no_sequence_of_events_leaves_a_lane_asleep_for_ever(events: list[Event]) -> None:
    machine = Machine()
    for event in events:
        event(machine)
        machine.check()


@given(st.lists(EVENTS, max_size=30))
def test_every_lane_flows_again_once_the_destination_is_well(events: list[Event]) -> None:
    machine = Machine()
    for event in events:
        event(machine)
    for _ in range(12):
        machine.told(None)
        while machine.sending:
            machine.end(None)
        wake = machine.lane.next_wake(machine.now)
        assert wake is not None
        machine.wait(wake - machine.now)
        machine.ask()
        machine.begin()
    assert machine.lane.health(machine.now) is Health.FLOWING
