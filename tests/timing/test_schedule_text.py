"""Which texts are schedules, what they mean, and what is said about the others."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.timing.schedule_text import read_hours

MEANT = re.compile(r'write "([^"]*)"')


def minutes(text: str) -> list[tuple[int, int]]:
    """Return the ranges of a text with one group, in minutes of the day."""
    (group,) = read_hours(text).groups
    return [(each.begin, each.end) for each in group.ranges]


@pytest.mark.req("R-38")
@pytest.mark.parametrize("text", ["", "always", "  ", " always\n"])
def test_an_empty_text_is_always_open(text: str) -> None:
    assert minutes(text) == [(0, 1440)]


def test_never_opens_nothing() -> None:
    assert read_hours("never").groups == ()


@pytest.mark.req("R-35")
@pytest.mark.parametrize(
    ("text", "expected", "opens", "shuts"),
    [
        ("08:00-12:00", (480, 721), "08:00:00", "12:01:00"),
        ("08:00-11:59", (480, 720), "08:00:00", "12:00:00"),
        ("8:00-11:59", (480, 720), "08:00:00", "12:00:00"),
        ("00:00-23:59", (0, 1440), "00:00:00", "24:00:00"),
        ("00:00-24:00", (0, 1440), "00:00:00", "24:00:00"),
        ("22:00-05:59", (1320, 1800), "22:00:00", "06:00:00 the next day"),
        ("22:00-00:00", (1320, 1441), "22:00:00", "00:01:00 the next day"),
        ("12:00-12:00", (720, 721), "12:00:00", "12:01:00"),
    ],
)
def test_both_minutes_of_a_range_belong_to_it(
    text: str, expected: tuple[int, int], opens: str, shuts: str
) -> None:
    assert minutes(text) == [expected]
    (group,) = read_hours(text).groups
    assert (group.ranges[0].opens, group.ranges[0].shuts) == (opens, shuts)


@pytest.mark.req("R-36", "N-18")
@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("Mon-Fri", {0, 1, 2, 3, 4}),
        ("Fri-Mon", {4, 5, 6, 0}),
        ("Sat-Sun", {5, 6}),
        ("Sun-Sat", {0, 1, 2, 3, 4, 5, 6}),
        ("wed", {2}),
        ("MON, tue ,Sat - Sun", {0, 1, 5, 6}),
        ("Mon-Mon", {0}),
    ],
)
def test_a_run_of_weekdays_has_its_last_day(days: str, expected: set[int]) -> None:
    assert read_hours(f"{days} 08:00-12:00").groups[0].weekdays == expected


@pytest.mark.parametrize(
    "text",
    [
        "Mon-Fri 20:00-07:59; Sat-Sun 00:00-24:00; holiday 00:00-24:00",
        "Mon - Fri 20:00 - 07:59 ;Sat-Sun 00:00-24:00;holiday 00:00-24:00",
        "Mon-Fri20:00-07:59;\n  Sat-Sun 00 : 00-24:00 ;\n  HOLIDAY 00:00-24:00\n",
    ],
)
def test_blanks_are_free_around_every_sign(text: str) -> None:
    assert [group.text for group in read_hours(text).groups] == [
        "Mon-Fri 20:00-07:59",
        "Sat-Sun 00:00-24:00",
        "holiday 00:00-24:00",
    ]


def test_one_group_may_name_days_of_every_kind() -> None:
    (group,) = read_hours("Sat, holiday, 12-24, 2026-04-03..2026-04-06 08:00-12:00").groups
    assert group.weekdays == {5}
    assert group.holiday
    assert [days.text for days in group.dates] == ["12-24", "2026-04-03..2026-04-06"]


# R-38, row by row


@pytest.mark.req("R-38", "RT-6", "N-17")
@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("24:00-07:00", "00:00-07:00"),
        ("8-12", "08:00-12:00"),
        ("08.00-12.00", "08:00-12:00"),
        ("08:00-12:00,", "08:00-12:00"),
        ("M10 < 5", "m10<5"),
        ("m10<=5", "m10<6"),
        ("08:00–12:00", "08:00-12:00"),
        ("19:00-07:00 # at night", "19:00-07:00"),
        ("19:00-07:00 ; at night", "19:00-07:00"),
        ("m10<5, 19:00-07:00", "m10<5"),
        ("m10<-5", "m10<5"),
        ("m-10<5", "m10<5"),
        ("mm10<5", "m10<5"),
        ("m10<5<7", "m10<5"),
        ("Always", "always"),
        ("NEVER", "never"),
        ("Monday to Friday 8-17", ""),
        ("Monday-Friday 8-17", "Mon-Fri 08:00-17:00"),
        ("weekdays 8am-5:30pm", "Mon-Fri 08:00-17:30"),
        ("08:00-12:00 Mon-Fri", "Mon-Fri 08:00-12:00"),
        ("Mon 08:00-12:00, Tue 09:00-10:00", "Mon 08:00-12:00; Tue 09:00-10:00"),
        ("08:00-12:00, 12-25 10:00-11:00", "08:00-12:00; 12-25 10:00-11:00"),
        ("0800-1200", "08:00-12:00"),
        ("08:00:00-12:00:00", "08:00-12:00"),
        ("Mon-Fri", "Mon-Fri 00:00-24:00"),
        ("12-25", "12-25 00:00-24:00"),
        ("holidays", "holiday 00:00-24:00"),
        (";", ""),
        (",", ""),
        ("m0 < 5", ""),
        ("m0<5", ""),
        ("25:00-26:00", ""),
        ("24:01-02:00", ""),
        ("08:60-09:00", ""),
        ("19:00", ""),
        ("19:00-", ""),
        ("-07:00", ""),
        ("19:00-07:00-08:00", ""),
        ("19:00 07:00", ""),
        ("garbage", ""),
        ("2026-02-30 08:00-09:00", ""),
        ("13-01 08:00-09:00", ""),
        ("1926-04-03 08:00-09:00", ""),
        ("2026-04-05..2026-04-03 08:00-09:00", ""),
        ("2026-04-05..04-07 08:00-09:00", ""),
        ("04-05.. 08:00-09:00", ""),
        ("08:00-12:00;;13:00-14:00", "08:00-12:00;13:00-14:00"),
        ("08:00-12:00;", "08:00-12:00"),
        ("08:00-12:00\0", ""),
        ("٠٨:٠٠-١٢:٠٠", ""),
        ("x" * 3000, ""),
    ],
)
def test_a_broken_text_is_an_error_that_tells_the_right_spelling(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match="write ") as caught:
        read_hours(text)
    said = str(caught.value)
    assert said.isprintable()
    if meant:
        assert MEANT.findall(said)[0] == meant
        assert read_hours(meant)
    else:
        assert "write for example" in said


@pytest.mark.req("R-38", "RT-6")
def test_a_cycle_and_hours_do_not_mix() -> None:
    with pytest.raises(ValueError, match='write "m10<5" or "19:00-07:00"'):
        read_hours("m10<5, 19:00-07:00")


@pytest.mark.req("R-38", "RT-6")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m10<5", [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]),
        ("m 10 < 5", [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]),
        ("m7 < 3", [0, 1, 2, 7, 8, 9, 14, 15, 16]),
        ("m90 < 60", list(range(20))),
        ("m90<15", list(range(15))),
    ],
)
def test_the_minute_of_the_hour_decides_in_a_cycle(text: str, expected: list[int]) -> None:
    for hour in range(24):
        opened = [m for b, e in minutes(text) for m in range(b, e) if hour == m // 60]
        assert [m % 60 for m in opened if m % 60 < 20] == expected


@pytest.mark.req("R-38", "RT-6")
@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("m90 < 60", "open in the minutes 0-59 of every hour"),
        ("m7 < 3", "open in the minutes 0-2, 7-9, 14-16, 21-23, 28-30, 35-37, 42-44, 49-51, 56-58"),
        ("m40<1", "open in the minutes 0, 40 of every hour"),
        ("m10<20", "is always open"),
        ("8:5-9:00", "8:5 is read as 08:05"),
        ("08:00-08:00", "08:00-08:00 is open for that one minute"),
    ],
)
def test_what_is_doubtful_is_a_warning(text: str, warning: str) -> None:
    (said,) = read_hours(text).warnings
    assert warning in said


@pytest.mark.parametrize("text", ["m10<5", "m60<30", "08:00-12:00", "00:00-24:00", "m10<0"])
def test_what_is_plain_has_no_warning(text: str) -> None:
    assert read_hours(text).warnings == ()


@pytest.mark.req("N-17")
@given(st.text("0123456789:-,;.m<MonFrihday \t#é", max_size=40))
def test_any_text_is_read_or_refused_with_advice(text: str) -> None:
    said = ""
    try:
        groups = read_hours(text).groups
    except ValueError as error:
        said, groups = str(error), ()
    assert not said or "write " in said
    for meant in MEANT.findall(said):
        read_hours(meant)
    for group in groups:
        assert all(0 <= each.begin < each.end <= 2880 for each in group.ranges)
