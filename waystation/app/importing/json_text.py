"""JSON as people write it into configuration files, with the line of every value.

Contract: JSON, and besides it comments (``//`` and ``/* */``), a comma behind the last entry, and
``${NAME}`` or ``${NAME:-default}`` inside strings or in place of a value, looked up in ``environ``.
Anything else is a fault with FILE:LINE.  A variable that is not there counts as "", as for
Orthanc; `Node.variables` says which ones a value was made of.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from waystation.app.faults import ConfigFaults
from waystation.app.importing.findings import unreadable

BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
WORD = re.compile(r"true|false|null")
VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
ESCAPE = re.compile(r'\\(?:u(?P<code>[0-9A-Fa-f]{4})|(?P<letter>["\\/bfnrt]))')
LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
WORDS = {"true": True, "false": False, "null": None}
DEPTH = 64


@dataclass(frozen=True, slots=True)
class Node:
    """One value.  A table has a dict of Nodes, a list a list of them.

    variables: names of the environment variables that it was made of; missing: those not there.
    """

    value: Any
    where: str
    variables: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def get(self, key: str) -> "Node | None":
        """Return what stands under ``key`` of a table; None if it is none or has no such key."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def items(self) -> Iterator[tuple[str, "Node"]]:
        """Yield the pairs of a table; nothing for other values."""
        if isinstance(self.value, dict):
            yield from self.value.items()

    def entries(self) -> list["Node"]:
        """Return the entries of a list; nothing for other values."""
        return self.value if isinstance(self.value, list) else []


def read_json(content: str, file: str, environ: Mapping[str, str]) -> Node:
    """Return the value of a text.  Raises `ConfigFaults`."""
    return _Reader(content, file, environ).document()


class _Reader:
    def __init__(self, content: str, file: str, environ: Mapping[str, str]) -> None:
        self._text = content
        self._file = file
        self._environ = environ
        self._at = 0
        self._counted = 0
        self._line = 1

    def document(self) -> Node:
        node = self._value(0)
        self._blank()
        if self._at < len(self._text):
            raise self._fault("the file goes on behind its end")
        return node

    def _where(self) -> str:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return f"{self._file}:{self._line}"

    def _fault(self, problem: str) -> ConfigFaults:
        return unreadable(self._where(), problem)

    def _blank(self) -> None:
        found = BLANK.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        if self._text.startswith("/*", self._at):
            raise self._fault("a comment has no end")

    def _taken(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _value(self, depth: int) -> Node:
        self._blank()
        where = self._where()
        if depth > DEPTH:
            raise self._fault("nested too deep")
        match self._text[self._at : self._at + 1]:
            case "{":
                return Node(self._table(depth), where)
            case "[":
                return Node(self._list(depth), where)
            case '"':
                return self._string(where)
            case "$":
                return self._from_environment(where)
        return Node(self._scalar(), where)

    def _scalar(self) -> object:
        word = self._taken(WORD)
        if word:
            return WORDS[word[0]]
        number = self._taken(NUMBER)
        if number is None:
            raise self._fault("expected a value of JSON")
        return _number(number[0])

    def _string(self, where: str) -> Node:
        found = self._taken(STRING)
        if found is None:
            raise self._fault("a text in quotes has no end on its line")
        if "\\" in ESCAPE.sub("", found[1]):
            raise self._fault("a text has an escape that JSON does not know")
        said = ESCAPE.sub(_unescaped, found[1])
        return self._looked_up(said, where)

    def _looked_up(self, said: str, where: str) -> Node:
        names: list[str] = []
        missing: list[str] = []

        def replace(found: re.Match[str]) -> str:
            names.append(found["name"])
            inside = self._environ.get(found["name"])
            if inside is None and found["default"] is None:
                missing.append(found["name"])
            return inside if inside is not None else found["default"] or ""

        text = VARIABLE.sub(replace, said)
        return Node(text, where, tuple(names), tuple(missing))

    def _from_environment(self, where: str) -> Node:
        found = self._taken(VARIABLE)
        if found is None:
            raise self._fault("expected a value of JSON, or a variable like ${NAME}")
        node = self._looked_up(found[0], where)
        said = node.value.strip()
        if said in WORDS:
            return Node(WORDS[said], where, node.variables, node.missing)
        if NUMBER.fullmatch(said):
            return Node(_number(said), where, node.variables, node.missing)
        return node

    def _table(self, depth: int) -> dict[str, Node]:
        self._at += 1
        found: dict[str, Node] = {}
        while not self._ended("}"):
            if not self._text.startswith('"', self._at):
                raise self._fault('expected "KEY" : VALUE')
            key = self._string(self._where()).value
            self._blank()
            if not self._text.startswith(":", self._at):
                raise self._fault("expected a colon behind the key")
            self._at += 1
            if key in found:
                raise self._fault(f'a second "{key}" in one table')
            found[key] = self._value(depth + 1)
            self._comma("}")
        return found

    def _list(self, depth: int) -> list[Node]:
        self._at += 1
        found: list[Node] = []
        while not self._ended("]"):
            found.append(self._value(depth + 1))
            self._comma("]")
        return found

    def _ended(self, bracket: str) -> bool:
        self._blank()
        if not self._text.startswith(bracket, self._at):
            return False
        self._at += 1
        return True

    def _comma(self, bracket: str) -> None:
        self._blank()
        if self._text.startswith(",", self._at):
            self._at += 1
        elif not self._text.startswith(bracket, self._at):
            raise self._fault(f"expected a comma or {bracket}")


def _number(text: str) -> int | float:
    if len(text) > 300:
        return 0
    return float(text) if any(letter in text for letter in ".eE") else int(text)


def _unescaped(found: re.Match[str]) -> str:
    if found["code"]:
        return chr(int(found["code"], 16))
    letter: str = found["letter"]
    return LETTERS.get(letter, letter)
