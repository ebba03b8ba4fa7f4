"""``waystation lane pause|resume NAME``: the same as under ``queue`` (R-59).

Contract: a paused lane keeps accepting and planning; the pause survives a restart and shows its
author in the queue.
"""

import typer

from waystation.cli.queue import pause, resume

lane = typer.Typer(
    help="Pause a destination, or let it go on.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
lane.command("pause")(pause)
lane.command("resume")(resume)
