"""``waystation explain``: which rule said what, what became of it, what comes next (R-76).

Contract: works with the node running (through its API) and stopped (from its journal); a file is
never sent anywhere.  Names and numbers of the patient stay hidden without ``--names``, which reads
the data folder itself: who may read that may know.  Exit 1 if nothing is known of what was asked.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waystation.cli.api import data_folder, running
from waystation.cli.options import ConfigOption, JsonOption, NamesOption
from waystation.cli.tables import plain
from waystation.model.errors import WaystationError

if TYPE_CHECKING:
    from waystation.app.explaining_here import Asked

JUDGED_HERE = ("patient", "rules", "judged")


def explain(
    what: Annotated[
        str, typer.Argument(metavar="UID|ID|FILE", help="Study, series, instance; arrival; file")
    ],
    who: Annotated[
        str, typer.Option("--from", metavar="PEER", help="As if it came from this peer or title")
    ] = "",
    at: Annotated[str, typer.Option("--at", metavar="T", help="As if it came then")] = "",
    names: NamesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell which rule said what, what was tried, and why it is not done yet."""
    from waystation.app.explaining_here import Asked
    from waystation.cli.instants import instant

    asked = Asked(what=what, who=who, at=instant("--at", at) if at else None, names=names)
    document = _document(asked, config)
    if document is None:
        print(f"nothing is known of {plain(what)}", file=sys.stderr)
        raise typer.Exit(1)
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
        return
    from waystation.cli.explain_text import lines

    if not document["running"] and not document["hypothetical"]:
        print("the node is not running; this is its journal", file=sys.stderr)
    for line in lines(document):
        print(line)


def _document(asked: "Asked", config: Path | None) -> dict[str, Any] | None:
    """Return the answer as JSON, None if nothing is known."""
    from waystation.app.explaining_here import explain_file

    path = Path(asked.what)
    if path.is_file():
        return explain_file(asked, path, config).model_dump(mode="json")
    if "/" in asked.what:
        raise WaystationError(f"{asked.what}: there is no such file")
    data = data_folder(config)
    api = running(data)
    if api is None or asked.supposed:
        return _here(asked, config, data)
    try:
        told: dict[str, Any] = api.get("/api/v1/explain", {"uid": asked.what})
    except WaystationError as error:
        if "Nothing is known" in str(error):
            return None
        raise
    here = _here(asked, config, data) if asked.names else None
    return told | {key: here[key] for key in JUDGED_HERE} if here is not None else told


def _here(asked: "Asked", config: Path | None, data: Path) -> dict[str, Any] | None:
    from waystation.app.explaining_here import explain_stored
    from waystation.cli.journal import StoppedJournal

    found = explain_stored(asked, config, data, StoppedJournal(data).read)
    return None if found is None else found.model_dump(mode="json")
