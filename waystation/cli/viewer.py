"""``waystation viewer``: put the web viewer (OHIF) where the node finds it (W-141)."""

from pathlib import Path
from typing import Annotated

import typer

from waystation.cli.api import data_folder
from waystation.cli.options import ConfigOption

viewer = typer.Typer(
    help="The web viewer.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@viewer.callback()
def group() -> None:
    """The web viewer."""


@viewer.command("install")
def install_viewer(
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="The package as a file; default: npm fetches"),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Put OHIF into the data folder; the node serves it from its next start on."""
    from waystation.app.viewer_install import install

    version = install(data_folder(config), source)
    print(f"OHIF {version} is installed; restart the node, it serves it on [web.viewer] port")
