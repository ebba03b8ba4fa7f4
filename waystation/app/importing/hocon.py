"""The forms of HOCON that properties are written in: paths, braces, quotes, comments, ``${?X}``.

Contract: `read_hocon` gives each value as text with its place, the last one that is set; a
substitution that is not set leaves what was there.  Lists, includes and ``+=`` are faults of their
own line, as is what cannot be understood; nothing is executed or included.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from waystation.app.importing.findings import Report
from waystation.app.importing.page import plain

_TOKEN: Final = re.compile(
    r"""(?P<blank>[ \t\f]+)|(?P<line>\n)|(?P<comment>(?:\#|//)[^\n]*)
    |(?P<text>\"(?:[^\"\\\n]|\\.)*\")|(?P<named>\$\{\??[^}\n]*\})|(?P<mark>[{},=:\[\]])
    |(?P<word>(?:(?!//)[^\s\#\"${},=:\[\]])+)|(?P<other>.)""",
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(.)")
_LETTERS: Final = {"n": "\n", "t": "\t"}
DEEPEST: Final = 16


@dataclass(frozen=True, slots=True)
class Value:
    """One value.  where: ``FILE:LINE``."""

    text: str
    where: str


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


class _Reader:
    def __init__(self, text: str, file: str, environ: Mapping[str, str], report: Report) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._file = file
        self._environ = environ
        self._report = report
        self.found: dict[str, Value] = {}

    def where(self, token: _Token) -> str:
        return f"{self._file}:{token.line}"

    def body(self, prefix: str, depth: int) -> None:
        """Read pairs until the brace that ends them, or the end of the text."""
        while (token := self._take()) is not None:
            if token.kind == "line" or token.text == ",":
                continue
            if token.text == "}" and token.kind == "mark":
                if not depth:
                    self._fault(token, "a brace that nothing opened")
                    continue
                return
            if token.text == "{" and token.kind == "mark" and not prefix and not depth:
                self.body("", 1)
                continue
            self._pair(token, prefix, depth)
        if depth:
            last = self._tokens[-1] if self._tokens else _Token("", "", 1)
            self._fault(last, "a brace is not closed")

    def _pair(self, first: _Token, prefix: str, depth: int) -> None:
        if first.kind not in ("word", "text") or first.text == "include":
            self._fault(first, "expected KEY = VALUE")
            self._skip()
            return
        key = _unquoted(first)
        token = self._take()
        while token is not None and token.kind in ("word", "text"):
            key += _unquoted(token)
            token = self._take()
        path = f"{prefix}.{key}" if prefix else key
        if token is not None and token.kind == "mark" and token.text in "=:":
            token = self._peek()
            if token is None or token.text != "{" or token.kind != "mark":
                self._value(path, first)
                return
            self._take()
        if token is None or token.text != "{" or depth >= DEEPEST:
            self._fault(first, f"{plain(key)}: expected = and a value")
            self._skip()
            return
        self.body(path, depth + 1)

    def _value(self, path: str, first: _Token) -> None:
        parts: list[str] = []
        is_set, gap = False, ""
        while (token := self._peek(blank=True)) is not None:
            if token.kind == "line" or (token.kind == "mark" and token.text in ",}"):
                break
            self._at += 1
            if token.kind == "blank":
                gap = token.text if parts else ""
                continue
            if token.kind == "mark" and token.text in "{[":
                self._fault(first, f"{plain(path)}: expected one value")
                self._skip()
                return
            if token.kind == "named":
                said = self._named(token)
                if said is None:
                    continue
            else:
                said = _unquoted(token)
            parts += [gap, said]
            gap, is_set = "", True
        if is_set:
            self.found[path] = Value("".join(parts), self.where(first))

    def _named(self, token: _Token) -> str | None:
        """Return what a substitution stands for, None if it is not set."""
        name = token.text[2:-1]
        optional = name.startswith("?")
        name = name.removeprefix("?").strip()
        if name in self.found:
            return self.found[name].text
        if name in self._environ:
            return self._environ[name]
        if not optional:
            self._fault(token, f"${{{plain(name)}}} is not set here")
        return None

    def _take(self) -> _Token | None:
        token = self._peek()
        if token is not None:
            self._at += 1
        return token

    def _peek(self, *, blank: bool = False) -> _Token | None:
        while not blank and self._at < len(self._tokens):
            if self._tokens[self._at].kind != "blank":
                break
            self._at += 1
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _skip(self) -> None:
        while (token := self._peek()) is not None and token.kind != "line":
            self._at += 1

    def _fault(self, token: _Token, problem: str) -> None:
        self._report.fault(self.where(token), "", problem)


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind != "comment":
            found.append(_Token(kind, match[0], line))
        line += match[0].count("\n")
    return found


def _unquoted(token: _Token) -> str:
    if token.kind != "text":
        return token.text
    return _ESCAPE.sub(lambda found: _LETTERS.get(found[1], found[1]), token.text[1:-1])


def read_hocon(
    text: str, file: str, environ: Mapping[str, str], report: Report
) -> dict[str, Value]:
    """Return the values by dotted path; faults go to the report."""
    reader = _Reader(text, file, environ, report)
    reader.body("", 0)
    return reader.found
