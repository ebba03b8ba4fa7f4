"""``waystation import-config``: another router's configuration, and its queue.

Contract: commented TOML on stdout, the fidelity list on stderr.  Exit 0 if the result is equal, 1
with differences (or queued files that will not go out by themselves), 2 if the source cannot be
read.  The text is printed before the queue is touched.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from waystation.cli.options import ConfigOption
from waystation.model.errors import ConfigError


def import_config(
    source: Annotated[
        str,
        typer.Argument(
            help="dicomflowrouter, orthanc, mercure, dcmqrscp, dcmrs-broker, ctp-pixels or"
            " deid-recipe"
        ),
    ],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Its configuration: file or folder")],
    queue: Annotated[
        bool,
        typer.Option("--queue", help="Also take over what waits there (dicomflowrouter)"),
    ] = False,
    store: Annotated[
        bool,
        typer.Option("--store", help="Also put what lies there into the archive (dcmqrscp)"),
    ] = False,
    move: Annotated[
        bool, typer.Option("--move", help="With --queue: rename the originals to .imported")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there, if nothing is there"),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print a waystation.toml made of another router's configuration; execute nothing of it.

    --queue and --store write into the data folder of --config, whose node must be stopped.
    """
    from waystation.app.importing.importers import read

    if queue and source != "dicomflowrouter":
        raise ConfigError("--queue", "only the queue of dicomflowrouter can be taken over")
    if store and source != "dcmqrscp":
        raise ConfigError("--store", "only the storage areas of dcmqrscp can be taken over")
    if move and not queue:
        raise ConfigError("--move", "renames what --queue took over; give both")
    imported = read(source, path)
    _put(imported.toml, output)
    for note in imported.notes:
        print(note, file=sys.stderr)
    print(imported.summary, file=sys.stderr)
    if imported.after:
        print(imported.after, file=sys.stderr)
    clean = _queue(path, config, move=move) if queue else True
    if store:
        clean = _store(path, config)
    if not imported.equal or not clean:
        raise typer.Exit(1)


def _put(toml: str, output: Path | None) -> None:
    """Print the text, or write it into a file that is not there yet."""
    if output is None:
        print(toml, end="", flush=True)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(toml)
    except FileExistsError:
        raise ConfigError("--output", f"{output} is there already; name another file") from None
    except OSError as error:
        raise ConfigError("--output", f"{output}: {error.strerror}") from error


def _store(path: Path, config: Path | None) -> bool:
    from waystation.app.archive_offline import shelf_of, writing
    from waystation.app.importing.dcmqrscp import folders
    from waystation.app.loop import run
    from waystation.app.read import find_file, load
    from waystation.app.shelving import Added, add
    from waystation.cli.api import who

    settings = load(find_file(config), os.environ).settings

    async def put() -> Added:
        async with writing(Path(settings.node.data)) as opened:
            return await add(shelf_of(opened, settings, who()), folders(path))

    done = run(put())
    for file, why in done.failures:
        print(f"{file}: {why}", file=sys.stderr)
    print(f"archive: {done.added} added, {done.known} there already", file=sys.stderr)
    return not done.failures and not done.held


def _queue(path: Path, config: Path | None, *, move: bool) -> bool:
    from waystation.app.importing.dicomflowrouter import layout
    from waystation.app.importing.flow_queue import import_queue
    from waystation.app.read import find_file, load

    found = layout(path)
    settings = load(find_file(config), os.environ).settings
    missing = [
        found.names[folder]
        for folder in found.endpoints
        if found.names[folder] not in settings.destination
    ]
    if missing:
        raise ConfigError(
            "--queue",
            f"the configuration in force has no [destination.{missing[0]}]: save the text above as"
            " waystation.toml, or name its file with --config, then run this again",
        )

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    ledger = import_queue(found, settings, move=move, say=say)
    print(f"queue: {ledger}", file=sys.stderr)
    return ledger.clean
