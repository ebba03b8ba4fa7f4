"""A profile for one command: a name in the configuration, or a TOML file of its own.

Contract: `profile_table` gives the checked table of one profile and its name.  A file holds either
the keys of a profile at the top, or one ``[deidentify.NAME]`` among whatever else; what it names
counts from its folder.  Raises `ConfigError`, with all faults and their lines.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waystation.app.faults import ConfigFaults, Problem, address
from waystation.app.lines import lines_of
from waystation.app.parts import validate
from waystation.app.read import find_file, load, load_text, read_text
from waystation.app.semantics_deidentify import deidentifying
from waystation.app.settings_deidentify import DeidentifySettings
from waystation.model.errors import ConfigError

TABLE = "deidentify"


def profile_table(
    said: str, config: Path | None, environ: Mapping[str, str]
) -> tuple[str, DeidentifySettings]:
    """Return name and table of what ``--profile`` says."""
    if said.endswith(".toml") or os.sep in said:
        return _of_file(Path(said), environ)
    found = load(find_file(config), environ).settings.deidentify
    if said not in found:
        there = f"; there are {', '.join(found)}" if found else " and no other; name a .toml file"
        raise ConfigError(
            "--profile", f"there is no [deidentify.{said}] in the configuration{there}"
        )
    return said, found[said]


def _of_file(path: Path, environ: Mapping[str, str]) -> tuple[str, DeidentifySettings]:
    text = read_text(path)
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        document = {TABLE: {}}
    if TABLE in document:
        found = load_text(text, path, {}).settings.deidentify
        if len(found) != 1:
            raise ConfigError(str(path), "expected exactly one [deidentify.NAME] in this file")
        return next(iter(found.items()))
    return _bare(path, text, document, environ)


def _bare(
    path: Path, text: str, document: dict[str, Any], environ: Mapping[str, str]
) -> tuple[str, DeidentifySettings]:
    """Read a file that is one profile."""
    name = re.sub(r"[^A-Za-z0-9_-]", "-", path.stem).lstrip("_-")[:32] or "profile"
    parts = validate({TABLE: {name: document}}, {"folder": path.resolve().parent})
    problems = [*parts.problems, *deidentifying(parts, environ)]
    here = [
        Problem(path=one.path[2:], text=one.text)
        for one in problems
        if one.path[:2] == (TABLE, name) and not one.warning
    ]
    if here:
        raise ConfigFaults(
            address(here, file=str(path), lines=lines_of(text), document=document, environment={})
        )
    table = parts.named[TABLE][name]
    assert isinstance(table, DeidentifySettings)
    return name, table
