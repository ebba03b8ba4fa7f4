"""A TOML text, written line by line with its comments.

Contract: whatever strings come in, the text is valid TOML that says just these strings: names and
values are quoted where they must be, and a comment stays a comment.
"""

import json
import textwrap
from collections.abc import Iterable

from waystation.app.faults import BARE_KEY

WIDTH = 96


def name(word: str) -> str:
    """Return a key or a part of a table's name."""
    return word if BARE_KEY.fullmatch(word) else text(word)


def text(value: str) -> str:
    """Return a basic string; one of TOML is one of JSON, but for DEL and surrogates."""
    clean = value.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")


def value(item: object) -> str:
    """Return a value: text, number, truth, list, or inline table."""
    if isinstance(item, dict):
        pairs = ", ".join(f"{name(key)} = {value(inner)}" for key, inner in item.items())
        return f"{{ {pairs} }}"
    if isinstance(item, list | tuple):
        return "[" + ", ".join(map(value, item)) + "]"
    if isinstance(item, bool):
        return str(item).lower()
    return text(item) if isinstance(item, str) else str(item)


def plain(said: str) -> str:
    """Return foreign text on one line, without what a terminal or a comment would act upon."""
    return "".join(
        letter if letter.isprintable() else f"\\x{ord(letter):02x}"
        for letter in said.encode("utf-8", "replace").decode("utf-8")
    )


class Page:
    """The text while it grows."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def comment(self, said: str, *, wrap: bool = True) -> None:
        """Write a comment, on several lines if it is long."""
        for line in said.split("\n"):
            clean = plain(line)
            folded = textwrap.wrap(clean, WIDTH, break_long_words=False) if wrap else [clean]
            self._lines += [f"# {part}".rstrip() for part in folded or [""]]

    def table(self, *path: str, because: str = "") -> None:
        """Begin a table."""
        self._begin("[" + ".".join(map(name, path)) + "]", because)

    def rule(self, because: str = "") -> None:
        """Begin a rule."""
        self.entry("rule", because)

    def entry(self, word: str, because: str = "") -> None:
        """Begin the next table of a list of tables."""
        self._begin(f"[[{name(word)}]]", because)

    def set(self, key: str, item: object, because: str = "") -> None:
        """Write one pair, and beside it why."""
        self._lines.append(_beside(f"{name(key)} = {value(item)}", because))

    def off(self, key: str, item: object, because: str = "") -> None:
        """Write one pair that is not in force."""
        self._lines.append(_beside(f"# {name(key)} = {value(item)}", because))

    def proposal(self, lines: Iterable[str]) -> None:
        """Write lines of TOML that a person may take the # away from."""
        self._lines += ["", *(f"# {plain(line)}".rstrip() for line in lines)]

    def gap(self) -> None:
        self._lines.append("")

    @property
    def toml(self) -> str:
        return "\n".join(self._lines) + "\n"

    def _begin(self, header: str, because: str) -> None:
        self._lines.append("")
        if because:
            self.comment(because)
        self._lines.append(header)


def _beside(pair: str, because: str) -> str:
    return f"{pair}    # {plain(because)}" if because else pair


def plain_names(words: Iterable[str]) -> list[str]:
    """Return a plain name for each of ``words``, none twice: letters, digits, - and _."""
    found: list[str] = []
    taken = {"archive"}
    for word in words:
        stem = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in word)
        stem = stem.strip("-")[:64] or "unnamed"
        chosen, number = stem, 1
        while chosen in taken:
            number += 1
            chosen = f"{stem}-{number}"
        taken.add(chosen)
        found.append(chosen)
    return found


def names_for(words: Iterable[str]) -> dict[str, str]:
    """Return the plain names of different words by word."""
    listed = list(words)
    return dict(zip(listed, plain_names(listed), strict=True))
