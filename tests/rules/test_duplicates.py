"""The decision about a SOP instance that came before, row by row (R-74, S-17)."""

from typing import Any

import pytest

from waystation.model.arrival import Arrival, Earlier, Source
from waystation.model.delivery import HoldReason
from waystation.model.instance import Instance
from waystation.model.plan import Join, Plan, Target
from waystation.rules.duplicates import DUPLICATE, FIRST_KEPT, DuplicatePolicy, judge

NOW = 1_800_000_000.0
ONE, OTHER = "1" * 64, "2" * 64
ARRIVAL = Arrival(
    id=9,
    received_at=NOW,
    source=Source(peer="ct", calling_ae="CT", called_ae="W", address="127.0.0.1"),
    instance=Instance(
        sop_class_uid="1.2",
        sop_instance_uid="1.2.3",
        study_uid="1",
        series_uid="1.1",
        transfer_syntax_uid="1.2.840.10008.1.2",
    ),
    blob="",
    size_bytes=10,
    sha256=ONE,
)
PLAN = Plan(
    targets=(
        Target(destination="a", rules=("r",)),
        Target(destination="b", rules=("r",), filtered_by="b.refuse CT"),
    )
)


def before(sha256: str = ONE, *, ended_s_ago: float = 0.0, still_open: bool = False) -> Earlier:
    return Earlier(arrival_id=1, sha256=sha256, open=still_open, last_ended_at=NOW - ended_s_ago)


def decide(*earlier: Earlier, plan: Plan = PLAN, **policy: Any) -> Plan:
    return judge(DuplicatePolicy(**policy), ARRIVAL, plan, earlier, NOW)


@pytest.mark.req("R-74", "S-17")
@pytest.mark.parametrize(
    ("earlier", "policy", "absorbed"),
    [
        ([before(ended_s_ago=599)], {}, True),
        ([before(ended_s_ago=600)], {}, False),
        ([before(ended_s_ago=1e6, still_open=True)], {}, True),
        ([before(ended_s_ago=599)], {"same": "send"}, False),
        ([before(still_open=True)], {"same": "send"}, False),
        ([before(ended_s_ago=10)], {"resend_after_s": 5.0}, False),
        ([before(ended_s_ago=1e6), before(ended_s_ago=1)], {}, True),
        ([before(OTHER), before(ended_s_ago=1)], {}, True),
        ([before(OTHER), before(ended_s_ago=1e6)], {}, False),
    ],
)
def test_equal_bytes_are_absorbed_while_young_or_open(
    earlier: list[Earlier], policy: dict[str, Any], absorbed: bool
) -> None:
    made = decide(*earlier, **policy)
    if absorbed:
        assert (made.targets, made.hold, made.discard) == ((), None, DUPLICATE)
    else:
        assert made == PLAN


@pytest.mark.req("R-74", "S-17", "N-3")
def test_other_bytes_are_held_and_every_target_with_them() -> None:
    made = decide(before(OTHER))
    assert (made.hold, made.discard) == (HoldReason.CONFLICT, "")
    assert [target.hold for target in made.targets] == [HoldReason.CONFLICT, None]
    assert [target.destination for target in made.targets] == ["a", "b"]


@pytest.mark.req("R-74")
def test_a_rule_that_would_discard_does_not_hide_a_conflict() -> None:
    made = decide(before(OTHER), plan=Plan(discard="night"))
    assert (made.hold, made.discard) == (HoldReason.CONFLICT, "")


@pytest.mark.req("R-74")
def test_the_other_policies_name_what_they_do() -> None:
    assert decide(before(OTHER), different="newest") == PLAN
    first = decide(before(OTHER), different="first")
    assert (first.targets, first.hold, first.discard) == ((), None, FIRST_KEPT)


@pytest.mark.req("R-74")
def test_two_that_raced_past_a_refusal_are_held() -> None:
    """The check before the answer cannot see an object that is being sealed beside it."""
    assert decide(before(OTHER), different="refuse").hold is HoldReason.CONFLICT


@pytest.mark.req("R-74")
def test_what_would_have_been_gathered_is_held_for_its_ways_too() -> None:
    join = Join(
        rule="s",
        level="study",
        targets=(Target(destination="a", rules=("s",)), Target(destination="c", rules=("s",))),
    )
    made = decide(before(OTHER), plan=Plan(targets=PLAN.targets, joins=(join,)))
    assert made.joins == ()
    assert {target.destination: target.hold for target in made.targets} == {
        "a": HoldReason.CONFLICT,
        "b": None,
        "c": HoldReason.CONFLICT,
    }
