"""What may leave through an open window and through a shut one."""

from datetime import UTC, datetime

import pytest

from waystation.timing.eligibility import Terms
from waystation.timing.fairness import LOW, NORMAL, STAT
from waystation.timing.window import NEVER, read_schedule

NIGHT = read_schedule("20:00-05:59", zone=UTC)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0


def test_an_open_window_lets_go_what_is_due() -> None:
    terms = Terms()
    assert [terms.due_by(priority, NOON) for priority in (STAT, NORMAL, LOW)] == [NOON] * 3
    assert terms.leaves_at(NORMAL, NOON + 5, NOON) == NOON + 5


@pytest.mark.req("R-40")
def test_stat_passes_a_shut_window_unless_told_to_wait() -> None:
    terms = Terms(window=NIGHT)
    assert [terms.due_by(priority, NOON) for priority in (STAT, NORMAL, LOW)] == [NOON, None, None]
    assert terms.leaves_at(NORMAL, NOON, NOON) == NOON + 8 * HOUR
    assert Terms(window=NIGHT, stat_waits=True).due_by(STAT, NOON) is None
    assert "stat passes the window" in terms.why(STAT, NOON, NOON)


@pytest.mark.req("R-40")
def test_what_has_waited_long_enough_goes_whatever_the_window() -> None:
    terms = Terms(window=NIGHT, stat_waits=True, anyway_s=4 * HOUR)
    for priority in (STAT, NORMAL, LOW):
        assert terms.due_by(priority, NOON) == NOON - 4 * HOUR
    assert terms.leaves_at(NORMAL, NOON - 3 * HOUR, NOON) == NOON + HOUR
    assert Terms(window=NEVER, anyway_s=HOUR).leaves_at(LOW, NOON, NOON) == NOON + HOUR
    assert "sent whatever the window" in terms.why(NORMAL, NOON - 5 * HOUR, NOON)
    assert "opens Fri 20:00" in terms.why(NORMAL, NOON, NOON)


def test_nothing_leaves_a_lane_that_never_opens() -> None:
    assert Terms(window=NEVER).leaves_at(NORMAL, NOON, NOON) is None
