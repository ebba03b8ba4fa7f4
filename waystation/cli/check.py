"""``waystation check`` and ``waystation config schema|show``.

Contract: faults are the result of a check and go to stdout, one a line; exit 0 clean, 2 with
faults, 1 with warnings under ``--strict``.  No command here prints a secret.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waystation.cli.options import ConfigOption, JsonOption, VerboseOption

if TYPE_CHECKING:
    from waystation.app.faults import Fault
    from waystation.app.read import Loaded
    from waystation.cli.check_queue import Effect


def _load(stated: Path | None) -> "Loaded":
    from waystation.app.read import find_file, load

    return load(find_file(stated), os.environ)


def check(
    config: ConfigOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 if anything is doubtful")
    ] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="Also what would be held of what is under way")
    ] = False,
    as_json: JsonOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Validate the configuration: every fault as FILE:LINE table.key: what is wrong."""
    from waystation.app.faults import ConfigFaults

    faults: list[Fault] = []
    lines: list[str] = []
    changes: list[Effect] = []
    try:
        loaded = _load(config)
        warnings, path = loaded.warnings, str(loaded.path or "")
        lines = _schedules(loaded)
        changes = _effects(loaded) if queue else []
    except ConfigFaults as error:
        faults, warnings, path = error.faults, error.warnings, str(config or "")
    if as_json:
        said = {"faults": _plain(faults), "warnings": _plain(warnings), "schedules": lines}
        said |= {"queue": [change.document() for change in changes]} if queue else {}
        print(json.dumps(said, indent=2))
    else:
        for fault in faults:
            print(fault)
        for warning in warnings:
            print(f"{warning} (warning)")
        for line in (*lines, *changes):
            print(line)
    if verbose:
        print(f"read {path or 'no file'}", file=sys.stderr)
    print(f"{_count(faults, 'fault')}, {_count(warnings, 'warning')}", file=sys.stderr)
    if faults:
        raise typer.Exit(2)
    if strict and (warnings or any(change.becomes == "held" for change in changes)):
        raise typer.Exit(1)


def _effects(loaded: "Loaded") -> "list[Effect]":
    from waystation.cli.check_queue import effects

    return effects(loaded.settings)


def _schedules(loaded: "Loaded") -> list[str]:
    """Return each schedule with its zone and the instants at which it shuts."""
    from time import time

    from waystation.app.schedule_preview import spelled

    return list(spelled(loaded.settings, os.environ, time()))


def _plain(faults: "list[Fault]") -> list[dict[str, str]]:
    return [{"where": fault.where, "key": fault.key, "problem": fault.problem} for fault in faults]


def _count(items: list[Any], noun: str) -> str:
    return f"{len(items) or 'no'} {noun}{'' if len(items) == 1 else 's'}"


config = typer.Typer(
    help="Show the configuration or its schema.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@config.command("schema")
def show_schema() -> None:
    """Print the JSON Schema of the configuration file."""
    from waystation.app.schema import schema

    print(json.dumps(schema(), indent=2))


@config.command("show")
def show_effective(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print the configuration in force, defaults included, without secrets."""
    from waystation.app.schema import as_toml, effective

    settings = effective(_load(config).settings)
    print(json.dumps(settings, indent=2) if as_json else as_toml(settings))
