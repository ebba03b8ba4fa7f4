"""Rule tables: every wrong key told, doubtful ones warned about."""

from typing import Any

import pytest

from waystation.rules.expression import StudyFacts
from waystation.rules.read import RulesRead, read_rules
from waystation.rules.rule import Gathering, Way


def read(*tables: dict[str, Any], **more: Any) -> RulesRead:
    return read_rules(tables, destinations=["pacs", "reading"], **more)


FAULTS: list[tuple[dict[str, object], str]] = [
    ({"send": ["pacs"]}, "rule[0].name: every rule needs a name"),
    (
        {"name": "a", "sned": ["pacs"], "then": "hold"},
        'rule.a.sned: unknown key "sned" (did you mean "send"?)',
    ),
    (
        {"name": "a", "send": ["readng"]},
        'rule.a.send: no destination or group "readng" (did you mean "reading"?)',
    ),
    (
        {"name": "a", "send": "pacs"},
        'rule.a.send: expected a list of destinations, such as ["pacs"]',
    ),
    ({"name": "a", "send": []}, 'rule.a.send: expected a list of destinations, such as ["pacs"]'),
    (
        {"name": "a", "send": [{"too": "pacs"}]},
        "rule.a.send: expected the name of a destination, got {'too': 'pacs'}",
    ),
    (
        {"name": "a", "send": [{"to": "pacs", "required": 1}]},
        "rule.a.send: expected required = true or false, got 1",
    ),
    ({"name": "a", "send": ["pacs"], "then": "hold"}, "rule.a: send and then exclude each other"),
    (
        {"name": "a", "when": {"Modality": "CT"}},
        "rule.a: does nothing: say where to send, or then = hold, discard or archive",
    ),
    (
        {"name": "a", "then": "delete"},
        "rule.a.then: expected one of hold, discard, archive, got 'delete'",
    ),
    ({"name": "a", "send": ["pacs"], "stop": 1}, "rule.a.stop: expected true or false, got 1"),
    (
        {"name": "a", "send": ["pacs"], "enabled": "no"},
        "rule.a.enabled: expected true or false, got 'no'",
    ),
    (
        {"name": "a", "send": ["pacs"], "priority": "statt"},
        "rule.a.priority: expected one of low, normal, stat, got 'statt' (did you mean \"stat\"?)",
    ),
    (
        {"name": "a", "send": ["pacs"], "steps": ["edit"]},
        "rule.a.steps: expected the text of a recipe",
    ),
    (
        {"name": "a", "send": ["pacs"], "if": "Modalty == 'CT'"},
        'rule.a.if: column 1: unknown keyword or fact "Modalty" (did you mean "Modality"?)',
    ),
    ({"name": "a", "send": ["pacs"], "if": 5}, "rule.a.if: expected an expression as text"),
    (
        {"name": "a", "send": ["pacs"], "priority": {"stat": "Rows >"}},
        "rule.a.priority.stat: column 7: expected a keyword, a fact, a number, a text or a "
        "bracket, got the end",
    ),
    (
        {"name": "a", "send": ["pacs"], "priority": {"high": "True"}},
        'rule.a.priority.high: write { stat = "expression", low = "expression" }',
    ),
    (
        {"name": "a", "send": ["pacs"], "take": "whole"},
        'rule.a.take: only a rule with trigger = "series" or "study" gathers',
    ),
    (
        {"name": "a", "then": "hold", "trigger": "study"},
        "rule.a.trigger: then acts on each object at once: leave trigger out",
    ),
    (
        {"name": "a", "send": ["pacs"], "trigger": "study", "if_complete": "Rows > 1"},
        'rule.a.if_complete: column 1: unknown word "Rows"; a study has study.instances, '
        "study.series, study.modalities, study.peers, study.complete_by",
    ),
    (
        {"name": "a", "send": ["pacs"], "trigger": "series", "force_after": 0},
        "rule.a.force_after: expected a duration above zero, got 0",
    ),
    (
        {"name": "a", "send": ["pacs"], "when": {"Modality": 5}},
        'rule.a.when.Modality: Modality is text: write "5" in quotes',
    ),
]


@pytest.mark.parametrize(("table", "fault"), FAULTS)
def test_a_wrong_key_is_told_with_its_address(table: dict[str, Any], fault: str) -> None:
    assert [str(found) for found in read(table).faults] == [fault]


def test_every_fault_of_every_rule_is_told_in_one_reading() -> None:
    found = read(
        {"name": "a", "send": ["x"], "when": {"Foo": 1, "Modality": 5}},
        {"name": "a", "then": "no"},
        otherwise="drop",
    ).faults
    assert [fault.where for fault in found] == [
        "rule.a.when.Foo",
        "rule.a.when.Modality",
        "rule.a.send",
        "rule.a.then",
        "rule[1].name",
        "routing.otherwise",
    ]


def test_the_archive_is_a_way_that_needs_no_table() -> None:
    assert read({"name": "a", "send": ["archive"]}).faults == ()


def test_a_rule_behind_one_that_always_stops_is_doubtful() -> None:
    found = read(
        {"name": "a", "send": ["pacs"], "stop": True},
        {"name": "b", "send": ["pacs"]},
        {"name": "c", "send": ["pacs"], "enabled": False},
    )
    assert found.faults == ()
    assert [str(doubt) for doubt in found.warnings] == ["rule.b: never reached: a always stops"]


def test_a_discard_that_later_rules_undo_is_doubtful() -> None:
    test = {"name": "t", "when": {"PatientID": "TEST*"}, "then": "discard"}
    every = {"name": "all", "send": ["pacs"]}
    assert [doubt.where for doubt in read(test, every).warnings] == ["rule.t"]
    assert read({**test, "stop": True}, every).warnings == ()
    assert read(every, test).warnings == ()


def test_what_a_gathering_rule_says_is_compiled() -> None:
    (rule,) = read(
        {
            "name": "a",
            "send": [{"to": "pacs", "required": False}, "reading"],
            "trigger": "study",
            "take": "whole",
            "if_complete": "study.instances > 1",
            "late": "whole",
            "late_whole_within": 3600.0,
            "force_after": 60.0,
            "on_force": "hold",
        }
    ).ruleset.rules
    gathering = rule.gathering
    assert gathering is not None
    assert gathering.if_complete is not None
    assert not gathering.if_complete.judge(StudyFacts(instances=1, series=1))[0]
    assert (gathering.level, gathering.whole, gathering.late) == ("study", True, "whole")
    assert (gathering.late_whole_within_s, gathering.force_after_s) == (3600.0, 60.0)
    assert gathering.on_force == "hold"
    assert rule.send == (Way(to="pacs", required=False), Way(to="reading"))


def test_a_rule_that_gathers_and_says_no_more_takes_the_defaults() -> None:
    (rule,) = read({"name": "a", "send": ["pacs"], "trigger": "series"}).ruleset.rules
    assert rule.gathering == Gathering(level="series")


def test_a_destination_named_twice_in_one_rule_is_required_if_one_entry_is() -> None:
    (rule,) = read({"name": "a", "send": [{"to": "pacs", "required": False}, "pacs"]}).ruleset.rules
    assert rule.send == (Way(to="pacs"),)
