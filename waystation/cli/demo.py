"""``waystation demo``: what ``make run`` runs."""

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from waystation.cli.options import ConfigOption


def demo(
    config: ConfigOption = None,
    folder: Annotated[Path, typer.Option(help="Where the demonstration keeps its data")] = Path(
        "var/demo"
    ),
    once: Annotated[bool, typer.Option("--once", help="End after the delivery")] = False,
) -> None:
    """Start a node and a simulated PACS, send one small study through, keep serving.

    Title and ports come from the configuration, or are free ones if those are taken.
    """
    from waystation.app.demo import demo as run
    from waystation.app.read import find_file, load

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    settings = load(find_file(config), os.environ).settings
    try:
        code = run(folder, settings, once=once)
    except OSError as error:
        print(f"waystation: {error.strerror or error}", file=sys.stderr)
        raise typer.Exit(1) from None
    raise typer.Exit(code)
