"""A rule that fails inside holds the arrival and takes no other rule along (R-32)."""

from dataclasses import replace

import pytest

from tests.rules.asking import FACTS, head_of
from tests.rules.planning import ALL, CHEST, CT, HEAD, MG, WAYS, explained, planned
from waystation.model.delivery import HoldReason
from waystation.model.plan import Target, Verdict
from waystation.rules.classes import ClassFilter
from waystation.rules.conditions import Condition, Look
from waystation.rules.plan import plan
from waystation.rules.read import read_rules

BURST = "PixelSpacing + PixelSpacing == 99"
MANY = {**HEAD, "PixelSpacing": "\\".join(["1"] * 110)}


@pytest.mark.req("R-32")
def test_a_rule_that_fails_holds_the_arrival_while_the_others_go_on() -> None:
    failing = {"name": "burst", "if": BURST, "send": ["cd"], "stop": True}
    found = planned(failing, ALL, head=MANY, otherwise="refuse")
    assert found.hold is HoldReason.RULE_ERROR
    assert found.targets == (Target(destination="pacs", rules=("all",)),)
    assert found.verdicts[0] == Verdict(
        rule="burst",
        matched=False,
        clause="rule-error: StepsError: an expression took more than 10,000 steps",
    )
    assert explained(failing, ALL, head=MANY) == found.verdicts
    alone = planned(failing, head=MANY, otherwise="refuse")
    assert alone.hold is HoldReason.RULE_ERROR
    assert not alone.refuse


@pytest.mark.req("R-32")
def test_a_when_that_fails_inside_takes_no_other_rule_along() -> None:
    def raises(seen: Look) -> bool:
        raise RuntimeError("broken")

    read = read_rules([CHEST, ALL], destinations=WAYS)
    first, second = read.ruleset.rules
    broken = replace(first, when=Condition(raises, lambda seen, held: ""))
    found = plan(
        head_of(HEAD), FACTS, replace(read.ruleset, rules=(broken, second)), sop_class_uid=CT
    )
    assert found.hold is HoldReason.RULE_ERROR
    assert [target.destination for target in found.targets] == ["pacs"]


@pytest.mark.req("R-32")
def test_a_priority_that_fails_is_a_failure_of_its_rule() -> None:
    found = planned({**ALL, "priority": {"stat": BURST}}, {**MG, "when": {}}, head=MANY)
    assert found.hold is HoldReason.RULE_ERROR
    assert [target.destination for target in found.targets] == ["cd"]


def test_a_filter_that_fails_lets_nothing_through() -> None:
    class Broken(ClassFilter):
        def refuses(self, sop_class_uid: str, seen: Look) -> str:
            raise RuntimeError("broken")

    found = planned(ALL, filters={"pacs": Broken(name="pacs")})
    assert [target.hold for target in found.targets] == [HoldReason.RULE_ERROR]
