"""What a schedule of DicomFlowRouter did, and what it does here (R-38, N-17)."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.app.importing.flow_schedule import Fate, translate
from waystation.timing.window import read_schedule

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
NUMBERS = st.integers(0, 99)
TIMES = st.builds("{}:{:02}".format, st.integers(0, 24), st.integers(0, 60))
RANGES = st.lists(st.builds("{} - {}".format, TIMES, TIMES), min_size=1, max_size=3).map(", ".join)
CYCLES = st.builds("{}{} < {}".format, st.sampled_from(["m", " m", "mm"]), NUMBERS, NUMBERS)


def router_was_open(written: str, now: datetime) -> bool:
    """The router's rule, as its behaviour is known: any error leaves the window open."""
    if not written:
        return True
    try:
        if written.strip().startswith("m"):
            parts = written.replace("m", "").split("<")
            return now.minute % int(parts[0]) < int(parts[1])
        for part in written.split(","):
            begin, end = (_clock(word) for word in part.split("-"))
            at = now.time()
            if (begin <= at <= end) if begin <= end else (at >= begin or at <= end):
                return True
    except (ValueError, IndexError, ZeroDivisionError):
        return True
    return False


def _clock(word: str) -> time:
    return datetime.strptime(word.strip(), "%H:%M").time()


@pytest.mark.req("RT-16")
@given(st.one_of(RANGES, CYCLES), st.integers(0, 86_399))
def test_our_window_is_that_of_the_router_but_for_the_closing_minute(
    written: str, second: int
) -> None:
    window = translate(written)
    now = MIDNIGHT + timedelta(seconds=second)
    ours = read_schedule(window.text, zone=UTC).is_open(now.timestamp())
    theirs = router_was_open(written, now)
    if window.fate is Fate.WAS_OPEN:
        assert theirs
        assert not ours
    elif theirs:
        assert ours
    elif ours:
        assert window.fate is Fate.CLOSING
        assert now.second > 0
        assert router_was_open(written, now.replace(second=0))


@pytest.mark.req("RT-16")
@pytest.mark.parametrize(
    "written",
    [
        *("24:00-06:00", "8-12", "08.00-12.00", "08:00-12:00,", "M10 < 5", "m0 < 5", "m10<=5"),
        *("08:00\N{EN DASH}12:00", "08:00-12:00 # noon", "m10<5, 19:00-07:00", "Mon 08:00-12:00"),
        *("08:00-24:00", "m", "m<", "m-10<5", "always", "never", "08:00", "%", "\N{SNOWMAN}"),
    ],
)
def test_what_was_open_by_an_error_is_never_open(written: str) -> None:
    assert translate(written).text == "never"
    assert translate(written).fate is Fate.WAS_OPEN


@pytest.mark.req("RT-16")
@pytest.mark.parametrize(
    ("written", "text", "fate"),
    [
        ("", "always", Fate.SAME),
        ("m10 < 5", "m10 < 5", Fate.SAME),
        (" m10<5", "m10 < 5", Fate.SAME),
        ("m7 < 3", "m7 < 3", Fate.SAME),
        ("mm10<5", "m10 < 5", Fate.SPELLING),
        ("m10<5<7", "m10 < 5", Fate.SPELLING),
        ("m10 < -5", "never", Fate.SHUT),
        ("m10 < 0", "never", Fate.SHUT),
        ("m900 < 901", "m60 < 60", Fate.SPELLING),
        ("18:00-22:00,\n22:30-6:00", "18:00-22:00, 22:30-6:00", Fate.CLOSING),
    ],
)
def test_what_was_understood_keeps_its_hours(written: str, text: str, fate: Fate) -> None:
    window = translate(written)
    assert (window.text, window.fate) == (text, fate)
