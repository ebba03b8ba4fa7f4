"""Rules with a trigger: what waits for its series or study, and what does not (R-34, R-70)."""

import pytest

from tests.rules.planning import ALL, CHEST, MG, filters_of, planned
from waystation.model.delivery import HoldReason
from waystation.model.plan import Join, Target

STUDY = {**CHEST, "name": "study", "trigger": "study"}


@pytest.mark.req("R-34")
def test_a_gather_that_was_joined_counts_as_a_match() -> None:
    found = planned({**STUDY, "take": "whole", "priority": "low"}, MG)
    assert found.hold is None
    assert found.targets == ()
    assert found.joins == (
        Join(
            rule="study",
            level="study",
            whole=True,
            targets=(
                Target(destination="reading", rules=("study",), priority="low"),
                Target(destination="pacs", rules=("study",), priority="low"),
            ),
        ),
    )
    assert [verdict.rule for verdict in found.verdicts] == ["study"]


@pytest.mark.req("R-21")
def test_what_goes_out_at_once_does_not_go_again_with_its_study() -> None:
    found = planned(ALL, {**STUDY, "priority": "stat"})
    assert found.targets == (Target(destination="pacs", rules=("all", "study"), priority="stat"),)
    assert [target.destination for target in found.joins[0].targets] == ["reading"]


@pytest.mark.req("R-18")
def test_what_a_filter_takes_away_from_a_gather_is_discarded_by_its_name() -> None:
    filters = filters_of("pacs", refuse=["CTImageStorage"])
    found = planned(STUDY, filters=filters)
    assert [target.destination for target in found.joins[0].targets] == ["reading"]
    assert [target.filtered_by for target in found.targets] == ["pacs.refuse CTImageStorage"]
    only = planned({**STUDY, "send": ["pacs"]}, filters=filters)
    assert only.joins == ()
    assert only.hold is HoldReason.NO_RULE
