"""Incidents: one message when it starts, one when it is over, few when it flaps (R-81)."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.timing.incident import Finding, Incidents, Notice, Patience, Turn

USUAL = Patience()
PACS = "destination pacs"


def found(
    kind: str = "down", n: int = 1, subject: str = PACS, since: float | None = None
) -> Finding:
    return Finding(subject=subject, kind=kind, n=n, why=f"{kind} {n}", since=since)


def watch(
    bad: list[tuple[float, float]], until: float, patience: Patience = USUAL
) -> list[tuple[float, Notice]]:
    """Look each half minute; return when what was told, for these spans of trouble."""
    incidents, told = Incidents(patience), []
    at = 0.0
    while at <= until:
        here = [found(since=begin) for begin, end in bad if begin <= at < end]
        told += [(at, notice) for notice in incidents.look(here, at)]
        at += 30.0
    return told


@pytest.mark.req("R-81")
def test_one_message_when_it_starts_and_one_when_it_is_over() -> None:
    (begin, first), (end, last) = watch([(60.0, 3600.0)], 7200.0)
    assert (begin, first.turn, first.ended_at) == (60.0, Turn.BEGAN, None)
    assert (end, last.turn) == (3600.0 + 300.0, Turn.OVER)
    assert (last.began_at, last.ended_at) == (60.0, 3600.0)


@pytest.mark.req("R-81")
def test_what_comes_back_within_clear_after_is_the_same_incident() -> None:
    told = watch([(0.0, 600.0), (840.0, 1200.0), (1440.0, 1500.0)], 7200.0)
    assert [notice.turn for _, notice in told] == [Turn.BEGAN, Turn.OVER]
    assert told[1][1].times == 3
    assert told[1][1].ended_at == 1500.0


@pytest.mark.req("R-81")
def test_all_conditions_of_one_subject_are_one_incident() -> None:
    incidents = Incidents(Patience())
    assert len(incidents.look([found("down")], 0.0)) == 1
    assert incidents.look([found("down"), found("waiting", 10_000)], 600.0) == []
    assert incidents.look([found("held", 3)], 900.0) == []
    assert incidents.look([found("held", 2)], 1200.0) == []
    assert incidents.look([], 1260.0) == []
    (over,) = incidents.look([], 1560.0)
    assert {each.kind: each.n for each in over.findings} == {
        "down": 1,
        "waiting": 10_000,
        "held": 3,
    }


@pytest.mark.req("R-81")
def test_subjects_do_not_disturb_each_other() -> None:
    incidents = Incidents(Patience())
    told = incidents.look([found(), found(subject="spool", kind="full")], 0.0)
    assert Counter(notice.subject for notice in told) == {PACS: 1, "spool": 1}


@pytest.mark.req("R-81")
def test_reminders_are_off_unless_wanted() -> None:
    assert len(watch([(0.0, 86_400.0)], 80_000.0)) == 1
    told = watch([(0.0, 10 * 3600.0)], 40_000.0, Patience(remind_s=3600.0))
    words = [notice.turn for _, notice in told]
    assert words == [Turn.BEGAN, *[Turn.GOES_ON] * 9, Turn.OVER]


@pytest.mark.req("R-81", "RT-15")
def test_flapping_each_minute_is_told_at_most_twice_in_ten_minutes() -> None:
    told = watch([(m * 60.0, m * 60.0 + 30.0) for m in range(120)], 10_800.0)
    assert [notice.turn for _, notice in told] == [Turn.BEGAN, Turn.OVER]


@pytest.mark.req("R-81", "RT-15")
def test_flapping_just_slower_than_clear_after_is_told_in_time_and_completely() -> None:
    patience = Patience(clear_after_s=60.0)
    bad = [(float(start), start + 60.0) for start in range(0, 7200, 150)]
    told = watch(bad, 9000.0, patience)
    instants = [at for at, _ in told]
    assert all(third - first >= 600.0 for first, third in zip(instants, instants[2:], strict=False))
    last = told[-1][1]
    assert last.turn in (Turn.OVER, Turn.CAME_AND_WENT)
    assert last.ended_at == bad[-1][1]


def test_what_was_over_before_it_could_be_told_is_told_in_one_message() -> None:
    incidents = Incidents(Patience(clear_after_s=60.0))
    incidents.look([found()], 0.0)
    incidents.look([], 60.0)
    assert [n.turn for n in incidents.look([], 120.0)] == [Turn.OVER]
    assert incidents.look([found()], 180.0) == []
    assert incidents.look([], 240.0) == []
    assert incidents.look([], 300.0) == []
    (both,) = incidents.look([], 600.0)
    assert (both.turn, both.began_at, both.ended_at) == (Turn.CAME_AND_WENT, 180.0, 240.0)


def test_a_restart_tells_nothing_again() -> None:
    incidents = Incidents(Patience())
    incidents.restore(PACS, 100.0, ["down"])
    assert incidents.look([found()], 4000.0) == []
    incidents.look([], 4100.0)
    (over,) = incidents.look([], 4400.0)
    assert (over.turn, over.began_at) == (Turn.OVER, 100.0)


@pytest.mark.req("R-81", "RT-15")
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=20),
    st.sampled_from([30.0, 60.0, 300.0]),
    st.sampled_from([0.0, 120.0, 3600.0]),
)
def test_never_more_than_two_in_ten_minutes_and_all_is_well_in_the_end(
    spans: list[tuple[int, int]], clear_after_s: float, remind_s: float
) -> None:
    bad, at = [], 0.0
    for well, ill in spans:
        bad.append((at + well * 30.0, at + (well + ill) * 30.0))
        at = bad[-1][1]
    told = watch(bad, at + 3600.0, Patience(clear_after_s=clear_after_s, remind_s=remind_s))
    instants = [instant for instant, _ in told]
    assert all(c - a >= 600.0 for a, c in zip(instants, instants[2:], strict=False))
    if bad:
        assert told[-1][1].turn in (Turn.OVER, Turn.CAME_AND_WENT)
    balance = 0
    for _, notice in told:
        balance += {Turn.BEGAN: 1, Turn.OVER: -1}.get(notice.turn, 0)
        assert balance in (0, 1)


def test_it_says_when_to_look_again() -> None:
    incidents = Incidents(Patience())
    assert incidents.next_look(0.0) is None
    incidents.look([found()], 0.0)
    assert incidents.next_look(0.0) is None
    incidents.look([], 100.0)
    assert incidents.next_look(100.0) == 400.0
