"""INI files as Python's configparser understands them, with the line of every value.

Contract: the same sections, keys and values as its default dialect finds: comments on lines of
their own, ``=`` or ``:``, indented lines go on, keys in any case, ``[DEFAULT]`` behind all
sections, ``%(name)s`` looked up.  What makes it raise is a fault with FILE:LINE.
"""

import re
from dataclasses import dataclass, field

from waystation.app.faults import ConfigFaults
from waystation.app.importing.findings import unreadable

HEADER = re.compile(r"\[(?P<name>.+)\]")
OPTION = re.compile(r"(?P<key>.*?)\s*(?:[=:])\s*(?P<value>.*)$")
REFERENCE = re.compile(r"%(?:%|\((?P<name>[^)]+)\)s)")
DEFAULT = "DEFAULT"
DEPTH = 10


@dataclass(slots=True)
class Entry:
    """One value as it is written."""

    value: str
    line: int


@dataclass(slots=True)
class Section:
    """One section and where its header stands."""

    line: int
    entries: dict[str, Entry] = field(default_factory=dict)


class Ini:
    """One file."""

    def __init__(self, file: str, sections: dict[str, Section]) -> None:
        self.file = file
        self.sections = sections

    def entry(self, section: str, key: str) -> Entry | None:
        """Return the entry that counts for a key, or None."""
        if section not in self.sections:
            return None
        found = self.sections[section].entries.get(key)
        shared = self.sections.get(DEFAULT)
        return found or (shared.entries.get(key) if shared else None)

    def value(self, section: str, key: str) -> str | None:
        """Return the value with its references resolved, None if there is no such key.

        Raises ValueError where configparser would not give a value.
        """
        entry = self.entry(section, key)
        return None if entry is None else self._resolved(section, entry.value, DEPTH)

    def where(self, section: str, key: str = "") -> str:
        """Return FILE:LINE of a key, or of its section, or of the file."""
        entry = self.entry(section, key) if key else None
        if entry is not None:
            return f"{self.file}:{entry.line}"
        return f"{self.file}:{self.sections[section].line if section in self.sections else 1}"

    def _resolved(self, section: str, value: str, depth: int) -> str:
        if not depth or "%" in REFERENCE.sub("", value):
            raise ValueError(value)

        def looked_up(found: re.Match[str]) -> str:
            if found["name"] is None:
                return "%"
            entry = self.entry(section, found["name"].lower())
            if entry is None:
                raise ValueError(value)
            return self._resolved(section, entry.value, depth - 1)

        return REFERENCE.sub(looked_up, value)


def read_ini(content: str, file: str) -> Ini:
    """Return the sections of a text.  Raises `ConfigFaults` at the first line that is none."""
    return Ini(file, _Reader(content, file).sections)


class _Reader:
    def __init__(self, content: str, file: str) -> None:
        self.sections: dict[str, Section] = {}
        self._file = file
        self._section: Section | None = None
        self._entry: Entry | None = None
        self._indent = 0
        for number, line in enumerate(content.split("\n"), start=1):
            self._line(number, line)
        for section in self.sections.values():
            for entry in section.entries.values():
                entry.value = entry.value.rstrip()

    def _line(self, number: int, line: str) -> None:
        said = line.strip()
        if said.startswith(("#", ";")):
            return
        if not said:
            if self._entry is not None:
                self._entry.value += "\n"
            return
        indent = len(line) - len(line.lstrip())
        if self._entry is not None and indent > self._indent:
            self._entry.value += "\n" + said
            return
        self._indent = indent
        header = HEADER.match(said)
        if header:
            self._begin(number, header["name"])
        else:
            self._option(number, said)

    def _begin(self, number: int, name: str) -> None:
        if name in self.sections and name != DEFAULT:
            raise self._fault(number, f"a second section [{name}]: the router could not read this")
        self._section = self.sections.setdefault(name, Section(number))
        self._entry = None

    def _option(self, number: int, said: str) -> None:
        if self._section is None:
            raise self._fault(number, "expected a section like [DICOM] before the first value")
        option = OPTION.match(said)
        if option is None or not option["key"]:
            raise self._fault(number, "expected KEY = VALUE, a [SECTION] or a comment")
        key = option["key"].lower()
        if key in self._section.entries:
            raise self._fault(number, f'a second "{key}": the router could not read this')
        self._entry = Entry(option["value"].strip(), number)
        self._section.entries[key] = self._entry

    def _fault(self, number: int, problem: str) -> ConfigFaults:
        return unreadable(f"{self._file}:{number}", problem)
