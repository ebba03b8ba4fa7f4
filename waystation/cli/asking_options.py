"""Options that ``find``, ``get`` and ``move`` spell alike."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from waystation.model.errors import ConfigError

if TYPE_CHECKING:
    from waystation.app.identifier import Identifier

Keys = Annotated[
    list[str] | None,
    typer.Option(
        "-k",
        "--key",
        metavar="PATH[=VALUE]",
        help="A key, like PatientID=1* or ScheduledProcedureStepSequence[0].Modality=CT; "
        "without a value it is only asked for",
    ),
]
QueryFile = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="Identifier: DICOM file or DICOM JSON")
]
Model = Annotated[
    Literal["study", "patient", "worklist"], typer.Option("--model", help="Information model")
]
RetrieveModel = Annotated[
    Literal["study", "patient"], typer.Option("--model", help="Information model")
]
Level = Annotated[
    Literal["patient", "study", "series", "image", ""],
    typer.Option("--level", help="What one answer stands for; default study"),
]
Charset = Annotated[
    str,
    typer.Option("--charset", metavar="TERM", help="Character set of the keys, like ISO_IR 100"),
]
Relational = Annotated[
    bool, typer.Option("--relational", help="Negotiate relational queries and retrieval")
]
Why = Annotated[
    str,
    typer.Option(
        "--why",
        metavar="WHICH",
        help="Say for one record, by UID or accession number, which keys match it and why",
    ),
]
LEVEL_KEY = "QueryRetrieveLevel"


def identifier_of(
    file: Path | None, keys: list[str] | None, level: str, *, worklist: bool = False
) -> "Identifier":
    """Return file and keys as one identifier, its level set.  Raises `ConfigError`."""
    from waystation.app.identifier import LEVEL, Identifier, from_file

    identifier = from_file(file) if file is not None else Identifier()
    for key in keys or []:
        identifier.add(key)
    if worklist:
        if level:
            raise ConfigError("--level", "a worklist has no levels")
    elif level or not identifier.text(LEVEL):
        identifier.add(f"{LEVEL_KEY}={(level or 'study').upper()}")
    return identifier
