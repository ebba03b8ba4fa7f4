"""The words of an `if` expression (R-31, R-32).

Contract: `tokens` gives every word with its place, or raises `ConfigError` that names the column
and, where a habit from another language shows, what to write instead.  Inside a text a backslash
takes a quote or another backslash literally and stands for itself before anything else, so that
``matches(StudyID, '\\d+')`` needs no doubling.
"""

import re
from dataclasses import dataclass

from waystation.model.errors import ConfigError
from waystation.rules.patterns import clean

TEXT_LIMIT_BYTES = 4096
END = "end"
WORDS = frozenset({"and", "or", "not", "in", "True", "False"})

_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STRING = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_ESCAPE = re.compile(r"\\(['\"\\])")
_SIGN = re.compile(r"==|!=|<=|>=|[<>+\-*/%()\[\],.]")
_HABITS = {
    "&": "write and",
    "|": "write or",
    "!": "write not",
    "=": "write == to compare",
    "{": "write a list in [ ]",
    ";": "there is one expression only",
    ":": "lambdas, slices and blocks are not known",
    "`": "write text in ' ' or \" \"",
    "“": "write text in ' ' or \" \"",
    "‘": "write text in ' ' or \" \"",
}


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one expression and the address of its setting."""

    text: str
    where: str

    def fault(self, at: int, problem: str) -> ConfigError:
        """Return the error for the character at position ``at``."""
        line = self.text.count("\n", 0, at) + 1
        column = at - self.text.rfind("\n", 0, at)
        place = f"column {column}" if line == 1 else f"line {line} column {column}"
        return ConfigError(self.where, f"{place}: {problem}")


@dataclass(frozen=True, slots=True)
class Token:
    """kind: number, text, name, word, sign or end.  text: the content of a text, unescaped."""

    kind: str
    text: str
    at: int
    end: int

    def __str__(self) -> str:
        return "the end" if self.kind == END else f'"{self.text}"'


def tokens(source: Source) -> list[Token]:
    """Return the words of the expression, the last one of kind ``end``."""
    if len(source.text.encode("utf-8", "replace")) > TEXT_LIMIT_BYTES:
        raise ConfigError(source.where, "an expression has at most 4 KiB")
    found: list[Token] = []
    at = _after(_BLANK, source.text, 0)
    while at < len(source.text):
        token = _next(source, at)
        found.append(token)
        at = _after(_BLANK, source.text, token.end)
    found.append(Token(END, "", at, at))
    return found


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _next(source: Source, at: int) -> Token:
    text = source.text
    if text[at] in "'\"":
        return _text(source, at)
    if (number := _NUMBER.match(text, at)) is not None:
        if _NAME.match(text, number.end()):
            raise source.fault(at, f'"{number[0]}" is followed by letters or an underscore')
        return Token("number", number[0], at, number.end())
    if (name := _NAME.match(text, at)) is not None:
        return _name(source, name[0], at, name.end())
    if (sign := _SIGN.match(text, at)) is not None:
        return Token("sign", sign[0], at, sign.end())
    hint = f": {_HABITS[text[at]]}" if text[at] in _HABITS else ""
    shown = text[at] if text[at].isprintable() else f"character {ord(text[at])}"
    raise source.fault(at, f'"{shown}" has no meaning here{hint}')


def _text(source: Source, at: int) -> Token:
    found = _STRING.match(source.text, at)
    if found is None:
        raise source.fault(at, "a text without its closing quote")
    content = found[1] if found[1] is not None else found[2]
    return Token("text", clean(_ESCAPE.sub(r"\1", content)), at, found.end())


def _name(source: Source, name: str, at: int, end: int) -> Token:
    if source.text[end : end + 1] in ("'", '"') and len(name) <= 2:
        raise source.fault(at, f'a text has no letter before it: leave out the "{name}"')
    if name.startswith("_") or "__" in name:
        raise source.fault(at, f'"{name}": no name begins with an underscore')
    return Token("word" if name in WORDS else "name", name, at, end)
