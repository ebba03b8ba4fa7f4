"""All dates of a patient move by the same whole number of days (D-28)."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.transforms.deid.dates import (
    Shift,
    TooEarlyError,
    is_time,
    move_date,
    move_datetime,
    shift_days,
)

KEY = bytes(32)
DATES = st.dates(min_value=date(1911, 1, 1), max_value=date(2100, 1, 1))


def da(day: date) -> str:
    return day.strftime("%Y%m%d")


def moved(day: date, days: int) -> date:
    text = move_date(da(day), days)
    assert text is not None
    return date.fromisoformat(text)


@pytest.mark.req("D-28")
@given(DATES, DATES, st.binary(max_size=20))
def test_intervals_between_any_two_dates_are_exact(one: date, two: date, who: bytes) -> None:
    days = shift_days(KEY, who, Shift())
    assert moved(one, days) - moved(two, days) == one - two
    assert moved(one, days) == one + timedelta(days)


@pytest.mark.req("D-28")
@given(st.binary(max_size=20), st.integers(1, 3650), st.integers(0, 3650), st.booleans())
def test_a_shift_goes_back_within_its_range(who: bytes, low: int, more: int, weeks: bool) -> None:
    try:
        shift = Shift(low=low, high=low + more, keep_weekday=weeks)
    except ValueError:
        assert weeks
        return
    days = shift_days(KEY, who, shift)
    assert low <= -days <= low + more
    assert not weeks or days % 7 == 0


@pytest.mark.req("D-28")
def test_shifts_differ_between_patients_and_keys_and_never_by_order() -> None:
    people = [b"%d" % number for number in range(500)]
    shifts = [shift_days(KEY, who, Shift()) for who in people]
    assert len(set(shifts)) > 400
    assert shifts == [shift_days(KEY, who, Shift()) for who in reversed(people)][::-1]
    assert shifts != [shift_days(b"other" + KEY, who, Shift()) for who in people]


@pytest.mark.req("D-28")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20200310", "20200229"),
        ("2020.03.10", "20200229"),
        ("2020-03-10", "20200229"),
        ("2020/03/10", "20200229"),
        ("20200230", None),
        ("202003", None),
        ("Smith", None),
        ("00000000", None),
        ("", None),
    ],
)
def test_dates_move_and_old_forms_are_normalised(text: str, expected: str | None) -> None:
    assert move_date(text, -10) == expected


@pytest.mark.req("D-28")
@pytest.mark.parametrize(
    ("text", "days", "expected"),
    [
        ("20200310123456.123456", -10, "20200229123456.123456"),
        ("20200310123456+0100", -10, "20200229123456"),
        ("2020031012", -10, "2020022912"),
        ("20200310", -10, "20200229"),
        ("202003", -31, "202002"),
        ("2020", -365, "2019"),
        ("2020", -10, "2020"),
        ("20200230", -1, None),
        ("2020031025", -1, None),
        ("20", -1, None),
        ("0000", -1, None),
        ("yesterday", -1, None),
    ],
)
def test_datetimes_keep_their_precision_and_lose_their_zone(
    text: str, days: int, expected: str | None
) -> None:
    assert move_datetime(text, days) == expected


@pytest.mark.req("D-28")
def test_a_zone_stays_where_it_is_wanted() -> None:
    assert move_datetime("20200310123456+0100", -10, keep_zone=True) == "20200229123456+0100"


@pytest.mark.req("D-28")
def test_nothing_is_moved_before_1900() -> None:
    for text in ("19000105", "18991231", "00010101"):
        with pytest.raises(TooEarlyError):
            move_date(text, -10)
    with pytest.raises(TooEarlyError):
        move_datetime("1900", -400)


def test_times_are_told_from_other_texts() -> None:
    assert all(map(is_time, ("12", "1234", "123456", "123456.5", "23:59:60", "235960")))
    assert not any(map(is_time, ("", "24", "1260", "123461", "12345", "noon", "12:3")))


def test_a_range_without_a_week_keeps_no_weekdays() -> None:
    with pytest.raises(ValueError, match="multiple of seven"):
        Shift(low=1, high=6, keep_weekday=True)
    with pytest.raises(ValueError, match="1d"):
        Shift(low=0, high=6)
