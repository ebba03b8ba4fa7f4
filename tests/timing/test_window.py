"""Open or shut at an instant, in a zone, on holidays; and when that changes."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from waystation.timing.schedule_days import Holidays, read_days
from waystation.timing.window import ALWAYS, NEVER, Schedule, read_schedule, wait_text

LISBON = ZoneInfo("Europe/Lisbon")
CHRISTMAS = Holidays(days=(read_days("12-25"),), events={date(2026, 4, 3): "Good Friday"})


def at(moment: str, zone: ZoneInfo = LISBON, fold: int = 0) -> float:
    return datetime.fromisoformat(moment).replace(tzinfo=zone, fold=fold).timestamp()


def lisbon(text: str, **more: object) -> Schedule:
    return read_schedule(text, zone=LISBON, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("instant", [0.0, 1.5, 1e9, at("2026-12-31T23:59:59")])
def test_the_fixed_windows(instant: float) -> None:
    assert ALWAYS.is_open(instant)
    assert not NEVER.is_open(instant)
    assert ALWAYS.next_change(instant) is NEVER.next_change(instant) is None


@pytest.mark.req("N-17")
@pytest.mark.parametrize("text", ["Always", "8-12", "m10<=5", "24:00-07:00", "allways"])
def test_a_text_that_cannot_be_read_opens_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="write "):
        read_schedule(text, zone=UTC)


@pytest.mark.req("R-35", "R-38")
@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("08:00-12:00", "2026-01-05T07:59:59.999999", False),
        ("08:00-12:00", "2026-01-05T08:00:00", True),
        ("08:00-12:00", "2026-01-05T12:00:59.999999", True),
        ("08:00-12:00", "2026-01-05T12:01:00", False),
        ("08:00-11:59", "2026-01-05T12:00:00", False),
        ("19:00-07:00", "2026-01-05T07:00:59.999", True),
        ("19:00-07:00", "2026-01-05T07:01:00", False),
        ("00:00-23:59", "2026-01-05T23:59:59.999", True),
        ("12:00-12:00", "2026-01-05T12:00:30", True),
        ("12:00-12:00", "2026-01-05T12:01:00", False),
        ("Fri 22:00-05:59", "2026-01-09T22:00:00", True),
        ("Fri 22:00-05:59", "2026-01-10T05:59:59", True),
        ("Fri 22:00-05:59", "2026-01-10T06:00:00", False),
        ("Fri 22:00-05:59", "2026-01-10T22:00:00", False),
        ("Fri 22:00-05:59", "2026-01-09T05:00:00", False),
        ("Sat-Sun 08:00-11:59", "2026-01-11T09:00:00", True),
        ("Sat 00:00-24:00", "2026-01-10T23:59:59", True),
        ("Sat 00:00-24:00", "2026-01-11T00:00:00", False),
    ],
)
def test_both_minutes_of_a_range_are_open_to_their_last_second(
    text: str, moment: str, expected: bool
) -> None:
    assert lisbon(text).is_open(at(moment)) is expected


@pytest.mark.req("R-35")
@pytest.mark.parametrize("text", ["00:00-23:59", "00:00-24:00", "always", "", "m90 < 60"])
def test_a_whole_day_never_shuts(text: str) -> None:
    schedule = lisbon(text)
    assert schedule.next_change(at("2026-03-28T12:00")) is None
    assert schedule.outlook(at("2026-03-28T12:00")) == "never shuts"


@pytest.mark.req("R-36")
@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        # a date before a holiday, a holiday before a weekday
        ("12-25 10:00-10:59; holiday 12:00-12:59; 14:00-14:59", "2026-12-25T10:30", True),
        ("12-25 10:00-10:59; holiday 12:00-12:59; 14:00-14:59", "2026-12-25T12:30", False),
        ("12-25 10:00-10:59; holiday 12:00-12:59; 14:00-14:59", "2026-12-25T14:30", False),
        ("12-25 10:00-10:59; holiday 12:00-12:59; 14:00-14:59", "2026-04-03T12:30", True),
        ("12-25 10:00-10:59; holiday 12:00-12:59; 14:00-14:59", "2026-04-03T14:30", False),
        ("12-25 10:00-10:59; holiday 12:00-12:59; 14:00-14:59", "2026-04-07T14:30", True),
        # groups of one kind unite; a weekday is no more special than no day at all
        ("Fri 10:00-10:59; 14:00-14:59", "2026-12-18T10:30", True),
        ("Fri 10:00-10:59; 14:00-14:59", "2026-12-18T14:30", True),
        ("12-25 10:00-10:59; 12-24..12-26 12:00-12:59", "2026-12-25T12:30", True),
        # without a group for holidays they are days like others
        ("Fri 10:00-10:59", "2026-12-25T10:30", True),
        # the tail of the night before stays
        ("20:00-07:59; holiday 12:00-12:59", "2026-12-25T07:30", True),
        ("20:00-07:59; holiday 12:00-12:59", "2026-12-25T20:30", False),
        ("20:00-07:59; holiday 12:00-12:59", "2026-12-26T07:30", False),
        # runs of dates, also past New Year
        ("12-24..01-02 10:00-10:59", "2026-12-31T10:30", True),
        ("12-24..01-02 10:00-10:59", "2027-01-02T10:30", True),
        ("12-24..01-02 10:00-10:59", "2027-01-03T10:30", False),
        ("2026-04-03..2026-04-06 10:00-10:59", "2026-04-05T10:30", True),
        ("2026-04-03..2026-04-06 10:00-10:59", "2027-04-05T10:30", False),
        ("02-29 10:00-10:59", "2028-02-29T10:30", True),
        ("02-29 10:00-10:59", "2027-02-28T10:30", False),
    ],
)
def test_the_most_specific_kind_of_group_counts(text: str, moment: str, expected: bool) -> None:
    assert lisbon(text, holidays=CHRISTMAS).is_open(at(moment)) is expected


@pytest.mark.req("R-36")
@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-12-24T23:59:59", True),
        ("2026-12-25T00:00:00", False),  # the tail is cut
        ("2026-12-25T21:00:00", False),  # nothing begins
        ("2026-12-26T03:00:00", False),  # nor has what did not begin a tail
        ("2026-12-26T20:00:00", True),
    ],
)
def test_a_closed_day_is_shut_whatever_the_hours_say(moment: str, expected: bool) -> None:
    closed = (read_days("12-25"),)
    for text in (
        "20:00-07:59",
        "20:00-07:59; 12-25 00:00-24:00",
        "holiday 20:00-07:59; 20:00-07:59",
    ):
        schedule = lisbon(text, closed=closed, holidays=CHRISTMAS)
        assert schedule.is_open(at(moment)) is expected


def changes(schedule: Schedule, begin: str, end: str) -> list[str]:
    """Return each change from ``begin`` to ``end`` with its offset."""
    found = []
    change = schedule.next_change(at(begin))
    while change is not None and change <= at(end):
        found.append(datetime.fromtimestamp(change, schedule.zone).isoformat())
        change = schedule.next_change(change)
    return found


@pytest.mark.req("R-37")
def test_a_minute_that_is_skipped_does_not_exist() -> None:
    assert changes(lisbon("01:00-01:29"), "2026-03-28T12:00", "2026-03-30T00:30") == []


@pytest.mark.req("R-37")
def test_a_minute_that_is_repeated_counts_both_times() -> None:
    assert changes(lisbon("01:00-01:29"), "2026-10-25T00:30", "2026-10-25T12:00") == [
        "2026-10-25T01:00:00+01:00",
        "2026-10-25T01:30:00+01:00",
        "2026-10-25T01:00:00+00:00",
        "2026-10-25T01:30:00+00:00",
    ]
    assert lisbon("01:00-01:29").is_open(at("2026-10-25T01:15", fold=0))
    assert lisbon("01:00-01:29").is_open(at("2026-10-25T01:15", fold=1))


@pytest.mark.req("R-37")
@pytest.mark.parametrize(
    ("evening", "hours"), [("2026-03-28", 7), ("2026-10-24", 9), ("2026-06-01", 8)]
)
def test_a_night_is_as_long_as_the_clock_makes_it(evening: str, hours: int) -> None:
    opens = lisbon("22:00-05:59").next_change(at(f"{evening}T12:00"))
    assert opens == at(f"{evening}T22:00")
    assert lisbon("22:00-05:59").next_change(opens) == opens + hours * 3600


@pytest.mark.req("R-39")
def test_without_zone_data_it_is_shut() -> None:
    schedule = read_schedule("always", zone=None)
    assert not schedule.is_open(0.0)
    assert schedule.next_change(0.0) is None
    assert schedule.why(0.0) == "shut: zone data are missing"
    assert schedule.problem_at(0.0)


@pytest.mark.req("R-39")
def test_a_year_without_events_in_the_calendars_is_shut() -> None:
    known = Holidays(events={date(2026, 4, 3): "Good Friday"}, years=frozenset({2026}))
    schedule = lisbon("00:00-24:00; holiday 10:00-10:59", holidays=known)
    assert schedule.is_open(at("2026-12-31T23:59:59"))
    assert schedule.next_change(at("2026-06-01T12:00")) == at("2027-01-01T00:00")
    for moment in ("2027-01-01T00:00", "2027-06-01T12:00", "2025-12-31T23:59"):
        assert not schedule.is_open(at(moment))
        assert f"no holidays of {moment[:4]}" in schedule.why(at(moment))
        assert f"no holidays of {moment[:4]}" in schedule.problem_at(at(moment))
    assert schedule.next_change(at("2027-01-01T00:00")) is None
    assert schedule.problem_at(at("2026-06-01T12:00")) == ""


@pytest.mark.req("R-41")
@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("20:00-07:59", "2026-01-09T21:00", 'open: "20:00-07:59"'),
        ("20:00-07:59", "2026-01-10T03:00", 'open: "20:00-07:59", since Fri 2026-01-09'),
        ("20:00-07:59", "2026-01-10T12:00", 'shut: outside "20:00-07:59" on Sat 2026-01-10'),
        ("Mon 08:00-09:00", "2026-01-10T12:00", "shut: no group names Sat 2026-01-10"),
        ("never", "2026-01-10T12:00", 'shut: "never" is never open'),
        (
            "holiday 10:00-10:59",
            "2026-04-03T10:30",
            'open: "holiday 10:00-10:59", 2026-04-03 is a holiday (Good Friday)',
        ),
        (
            "holiday 10:00-10:59; 00:00-24:00",
            "2026-12-25T12:30",
            'shut: outside "holiday 10:00-10:59" on Fri 2026-12-25, a holiday (12-25)',
        ),
        ("00:00-24:00", "2026-12-26T12:30", "shut: closed on 2026-12-26 (12-26)"),
    ],
)
def test_why_names_the_group_and_the_holiday(text: str, moment: str, expected: str) -> None:
    schedule = lisbon(text, holidays=CHRISTMAS, closed=(read_days("12-26"),))
    assert schedule.why(at(moment)) == expected


@pytest.mark.req("R-41")
@pytest.mark.parametrize(
    ("text", "moment", "expected"),
    [
        ("Mon 20:00-23:59", "2026-01-12T16:48", "opens Mon 20:00 (in 3 h 12 min)"),
        ("Mon 20:00-23:59", "2026-01-12T19:59:30", "opens Mon 20:00 (in 1 min)"),
        ("Mon 20:00-23:59", "2026-01-12T23:00", "shuts Tue 00:00 (in 1 h 0 min)"),
        ("2026-02-01 08:00-09:00", "2026-01-12T08:00", "opens Sun 2026-02-01 08:00 (in 20 d 0 h)"),
        ("2025-02-01 08:00-09:00", "2026-01-12T08:00", "never opens"),
    ],
)
def test_the_outlook_is_in_words(text: str, moment: str, expected: str) -> None:
    assert lisbon(text).outlook(at(moment)) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(1, "1 min"), (60, "1 min"), (61, "2 min"), (3600, "1 h 0 min")]
)
def test_a_wait_is_never_told_too_short(seconds: float, expected: str) -> None:
    assert wait_text(seconds) == expected
