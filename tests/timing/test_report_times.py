"""When reports are due, across changes of the clock."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.timing.report_times import read_report_times

LISBON = ZoneInfo("Europe/Lisbon")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=LISBON).timestamp()


def next_three(text: str, after: str) -> list[str]:
    times, instant, found = read_report_times(text, LISBON), at(after), []
    for _ in range(3):
        due = times.next_after(instant)
        assert due is not None
        found.append(f"{datetime.fromtimestamp(due, LISBON):%a %m-%d %H:%M %z}")
        instant = due
    return found


@pytest.mark.req("R-80")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("07:00", ["Sun 03-29 07:00 +0100", "Mon 03-30 07:00 +0100", "Tue 03-31 07:00 +0100"]),
        (
            "daily 13:30",
            ["Sat 03-28 13:30 +0000", "Sun 03-29 13:30 +0100", "Mon 03-30 13:30 +0100"],
        ),
        (
            "Mon-Fri 07:00",
            ["Mon 03-30 07:00 +0100", "Tue 03-31 07:00 +0100", "Wed 04-01 07:00 +0100"],
        ),
        (
            "weekly 07:00",
            ["Mon 03-30 07:00 +0100", "Mon 04-06 07:00 +0100", "Mon 04-13 07:00 +0100"],
        ),
        (
            "monthly 07:00",
            ["Wed 04-01 07:00 +0100", "Fri 05-01 07:00 +0100", "Mon 06-01 07:00 +0100"],
        ),
        (
            "monthly 31 07:00",
            ["Tue 03-31 07:00 +0100", "Thu 04-30 07:00 +0100", "Sun 05-31 07:00 +0100"],
        ),
        (
            "12-31 18:00",
            ["Thu 12-31 18:00 +0000", "Fri 12-31 18:00 +0000", "Sun 12-31 18:00 +0000"],
        ),
        # 01:30 does not exist on 29 March: what the clock shows instead.
        ("01:30", ["Sun 03-29 02:30 +0100", "Mon 03-30 01:30 +0100", "Tue 03-31 01:30 +0100"]),
    ],
)
def test_each_day_that_is_named_has_one_instant(text: str, found: list[str]) -> None:
    assert next_three(text, "2026-03-28 12:00") == found


@pytest.mark.req("R-80")
def test_a_time_that_comes_twice_counts_once() -> None:
    assert next_three("01:30", "2026-10-24 12:00") == [
        "Sun 10-25 01:30 +0100",
        "Mon 10-26 01:30 +0000",
        "Tue 10-27 01:30 +0000",
    ]


@pytest.mark.req("R-80")
@given(st.integers(0, 2_000_000_000), st.integers(0, 1439))
def test_every_day_has_exactly_one(start: int, minute: int) -> None:
    times = read_report_times(f"{minute // 60:02}:{minute % 60:02}", LISBON)
    first = times.next_after(float(start))
    assert first is not None
    second = times.next_after(first)
    assert second is not None
    days = [datetime.fromtimestamp(instant, LISBON).date() for instant in (first, second)]
    assert (days[1] - days[0]).days == 1


@pytest.mark.parametrize(
    "text",
    ["", "7:00", "24:00", "07:60", "monthly 32 07:00", "monthly 0 07:00", "yearly 07:00",
     "holiday 07:00", "07:00 Mon", "Mon 08:00-09:00 07:00", "07:00; Mon 08:00", "always 07:00"],
)  # fmt: skip
def test_everything_else_is_refused_with_advice(text: str) -> None:
    with pytest.raises(ValueError, match='like "07:00"'):
        read_report_times(text, LISBON)


def test_a_date_that_is_past_never_comes() -> None:
    assert read_report_times("2020-01-01 07:00", LISBON).next_after(at("2026-01-01")) is None
