"""``waystation simulate --with NEW.toml``: what would change for what came lately (R-77).

Contract: reads the journal and the heads of the data folder, node running or stopped; sends and
writes nothing.  Exit 1 if anything goes nowhere that went somewhere, 2 if NEW.toml is no
configuration.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waystation.cli.api import data_folder
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import plain

if TYPE_CHECKING:
    from waystation.app.settings import Settings
    from waystation.app.simulating import Difference, Simulated

KINDS = (("also", "also to {}"), ("no_longer", "no longer to {}"))
MORE = (("priority", "with another priority to {}"), ("nowhere", "nowhere ({})"))


def simulate(
    new: Annotated[
        Path, typer.Option("--with", metavar="NEW.toml", help="The other configuration")
    ],
    listed: Annotated[bool, typer.Option("--list", help="Name each study that changes")] = False,
    since: Annotated[
        str, typer.Option("--since", metavar="T", help="Arrived then or later; or like 2d")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plan what came lately under another configuration, and print what changes."""
    from waystation.app.past_rules import routing_of
    from waystation.app.read import load
    from waystation.app.simulating import simulate as simulated
    from waystation.blobs.reading import BlobReader
    from waystation.cli.instants import instant
    from waystation.cli.journal import StoppedJournal

    now = time.time()
    asked = instant("--since", since, now) if since else None
    data = data_folder(config)
    journal = StoppedJournal(data)
    after = load(new, os.environ).settings
    before = _in_force(config, journal)
    begin = now - before.spool.heads if asked is None else asked
    found = simulated(
        journal.read,
        BlobReader(data / "blobs"),
        routing_of(before, now),
        routing_of(after, now),
        begin,
        now,
    )
    if as_json:
        print(json.dumps(_document(found, listed=listed), ensure_ascii=False))
    else:
        _print(found, listed=listed)
    if found.nowhere:
        raise typer.Exit(1)


def _in_force(config: Path | None, journal: Any) -> "Settings":
    """Return the configuration of the file; that of the journal if the file is broken."""
    from waystation.app.past_rules import settings_of
    from waystation.app.read import find_file, load
    from waystation.journal import configs
    from waystation.model.errors import ConfigError

    path = find_file(config)
    try:
        return load(path, os.environ).settings
    except ConfigError:
        text = journal.read(configs.last_text())
        if text is None:
            raise
        print("the configuration file is broken: comparing with the one in force", file=sys.stderr)
        folder = path.resolve().parent if path is not None else Path.cwd()
        return settings_of(text, folder, os.environ)


def _print(found: "Simulated", *, listed: bool) -> None:
    parts = []
    for key, words in (*KINDS, *MORE):
        for name, n in sorted(getattr(found, key).items()):
            parts.append(f"{n:,} {words.format(plain(name))}")
    noun = "study" if found.studies == 1 else "studies"
    print(f"{found.studies:,} {noun}: {', '.join(parts) or 'no difference'}")
    if found.unread:
        print(f"{found.unread:,} objects left out: their heads are gone", file=sys.stderr)
    if listed:
        for change in found.differences:
            print(_line(change))


def _line(change: "Difference") -> str:
    parts = []
    for key, words in (*KINDS, *MORE):
        names = ", ".join(map(plain, getattr(change, key)))
        parts += [words.format(names)] if names else []
    what = " ".join(filter(None, ("/".join(change.modalities), f"{change.objects} objects")))
    return f"{plain(change.study)}  {plain(what)}  {'; '.join(parts)}"


def _document(found: "Simulated", *, listed: bool) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "studies": found.studies,
        "objects": found.objects,
        "without_head": found.unread,
        "changed": len(found.differences),
        "also": dict(found.also),
        "no_longer": dict(found.no_longer),
        "priority": dict(found.priority),
        "nowhere": dict(found.nowhere),
        "differences": [asdict(change) for change in found.differences] if listed else [],
    }
