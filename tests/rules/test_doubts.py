"""Rules that load and cannot be meant: what `check` warns about (R-1, R-21)."""

from dataclasses import replace
from typing import Any

import pytest

from waystation.rules.doubts import Surroundings, doubts
from waystation.rules.read import read_rules

HERE = Surroundings(peers=frozenset({"ct1"}), called_ae=frozenset({"WAYSTATION"}))


def said(*tables: dict[str, Any]) -> list[str]:
    read = read_rules(tables, destinations=["pacs"], surroundings=HERE)
    assert not read.faults
    return [str(doubt) for doubt in read.warnings]


def of_one(condition: dict[str, Any]) -> str:
    found = said({"name": "a", "send": ["pacs"], **condition})
    return "".join(line.removeprefix("rule.a: can never match: ") for line in found)


NEVER: list[tuple[dict[str, Any], str]] = [
    (
        {"when": {"Modality": "CT", "not": {"Modality": "CT"}}},
        'Modality cannot be "CT" and not be it',
    ),
    (
        {"when": {"all": [{"Modality": "CT"}, {"Modality": ["MR", "DX"]}]}},
        'Modality cannot be "CT" and "DX" or "MR" at once',
    ),
    ({"when": {"Modality": {"is": "CT", "not": "CT"}}}, 'Modality cannot be "CT" and not be it'),
    ({"when": {"Modality": "CT"}, "if": "Modality == 'MR'"}, 'Modality cannot be "CT" and "MR" at'),
    ({"if": "Modality in ['CT'] and Modality != 'CT'"}, 'Modality cannot be "CT" and not be it'),
    ({"if": "Rows > 600 and 500 > Rows"}, "Rows cannot be at least 600 and at most 500"),
    ({"when": {"Rows": {"ge": 600, "lt": 500}}}, "Rows cannot be at least 600 and at most 500"),
    ({"when": {"PixelSpacing": {"ge": 6, "lt": 5}}}, "PixelSpacing cannot be at least 6"),
    ({"when": {"hour": 24}}, "hour is never above 23"),
    ({"when": {"hour": "8..10"}, "if": "hour > 12"}, "hour cannot be at least 12 and at most 10"),
    ({"if": "size_bytes < -1"}, "size_bytes is never below 0"),
    ({"when": {"way_in": "dicom"}}, 'way_in is never "dicom"'),
    ({"when": {"peer": ["ct2", "ct3"]}}, 'peer is never "ct2" or "ct3"'),
    ({"when": {"called_ae": "PACS"}}, 'called_ae is never "PACS"'),
    ({"when": {"priority": "high"}}, 'priority is never "high"'),
]
POSSIBLE: list[dict[str, Any]] = [
    {},
    {"when": {"Modality": ["CT", "MR"], "not": {"Modality": "CT"}}},
    {"when": {"all": [{"ImageType": "ORIGINAL"}, {"ImageType": "PRIMARY"}]}},
    {"when": {"all": [{"PixelSpacing": {"ge": 6}}, {"PixelSpacing": {"lt": 5}}]}},
    {"when": {"Modality": "CT"}, "if": "Modality == 'CT'"},
    {"when": [{"Modality": "CT"}, {"Modality": "MR"}]},
    {"when": {"peer": ["ct1", "ct2"], "called_ae": "WAYSTATION", "hour": "22..23"}},
    {"if": "hour > 22 or hour < 6"},
    {"when": {"Modality": {"is": "CT", "ignore_case": True}, "not": {"Modality": "CT"}}},
]


@pytest.mark.parametrize(("condition", "problem"), NEVER)
def test_a_rule_that_contradicts_itself_is_told(condition: dict[str, Any], problem: str) -> None:
    assert of_one(condition).startswith(problem)


@pytest.mark.parametrize("condition", POSSIBLE)
def test_what_some_object_meets_gets_no_warning(condition: dict[str, Any]) -> None:
    assert of_one(condition) == ""


def test_a_disabled_rule_is_not_doubted() -> None:
    assert said({"name": "a", "send": ["pacs"], "when": {"hour": 24}, "enabled": False}) == []


@pytest.mark.req("R-21")
def test_two_versions_for_one_destination_are_told() -> None:
    read = read_rules(
        [{"name": "a", "send": ["pacs"]}, {"name": "b", "send": ["pacs"]}], destinations=["pacs"]
    )
    first, second = read.ruleset.rules
    assert doubts([first, second], HERE) == []
    (doubt,) = doubts([first, replace(second, steps=("edit ward",))], HERE)
    assert str(doubt) == (
        "rule.b: sends another version to pacs than a: what both match is held (two-versions)"
    )


def test_a_whole_study_that_also_goes_object_by_object_is_told() -> None:
    whole = {"name": "w", "send": ["pacs"], "trigger": "study", "take": "whole"}
    assert said({"name": "a", "send": ["pacs"]}, whole) == [
        "rule.w: sends all of a study to pacs, which a also sends to, object by object"
    ]


@pytest.mark.req("R-1")
def test_a_whole_study_of_which_objects_are_refused_is_told() -> None:
    whole = {"name": "w", "send": ["pacs"], "trigger": "study", "take": "whole"}
    (doubt,) = read_rules([whole], destinations=["pacs"], otherwise="refuse").warnings
    assert str(doubt).startswith('rule.w: takes all of a study, but otherwise = "refuse"')
    assert read_rules([whole], destinations=["pacs"]).warnings == ()
