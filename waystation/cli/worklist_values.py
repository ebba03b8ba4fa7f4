"""``KEYWORD=VALUE`` words of the worklist commands, into values of steps and back.

Contract: the same keyword again gives several values; ``Sequence.Keyword=VALUE``, or
``Sequence[1].Keyword=VALUE``, a value of an item.  ConfigError names the word that is none.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from waystation.model.errors import ConfigError

_PART = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:\[([0-9]{1,2})\])?")
WORD = "expected KEYWORD=VALUE, such as PatientName=Doe^John"


def read_values(words: Sequence[str]) -> dict[str, Any]:
    """Return the values that words say."""
    values: dict[str, Any] = {}
    for word in words:
        path, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(word, WORD)
        _put(values, word, path.split("."), text)
    return values


def _put(values: dict[str, Any], word: str, path: Sequence[str], text: str) -> None:
    found = _PART.fullmatch(path[0])
    if found is None or (found[2] and len(path) == 1):
        raise ConfigError(word, WORD)
    keyword = found[1]
    if len(path) == 1:
        said = values.get(keyword)
        values[keyword] = text if said is None else [*_listed(said), text]
        return
    items = values.setdefault(keyword, [])
    number = int(found[2] or 0)
    if not isinstance(items, list) or number > len(items):
        raise ConfigError(word, "items are numbered from 0 on, one after the other")
    if number == len(items):
        items.append({})
    _put(items[number], word, path[1:], text)


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def written(values: Mapping[str, Any], within: str = "") -> list[tuple[str, str]]:
    """Return (path, text) of values, in order."""
    found: list[tuple[str, str]] = []
    for keyword, said in values.items():
        if isinstance(said, list) and said and isinstance(said[0], Mapping):
            for number, item in enumerate(said):
                found += written(item, f"{within}{keyword}[{number}].")
        else:
            found.append((within + keyword, "\\".join(map(str, _listed(said)))))
    return found
