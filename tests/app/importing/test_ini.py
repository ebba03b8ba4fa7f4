"""INI files read as the router read them."""

import configparser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.app.faults import ConfigFaults
from waystation.app.importing.ini import read_ini

LINES = st.sampled_from(
    [
        *("[DICOM]", "[SCHEDULE]", "[DEFAULT]", " [DICOM] # x", "a = 1", "A = 2", "b: x=y"),
        *("  more", "# remark", "; remark", "", "  ", "c =", "key without value", "d = 50%%"),
        *("e = %(a)s", "f = 5%", "= 3", "[]", "g = %(nothing)s", "scheduled = 08:00-12:00,"),
    ]
)


def as_configparser(text: str) -> "dict[str, dict[str, str | None]] | None":
    """Return every value that the router would get; None for a value that it would not get."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return {name: {key: _got(parser, name, key) for key in parser[name]} for name in parser}


def _got(parser: Any, section: str, key: str) -> str | None:
    try:
        return str(parser.get(section, key))
    except configparser.Error:
        return None


@pytest.mark.req("RT-16")
@given(st.lists(LINES, max_size=12).map("\n".join))
def test_values_are_those_that_the_router_saw(text: str) -> None:
    wanted = as_configparser(text)
    if wanted is None:
        with pytest.raises(ConfigFaults):
            read_ini(text, "config.ini")
        return
    found = read_ini(text, "config.ini")
    for section, values in wanted.items():
        for key, value in values.items():
            if section not in found.sections:
                continue
            try:
                assert found.value(section, key) == value
            except ValueError:
                assert value is None


@given(st.text(max_size=200))
def test_any_text_is_read_or_a_fault_with_its_line(text: str) -> None:
    where = "config.ini:1"
    try:
        read_ini(text, "config.ini")
    except ConfigFaults as error:
        where = error.faults[0].where
    assert where.startswith("config.ini:")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ae_title = X\n", "config.ini:1: expected a section"),
        ("[DICOM]\nae_title\n", "config.ini:2: expected KEY = VALUE"),
        ("[DICOM]\na = 1\n[DICOM]\n", "config.ini:3: a second section [DICOM]"),
        ("[DICOM]\na = 1\n\nA = 2\n", 'config.ini:4: a second "a"'),
    ],
)
def test_a_fault_says_its_line_and_what_to_write(text: str, fault: str) -> None:
    with pytest.raises(ConfigFaults) as caught:
        read_ini(text, "config.ini")
    assert str(caught.value).startswith(fault)


def test_a_value_knows_its_line() -> None:
    found = read_ini("# one\n[A]\n\nx = 1\ny = 2\n", "f")
    assert found.where("A", "y") == "f:5"
    assert found.where("A", "z") == "f:2"
    assert found.where("B", "z") == "f:1"
