"""Which line says what."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.app.lines import Path, line_of, lines_of
from waystation.app.parts import NAMED
from waystation.app.schema import as_toml

TRICKY = '''\
top = 1 # not [here] = 2
[node]   # comment
"quoted key" = "a # b"
'it''s' = 1
dotted.inner . deep = [1, 2]
[ a . "b.c" ]
text = """
[not.a.table]
x = 1 \\"""
"""
literal = \'\'\'
[[rule]]
\'\'\'\'
after = { x = 1, y = { z = "}" }, w = [ { q = 1 } ] }
[[rule]]
name = "one"
send = [
  "a", # first
  # nothing here

  "b",
]
[[rule]]
name = "two"
[rule.when]
Modality = "CT"
[[rule.part]]
x = 1979-05-27T07:32:00Z
[[rule.part]]
x = -inf
'''.replace("'it''s' = 1", "'it s' = 1")


def paths_of(value: Any, at: Path = ()) -> list[Path]:
    """Return every path of a parsed document, the entries of lists included."""
    found: list[Path] = [at] if at else []
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        found += paths_of(inner, (*at, key))
    return found


def test_every_path_that_the_parser_sees_has_a_line() -> None:
    assert set(paths_of(tomllib.loads(TRICKY))) <= set(lines_of(TRICKY))


@pytest.mark.parametrize(
    ("path", "sign"),
    [
        (("top",), "top ="),
        (("node",), "[node]"),
        (("node", "it s"), "'it s'"),
        (("node", "dotted", "inner", "deep"), "dotted"),
        (("a", "b.c"), '[ a . "b.c" ]'),
        (("a", "b.c", "after", "w", 0, "q"), "after"),
        (("rule", 0, "name"), 'name = "one"'),
        (("rule", 0, "send", 1), '  "b"'),
        (("rule", 1, "name"), 'name = "two"'),
        (("rule", 1, "when", "Modality"), "Modality"),
        (("rule", 1, "part", 1, "x"), "x = -inf"),
    ],
)
def test_a_path_has_the_line_that_says_it(path: Path, sign: str) -> None:
    assert TRICKY.splitlines()[lines_of(TRICKY)[path] - 1].startswith(sign)


def test_an_unknown_path_has_the_line_of_the_table_around_it() -> None:
    lines = lines_of("a = 1\n[dicom]\nport = 1\n")
    assert line_of(lines, ("dicom", "host")) == 2
    assert line_of(lines, ("web", "host")) == 1


KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5)
VALUES = st.recursive(
    st.booleans() | st.integers(-9, 9) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=4)
# What has names of its own, like [group.NAME], holds tables only.
TABLE_KEYS = KEYS.filter(lambda key: key not in NAMED)


@given(st.dictionaries(TABLE_KEYS, TABLES | st.lists(TABLES, min_size=1, max_size=3), max_size=4))
def test_whatever_is_written_every_path_has_a_line(document: dict[str, Any]) -> None:
    text = as_toml(document)
    assert set(paths_of(tomllib.loads(text))) <= set(lines_of(text))
