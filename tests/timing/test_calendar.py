"""Holidays out of iCalendar files: every way to write a day, and nothing lost in silence."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.timing.calendar import CalendarDays, read_calendar

LISBON = ZoneInfo("Europe/Lisbon")
YEARS = range(2025, 2029)


def calendar(*events: str) -> bytes:
    """Return a file; lines of an event are separated by blanks."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//waystation//test//EN"]
    for number, event in enumerate(events):
        uid = [] if "UID:" in event else [f"UID:{number}"]
        lines += ["BEGIN:VEVENT", *uid, *event.split(), "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


def read(data: bytes) -> CalendarDays:
    return read_calendar(data, years=YEARS, zone=LISBON)


def days(*events: str) -> list[str]:
    return sorted(map(str, read(calendar(*events)).events))


@pytest.mark.req("R-35")
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("DTSTART;VALUE=DATE:20260403", ["2026-04-03"]),
        ("DTSTART;VALUE=DATE:20260403 DTEND;VALUE=DATE:20260404", ["2026-04-03"]),
        ("DTSTART;VALUE=DATE:20260403 DURATION:P2D", ["2026-04-03", "2026-04-04"]),
        (
            "DTSTART;VALUE=DATE:20260403 DTEND;VALUE=DATE:20260407",
            ["2026-04-03", "2026-04-04", "2026-04-05", "2026-04-06"],
        ),
        (
            "DTSTART;VALUE=DATE:20201225 RRULE:FREQ=YEARLY",
            ["2025-12-25", "2026-12-25", "2027-12-25", "2028-12-25"],
        ),
        (
            "DTSTART;VALUE=DATE:20201225 RRULE:FREQ=YEARLY;UNTIL=20261225"
            " EXDATE;VALUE=DATE:20251225",
            ["2026-12-25"],
        ),
        ("DTSTART;VALUE=DATE:20201225 RRULE:FREQ=YEARLY;COUNT=6", ["2025-12-25"]),
        (
            "DTSTART;VALUE=DATE:20250901 RRULE:FREQ=YEARLY;BYMONTH=9;BYDAY=1MO",
            ["2025-09-01", "2026-09-07", "2027-09-06", "2028-09-04"],
        ),
        (
            "DTSTART;VALUE=DATE:20260101 RDATE;VALUE=DATE:20260202,20270303",
            ["2026-01-01", "2026-02-02", "2027-03-03"],
        ),
        ("DTSTART;VALUE=DATE:20260403 STATUS:CANCELLED", []),
        ("DTSTART;VALUE=DATE:19990403", []),
        # with hours: the days that it touches where we live
        ("DTSTART:20260620T233000Z DTEND:20260621T010000Z", ["2026-06-21"]),
        ("DTSTART;TZID=America/New_York:20260703T200000 DURATION:PT3H", ["2026-07-04"]),
        ("DTSTART:20260703T000000 DTEND:20260704T000000", ["2026-07-03"]),
    ],
)
def test_every_way_to_write_an_event_gives_its_days(event: str, expected: list[str]) -> None:
    assert days(event) == expected


@pytest.mark.req("R-35")
def test_a_moved_occurrence_takes_the_place_of_the_one_it_replaces() -> None:
    series = "UID:x DTSTART;VALUE=DATE:20260901 RRULE:FREQ=YEARLY;COUNT=2"
    moved = "UID:x RECURRENCE-ID;VALUE=DATE:20260901 DTSTART;VALUE=DATE:20260902"
    assert days(series, moved) == ["2026-09-02", "2027-09-01"]


def test_days_carry_the_name_of_the_event() -> None:
    read_ = read(calendar("SUMMARY:Natal DTSTART;VALUE=DATE:20261225"))
    assert read_.events == {date(2026, 12, 25): "Natal"}
    assert read_.years == {2026}


@pytest.mark.req("R-39")
def test_a_year_counts_only_if_an_event_begins_in_it() -> None:
    event = "DTSTART;VALUE=DATE:20261231 DTEND;VALUE=DATE:20270103"
    assert read(calendar(event)).years == {2026}
    assert days(event)[-1] == "2027-01-02"


@pytest.mark.req("R-39")
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "END:VCALENDAR is missing"),
        (b"/etc/passwd", "END:VCALENDAR is missing"),
        (calendar("DTSTART;VALUE=DATE:20260403")[:-8], "END:VCALENDAR is missing"),
        (b"BEGIN:VEVENT\r\nEND:VCALENDAR", "is no iCalendar file"),
        (calendar("SUMMARY:Natal"), 'event "Natal": DTSTART is missing'),
        (calendar("SUMMARY:Natal DTSTART;VALUE=DATE:2026x"), 'event "Natal": DTSTART cannot be'),
        (calendar("DTSTART;VALUE=DATE:20260101 RRULE:FREQ=HOURLY"), "recurs neither"),
        (calendar("DTSTART;VALUE=DATE:20260101 RRULE:FREQ=OFTEN"), "RRULE cannot be read"),
        (calendar("DTSTART;VALUE=DATE:00010101 RRULE:FREQ=DAILY"), "recurs more than"),
        (calendar("DTSTART;VALUE=DATE:20260403 DTEND;VALUE=DATE:20260401"), "lasts less than"),
        (calendar("DTSTART;VALUE=DATE:20260403 DURATION:P900D"), "lasts less than"),
        (calendar("DTSTART;VALUE=DATE:20260403 RDATE;VALUE=TIME:100000"), "cannot be read"),
    ],
)
def test_what_cannot_be_read_to_the_end_is_an_error(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(data)


GOOD = calendar(
    "DTSTART;VALUE=DATE:20201225 RRULE:FREQ=YEARLY;UNTIL=20301231T000000Z",
    "DTSTART;VALUE=DATE:20240101 RRULE:FREQ=YEARLY;COUNT=9 EXDATE;VALUE=DATE:20250101",
    "DTSTART;TZID=America/New_York:20260703T200000 DURATION:PT3H",
    "DTSTART;VALUE=DATE:20260403 DTEND;VALUE=DATE:20260407 RDATE;VALUE=DATE:20270202",
)


@pytest.mark.filterwarnings("ignore")
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 30), st.binary(max_size=3)), max_size=3))
def test_any_bytes_give_days_or_a_value_error(changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(GOOD)
    for place, new in changes:
        data[place : place + len(new)] = new
    try:
        found = read(bytes(data))
    except ValueError:
        return
    assert all(day.year in YEARS for day in found.events)
