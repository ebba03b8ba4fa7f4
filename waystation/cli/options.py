"""Options that every command spells alike (`docs/spec/contract.md`, Command line)."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Configuration; default ./waystation.toml, then /etc/waystation/waystation.toml",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print data as JSON")]
NamesOption = Annotated[
    bool, typer.Option("--names", help="Show who the patient is: names, IDs, birth dates")
]
VerboseOption = Annotated[int, typer.Option("-v", "--verbose", count=True, help="Say more")]
