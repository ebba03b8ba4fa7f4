"""Which line of a TOML text says what: a map from key paths to line numbers.

Contract: given a text that `tomllib` accepts, `lines_of` returns the line of every table, key and
array entry.  A path is a tuple of keys and list positions, as in ``("rule", 0, "send", 1)``.
Values are walked over, not read; on a text that is not TOML the result is undefined.
"""

import re
import tomllib

Path = tuple[str | int, ...]

BLANK = re.compile(r"[ \t\r\n]*(?:#[^\n]*\n?[ \t\r\n]*)*")
SPACE = re.compile(r"[ \t]*")
BARE = re.compile(r"[^ \t\r\n.=\]\[#\"',{}]+")
SCALAR = re.compile(r"[^,\]}#\n\r]*")
STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' r"'''.*?'{3,5}|" r'"(?:[^"\\\n]|\\.)*"|' r"'[^'\n]*'", re.DOTALL
)


class Walker:
    """One pass over one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self._tables: dict[Path, int] = {}
        self._counted = 0
        self._line = 1

    def walk(self) -> dict[Path, int]:
        here: Path = ()
        self._pass(BLANK)
        while self.at < len(self.text):
            if self._sees("[["):
                here = self._header(repeated=True)
            elif self._sees("["):
                here = self._header(repeated=False)
            else:
                self._pair(here)
            self._pass(BLANK)
        return self.lines

    def _sees(self, token: str) -> bool:
        return self.text.startswith(token, self.at)

    def _pass(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise ValueError(f"not TOML at character {self.at}")
        self.at = found.end()
        return found.group()

    def _note(self, path: Path) -> None:
        """Remember the line of ``path``; the first mention of a table is its address."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        self.lines.setdefault(path, self._line)

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._pass(SPACE)
            if self.text[self.at] in "\"'":
                parts.append(tomllib.loads(f"k = {self._pass(STRING)}")["k"])
            else:
                parts.append(self._pass(BARE))
            self._pass(SPACE)
            if not self._sees("."):
                return parts
            self.at += 1

    def _header(self, *, repeated: bool) -> Path:
        self.at += 2 if repeated else 1
        path: Path = ()
        parts = self._key()
        for part in parts[:-1]:
            self._note((*path, part))
            path = self._entry((*path, part))
        path = (*path, parts[-1])
        self._note(path)
        if repeated:
            self._tables[path] = self._tables.get(path, -1) + 1
        path = self._entry(path)
        self._note(path)
        self.at += 2 if repeated else 1
        return path

    def _entry(self, path: Path) -> Path:
        return (*path, self._tables[path]) if path in self._tables else path

    def _pair(self, table: Path) -> None:
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path)
        self.at += 1
        self._pass(SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._sees("["):
            self._list(path)
        elif self._sees("{"):
            self._inline(path)
        elif self.text[self.at] in "\"'":
            self._pass(STRING)
        else:
            self._pass(SCALAR)

    def _list(self, path: Path) -> None:
        self.at += 1
        position = 0
        self._pass(BLANK)
        while not self._sees("]"):
            self._note((*path, position))
            self._value((*path, position))
            position += 1
            self._pass(BLANK)
            if self._sees(","):
                self.at += 1
                self._pass(BLANK)
        self.at += 1

    def _inline(self, path: Path) -> None:
        self.at += 1
        self._pass(BLANK)
        while not self._sees("}"):
            self._pair(path)
            self._pass(BLANK)
            if self._sees(","):
                self.at += 1
                self._pass(BLANK)
        self.at += 1


def lines_of(text: str) -> dict[Path, int]:
    """Return the line (from 1) of every key path of ``text``."""
    return Walker(text).walk()


def line_of(lines: dict[Path, int], path: Path) -> int:
    """Return the line of ``path``, or of the nearest table around it, or 1."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1
