"""Which member a study goes to (R-42 to R-45, RT-7)."""

from collections import Counter
from dataclasses import replace

import pytest

from waystation.timing.failover import Habits, Member, choose, stays

FAILOVER = Habits()
BY_TIME = Habits(strategy="by-time", backup=True)
BALANCE = Habits(strategy="balance")
A, B, C = (Member(name=name) for name in "abc")


@pytest.mark.req("R-42")
@pytest.mark.parametrize(
    ("members", "taken", "words"),
    [
        ([A, B], "a", "first choice"),
        ([replace(A, door=False, shut="opens Mon 20:00"), B], "b", "a opens Mon 20:00"),
        # A short break diverts nothing.
        ([replace(A, away_s=119.0), B], "a", "first choice"),
        ([replace(A, away_s=5.0, well_s=0.0), B], "b", "a down for 5 s"),
        ([replace(A, away_s=120.0), B], "b", "a down for 120 s"),
        ([replace(A, stopped="paused by ann"), B], "b", "a paused by ann"),
        ([replace(A, stopped="blocked"), replace(B, away_s=500.0)], "", "a blocked; b down"),
        ([replace(A, door=False), replace(B, door=False)], "", "a shut; b shut"),
        # Nobody is proven: the one that is up is better than the one that is not.
        ([replace(A, away_s=5.0, well_s=0.0), replace(B, well_s=10.0)], "b", "first choice"),
        ([replace(A, away_s=5.0)], "a", "first choice"),
    ],
)
def test_failover_takes_the_first_that_is_well_and_open(
    members: list[Member], taken: str, words: str
) -> None:
    choice = choose(FAILOVER, members, "1.2.3")
    assert choice.member == taken
    assert words in choice.why


@pytest.mark.req("R-45")
def test_new_studies_come_back_only_after_unbroken_health() -> None:
    lately_ill = replace(A, well_s=599.0)
    assert choose(FAILOVER, [lately_ill, B], "1").member == "b"
    assert choose(FAILOVER, [replace(A, well_s=600.0), B], "1").member == "a"


@pytest.mark.req("R-42", "RT-7")
def test_by_time_takes_the_cheapest_whose_turn_it_is() -> None:
    dear, cheap = replace(A, cost=4.0), replace(B, cost=3.0)
    assert choose(BY_TIME, [dear, cheap], "1").member == "b"
    assert choose(BY_TIME, [dear, replace(cheap, turn=False)], "1").member == "a"
    assert choose(BY_TIME, [A, B], "1").member == "a"


@pytest.mark.req("R-42")
def test_the_backup_steps_in_only_when_those_on_duty_are_ill() -> None:
    on_duty, off = A, replace(B, turn=False)
    assert choose(BY_TIME, [replace(on_duty, away_s=119.0), off], "1").member == "a"
    assert choose(BY_TIME, [replace(on_duty, away_s=120.0), off], "1").member == "b"
    alone = replace(BY_TIME, backup=False)
    assert choose(alone, [replace(on_duty, away_s=120.0), off], "1").member == ""
    # Nobody's turn: the study waits for the next opening.
    assert choose(BY_TIME, [replace(A, turn=False), off], "1").member == ""
    # The destination's own window forbids, whoever's turn it is.
    shut = replace(off, door=False)
    assert choose(BY_TIME, [replace(on_duty, away_s=120.0), shut], "1").member == ""


@pytest.mark.req("R-40")
def test_stat_takes_an_open_member_else_the_first_that_is_well() -> None:
    shut = replace(A, door=False)
    assert choose(FAILOVER, [shut, B], "1", stat=True).member == "b"
    assert choose(FAILOVER, [shut, replace(B, door=False)], "1", stat=True).member == "a"
    assert choose(FAILOVER, [shut, replace(B, door=False)], "1").member == ""
    assert choose(BY_TIME, [replace(A, turn=False)], "1", stat=True).member == "a"


@pytest.mark.req("R-42", "RT-7")
def test_balance_spreads_by_weight_and_moves_only_what_was_a_members_own() -> None:
    members = [A, B, replace(C, weight=2.0)]
    keys = [f"1.2.840.{number}" for number in range(10_000)]
    before = {key: choose(BALANCE, members, key).member for key in keys}
    shares = Counter(before.values())
    for name, share in (("a", 0.25), ("b", 0.25), ("c", 0.5)):
        assert abs(shares[name] / len(keys) - share) < 0.03
    after = {key: choose(BALANCE, members[1:], key).member for key in keys}
    assert all(after[key] == before[key] for key in keys if before[key] != "a")


@pytest.mark.req("R-43", "R-44")
def test_a_study_that_has_begun_stays_while_its_member_is_well() -> None:
    late = replace(A, turn=False, door=False)
    assert stays(FAILOVER, late, last_at=0.0, now=86_400.0)
    assert not stays(FAILOVER, late, last_at=0.0, now=86_401.0)
    assert stays(FAILOVER, replace(A, away_s=119.0), last_at=0.0, now=10.0)
    assert not stays(FAILOVER, replace(A, away_s=120.0), last_at=0.0, now=10.0)
    assert not stays(FAILOVER, replace(A, stopped="blocked"), last_at=0.0, now=10.0)
    assert not stays(FAILOVER, None, last_at=0.0, now=10.0)
