"""The command ``waystation``: which commands there are, and how each of them ends.

Contract: exit codes are 0 done, 1 the work failed, 2 usage or configuration error, 3 not
reachable.  A command's module is imported when that command runs, so that help stays quick.
"""

import importlib
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import waystation
from waystation.model.errors import ConfigError, UnreachableError, WaystationError

FAILED, USAGE, UNREACHABLE = 1, 2, 3

# name: (module:attribute, help).  The attribute is a function with Typer's annotations, or a
# typer.Typer that has commands of its own.
COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("waystation.cli.serve:serve", "Run a node"),
    "check": ("waystation.cli.check:check", "Validate the configuration"),
    "config": ("waystation.cli.check:config", "Show the configuration or its schema"),
    "reload": ("waystation.cli.reload:reload", "Have a running node read its configuration again"),
    "health": ("waystation.cli.health:health", "Ask whether the running node is ready"),
    "import-config": (
        "waystation.cli.import_config:import_config",
        "Turn another router's configuration into ours",
    ),
    "schedule": ("waystation.cli.schedule:schedule", "Open or shut, why, and until when"),
    "queue": ("waystation.cli.queue:queue", "See deliveries and act on them"),
    "lane": ("waystation.cli.lane:lane", "Pause a destination, or let it go on"),
    "explain": ("waystation.cli.explain:explain", "Which rule said what, and why not done yet"),
    "simulate": (
        "waystation.cli.simulate_with:simulate",
        "What another configuration would do with what came lately",
    ),
    "replay": ("waystation.cli.replay:replay", "Send kept objects again"),
    "alert": ("waystation.cli.alert:alert", "Test who hears of trouble and gets reports"),
    "archive": ("waystation.cli.archive:archive", "What the archive holds, and if it is right"),
    "echo": ("waystation.cli.echo:echo", "Ask a peer whether it is there (C-ECHO)"),
    "send": ("waystation.cli.send:send", "Send files and folders to a peer (C-STORE)"),
    "import": ("waystation.cli.take_in:take_in", "Give files to the running node"),
    "find": ("waystation.cli.find:find", "Ask a peer what it has (C-FIND)"),
    "get": ("waystation.cli.retrieve:get", "Fetch objects from a peer (C-GET)"),
    "move": ("waystation.cli.retrieve:move", "Have a peer send objects (C-MOVE)"),
    "commit": ("waystation.cli.commit:commit", "Ask a peer to promise that it keeps objects"),
    "doctor": ("waystation.cli.doctor:doctor", "Test a peer rung by rung and say what to set"),
    "anonymize": ("waystation.cli.anonymize:anonymize", "Write objects without identity"),
    "edit": ("waystation.cli.edit:edit", "Change elements of DICOM files"),
    "from-dump": ("waystation.cli.from_dump:from_dump", "Write a DICOM file from a dump"),
    "deid": ("waystation.cli.deid:deid", "De-identification: reports, approvals, pseudonyms"),
    "render": ("waystation.cli.render:render", "Write images as pictures"),
    "user": ("waystation.cli.user:user", "Who may sign in at the web, and tokens of programs"),
    "worklist": ("waystation.cli.worklist:worklist", "What should be scanned, and what was"),
    "mpps": ("waystation.cli.mpps:mpps", "Tell a peer what is being performed (MPPS)"),
    "viewer": ("waystation.cli.viewer:viewer", "Install the web viewer"),
    "demo": ("waystation.cli.demo:demo", "Show one small study on its way to a simulated PACS"),
    "simulate-peer": ("waystation.cli.simulate:simulate", "Play a PACS or a modality"),
}


class LazyGroup(TyperGroup):
    """Commands by name; help is written from the registry, running one imports it."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        name, stub, rest = super().resolve_command(ctx, args)
        return (name, imported(name), rest) if name in COMMANDS else (name, stub, rest)


def imported(name: str) -> Any:
    """Return the real command ``name``, as Typer's own copy of Click knows it."""
    module, attribute = COMMANDS[name][0].split(":")
    target: Any = getattr(importlib.import_module(module), attribute)
    if not isinstance(target, typer.Typer):
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        single.command(name)(target)
        target = single
    command = get_command(target)
    command.name = name
    return command


app = typer.Typer(
    name="waystation",
    cls=LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"waystation {waystation.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version")
    ] = False,
) -> None:
    """A DICOM gateway: takes images in, keeps them, and sends them on."""


def main() -> None:
    """Run the command line and exit with the contract's code."""
    try:
        app()
    except UnreachableError as error:
        print(f"waystation: {error}", file=sys.stderr)
        sys.exit(UNREACHABLE)
    except WaystationError as error:
        print(f"waystation: {error}", file=sys.stderr)
        sys.exit(USAGE if isinstance(error, ConfigError) else FAILED)


if __name__ == "__main__":
    main()
