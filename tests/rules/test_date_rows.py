"""Dates and times as intervals of their written precision (R-27)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.asking import ARRIVED, FACTS, Row, ask, head_of
from waystation.rules import intervals
from waystation.rules.conditions import Look, condition
from waystation.rules.facts import Facts

DAY = {"StudyDate": "20260329"}
TWO = {"DateOfSecondaryCapture": "20260101", "CalibrationDate": "20260101\\20260501"}
LISBON = ZoneInfo("Europe/Lisbon")

DATES: list[Row] = [
    ({"StudyDate": "20260329"}, {}, False, "StudyDate absent"),
    ({"StudyDate": "20260329"}, {"StudyDate": ""}, False, "StudyDate empty"),
    ({"StudyDate": "20260329"}, DAY, True, 'StudyDate "20260329" is 20260329'),
    ({"StudyDate": "20260328"}, DAY, False, 'StudyDate "20260329" is not 20260328'),
    ({"StudyDate": "202603"}, DAY, True, 'StudyDate "20260329" is 202603'),
    ({"StudyDate": "2026"}, DAY, True, 'StudyDate "20260329" is 2026'),
    ({"StudyDate": "202604"}, DAY, False, 'StudyDate "20260329" is not 202604'),
    (
        {"StudyDate": "20260329"},
        {"StudyDate": "2026.03.29"},
        True,
        'StudyDate "2026.03.29" is 20260329',
    ),
    ({"StudyDate": "2026.03.29"}, DAY, True, 'StudyDate "20260329" is 2026.03.29'),
    (
        {"StudyDate": "20260329"},
        {"StudyDate": "202603"},
        False,
        'StudyDate "202603" is not 20260329',
    ),
    ({"StudyDate": "2026"}, {"StudyDate": "20260230"}, False, 'StudyDate "20260230" is not a date'),
    ({"StudyDate": "2026"}, {"StudyDate": "29/03/26"}, False, 'StudyDate "29/03/26" is not a date'),
    (
        {"StudyDate": "20260101-20260331"},
        DAY,
        True,
        'StudyDate "20260329" in 20260101-20260331',
    ),
    (
        {"StudyDate": "20260101-20260328"},
        DAY,
        False,
        'StudyDate "20260329" not in 20260101-20260328',
    ),
    ({"StudyDate": "-20251231"}, {}, False, "StudyDate absent"),
    ({"StudyDate": "-20251231"}, {"StudyDate": ""}, False, "StudyDate empty"),
    ({"StudyDate": "-20251231"}, DAY, False, 'StudyDate "20260329" not in -20251231'),
    ({"StudyDate": "20260329-"}, DAY, True, 'StudyDate "20260329" in 20260329-'),
    ({"StudyDate": "2025-2026"}, DAY, True, 'StudyDate "20260329" in 2025-2026'),
    ({"StudyDate": "2026-"}, {"StudyDate": "x"}, False, 'StudyDate "x" is not a date'),
    ({"CalibrationDate": "202605"}, TWO, True, 'CalibrationDate "20260101", "20260501" is 202605'),
    (
        {"CalibrationDate": "202602-202604"},
        TWO,
        False,
        'CalibrationDate "20260101", "20260501" not in 202602-202604',
    ),
    ({"StudyDate": {"ge": "202603"}}, DAY, True, 'StudyDate "20260329" >= 202603'),
    ({"StudyDate": {"gt": "202603"}}, DAY, False, 'StudyDate "20260329" not > 202603'),
    ({"StudyDate": {"le": "202603"}}, DAY, True, 'StudyDate "20260329" <= 202603'),
    ({"StudyDate": {"lt": "202603"}}, DAY, False, 'StudyDate "20260329" not < 202603'),
    ({"StudyDate": {"gt": "202602"}}, DAY, True, 'StudyDate "20260329" > 202602'),
    ({"StudyDate": {"lt": "202604"}}, DAY, True, 'StudyDate "20260329" < 202604'),
    ({"StudyDate": {"ge": "2026"}}, {}, False, "StudyDate absent"),
    ({"StudyDate": {"ge": "2026"}}, {"StudyDate": ""}, False, "StudyDate empty"),
    ({"StudyDate": {"ge": "1999"}}, {"StudyDate": "x"}, False, 'StudyDate "x" is not a date'),
    ({"StudyDate": {"age_days": {"le": 3}}}, {}, False, "StudyDate absent"),
    ({"StudyDate": {"age_days": {"le": 3}}}, {"StudyDate": ""}, False, "StudyDate empty"),
    ({"StudyDate": {"age_days": {"le": 3}}}, DAY, True, 'StudyDate "20260329" age_days <= 3'),
    ({"StudyDate": {"age_days": {"le": 2}}}, DAY, False, 'StudyDate "20260329" age_days not <= 2'),
    ({"StudyDate": {"age_days": 3}}, DAY, True, 'StudyDate "20260329" age_days is 3'),
    ({"StudyDate": {"age_days": "0..2"}}, DAY, False, 'StudyDate "20260329" age_days not in 0..2'),
    ({"StudyDate": {"age_days": 3}}, {"StudyDate": "x"}, False, 'StudyDate "x" is not a date'),
    (
        {"StudyDate": {"age_days": 3}},
        {"StudyDate": "2026"},
        False,
        'StudyDate "2026" age_days is not 3',
    ),
    (
        {"CalibrationDate": {"age_days": 90}},
        TWO,
        True,
        'CalibrationDate "20260101", "20260501" age_days is 90',
    ),
]
TIMES: list[Row] = [
    ({"StudyTime": "0800-1159"}, {}, False, "StudyTime absent"),
    ({"StudyTime": "0800-1159"}, {"StudyTime": ""}, False, "StudyTime empty"),
    (
        {"StudyTime": "0800-1159"},
        {"StudyTime": "115959.9"},
        True,
        'StudyTime "115959.9" in 0800-1159',
    ),
    ({"StudyTime": "0800-1159"}, {"StudyTime": "1200"}, False, 'StudyTime "1200" not in 0800-1159'),
    ({"StudyTime": "0800-1159"}, {"StudyTime": "11"}, True, 'StudyTime "11" in 0800-1159'),
    ({"StudyTime": "0800-1130"}, {"StudyTime": "11"}, False, 'StudyTime "11" not in 0800-1130'),
    ({"StudyTime": "10"}, {"StudyTime": "101530"}, True, 'StudyTime "101530" is 10'),
    ({"StudyTime": "10"}, {"StudyTime": "10:15"}, True, 'StudyTime "10:15" is 10'),
    ({"StudyTime": "10:15"}, {"StudyTime": "101559"}, True, 'StudyTime "101559" is 10:15'),
    ({"StudyTime": "101530"}, {"StudyTime": "10"}, False, 'StudyTime "10" is not 101530'),
    ({"StudyTime": "2359-"}, {"StudyTime": "235960"}, True, 'StudyTime "235960" in 2359-'),
    ({"StudyTime": "10"}, {"StudyTime": "2500"}, False, 'StudyTime "2500" is not a time'),
    ({"StudyTime": "10"}, {"StudyTime": "noon"}, False, 'StudyTime "noon" is not a time'),
    ({"StudyTime": {"lt": "08"}}, {"StudyTime": "0759"}, True, 'StudyTime "0759" < 08'),
    ({"StudyTime": {"lt": "08"}}, {"StudyTime": "08"}, False, 'StudyTime "08" not < 08'),
]
AT = "AcquisitionDateTime"
MOMENTS: list[Row] = [
    ({AT: "20260329"}, {}, False, f"{AT} absent"),
    ({AT: "20260329"}, {AT: ""}, False, f"{AT} empty"),
    ({AT: "20260329"}, {AT: "20260329235959"}, True, f'{AT} "20260329235959" is 20260329'),
    ({AT: "2026032910"}, {AT: "20260329103000"}, True, f'{AT} "20260329103000" is 2026032910'),
    ({AT: "20260101-20260331"}, {AT: "2026"}, False, f'{AT} "2026" not in 20260101-20260331'),
    ({AT: "20260101-20260331"}, {AT: "202602"}, True, f'{AT} "202602" in 20260101-20260331'),
    ({AT: "20260329"}, {AT: "202603291"}, False, f'{AT} "202603291" is not a date and time'),
    (
        {AT: "20260328"},
        {AT: "20260329010000+0200"},
        True,
        f'{AT} "20260329010000+0200" is 20260328',
    ),
    (
        {AT: "20260328"},
        {AT: "20260329010000", "TimezoneOffsetFromUTC": "+0200"},
        True,
        f'{AT} "20260329010000" is 20260328',
    ),
    (
        {AT: "20260329"},
        {AT: "20260329010000", "TimezoneOffsetFromUTC": "odd"},
        True,
        f'{AT} "20260329010000" is 20260329',
    ),
    (
        {AT: "20260328230000-0500"},
        {AT: "20260329040000"},
        True,
        f'{AT} "20260329040000" is 20260328230000-0500',
    ),
    ({AT: {"ge": "20260329"}}, {AT: "20260329"}, True, f'{AT} "20260329" >= 20260329'),
    ({AT: {"gt": "20260329"}}, {AT: "20260329"}, False, f'{AT} "20260329" not > 20260329'),
    ({AT: {"age_days": 0}}, {AT: "20260401"}, True, f'{AT} "20260401" age_days is 0'),
    (
        {AT: {"age_days": 1}},
        {AT: "20260401003000+0100"},
        True,
        f'{AT} "20260401003000+0100" age_days is 1',
    ),
]


@pytest.mark.req("R-27")
@pytest.mark.parametrize(
    ("when", "head", "holds", "clause"),
    DATES + TIMES + MOMENTS,
)
def test_dates_hold_as_the_table_says(
    when: dict[str, object], head: dict[str, object], holds: bool, clause: str
) -> None:
    assert ask(when, head) == (holds, clause)


@pytest.mark.req("R-27")
def test_a_moment_without_offset_is_in_the_zone_of_the_node() -> None:
    facts = Facts(received_at=ARRIVED, zone=LISBON)
    # Lisbon is one hour ahead of UTC from 2026-03-29 01:00 UTC on.
    seen = {AT: "20260401000000"}
    assert ask({AT: "20260401"}, seen, facts)[0]
    assert ask({AT: "20260331230000+0000"}, seen, facts)[0]
    assert ask({AT: {"age_days": 0}}, seen, facts)[0]
    assert ask({"hour": 11}, {}, facts) == (True, "hour 11 is 11")


@pytest.mark.req("R-27")
@given(st.dates(min_value=date(1, 1, 1)), st.dates(min_value=date(1, 1, 1)))
def test_days_are_ordered_as_the_calendar_orders_them(one: date, other: date) -> None:
    text, pattern = (f"{day.year:04}{day.month:02}{day.day:02}" for day in (one, other))
    found = condition({"StudyDate": {"ge": pattern}}, "when", [])
    assert found.holds(Look(head_of({"StudyDate": text}), FACTS)) is (one >= other)


@pytest.mark.req("R-27")
@given(st.datetimes(), st.sampled_from([4, 6, 8, 10, 12, 14]))
def test_a_moment_lies_in_the_interval_of_each_precision(moment: datetime, digits: int) -> None:
    whole = (
        f"{moment.year:04}{moment.month:02}{moment.day:02}"
        f"{moment.hour:02}{moment.minute:02}{moment.second:02}"
    )
    inner = intervals.read_datetime(whole, UTC)
    outer = intervals.read_datetime(whole[:digits], UTC)
    assert inner is not None
    assert outer is not None
    assert outer[0] <= inner[0] < inner[1] <= outer[1]


@pytest.mark.req("R-27")
@given(st.text(max_size=26))
def test_no_text_breaks_the_reading_of_dates(text: str) -> None:
    for zone in (UTC, LISBON):
        found = intervals.read_datetime(text, zone)
        assert found is None or found[0] < found[1] + timedelta(hours=2) // timedelta(
            microseconds=1
        )
    for read in (intervals.read_date, intervals.read_time):
        interval = read(text)
        assert interval is None or interval[0] < interval[1]
