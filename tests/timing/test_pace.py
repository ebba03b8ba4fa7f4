"""How fast a lane goes, and what it remembers of that."""

import pytest

from waystation.timing.pace import Pace


@pytest.mark.req("R-51")
def test_rates_are_those_of_the_last_minute() -> None:
    pace = Pace()
    for second in range(120):
        pace.sent(1000, float(second))
    assert pace.objects_per_s(119.9) == pytest.approx(1, rel=0.1)
    assert pace.bytes_per_s(119.9) == pytest.approx(1000, rel=0.1)
    assert pace.bytes_per_s(1000.0) == 0


@pytest.mark.req("R-51")
def test_the_line_rate_counts_only_time_spent_sending_and_is_remembered() -> None:
    pace = Pace()
    assert pace.line_rate(0.0) is None
    for start in (0.0, 20.0):
        pace.working(True, start)
        for second in range(5):
            pace.sent(2000, start + second)
        pace.working(False, start + 5)
    assert pace.line_rate(30.0) == pytest.approx(2000)
    assert pace.line_rate(10_000.0) == pytest.approx(2000)
