"""``waystation archive correct``, ``undo`` and ``corrections``: who the patient of a study is.

Contract: a running node carries them out; each needs a reason, and is kept under the name of who
gave it.  The files stay as they were received.  Exit 1 if a study could not be corrected.
"""

import json
import sys
from typing import Annotated, Any

import typer

from waystation.cli.api import data_folder, need_running, who
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import instant_text, plain
from waystation.model.errors import ConfigError

PATH = "/api/v1/archive/corrections"
AT_ONCE = 100
Studies = Annotated[
    list[str] | None, typer.Argument(metavar="[UID...]", help="Study Instance UIDs")
]
OfPatient = Annotated[
    str, typer.Option("--of-patient", metavar="ID", help="All studies of this Patient ID")
]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; kept with it")]


def add_corrections(archive: typer.Typer) -> None:
    """Add the commands."""
    archive.command("correct")(correct)
    archive.command("undo")(undo)
    archive.command("corrections")(corrections)


def correct(
    because: Because,
    studies: Studies = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEYWORD=VALUE", help="PatientID=7; no value empties it"),
    ] = None,
    of_patient: OfPatient = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who the patient of studies is, or what they are called; moves and merges patients.

    The files stay as they were received; the change is made on the way out.
    """
    said: dict[str, str] = {}
    for text in values or ():
        word, equals, value = text.partition("=")
        if not equals:
            raise ConfigError("--set", f"write KEYWORD=VALUE, not {text!r}")
        said[word] = value
    if not said:
        raise ConfigError("--set", "say what is to be corrected, such as --set PatientID=7")
    _carry_out(studies, of_patient, said, because, config, as_json=as_json)


def undo(
    because: Because,
    studies: Studies = None,
    of_patient: OfPatient = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Undo all corrections of studies: they are again what their objects say."""
    _carry_out(studies, of_patient, {}, because, config, as_json=as_json)


def corrections(
    study: Annotated[str, typer.Argument(metavar="[UID]", help="One study; default: all")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was corrected, by whom and why, the newest first."""
    api = need_running(data_folder(config))
    found = api.get(PATH, {"study": study, "limit": 1000})["corrections"]
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for one in found:
        said = ", ".join(f"{word}={text}" for word, text in one["values"].items())
        ended = f"  undone by {one['undone_by']}" if one["undone_at"] else ""
        print(
            f"{instant_text(one['at'])}  {plain(one['study'])}  {plain(said)}"
            f"  by {plain(one['author'])}: {plain(one['because'])}{plain(ended)}"
        )


def _carry_out(
    studies: list[str] | None,
    of_patient: str,
    values: dict[str, str],
    because: str,
    config: Any,
    *,
    as_json: bool,
) -> None:
    data = data_folder(config)
    chosen = list(studies or ())
    if of_patient:
        from waystation.app.loop import run
        from waystation.cli.archive_studies import MOST, studies_of

        found = run(studies_of(data, {"PatientID": of_patient}, MOST))
        chosen += ["\\".join(row["StudyInstanceUID"]) for row in found]
    if not chosen:
        raise ConfigError("UID", "name studies, or a patient that has some")
    api = need_running(data)
    done: dict[str, str] = {}
    for at in range(0, len(chosen), AT_ONCE):
        order = {"studies": chosen[at : at + AT_ONCE], "values": values, "because": because}
        done |= api.post(PATH, {**order, "user": who()})["studies"]
    if as_json:
        print(json.dumps(done))
    else:
        for study, why in done.items():
            if why:
                print(f"{plain(study)}: {plain(why)}", file=sys.stderr)
        word = "corrected" if values else "as received again"
        print(f"{sum(not why for why in done.values()):,} studies {word}")
    if any(done.values()):
        raise typer.Exit(1)
