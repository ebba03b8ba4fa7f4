"""Rule tables: every wrong key told, doubtful ones warned about."""

from typing import Any

import pytest

from waystation.rules.read import RulesRead, read_rules


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
        {"name": "a", "send": [{"to": "pacs"}]},
        "rule.a.send: expected the name of a destination, got {'to': 'pacs'}",
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
        {"name": "a", "send": ["pacs"], "deidentify": "reader"},
        "rule.a.deidentify: not available in this version",
    ),
    ({"name": "a", "send": ["pacs"], "if": "1"}, "rule.a.if: not available in this version"),
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
