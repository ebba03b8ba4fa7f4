"""Schedules against two oracles: DicomFlowRouter's rule, and a look at every minute of years."""

import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pytest

from tests.timing import dicomflowrouter
from waystation.timing.schedule_days import Holidays, read_days
from waystation.timing.window import read_schedule

ZONES = ["Europe/Lisbon", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]
TEXTS, INSTANTS = 1500, 200
# A cycle has more changes in seven years than can be looked at each time.
MOST = 1_000_000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 11_000
BEGIN, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)


# DicomFlowRouter


def random_text(draw: random.Random) -> str:
    """Return a text that DicomFlowRouter can read."""
    if draw.random() < 0.25:
        blank = draw.choice(["", " "])
        return f"m{draw.randint(1, 90)}{blank}<{blank}{draw.randint(0, 70)}"
    blank = draw.choice(["", " "])
    parts = []
    for _ in range(draw.randint(1, 3)):
        times = [draw.randint(0, 1439) for _ in range(2)]
        times[1] = draw.choice([times[1], times[0], min(1439, times[0] + 1)])
        forms = [draw.choice(["{:02}:{:02}", "{}:{:02}", "{}:{}"]) for _ in times]
        first, last = (form.format(*divmod(t, 60)) for form, t in zip(forms, times, strict=True))
        parts.append(f"{first}{blank}-{blank}{last}")
    return f",{blank}".join(parts)


def instants(draw: random.Random, zone: ZoneInfo, near: set[tuple[int, int]]) -> Iterator[float]:
    """Yield instants of 2026, half of them around the ends of ranges."""
    for _ in range(INSTANTS):
        day = datetime(2026, 1, 1) + timedelta(days=draw.randrange(365))
        if near and draw.random() < 0.5:
            hour, minute = draw.choice(sorted(near))
            second = draw.choice([-0.000001, 0.0, 0.000001, 1.0, 59.999, 60.0, 60.5])
            moment = day + timedelta(hours=hour, minutes=minute, seconds=second)
        else:
            moment = day + timedelta(seconds=draw.randrange(86_400), microseconds=draw.randrange(9))
        yield moment.replace(tzinfo=zone).timestamp()


@pytest.mark.req("R-35", "R-38", "RT-6")
@pytest.mark.parametrize("seed", range(TEXTS // 500))
def test_never_shut_where_dicomflowrouter_is_open(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(500):
        text, zone = random_text(draw), ZoneInfo(draw.choice(ZONES))
        theirs, ends = dicomflowrouter.parse(text), dicomflowrouter.ends(text)
        ours = read_schedule(text, zone=zone)
        for instant in instants(draw, zone, ends):
            time = datetime.fromtimestamp(instant, zone).time()
            if ours.is_open(instant) is theirs(time):
                continue
            # We are open longer, and only inside a closing minute.
            assert ours.is_open(instant), (text, time)
            assert (time.hour, time.minute) in ends, (text, time)
            assert time.second or time.microsecond, (text, time)


@pytest.mark.req("R-38", "RT-6", "N-17")
@pytest.mark.parametrize(
    "text",
    [
        *("24:00-07:00", "8-12", "08.00-12.00", "08:00-12:00,", "M10 < 5", "m10<=5"),
        *("08:00–12:00", "19:00-07:00 ; at night", "m10<5, 19:00-07:00"),
    ],
)
def test_where_it_gives_up_and_stays_open_we_refuse(text: str) -> None:
    with pytest.raises(ValueError):
        dicomflowrouter.parse(text)
    with pytest.raises(ValueError, match="write "):
        read_schedule(text, zone=UTC)


@pytest.mark.req("R-38", "RT-6")
@pytest.mark.parametrize("text", ["Mon 08:00-12:00", "08:00-24:00"])
def test_where_it_gives_up_and_stays_open_we_do_what_it_says(text: str) -> None:
    with pytest.raises(ValueError):
        dicomflowrouter.parse(text)
    sunday, monday = datetime(2026, 1, 4, 7, tzinfo=UTC), datetime(2026, 1, 5, 9, tzinfo=UTC)
    schedule = read_schedule(text, zone=UTC)
    assert not schedule.is_open(sunday.timestamp())
    assert schedule.is_open(monday.timestamp())


# every minute

Minutes = Callable[[date], list[tuple[int, int]]]
Grid = npt.NDArray[np.bool_]
FIRST_DAY = BEGIN.date() - timedelta(days=2)
DAYS = (END.date() - FIRST_DAY).days + 2
EASTER = {date(2024, 3, 29), date(2025, 4, 18), date(2026, 4, 3), date(2027, 3, 26)}
HOLIDAYS = Holidays(
    days=(read_days("12-25"), read_days("02-29")), events=dict.fromkeys(EASTER, "Good Friday")
)
CLOSED = (read_days("2026-03-29"), read_days("10-25..10-26"))


def is_holiday(day: date) -> bool:
    return day in EASTER or (day.month, day.day) in {(12, 25), (2, 29)}


def is_closed(day: date) -> bool:
    return day == date(2026, 3, 29) or (day.month, day.day) in {(10, 25), (10, 26)}


def mixed(day: date) -> list[tuple[int, int]]:
    if (day.month, day.day) == (12, 24):
        return [(480, 720)]
    if is_holiday(day):
        return [(0, 1440)]
    return [(1200, 1920)] if day.weekday() < 5 else [(0, 1440)]


def friday_night(day: date) -> list[tuple[int, int]]:
    return [(1320, 1800)] if day.weekday() == 4 else []


def cycle(_day: date) -> list[tuple[int, int]]:
    return [
        (60 * hour + minute, 60 * hour + minute + 3) for hour in range(24) for minute in (0, 20, 40)
    ]


# text: the same said by hand, as minutes of each day.
SPELLED: dict[str, Minutes] = {
    "01:00-01:29": lambda _day: [(60, 90)],
    "22:00-05:59": lambda _day: [(1320, 1800)],
    "00:00-00:00, 02:00-02:59, 23:59-24:00": lambda _day: [(0, 1), (120, 180), (1439, 1440)],
    "Fri 22:00-05:59": friday_night,
    "m20<3": cycle,
    "Mon-Fri 20:00-07:59; Sat-Sun 00:00-24:00; holiday 00:00-24:00; 12-24 08:00-11:59": mixed,
}


def civil(minutes: Minutes) -> Grid:
    """Return the state of every civil minute from `FIRST_DAY` on."""
    grid = np.zeros(DAYS * 1440 + 1440, dtype=np.bool_)
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        if not is_closed(day):
            for begin, end in minutes(day):
                grid[number * 1440 + begin : number * 1440 + end] = True
    for number in range(DAYS):
        if is_closed(FIRST_DAY + timedelta(days=number)):
            grid[number * 1440 : number * 1440 + 1440] = False
    return grid


def places(zone: ZoneInfo) -> npt.NDArray[np.int64]:
    """Return where in `civil` each minute from BEGIN to END lies; clocks turn at quarters."""
    quarters = np.arange(int(BEGIN.timestamp()), int(END.timestamp()), 900)
    offsets = [datetime.fromtimestamp(int(q), zone).utcoffset() for q in quarters]
    shifts = np.array([offset.total_seconds() // 60 for offset in offsets if offset is not None])
    start = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC).timestamp()
    every = (np.arange(quarters[0], quarters[-1] + 900, 60) - start) // 60
    return np.asarray(every + np.repeat(shifts, 15), dtype=np.int64)


@pytest.mark.req("R-36", "R-37", "RT-6")
@pytest.mark.parametrize("name", ZONES)
def test_changes_are_those_found_minute_by_minute(name: str) -> None:
    zone = ZoneInfo(name)
    lies = places(zone)
    for text, minutes in SPELLED.items():
        states = civil(minutes)[lies]
        turns = np.flatnonzero(np.diff(states)) + 1
        expected = [BEGIN.timestamp() + 60.0 * int(turn) for turn in turns]
        schedule = read_schedule(text, zone=zone, holidays=HOLIDAYS, closed=CLOSED)
        found: list[float] = []
        change = schedule.next_change(BEGIN.timestamp())
        while change is not None and change < END.timestamp() and len(found) < MOST:
            found.append(change)
            change = schedule.next_change(change)
        assert found == expected[:MOST], text
        draw = random.Random(name)
        for minute in (draw.randrange(len(states)) for _ in range(500)):
            instant = BEGIN.timestamp() + 60 * minute + draw.randrange(60)
            assert schedule.is_open(instant) == states[minute]
            later = int(np.searchsorted(turns, minute, side="right"))
            if later < len(expected):
                assert schedule.next_change(instant) == expected[later]


@pytest.mark.req("R-41")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2199-12-31 08:00-09:00", datetime(2199, 12, 31, 8, tzinfo=UTC)),
        ("02-29 08:00-09:00", datetime(2028, 2, 29, 8, tzinfo=UTC)),
        # 29 February without the one group that names it every year: a Saturday in 2048
        ("01-01..02-28 00:00-00:00; 03-01..12-31 00:00-00:00; Sat 08:00-08:00", None),
        ("2020-01-01..2020-12-31 00:00-24:00", None),
        ("m10<0", None),
    ],
)
def test_a_far_change_is_found_and_none_is_told(text: str, expected: datetime | None) -> None:
    start = datetime(2026, 1, 1, 0, 30, tzinfo=UTC).timestamp()
    schedule = read_schedule(text, zone=UTC)
    found = schedule.next_change(start)
    if text.startswith("01-01"):
        everyday = {datetime.fromtimestamp(start + 86_400 * n, UTC).date() for n in range(9000)}
        leap = min(day for day in everyday if (day.month, day.day, day.weekday()) == (2, 29, 5))
        assert schedule.is_open(datetime(leap.year, 2, 29, 8, tzinfo=UTC).timestamp())
        assert found == start + 23.5 * 3600
    else:
        assert found == (None if expected is None else expected.timestamp())
