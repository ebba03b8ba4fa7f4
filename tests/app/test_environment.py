"""Environment variables over the file."""

import pytest

from tests.app.conftest import Complain, Load
from waystation.app.settings_destination import DicomDestination

PACS = '[destination.reader-a]\nkind = "dicom"\nhost = "h"\nae_title = "PACS"\n'
RULE = '[[rule]]\nname = "chest out"\nsend = ["reader-a"]\n'


def test_a_variable_overrides_the_file(read: Load) -> None:
    environ = {"WAYSTATION__DICOM__PORT": "11113", "WAYSTATION__NODE__NAME": "night shift"}
    settings = read("[dicom]\nport = 104\n", environ).settings
    assert (settings.dicom.port, settings.node.name) == (11113, "night shift")


def test_a_variable_finds_named_tables_and_rules(read: Load) -> None:
    environ = {
        "WAYSTATION__DESTINATION__READER_A__PORT": "11200",
        "WAYSTATION__RULE__CHEST_OUT__ENABLED": "false",
    }
    settings = read(PACS + RULE, environ).settings
    reader = settings.destination["reader-a"]
    assert isinstance(reader, DicomDestination)
    assert reader.port == 11200
    assert not settings.rule[0].enabled


def test_a_list_and_a_duration_can_be_given(read: Load) -> None:
    environ = {
        "WAYSTATION__DICOM__ALIASES": '["OLD", "OLDER"]',
        "WAYSTATION__SPOOL__KEEP": "12h",
    }
    settings = read("", environ).settings
    assert settings.dicom.aliases == ("OLD", "OLDER")
    assert settings.spool.keep == 43_200.0


@pytest.mark.parametrize("title", ["123", "true", "1.5"])
def test_a_text_that_looks_like_a_number_stays_text_where_text_is_due(
    title: str, read: Load
) -> None:
    assert read("", {"WAYSTATION__DICOM__AE_TITLE": title}).settings.dicom.ae_title == title


@pytest.mark.req("R-1")
@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("WAYSTATION__DICOM__PRT", "1", 'dicom.prt: unknown key "prt" (did you mean "port"?)'),
        ("WAYSTATION__DICOM__PORT", "99999", "dicom.port: expected 0 to 65535, got 99999"),
        ("WAYSTATION__DICOM__PORT", "x", "dicom.port: expected a whole number, got text"),
        ("WAYSTATION__DICOMM__PORT", "1", 'dicomm: unknown table "dicomm" (did you mean "dicom"?)'),
        ("WAYSTATION__DICOM", "1", "dicom: expected a table, got a number"),
        ("WAYSTATION__DICOM__HOST__X", "1", 'dicom.host.x: "host" is not a table'),
        ("WAYSTATION__RULE__NIGHT__STOP", "true", 'rule.night.stop: no entry named "night"'),
        ("WAYSTATION__", "1", ": names no key"),
    ],
)
def test_a_fault_of_a_variable_is_addressed_to_it(
    name: str, value: str, problem: str, faults: Complain
) -> None:
    text = f'{PACS}{RULE}[dicom]\nhost = "127.0.0.1"\n'
    assert any(
        fault.startswith(f"environment {name} ") and fault.endswith(problem)
        for fault in faults(text, {name: value})
    )


def test_other_variables_are_none_of_our_business(read: Load) -> None:
    assert read("", {"WAYSTATION_HOME": "x", "DICOM__PORT": "1"}).settings.dicom.port == 11112


def test_one_variable_cannot_smuggle_in_a_second_key(read: Load) -> None:
    smuggled = read("", {"WAYSTATION__NODE__NAME": '"a"\nother = 1'}).settings
    assert smuggled.node.name == '"a"\nother = 1'
