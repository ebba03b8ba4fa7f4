"""JSON as people write it: comments, variables, and the line of everything."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.app.faults import ConfigFaults
from waystation.app.importing.json_text import Node, read_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("ab \\\"'/*é{}[]#,:\t"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("kK/", max_size=3), inner),
    max_leaves=8,
)


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(inner) for key, inner in node.items()}
    return [plain(one) for one in node.value] if isinstance(node.value, list) else node.value


@given(PLAIN, st.sampled_from([None, 1]))
def test_what_json_writes_reads_the_same(value: Any, indent: int | None) -> None:
    assert plain(read_json(json.dumps(value, indent=indent), "f", {})) == value


@given(st.text('{}[],:"/*$\\ \ntruefalsnu0123456789.-eE', max_size=60) | st.text(max_size=60))
def test_any_text_is_a_value_or_a_fault_with_its_line(text: str) -> None:
    where = "f:1"
    try:
        read_json(text, "f", {})
    except ConfigFaults as error:
        where = error.faults[0].where
    assert where.startswith("f:")


@pytest.mark.req("RT-16")
def test_comments_variables_and_a_last_comma_are_understood() -> None:
    text = """{ // the title
      "a" : "${TITLE}", /* two
      lines */ "b" : ${PORT}, "c" : "x${NONE:-y}z", "d" : "${NONE}",
      "url" : "http://host//path", "e" : [ 1, 2, ], // "f" : 3
    }"""
    found = read_json(text, "f", {"TITLE": "ARCHIVE", "PORT": "4242"})
    assert plain(found) == {
        "a": "ARCHIVE",
        "b": 4242,
        "c": "xyz",
        "d": "",
        "url": "http://host//path",
        "e": [1, 2],
    }
    assert [node.where for _, node in found.items()] == [
        *("f:2", "f:3", "f:3", "f:3", "f:4", "f:4"),
    ]
    missing = found.get("d")
    assert missing is not None
    assert missing.missing == ("NONE",)


@pytest.mark.req("RT-16")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "f:1: expected a value"),
        ('{\n"a" 1}', "f:2: expected a colon behind the key"),
        ('{\n"a":1\n"b":2}', "f:3: expected a comma or }"),
        ('{"a":1,\n"a":2}', 'f:2: a second "a" in one table'),
        ('{"a":1}\n}', "f:2: the file goes on behind its end"),
        ('/* no end\n{"a":1}', "f:1: a comment has no end"),
        ('["no\nend"]', "f:1: a text in quotes has no end on its line"),
        ('["\\q"]', "f:1: a text has an escape that JSON does not know"),
        ("[" * 100, "f:1: nested too deep"),
    ],
)
def test_a_fault_says_its_line(text: str, fault: str) -> None:
    with pytest.raises(ConfigFaults) as caught:
        read_json(text, "f", {})
    assert str(caught.value).startswith(fault)
