"""From a file and the environment to `Settings`, or to every fault of them at once.

Contract: `load` either returns a configuration in which all names resolve, or raises
`ConfigFaults` with all faults and their addresses (R-1).  Nothing is created or changed.
Without a file the defaults hold: a node on loopback, open to everyone there, with no rules.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from waystation.app.environment import Override, override, put
from waystation.app.faults import ConfigFaults, Fault, Problem, address
from waystation.app.importing import dcmrs_broker
from waystation.app.lines import Path as KeyPath
from waystation.app.lines import lines_of
from waystation.app.parts import Parts, validate
from waystation.app.semantics import examine
from waystation.app.settings import Settings
from waystation.app.toml_words import said

PLACES = (Path("waystation.toml"), Path("/etc/waystation/waystation.toml"))
POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A good configuration, what is doubtful in it, and the text it was read from."""

    settings: Settings
    warnings: list[Fault]
    text: str
    path: Path | None


def find_file(stated: Path | None) -> Path | None:
    """Return the file to read: the stated one, else the first of the usual places, else None."""
    if stated is not None:
        return stated
    return next((place for place in PLACES if place.exists()), None)


def read_text(path: Path | None) -> str:
    """Return the text of ``path``, empty for None; raise `ConfigFaults` if it has none."""
    if path is None:
        return ""
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        fault = Fault(where=f"{path}:{line}", key="", problem="the file is not UTF-8 text")
        raise ConfigFaults([fault]) from None
    except OSError as error:
        fault = Fault(where=str(path), key="", problem=f"cannot be read: {error.strerror}")
        raise ConfigFaults([fault]) from None


def load(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """Return the configuration of ``path`` (None: the defaults) under ``environ``.

    Without a file the environment of dcmrs-broker's container is understood (W-8).
    Raises `ConfigFaults`, which also carries the warnings.
    """
    if path is None and dcmrs_broker.is_meant(environ):
        made = load_text(dcmrs_broker.from_environment(environ).toml, path, environ)
        return replace(made, warnings=[*made.warnings, _of_container(environ)])
    return load_text(read_text(path), path, environ)


def _of_container(environ: Mapping[str, str]) -> Fault:
    names = ", ".join(dcmrs_broker.named(environ))
    problem = (
        f"this node is configured as dcmrs-broker was, by {names}: HTTP and DICOM listen on all"
        " addresses, and everybody may search and retrieve without a login"
    )
    return Fault(where="environment", key="", problem=problem)


def _ignored(environ: Mapping[str, str]) -> list[Fault]:
    """Return the warning that there is a file, so that the container's names mean nothing."""
    if not dcmrs_broker.is_meant(environ):
        return []
    names = ", ".join(dcmrs_broker.named(environ))
    return [Fault(where="environment", key="", problem=f"{names}: ignored, as there is a file")]


def load_text(
    text: str, path: Path | None, environ: Mapping[str, str], *, was_good: bool = False
) -> Loaded:
    """Like `load`, from a text that was read before; ``path`` gives its name and folder.

    was_good: it was in force once.  What is wrong with a profile is then a key or file that went
    since: no reason to stop everything else, as objects of such a profile are held (D-39).
    """
    document = _parse(text, path)
    overrides, stray = override(document, environ)
    folder = path.resolve().parent if path else Path.cwd()
    parts = _validate(document, overrides, {"folder": folder})
    problems = parts.problems + examine(parts, environ)
    variables = {done.path: done.variable for done in overrides}
    variables |= {problem.path: variable for variable, problem in stray}
    problems += [problem for _, problem in stray]
    if was_good:
        problems = [
            replace(problem, warning=True) if problem.path[:1] == ("deidentify",) else problem
            for problem in problems
        ]

    def addressed(*, warning: bool) -> list[Fault]:
        return address(
            [problem for problem in problems if problem.warning is warning],
            file=str(path) if path else "defaults",
            lines=lines_of(text),
            document=document,
            environment=variables,
        )

    faults, warnings = addressed(warning=False), addressed(warning=True)
    warnings += _ignored(environ) if path is not None else []
    if faults:
        raise ConfigFaults(faults, warnings)
    return Loaded(settings=parts.settings(), warnings=warnings, text=text, path=path)


def _parse(text: str, path: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = POSITION.search(message)
        line = int(place[1]) if place and place[1] else text.rstrip().count("\n") + 1
        problem = f"not TOML: {said(POSITION.sub('', message))}"
        fault = Fault(where=f"{path or 'defaults'}:{line}", key="", problem=problem)
        raise ConfigFaults([fault]) from None


def _validate(
    document: dict[str, Any], overrides: list[Override], context: Mapping[str, Any]
) -> Parts:
    """Validate; a variable that does not fit as TOML is tried as text: a title may be ``123``."""
    parts = validate(document, context)
    doubtful = [done for done in overrides if _concerns(parts.problems, done.path)]
    if not doubtful:
        return parts
    for done in doubtful:
        put(document, done.path, done.text)
    as_text = validate(document, context)
    for done in doubtful:
        if _concerns(as_text.problems, done.path):
            put(document, done.path, done.value)
    return validate(document, context)


def _concerns(problems: list[Problem], path: KeyPath) -> bool:
    return any(problem.path[: len(path)] == path for problem in problems)
