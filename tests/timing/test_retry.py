"""Number of tries, gaps, and what ends held: rows O3 to O9 for one delivery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.timing.clockwork import Belt, delivery
from waystation.model.delivery import Delivery, HoldReason
from waystation.model.outcome import Deferred, Delivered, Fault
from waystation.timing.retry import (
    DAY_S,
    Decision,
    RetryPolicy,
    after_failure,
    clamp_due,
    expired,
    lane_pause,
)
from waystation.timing.status import classify_status

POLICY = RetryPolicy()
NOW = 1_000_000.0


def refused(fault: Fault) -> Deferred:
    return Deferred(fault=fault, why="no", connected=True)


@pytest.mark.req("O5", "S-21")
@pytest.mark.parametrize("status", [0xA900, 0xC000, 0x0110, 0x0122, 0x4242])
def test_an_object_has_five_tries_after_1_5_30_and_120_minutes(status: int) -> None:
    def answer(mine: Delivery, now: float) -> Delivered | Deferred:
        return classify_status(status) if mine.id == 1 else Delivered()

    belt = Belt(answer)
    belt.add(delivery(1), delivery(2))
    belt.run(DAY_S)
    assert belt.attempts[1] == [0.0, 60.0, 360.0, 2160.0, 9360.0]
    assert belt.held == {1: HoldReason.OBJECT_REFUSED}
    assert belt.done == {2: 0.0}


@pytest.mark.req("O6")
@pytest.mark.parametrize("status", [0x0210, 0x0211, 0x0212])
def test_a_protocol_fault_has_one_retry_on_a_fresh_association(status: int) -> None:
    belt = Belt(lambda mine, now: classify_status(status))
    belt.add(delivery(1))
    belt.run(DAY_S)
    assert belt.attempts[1] == [0.0, 0.0]
    assert belt.held == {1: HoldReason.OBJECT_REFUSED}
    decision = after_failure(POLICY, delivery(), refused(Fault.PROTOCOL), now=NOW)
    assert decision == Decision(next_at=NOW, fresh_association=True)


@pytest.mark.req("O8", "O9")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [(Fault.CONTEXT, HoldReason.NO_CONTEXT), (Fault.OURS, HoldReason.CORRUPT)],
)
def test_no_context_and_our_own_damage_are_held_at_once(fault: Fault, reason: HoldReason) -> None:
    belt = Belt(lambda mine, now: refused(fault))
    belt.add(delivery(1))
    belt.run(DAY_S)
    assert belt.attempts[1] == [0.0]
    assert belt.held == {1: reason}


@pytest.mark.req("O3", "O4", "O7")
@pytest.mark.parametrize("fault", [Fault.TRANSIENT, Fault.UNKNOWN, Fault.PEER])
def test_faults_of_the_lane_charge_no_object(fault: Fault) -> None:
    decision = after_failure(POLICY, delivery(object_failures=4), refused(fault), now=NOW)
    assert decision.next_at == NOW
    assert not decision.charge_object
    assert decision.fresh_association is (fault is Fault.UNKNOWN)


@pytest.mark.req("R-56", "S-22")
def test_a_delivery_expires_seven_days_after_its_first_failure() -> None:
    belt = Belt(lambda mine, now: classify_status(0xA700))
    belt.now = 30 * DAY_S
    belt.add(delivery(1, received_at=0.0), delivery(2, received_at=0.0))
    belt.run(60 * DAY_S)
    assert belt.held == {1: HoldReason.EXPIRED, 2: HoldReason.EXPIRED}
    first, last = belt.attempts[1][0], belt.attempts[1][-1]
    assert first == 30 * DAY_S
    assert 0 < last - first - 7 * DAY_S <= 3600 * 1.2


@pytest.mark.req("R-56")
def test_the_lifetime_does_not_run_before_the_first_failure() -> None:
    assert not expired(POLICY, None, 1e12)
    assert not expired(POLICY, NOW, NOW + 7 * DAY_S)
    assert expired(POLICY, NOW, NOW + 7 * DAY_S + 1)


@pytest.mark.req("R-55")
@pytest.mark.parametrize(
    ("failures", "pause"), [(1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (9999, 3600)]
)
def test_a_lane_pause_doubles_up_to_an_hour(failures: int, pause: float) -> None:
    assert lane_pause(POLICY, failures, 0.5) == pytest.approx(pause)
    assert lane_pause(POLICY, failures, 0.0) == pytest.approx(0.8 * pause)
    assert lane_pause(POLICY, failures, 1.0) == pytest.approx(1.2 * pause)


@pytest.mark.req("R-55")
def test_retry_after_is_honoured_up_to_an_hour() -> None:
    assert lane_pause(POLICY, 1, 0.5, rest_s=600) == 600
    assert lane_pause(POLICY, 1, 0.5, rest_s=86_400) == 3600
    assert lane_pause(POLICY, 8, 1.0, rest_s=600) == pytest.approx(4320)


@pytest.mark.req("R-58", "S-24")
@given(st.floats(-1e10, 1e10), st.floats(-1e10, 1e10))
def test_no_due_time_lies_further_ahead_than_any_pause(due: float, now: float) -> None:
    clamped = clamp_due(POLICY, due, now)
    assert clamped <= due
    assert clamped - now <= POLICY.largest_pause_s + 1e-3
    assert clamped == due or due - now > POLICY.largest_pause_s


@pytest.mark.req("R-58", "S-24")
@pytest.mark.parametrize("step", [-3600.0, 3600.0, -1.5e9, 2**31])
def test_a_clock_step_neither_loses_nor_stalls_a_delivery(step: float) -> None:
    due = after_failure(POLICY, delivery(), refused(Fault.OBJECT), now=NOW).next_at
    assert due is not None
    wait = clamp_due(POLICY, due, NOW + step) - (NOW + step)
    assert wait <= POLICY.largest_pause_s


@given(
    st.sampled_from(Fault),
    st.none() | st.sampled_from(Fault),
    st.integers(0, 9),
    st.none() | st.floats(0, 2 * NOW),
)
def test_every_failure_has_a_due_time_or_a_reason_to_hold(
    fault: Fault, last: Fault | None, failures: int, first: float | None
) -> None:
    mine = delivery(object_failures=failures, first_failed_at=first)
    found = after_failure(POLICY, mine, refused(fault), now=NOW, last_fault=last)
    assert (found.next_at is None) is (found.hold is not None)
    assert found.next_at is None or NOW <= found.next_at <= NOW + POLICY.largest_pause_s
