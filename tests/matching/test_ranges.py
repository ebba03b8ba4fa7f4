"""Dates and times: ranges, one interval of both, time zones (T-7 to T-9)."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.matching.asking import finds, holds, key, row
from waystation.matching.spans import key_moments, moment, offset_minutes
from waystation.model.query import WORKLIST, Options

COMBINED = Options(combined=True)
ZONED = Options(time_zone=True)


@pytest.mark.req("T-7")
@pytest.mark.parametrize(
    ("word", "asked", "stored", "found"),
    [
        ("StudyDate", "20240101-20240131", "20240101", True),
        ("StudyDate", "20240101-20240131", "20240131", True),
        ("StudyDate", "20240101-20240131", "2024.01.31", True),
        ("StudyDate", "20240101-20240131", "20240201", False),
        ("StudyDate", "20240101-", "20991231", True),
        ("StudyDate", "-20240101", "20240101", True),
        ("StudyDate", "-20240101", "20240102", False),
        ("StudyDate", "20240131-20240101", "20240115", False),
        ("StudyDate", "20240101-20240131", "January", False),
        ("StudyTime", "1000-1200", "10", True),
        ("StudyTime", "1000-1200", "1200", True),
        ("StudyTime", "1000-1200", "120059.999999", True),
        ("StudyTime", "1000-1200", "120100", False),
        ("StudyTime", "-1200", "12:00:30", True),
        ("StudyTime", "-1200", "1201", False),
        ("StudyTime", "101500.25-", "101500.250", True),
        ("StudyTime", "101500.25-", "101500.249999", False),
        ("StudyTime", "2200-0500", "2300", True),
        ("StudyTime", "2200-0500", "0500", True),
        ("StudyTime", "2200-0500", "0600", False),
        ("AcquisitionDateTime", "2024-2025", "20250610", True),
        ("AcquisitionDateTime", "2024-2025", "2026", False),
        ("AcquisitionDateTime", "-2023", "2024", False),
        ("AcquisitionDateTime", "20240101120000-0500-20240101130000-0500", "202401011730+0000", 1),
        ("AcquisitionDateTime", "20240101120000-0500-20240101130000-0500", "202401011831+0000", 0),
        ("AcquisitionDateTime", "20240101120000-0500", "20240101180000+0100", True),
        ("AcquisitionDateTime", "2024010112-0500-", "20240101165959+0000", False),
        ("AcquisitionDateTime", "2025-2024", "2024", False),
    ],
)
def test_ranges(word: str, asked: str, stored: str, found: bool | int) -> None:
    assert finds(word, asked, stored) is bool(found)


@pytest.mark.req("T-7")
@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("2009-0500", ("2009-0500", "2009-0500")),
        ("2009-2010", ("2009", "2010")),
        ("-2010", (None, "2010")),
        ("2009-0500-", ("2009-0500", None)),
        ("-20200101-0300", (None, "20200101-0300")),
        ("20090101-0500-2010", ("20090101-0500", "2010")),
        ("-", None),
        ("2009--0500", None),
        ("20091301", None),
        ("2009-1500", ("2009", "1500")),
    ],
)
def test_a_hyphen_in_a_date_time_is_an_offset_where_it_can_be_one(
    text: str, ends: tuple[str | None, str | None] | None
) -> None:
    expected = None if ends is None else tuple(one and moment(one) for one in ends)
    assert key_moments(text) == expected


@pytest.mark.req("T-7")
def test_a_reversed_date_range_finds_nothing_and_says_so() -> None:
    from waystation.matching.match import match
    from waystation.model.query import Query

    asked = key("StudyDate", "20240131-20240101")
    verdict = match(Query(keys=(asked,)), row(StudyDate="20240115"))
    assert not verdict.matched
    assert "the range ends before it begins" in verdict.lines[0].text


@pytest.mark.req("T-8")
@pytest.mark.parametrize(
    ("date", "time", "separate", "together"),
    [
        ("20240101", "1500", True, True),
        ("20240101", "1100", False, False),
        ("20240102", "0100", False, True),
        ("20240103", "1300", True, True),
        ("20240103", "1500", False, False),
    ],
)
def test_two_ranges_are_one_interval_when_negotiated_and_always_in_the_worklist(
    date: str, time: str, separate: bool, together: bool
) -> None:
    asked = [key("StudyDate", "20240101-20240103"), key("StudyTime", "1200-14")]
    record = row(StudyDate=date, StudyTime=time)
    if time == "1500" and date == "20240101":
        asked[1] = key("StudyTime", "1200-16")
    assert holds(asked, record) is separate
    assert holds(asked, record, COMBINED) is together
    step = [
        key("ScheduledProcedureStepStartDate", *asked[0].values),
        key("ScheduledProcedureStepStartTime", *asked[1].values),
    ]
    entry = row(ScheduledProcedureStepStartDate=date, ScheduledProcedureStepStartTime=time)
    assert holds(step, entry, level=WORKLIST) is together
    assert holds(step, entry) is separate
    assert not holds(step, row(ScheduledProcedureStepStartDate=date), level=WORKLIST)


@pytest.mark.req("T-8")
def test_open_ends_and_single_values_beside_a_range() -> None:
    record = row(StudyDate="20240102", StudyTime="0900")
    since = [key("StudyDate", "20240101-"), key("StudyTime", "1000-")]
    assert holds(since, record, COMBINED)
    assert not holds(since, record)
    until = [key("StudyDate", "-20240102"), key("StudyTime", "-0800")]
    assert not holds(until, record, COMBINED)
    one_day = [key("StudyDate", "20240102"), key("StudyTime", "0800-1000")]
    assert holds(one_day, record, COMBINED)
    assert not holds([key("StudyDate", "20240103"), one_day[1]], record, COMBINED)


@pytest.mark.req("T-9")
def test_the_offset_of_the_request_counts_only_when_negotiated() -> None:
    # 23:30 in Tokyo is 14:30 in London, on the same day; 08:30 is 23:30 the day before.
    evening, morning = (row(540, StudyDate="20240102", StudyTime=t) for t in ("2330", "0830"))
    assert holds(key("StudyTime", "1430"), evening, ZONED, zone=0)
    assert not holds(key("StudyTime", "1430"), evening, zone=0)
    assert holds(key("StudyDate", "20240101"), morning, ZONED, zone=0)
    assert holds(key("StudyDate", "20240102"), morning, zone=0)
    assert holds(key("StudyDate", "20240102"), row(540, StudyDate="20240102"), ZONED, zone=0)
    both = [key("StudyDate", "20240101-20240101"), key("StudyTime", "2300-2359")]
    assert holds(both, morning, Options(time_zone=True, combined=True), zone=0)
    assert holds(both, morning, ZONED, zone=0)


@pytest.mark.req("T-9")
def test_a_record_without_offset_lies_in_the_zone_of_the_node() -> None:
    home = ZoneInfo("Europe/Lisbon")
    summer, winter = (row(StudyDate=day, StudyTime="1200") for day in ("20240701", "20240101"))
    assert holds(key("StudyTime", "1100"), summer, ZONED, zone=0, home=home)
    assert holds(key("StudyTime", "1200"), winter, ZONED, zone=0, home=home)
    stored = row(AcquisitionDateTime="20240701120000")
    assert holds(key("AcquisitionDateTime", "20240701110000+0000"), stored, home=home)
    assert not holds(key("AcquisitionDateTime", "20240701120000+0000"), stored, home=home)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+0100", 60), ("-0330", -210), ("+1400", 840), ("+1401", None), ("-1201", None), ("1", None)],
)
def test_offsets(text: str, minutes: int | None) -> None:
    assert offset_minutes(text) == minutes


@pytest.mark.req("T-7", "T-9")
@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),
    st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),
    st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),
    st.integers(-12, 14),
    st.integers(-12, 14),
)
def test_whole_moments_agree_with_the_clock_of_python(
    first: datetime, last: datetime, stored: datetime, asked_zone: int, own_zone: int
) -> None:
    def written(one: datetime, zone: int) -> str:
        return f"{one:%Y%m%d%H%M%S}.{one.microsecond:06}{zone * 100:+05d}"

    def instant(one: datetime, zone: int) -> datetime:
        return one.replace(tzinfo=timezone(timedelta(hours=zone)))

    asked = f"{written(first, asked_zone)}-{written(last, asked_zone)}"
    inside = instant(first, asked_zone) <= instant(stored, own_zone) <= instant(last, asked_zone)
    assert finds("AcquisitionDateTime", asked, written(stored, own_zone)) is inside
