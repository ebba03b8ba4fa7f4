"""Budgets on simulated clocks: what is granted over ten seconds, whatever is asked for."""

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.timing.budget import Backlog, Budget, Limits, RateEntry, clears_at
from waystation.timing.window import ALWAYS, NEVER, read_schedule

MIB = 2**20
EVENING = datetime(2026, 11, 20, 18, tzinfo=UTC).timestamp()


def flat(rate: float) -> Limits:
    return Limits(rates=(RateEntry(bytes_per_s=rate),))


def day_and_night() -> Limits:
    """2 MiB/s by day, 20 MiB/s from 18:00."""
    day = read_schedule("08:00-17:59", zone=UTC)
    return Limits(
        rates=(
            RateEntry(bytes_per_s=2 * MIB, when=day),
            RateEntry(bytes_per_s=20 * MIB),
        )
    )


def granted(
    limits: Limits, piece: int, start: float, seconds: float, late: float = 0.0
) -> list[tuple[float, int]]:
    """Return (time, bytes) of all that was granted; ``late``: how much a sleep is too long."""
    chance = random.Random(1)
    budget = Budget(limits)
    now, found = 0.0, []
    while now < seconds:
        wait = budget.take(piece, now=now, wall=start + now)
        if wait > 0:
            now += min(wait, 0.25) + chance.random() * late
        else:
            found.append((now, piece))
            now += 1e-6
    return found


def per_second(found: list[tuple[float, int]], begin: float, end: float) -> float:
    return sum(size for at, size in found if begin <= at < end) / (end - begin)


@pytest.mark.req("R-51")
@pytest.mark.parametrize("piece", [12_000, 65_536])
@pytest.mark.parametrize("late", [0.0, 0.02])
def test_two_mib_then_twenty_at_six_both_within_five_per_cent(piece: int, late: float) -> None:
    found = granted(day_and_night(), piece, EVENING - 40, 60, late)
    for begin in range(31):
        assert per_second(found, begin, begin + 10) == pytest.approx(2 * MIB, rel=0.05)
    # The new rate counts within a second.
    for begin in range(41, 50):
        assert per_second(found, begin, begin + 10) == pytest.approx(20 * MIB, rel=0.05)


@pytest.mark.req("R-51")
def test_several_who_draw_from_one_budget_get_one_rate_together() -> None:
    budget = Budget(flat(2 * MIB))
    times = [0.0] * 3
    taken = 0
    while min(times) < 20:
        mine = times.index(min(times))
        wait = budget.take(65_536, now=times[mine], wall=0.0)
        taken += 65_536 if wait <= 0 else 0
        times[mine] += max(wait, 1e-6)
    assert taken / 20 == pytest.approx(2 * MIB, rel=0.05)


@pytest.mark.req("R-51")
def test_nothing_is_saved_up_while_nobody_asks() -> None:
    budget = Budget(flat(1000))
    assert budget.take(10, now=0.0, wall=0.0) == 0
    total, now = 0, 3600.0
    while budget.take(10, now=now, wall=0.0) <= 0:
        total += 10
    assert total <= 120


@pytest.mark.req("R-51")
def test_the_first_open_entry_counts_and_none_means_no_limit() -> None:
    limits = Limits(rates=(RateEntry(bytes_per_s=5, when=NEVER), RateEntry(bytes_per_s=7)))
    assert limits.rate(0.0) == 7
    assert Limits(rates=(RateEntry(bytes_per_s=5, when=NEVER),)).rate(0.0) is None
    assert Budget(Limits()).take(10**12, now=0.0, wall=0.0) == 0
    assert day_and_night().next_change(EVENING - 60) == EVENING


@pytest.mark.req("R-51")
@given(st.integers(1, 50), st.lists(st.integers(0, 120).map(lambda n: n / 4), max_size=200))
def test_no_minute_has_more_objects_than_allowed(most: int, pauses: list[float]) -> None:
    budget = Budget(Limits(per_minute=most))
    now, begun = 0.0, []
    for pause in pauses:
        now += pause
        wait = budget.begin(now=now)
        if wait > 0:
            now += wait
            assert budget.begin(now=now) == 0
        begun.append(now)
    for at in begun:
        assert sum(at <= other < at + 60 for other in begun) <= most


@pytest.mark.req("R-51")
def test_a_backlog_clears_by_rate_and_windows() -> None:
    limits = day_and_night()
    gone = clears_at(Backlog(size_bytes=2 * MIB * 60, line_rate=None), ALWAYS, [limits], EVENING)
    assert gone == pytest.approx(EVENING + 6)
    half = Backlog(size_bytes=2 * MIB * 30 + 20 * MIB * 30, line_rate=None)
    assert clears_at(half, ALWAYS, [limits], EVENING - 30) == pytest.approx(EVENING + 30)
    night = read_schedule("20:00-05:59", zone=UTC)
    late = Backlog(size_bytes=100 * MIB, line_rate=10 * MIB)
    assert clears_at(late, night, [Limits()], EVENING) == pytest.approx(EVENING + 2 * 3600 + 10)
    long = Backlog(size_bytes=11 * 3600 * MIB, line_rate=MIB)
    assert clears_at(long, night, [Limits()], EVENING) == pytest.approx(EVENING + 27 * 3600)


@pytest.mark.req("R-51")
def test_nobody_says_when_what_nobody_knows() -> None:
    before = Backlog(size_bytes=10, line_rate=None)
    assert clears_at(before, ALWAYS, [Limits()], 0.0) is None
    assert clears_at(Backlog(size_bytes=10, line_rate=5.0), NEVER, [Limits()], 0.0) is None
    assert clears_at(Backlog(size_bytes=0, line_rate=None), NEVER, [], 7.0) == 7.0
    # A lane that was held back by its limit can do more when that rises.
    held = Backlog(size_bytes=20 * MIB, line_rate=2 * MIB, throttled=True)
    assert clears_at(held, ALWAYS, [day_and_night()], EVENING) == pytest.approx(EVENING + 1)
