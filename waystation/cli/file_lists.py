"""Paths as commands take them: files, folders, and lists of them in a file (T-72).

Contract: ``@FILE`` stands for the paths in FILE, one a line, and ``@-`` for those on standard
input; empty lines count for nothing.  Nothing is searched here.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from waystation.model.errors import ConfigError


def expanded(words: Iterable[str]) -> list[Path]:
    """Return the paths that words stand for.  Raises `ConfigError` for a list that is not there."""
    found: list[Path] = []
    for word in words:
        if not word.startswith("@"):
            found.append(Path(word))
            continue
        found += [Path(line) for line in _lines(word[1:]) if line.strip()]
    return found


def _lines(name: str) -> list[str]:
    if name == "-":
        return sys.stdin.read().splitlines()
    try:
        return Path(name).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ConfigError(f"@{name}", why or "cannot be read") from error
