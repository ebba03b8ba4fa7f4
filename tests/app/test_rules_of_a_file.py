"""Rules and filters as the file writes them: every fault and doubt with its line."""

import pytest

from tests.app.conftest import Complain, Load
from waystation.app import wiring_rules
from waystation.app.schema import as_toml, effective
from waystation.rules.rule import Way

PACS = '[destination.pacs]\nkind = "dicom"\nhost = "10.1.9.10"\nae_title = "PACS"\n'
RULE = '[[rule]]\nname = "all"\nsend = ["pacs"]\n'
PEER = '[peer.ct1]\nae_title = "CT1"\naddress = ["10.0.0.5"]\n'
NIGHT = '[schedule.night]\nopen = "20:00-06:00"\nzone = "UTC"\n'


@pytest.mark.req("R-32")
@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (
            "if = \"Rows >= 512 and Modalty == 'CT'\"",
            'if: column 17: unknown keyword or fact "Modalty" (did you mean "Modality"?)',
        ),
        ('if = "Rows"', "if: column 1: Rows is a number, no condition: compare it with something"),
        ("if = 5", "if: expected text, got a number"),
        ('iff = "tls"', 'iff: unknown key "iff" (did you mean "if"?)'),
        (
            "if = \"open('nigth')\"",
            'if: column 1: no [schedule.NAME] table is named "nigth" (did you mean "night"?)',
        ),
        (
            'priority = { stat = "Rows >" }',
            "priority.stat: column 7: expected a keyword, a fact, a number, a text or a bracket, "
            "got the end",
        ),
        (
            'priority = "high"',
            'priority: expected "stat", "normal" or "low", or '
            '{ stat = "EXPRESSION", low = "EXPRESSION" }',
        ),
        (
            'priority = { high = "tls" }',
            'priority: expected "stat", "normal" or "low", or '
            '{ stat = "EXPRESSION", low = "EXPRESSION" }',
        ),
        ('trigger = "case"', 'trigger: expected "instance", "series" or "study"'),
        (
            'take = "whole"',
            'take: is only for a rule with "trigger" = "series" or "study"',
        ),
        (
            'force_after = "2h"',
            'force_after: is only for a rule with "trigger" = "series" or "study"',
        ),
        ('deidentify = "x"', "deidentify: no [deidentify.x]"),
        ('validate = ["x"]', "validate: no [validate.x]"),
        ('edit = ["x"]', "edit: no [edit.x]"),
        (
            'edit = [ { put = "x" } ]',
            "edit: does nothing known: write one of set, default, "
            "remove, copy, move, replace, lookup, new_uids, ae_titles",
        ),
        (
            'edit = [ { set = "Rows", to = 5 } ]',
            "edit: Rows cannot be edited: it says how the pixels are to be read",
        ),
        (
            'edit = [ { set = "PatientSex", to = "male" } ]',
            "edit: PatientSex: the value is no CS",
        ),
        (
            'edit = [ { lookup = "x", key = "PatientID", to = { StudyID = "a" } } ]',
            "edit.lookup: no [lookup.x]",
        ),
        (
            'trigger = "study"\nif_complete = "study.instance > 1"',
            'if_complete: column 1: unknown word "study.instance" '
            '(did you mean "study.instances"?)',
        ),
    ],
)
def test_a_fault_of_a_rule_has_its_line_and_an_expression_its_column(
    line: str, fault: str, faults: Complain
) -> None:
    said = faults(f"{PACS}{NIGHT}{RULE}{line}\n")
    at = 10 + line.count("\n") + 1
    assert said == [f"waystation.toml:{at} rule.all.{fault}"]


def test_a_trigger_needs_something_to_send(faults: Complain) -> None:
    said = faults('[[rule]]\nname = "a"\nthen = "hold"\ntrigger = "study"\n')
    assert said == [
        'waystation.toml:4 rule.a.trigger: "then" acts on each object at once: leave "trigger" out'
    ]


@pytest.mark.req("R-18")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            '[dicom]\nrefuse_when = { Modalty = "CT" }\n',
            '2 dicom.refuse_when.Modalty: unknown keyword or fact "Modalty" '
            '(did you mean "Modality"?)',
        ),
        (
            f'{PEER}refuse_when = [{{ Rows = "x" }}]\n',
            '4 peer.ct1.refuse_when.Rows: Rows is a number, and "x" is no number',
        ),
        (
            f'{PACS}refuse_when = "CT"\n{RULE}',
            "5 destination.pacs.refuse_when: expected a table, or a list of tables of which "
            "one must hold",
        ),
        (
            f"{PACS}refuse_when = {{}}\n{RULE}",
            "5 destination.pacs.refuse_when: an empty condition would refuse everything: leave "
            "the key out",
        ),
        (
            f'{PEER}otherwise = "drop"\n',
            '4 peer.ct1.otherwise: expected "hold", "refuse", "discard" or "archive"',
        ),
    ],
)
def test_a_fault_of_a_filter_has_its_line(text: str, fault: str, faults: Complain) -> None:
    assert faults(text) == [f"waystation.toml:{fault}"]


@pytest.mark.parametrize(
    ("line", "doubt"),
    [
        ('when = { Modality = "CT", not = { Modality = "CT" } }', 'Modality cannot be "CT" and'),
        ('when = { peer = "ct9" }', 'peer is never "ct9"'),
        ('when = { called_ae = "PACS" }', 'called_ae is never "PACS"'),
        ('if = "hour > 24"', "hour is never above 23"),
    ],
)
def test_a_rule_that_can_never_match_is_a_warning(
    line: str, doubt: str, warnings: Complain
) -> None:
    (warning,) = warnings(f"{PACS}{PEER}{RULE}{line}\n")
    assert warning.startswith(f"waystation.toml:8 rule.all: can never match: {doubt}")


WHOLE = (
    PACS
    + 'refuse_when = { Modality = "SR" }\n'
    + PEER
    + 'otherwise = "refuse"\nrefuse_when = { PatientID = "TEST*" }\n'
    + NIGHT
    + """\
[dicom]
refuse_when = { BurnedInAnnotation = "YES" }
[[rule]]
name = "all"
if = "Rows > 5 and open('night')"
send = [{ to = "pacs", required = false }]
priority = { stat = "StationName == 'ER'" }
trigger = "study"
take = "whole"
if_complete = "study.instances > 1"
late = "whole"
late_whole_within = "2h"
force_after = "1h"
on_force = "hold"
"""
)


def test_a_rule_with_everything_is_compiled(read: Load) -> None:
    found = wiring_rules.rules(read(WHOLE).settings)
    assert found.faults == ()
    (rule,) = found.ruleset.rules
    assert rule.send == (Way(to="pacs", required=False),)
    assert rule.gathering is not None
    assert rule.gathering.force_after_s == 3600.0
    assert rule.gathering.late_whole_within_s == 7200.0
    assert set(found.ruleset.admission.refuse_when) == {"", "ct1"}
    assert found.ruleset.otherwise_for("ct1") == "refuse"
    assert found.ruleset.otherwise_for("ct2") == "hold"
    assert found.ruleset.wholes == (("all", "study"),)
    assert found.ruleset.filters["pacs"].refuse_when is not None


def test_the_configuration_in_force_reads_back_as_itself(read: Load) -> None:
    settings = read(WHOLE).settings
    assert read(as_toml(effective(settings))).settings == settings
