"""Faults of a configuration, in the words of its operator.

Contract: a `Problem` says where in the document (a key path) and what; `address` turns it into a
`Fault` that prints as ``FILE:LINE table.key: what is wrong``.  The texts of pydantic never reach
the operator, and no text quotes a value unless it is a word from a fixed list or a number.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from waystation.app.lines import Path, line_of
from waystation.model.errors import ConfigError

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong at ``path``; a warning is legal but doubtful."""

    path: Path
    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One complaint.  where: ``FILE:LINE`` or ``environment NAME``; key: ``table.key``."""

    where: str
    key: str
    problem: str

    def __str__(self) -> str:
        return (
            f"{self.where} {self.key}: {self.problem}"
            if self.key
            else (f"{self.where}: {self.problem}")
        )


class ConfigFaults(ConfigError):
    """The operator must change the configuration: every fault of it, and its warnings."""

    def __init__(self, faults: list[Fault], warnings: list[Fault] | None = None) -> None:
        super().__init__(faults[0].where, faults[0].problem)
        self.faults = faults
        self.warnings = warnings or []

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


def closest(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean "..."?)`` for the nearest of ``known``, or nothing."""
    by_lower = {word.lower(): word for word in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f' (did you mean "{by_lower[near[0]]}"?)' if near else ""


def key_text(path: Path, document: Mapping[str, object]) -> str:
    """Return ``path`` as the operator reads it: rules by name, list positions left out."""
    parts: list[str] = []
    for place, part in enumerate(path):
        if isinstance(part, int):
            if path[0] == "rule" and place == 1:
                parts.append(_rule_name(document, part))
        else:
            parts.append(part)
    return ".".join(part if BARE_KEY.fullmatch(part) else f'"{part}"' for part in parts)


def _rule_name(document: Mapping[str, object], position: int) -> str:
    rules = document.get("rule")
    rule = rules[position] if isinstance(rules, list) and position < len(rules) else None
    name = rule.get("name") if isinstance(rule, dict) else None
    return name if isinstance(name, str) and name else f"{position + 1}"


def address(
    problems: Iterable[Problem],
    *,
    file: str,
    lines: dict[Path, int],
    document: Mapping[str, object],
    environment: Mapping[Path, str],
) -> list[Fault]:
    """Return the problems with their addresses, in the order of the file.

    environment: which paths an environment variable set, and its name.
    """
    found: list[tuple[tuple[int, str], Fault]] = []
    for problem in problems:
        variable = _variable(problem.path, lines, environment)
        line = line_of(lines, problem.path)
        where = f"environment {variable}" if variable else f"{file}:{line}"
        fault = Fault(where=where, key=key_text(problem.path, document), problem=problem.text)
        order = (1_000_000_000 if variable else line, fault.key)
        if all(fault != other for _, other in found):
            found.append((order, fault))
    return [fault for _, fault in sorted(found, key=lambda item: item[0])]


def _variable(path: Path, lines: Mapping[Path, int], environment: Mapping[Path, str]) -> str | None:
    """Return the variable to blame: it set ``path``, or alone made the table around it."""
    for cut in range(len(path), 0, -1):
        around = path[:cut]
        if around in environment:
            return environment[around]
        if around in lines:
            return None
        for by_variable, name in environment.items():
            if by_variable[:cut] == around:
                return name
    return None
