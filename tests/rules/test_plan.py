"""From rules to plans: who contributes, what is left over, and the reason for each."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.asking import FACTS, head_of
from tests.rules.planning import (
    ALL,
    CHEST,
    CT,
    HEAD,
    MG,
    PDF,
    WAYS,
    explained,
    filters_of,
    planned,
)
from waystation.model.delivery import HoldReason
from waystation.model.plan import Plan, Target, Verdict
from waystation.rules.classes import class_filter
from waystation.rules.faults import RuleFault
from waystation.rules.plan import plan
from waystation.rules.read import read_rules


@pytest.mark.req("R-20", "N-7")
def test_every_matching_rule_contributes_and_tells_why() -> None:
    found = planned(ALL, CHEST, MG)
    assert found == Plan(
        targets=(
            Target(destination="pacs", rules=("all", "chest")),
            Target(destination="reading", rules=("chest",)),
        ),
        verdicts=(
            Verdict(rule="all", matched=True, clause="no conditions"),
            Verdict(rule="chest", matched=True, clause='BodyPartExamined "CHEST" ~ *CHEST*'),
        ),
    )
    assert explained(ALL, CHEST, MG)[2] == Verdict(
        rule="mg", matched=False, clause='Modality "CT" is not "MG"'
    )


@pytest.mark.req("R-20")
def test_stop_ends_the_search_after_a_match_only() -> None:
    stopped = planned({**CHEST, "stop": True}, ALL)
    assert [target.rules for target in stopped.targets] == [("chest",), ("chest",)]
    assert [verdict.rule for verdict in stopped.verdicts] == ["chest"]
    told = explained({**CHEST, "stop": True}, ALL)
    assert told[1].clause == "not tried: stopped by chest"
    assert planned({**MG, "stop": True}, ALL).targets[0].rules == ("all",)


@pytest.mark.req("R-20")
def test_a_disabled_rule_is_skipped() -> None:
    found = planned({**CHEST, "enabled": False, "stop": True}, ALL)
    assert [target.destination for target in found.targets] == ["pacs"]
    told = explained({**CHEST, "enabled": False, "stop": True}, ALL)
    assert told[0] == Verdict(rule="chest", matched=False, clause="disabled")


@pytest.mark.parametrize(
    ("first", "second", "priority"),
    [
        ("low", "stat", "stat"),
        ("stat", "low", "stat"),
        ("low", "normal", "normal"),
        ("low", "low", "low"),
    ],
)
def test_one_way_named_twice_is_one_target_at_the_higher_priority(
    first: str, second: str, priority: str
) -> None:
    found = planned({**ALL, "priority": first}, {**CHEST, "priority": second})
    assert found.targets[0] == Target(destination="pacs", rules=("all", "chest"), priority=priority)


@pytest.mark.req("R-20")
def test_a_rule_may_hold_discard_or_archive() -> None:
    def then(fate: str) -> dict[str, Any]:
        return {"name": "f", "then": fate}

    assert planned(then("hold")).hold is HoldReason.OPERATOR
    assert planned(then("discard")).discard == "f"
    assert planned(then("archive")).targets == (Target(destination="archive", rules=("f",)),)


@pytest.mark.req("R-20")
def test_where_rules_disagree_keeping_wins() -> None:
    discard = {"name": "drop", "then": "discard"}
    hold = {"name": "keep", "then": "hold"}
    assert planned(discard, ALL).discard == ""
    assert planned(discard, ALL).targets[0].destination == "pacs"
    assert planned(discard, hold).discard == ""
    assert planned(discard, hold).hold is HoldReason.OPERATOR
    both = planned(hold, ALL)
    assert both.hold is HoldReason.OPERATOR
    assert both.targets[0].destination == "pacs"


@pytest.mark.req("R-34")
@pytest.mark.parametrize(
    ("otherwise", "expected"),
    [
        ("hold", {"hold": HoldReason.NO_RULE}),
        ("refuse", {"refuse": True}),
        ("discard", {"discard": "otherwise"}),
        ("archive", {"targets": (Target(destination="archive", rules=("otherwise",)),)}),
    ],
)
def test_what_no_rule_takes_goes_the_way_of_otherwise(
    otherwise: str, expected: dict[str, Any]
) -> None:
    wanted = Plan(**expected)
    assert planned(MG, otherwise=otherwise) == wanted
    assert planned(MG, otherwise="hold", override=otherwise) == wanted


@pytest.mark.req("R-34")
def test_without_any_rule_everything_is_archived() -> None:
    found = planned(otherwise="refuse")
    assert found.targets == (Target(destination="archive", rules=("built-in",)),)
    assert found.verdicts[0].clause == "no rule is configured"
    assert explained() == found.verdicts


@pytest.mark.req("R-34")
def test_disabled_rules_are_rules_all_the_same() -> None:
    assert planned({**ALL, "enabled": False}).hold is HoldReason.NO_RULE


@pytest.mark.req("R-16")
@pytest.mark.parametrize(
    ("accept", "refuse", "taken_by"),
    [
        ([], [], ""),
        (["CTImageStorage"], [], ""),
        (["CT Image Storage"], [], ""),
        (["1.2.840.10008.5.*"], [], ""),
        (["MRImageStorage"], [], "pacs.accept"),
        ([], ["CTImageStorage"], "pacs.refuse CTImageStorage"),
        ([CT], ["1.2.840.*"], "pacs.refuse 1.2.840.*"),
        ([], ["1.2.840.10008.5.1.4.1.1.20"], ""),
    ],
)
def test_the_refusing_list_wins_inside_the_accepting_one(
    accept: list[str], refuse: list[str], taken_by: str
) -> None:
    found = planned(ALL, filters=filters_of("pacs", accept=accept, refuse=refuse))
    assert [target.filtered_by for target in found.targets] == [taken_by]


def test_a_filter_may_ask_a_condition() -> None:
    filters = filters_of("pacs", refuse_when={"Modality": "CT"})
    found = planned(ALL, CHEST, filters=filters)
    assert [target.filtered_by for target in found.targets] == [
        'pacs.refuse_when Modality "CT" is "CT"',
        "",
    ]


def test_wrong_entries_of_a_filter_are_told() -> None:
    faults: list[RuleFault] = []
    class_filter("pacs", "destination.pacs", faults, accept=["CTImageStor"], refuse_when={"Foo": 1})
    assert [fault.where for fault in faults] == [
        "destination.pacs.refuse_when.Foo",
        "destination.pacs.accept",
    ]


def test_what_every_filter_takes_away_goes_the_way_of_otherwise() -> None:
    filters = filters_of("pacs", refuse=["EncapsulatedPDFStorage"])
    held = planned(ALL, filters=filters, sop_class=PDF)
    assert held.hold is HoldReason.NO_RULE
    assert held.targets[0].filtered_by == "pacs.refuse EncapsulatedPDFStorage"
    assert planned(ALL, filters=filters, sop_class=PDF, override="refuse").refuse
    kept = planned(ALL, filters=filters, sop_class=PDF, override="archive")
    assert [target.destination for target in kept.targets] == ["pacs", "archive"]
    assert kept.hold is None


@pytest.mark.req("R-20", "RT-5")
@given(
    st.permutations([ALL, CHEST, MG, {"name": "cd", "when": {"Rows": {"not": 5}}, "send": ["cd"]}])
)
def test_the_order_of_rules_without_stop_changes_no_target(tables: list[dict[str, Any]]) -> None:
    found = planned(*tables)
    assert {(target.destination, frozenset(target.rules)) for target in found.targets} == {
        ("pacs", frozenset({"all", "chest"})),
        ("reading", frozenset({"chest"})),
        ("cd", frozenset({"cd"})),
    }


FATES = st.sampled_from(["hold", "discard", "archive", ""])
ANY_RULE = st.tuples(FATES, st.booleans(), st.booleans(), st.sampled_from(WAYS))


@pytest.mark.req("R-22", "R-34")
@given(
    st.lists(ANY_RULE, max_size=5),
    st.sampled_from(["hold", "refuse", "discard", "archive"]),
    st.sampled_from(["", CT]),
)
def test_no_plan_leads_nowhere_and_the_same_input_gives_the_same_plan(
    drawn: list[tuple[str, bool, bool, str]], otherwise: str, refused: str
) -> None:
    tables = []
    for number, (fate, stop, match, way) in enumerate(drawn):
        table: dict[str, Any] = {"name": f"r{number}", "stop": stop}
        table |= {"then": fate} if fate else {"send": [way]}
        table |= {} if match else {"when": {"Modality": "MG"}}
        tables.append(table)
    filters = filters_of("pacs", refuse=[refused] if refused else [])
    found = planned(*tables, otherwise=otherwise, filters=filters)
    goes = any(not target.filtered_by for target in found.targets)
    assert goes or found.hold or found.discard or found.refuse
    assert not (found.discard and (goes or found.hold))
    assert found == planned(*tables, otherwise=otherwise, filters=filters)


@pytest.mark.req("R-21")
def test_differing_steps_make_two_versions_of_which_the_second_is_held() -> None:
    read = read_rules([ALL, {**CHEST, "priority": "stat"}], destinations=WAYS)
    plain, chest = read.ruleset.rules
    edited = replace(chest, steps=("edit ward",))
    rules = replace(read.ruleset, rules=(plain, edited, replace(edited, name="more")))
    found = plan(head_of(HEAD), FACTS, rules, sop_class_uid=CT)
    assert found.targets == (
        Target(destination="pacs", rules=("all",)),
        Target(
            destination="pacs",
            rules=("chest", "more"),
            priority="stat",
            hold=HoldReason.TWO_VERSIONS,
            recipe=edited.recipe,
        ),
        Target(
            destination="reading",
            rules=("chest", "more"),
            priority="stat",
            recipe=edited.recipe,
        ),
    )


@pytest.mark.req("R-33")
@pytest.mark.parametrize(
    ("rows", "priority"), [(600, "stat"), (300, "normal"), (100, "low"), (None, "normal")]
)
def test_the_priority_may_be_an_expression(rows: int | None, priority: str) -> None:
    rule = {**ALL, "priority": {"stat": "Rows > 512", "low": "Rows < 256"}}
    found = planned(rule, head={} if rows is None else {"Rows": rows})
    assert found.targets[0].priority == priority


@pytest.mark.req("R-33")
def test_stat_wins_where_both_expressions_hold() -> None:
    rule = {**ALL, "priority": {"stat": "True", "low": "True"}}
    assert planned(rule).targets[0].priority == "stat"


def test_an_optional_target_that_another_rule_needs_is_required() -> None:
    optional = {"name": "o", "send": [{"to": "pacs", "required": False}]}
    assert [target.required for target in planned(optional).targets] == [False]
    assert [target.required for target in planned(optional, ALL).targets] == [True]


def test_a_group_is_a_target_that_says_so() -> None:
    found = planned({"name": "g", "send": ["readers", "pacs"]})
    assert [(target.destination, target.group) for target in found.targets] == [
        ("readers", True),
        ("pacs", False),
    ]


MODALITY = st.sampled_from(["CT", "MR", "DX"])
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "Modality": MODALITY
        | st.lists(MODALITY, min_size=1)
        | st.builds(lambda m: {"not": m}, MODALITY),
        "BodyPartExamined": st.sampled_from(["CHEST", "*HES*", "HEAD"]),
        "calling_ae": st.sampled_from(["CT1A", "CT1*", "MR1"]),
        "ImageType": st.sampled_from(["ORIGINAL", "PRIMARY", "AXIAL"]),
        "any": st.lists(st.builds(lambda m: {"Modality": m}, MODALITY), min_size=1, max_size=2),
        "not": st.builds(lambda m: {"Modality": m}, MODALITY),
    },
)
EXPRESSIONS = st.none() | st.sampled_from(
    ["Modality == 'CT'", "Modality in ['MR', 'DX']", "not Modality == 'CT'", "'CT1A' == calling_ae"]
)


@pytest.mark.req("R-20", "R-22")
@given(
    st.lists(st.tuples(CONDITIONS, EXPRESSIONS, st.booleans(), st.booleans()), max_size=8),
    st.sampled_from([{}, HEAD, {**HEAD, "ImageType": "ORIGINAL\\PRIMARY"}, {"Modality": "MR\\DX"}]),
)
def test_the_rules_that_are_not_asked_are_those_that_do_not_match(
    drawn: list[tuple[dict[str, Any], str | None, bool, bool]], head: dict[str, Any]
) -> None:
    tables = []
    for number, (when, text, stop, enabled) in enumerate(drawn):
        table: dict[str, Any] = {"name": f"r{number}", "send": ["pacs"]}
        table |= {"stop": stop, "enabled": enabled, "when": when}
        tables.append(table if text is None else {**table, "if": text})
    tables.append({"name": "last", "send": ["cd"]})
    told = [verdict for verdict in explained(*tables, head=head) if verdict.matched]
    assert list(planned(*tables, head=head).verdicts) == told
