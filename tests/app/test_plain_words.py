"""What an administrator reads who made a common mistake: where it is, and what to write."""

import pytest

from tests.app.conftest import Complain, Load
from waystation.app.toml_words import said

PACS = '[destination.pacs]\nkind = "dicom"\nhost = "10.1.9.10"\nae_title = "PACS"\n'
RULE = '[[rule]]\nname = "all"\nsend = ["pacs"]\n'


@pytest.mark.req("R-1")
@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("http://pacs.local", "expected a host name or an address, no URL"),
        ("pacs.local:104", "expected a host name or an address alone; the port has its own key"),
        ("my pacs", "a host name has no blanks"),
    ],
)
def test_a_host_is_a_name_or_an_address(host: str, expected: str, faults: Complain) -> None:
    said_ = faults(PACS.replace("10.1.9.10", host) + RULE)
    assert said_ == [f"waystation.toml:3 destination.pacs.host: {expected}"]


@pytest.mark.req("R-1")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('when = { "(0008,0060)" = "CT" }', "an element is named by its keyword: write Modality"),
        ('when = { 00080060 = "CT" }', "an element is named by its keyword: write Modality"),
        ("when = { StudyDate = 2026-01-31 }", 'stands in quotes, like "20260131"'),
        ('if = "Modality == CT"', "a text stands in quotes: 'CT'"),
    ],
)
def test_a_rule_says_what_to_write_instead(line: str, expected: str, faults: Complain) -> None:
    (fault,) = faults(f"{PACS}{RULE}{line}\n")
    assert fault.startswith("waystation.toml:8 rule.all.")
    assert fault.endswith(expected)


@pytest.mark.req("R-1")
def test_an_address_with_a_mask_is_told_apart_from_its_network(faults: Complain) -> None:
    (fault,) = faults('[peer.ct]\nae_title = "CT"\naddress = ["10.0.0.5/24"]\n')
    assert fault.endswith('write "10.0.0.0/24" for all of that, or "10.0.0.5"')


@pytest.mark.req("R-1")
@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("[node]\nname = 'a'\nname = 'b'", 3, "this name stands twice"),
        (PACS + PACS, 5, "this table stands twice"),
        ('[node]\nname = "a\n', 2, "the closing quote of a text is missing"),
        ("[node]\nname = “a”\n", 2, "a text stands between straight quotes"),
        ("[web]\nenabled = True\n", 2, "true and false are written small"),
        ('[node]\ndata: "var"\n', 2, "expected KEY = VALUE"),
        ('[node]\ndata = "C:\\Users\\data"\n', 2, "a backslash is written"),
        ("[dicom]\naliases = ['A' 'B']\n", 2, "a comma between two entries"),
        ("[dicom\n", 1, "a closing ] is missing"),
        ("[dicom]\nport = 08\n", 2, "something stands behind the value"),
    ],
)
def test_what_is_no_toml_is_told_without_the_grammar(
    text: str, line: int, expected: str, faults: Complain
) -> None:
    (fault,) = faults(text)
    assert fault.startswith(f"waystation.toml:{line}: not TOML: ")
    assert expected in fault


def test_words_that_nobody_knows_are_passed_on() -> None:
    assert said("Date lacks a moon") == "Date lacks a moon"


@pytest.mark.req("R-1")
@pytest.mark.parametrize("table", ["when = []", "when = [{}]"])
def test_an_empty_list_of_conditions_does_not_match_everything(
    table: str, faults: Complain
) -> None:
    (fault,) = faults(f"{PACS}{RULE}{table}\n")
    assert fault.startswith("waystation.toml:8 rule.all.when: expected a table")


@pytest.mark.req("R-1", "R-34")
@pytest.mark.parametrize(
    "refuse",
    [
        '[routing]\notherwise = "refuse"\n',
        '[peer.ct]\nae_title = "CT"\naddress = ["10.0.0.5"]\notherwise = "refuse"\n',
    ],
)
def test_a_whole_study_of_which_objects_are_refused_is_doubted(refuse: str, read: Load) -> None:
    whole = f'{PACS}{RULE}trigger = "study"\ntake = "whole"\n{refuse}'
    said_ = [str(warning) for warning in read(whole).warnings]
    assert any('otherwise = "refuse" turns away' in warning for warning in said_), said_
