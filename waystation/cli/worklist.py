"""``waystation worklist``: what should be scanned, and what was."""

import typer

from waystation.cli import worklist_steps as steps
from waystation.cli.worklist_ways import import_files, messages, replay

worklist = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
worklist.command("list")(steps.show_list)
worklist.command("show")(steps.show)
worklist.command("add")(steps.add)
worklist.command("edit")(steps.edit)
worklist.command("state")(steps.move)
worklist.command("cancel")(steps.cancel)
worklist.command("delete")(steps.delete)
worklist.command("import")(import_files)
worklist.command("export")(steps.export)
worklist.command("messages")(messages)
worklist.command("replay")(replay)
worklist.command("why")(steps.why)
worklist.command("preview")(steps.preview)
