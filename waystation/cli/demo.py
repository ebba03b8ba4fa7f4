"""``waystation demo``: what ``make run`` runs, and two stories that check themselves."""

import asyncio
import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from waystation.cli.options import ConfigOption
from waystation.model.errors import ConfigError

STORIES = ("retry", "schedule")


def demo(
    story: Annotated[
        str, typer.Argument(help="retry or schedule; without it a study and a simulated PACS")
    ] = "",
    config: ConfigOption = None,
    folder: Annotated[Path, typer.Option(help="Where the demonstration keeps its data")] = Path(
        "var/demo"
    ),
    once: Annotated[bool, typer.Option("--once", help="End after the delivery")] = False,
) -> None:
    """Start a node and a simulated PACS, send one small study through, keep serving.

    Title and ports come from the configuration, or are free ones if those are taken.
    retry: the receiver is stopped and started again; schedule: two sites, one with a window.
    Both end by themselves, with a ledger; 1 if it does not say what was promised.
    """
    from waystation.app.read import find_file, load

    if story and story not in STORIES:
        raise ConfigError("demo", f'no story "{story}"; there are {" and ".join(STORIES)}')
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    settings = load(find_file(config), os.environ).settings
    try:
        if story == "retry":
            from waystation.app import story_retry

            code = asyncio.run(story_retry.tell(folder / story, settings))
        elif story == "schedule":
            from waystation.app import story_schedule

            code = asyncio.run(story_schedule.tell(folder / story, settings))
        else:
            from waystation.app.demo import demo as run

            code = run(folder, settings, once=once)
    except OSError as error:
        print(f"waystation: {error.strerror or error}", file=sys.stderr)
        raise typer.Exit(1) from None
    raise typer.Exit(code)
