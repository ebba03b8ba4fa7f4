"""Environment variables over the file: ``WAYSTATION__DICOM__PORT=11113``.

Contract: each variable with our prefix replaces one key of the document; later, a fault of that
key is addressed to the variable.  Tables and rules are found whatever their case, ``_`` standing
for ``-`` and blanks.  Values are read as TOML where they can be, else they are text.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from waystation.app.faults import Problem
from waystation.app.lines import Path

PREFIX = "WAYSTATION__"


@dataclass(frozen=True, slots=True)
class Override:
    """One variable: its name, the key it sets, its text, and what that reads as."""

    variable: str
    path: Path
    text: str
    value: Any


def _plain(name: str) -> str:
    return re.sub(r"[-\s]", "_", name.lower())


def _value(text: str) -> Any:
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return read["value"] if len(read) == 1 else text


def _find(table: Any, word: str) -> str | int:
    """Return the key or list position that ``word`` means in ``table``; new keys are lower case."""
    if isinstance(table, list):
        for position, entry in enumerate(table):
            name = entry.get("name") if isinstance(entry, dict) else None
            if isinstance(name, str) and _plain(name) == _plain(word):
                return position
        raise LookupError(f'no entry named "{word.lower()}"')
    for key in table:
        if _plain(str(key)) == _plain(word):
            return str(key)
    return word.lower()


def _set(document: dict[str, Any], words: list[str], value: Any) -> Path:
    table: Any = document
    path: Path = ()
    for word in words[:-1]:
        key = _find(table, word)
        path = (*path, key)
        if isinstance(key, str):
            table.setdefault(key, {})
        table = table[key]
        if not isinstance(table, dict | list):
            raise LookupError(f'"{word.lower()}" is not a table')
    last = _find(table, words[-1])
    table[last] = value
    return (*path, last)


def override(
    document: dict[str, Any], environ: Mapping[str, str]
) -> tuple[list[Override], list[tuple[str, Problem]]]:
    """Set what ``environ`` says in ``document``; return what was set, and what could not be."""
    done: list[Override] = []
    faults: list[tuple[str, Problem]] = []
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX):
            continue
        words = variable.removeprefix(PREFIX).split("__")
        guess: Path = tuple(word.lower() for word in words)
        if not all(words):
            faults.append((variable, Problem(path=guess, text="names no key")))
            continue
        try:
            value = _value(text)
            done.append(Override(variable, _set(document, words, value), text, value))
        except LookupError as error:
            faults.append((variable, Problem(path=guess, text=str(error.args[0]))))
    return done, faults


def put(document: dict[str, Any], path: Path, value: Any) -> None:
    """Set the key at ``path``, which is in the document already."""
    table: Any = document
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
