"""``waystation find``: what does a peer have (C-FIND)?

Contract: exit 0 if the query was answered to its end, also with nothing found; 1 if the peer
refused it, 3 if it could not be reached.  ``--json`` prints one line of DICOM JSON per answer as it
comes, ``--csv`` one row.  Unless ``--only-keys`` is given the usual attributes of the level are
asked for too.
"""

import csv
import json
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waystation.cli.asking_options import (
    Charset,
    Keys,
    Level,
    Model,
    QueryFile,
    Relational,
    Why,
    identifier_of,
)
from waystation.cli.calling import (
    Ca,
    Calling,
    Cert,
    Insecure,
    Key,
    Target,
    Timeout,
    Tls,
    TlsAsked,
    TlsName,
    exit_code,
    refusal_text,
    remote_of,
    waits_of,
)
from waystation.cli.find_why import Reasons
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import plain, print_table
from waystation.model.errors import UnreachableError, WaystationError

if TYPE_CHECKING:
    from waystation.app.asking import Query
    from waystation.app.identifier import Identifier
    from waystation.dicom.head import Head
    from waystation.model.peer import Remote
    from waystation.net.client import Waits

USUAL = {
    "PATIENT": "PatientID PatientName PatientBirthDate PatientSex",
    "STUDY": "StudyDate StudyTime AccessionNumber PatientID PatientName StudyDescription"
    " ModalitiesInStudy NumberOfStudyRelatedInstances StudyInstanceUID",
    "SERIES": "SeriesNumber Modality SeriesDescription NumberOfSeriesRelatedInstances"
    " SeriesInstanceUID",
    "IMAGE": "InstanceNumber SOPClassUID SOPInstanceUID",
    "": "PatientID PatientName AccessionNumber StudyInstanceUID RequestedProcedureDescription",
}
USUAL_STEP = (
    "ScheduledStationAETitle ScheduledProcedureStepStartDate ScheduledProcedureStepStartTime"
    " Modality ScheduledProcedureStepDescription"
)


def find(
    target: Target,
    file: QueryFile = None,
    key: Keys = None,
    model: Model = "study",
    level: Level = "",
    limit: Annotated[int, typer.Option(min=0, help="Cancel after so many answers; 0: all")] = 0,
    only_keys: Annotated[bool, typer.Option("--only-keys", help="Ask for the keys alone")] = False,
    fuzzy: Annotated[bool, typer.Option("--fuzzy", help="Negotiate fuzzy names")] = False,
    relational: Relational = False,
    datetime: Annotated[
        bool, typer.Option("--datetime", help="Negotiate date and time as one range")
    ] = False,
    charset: Charset = "",
    extract: Annotated[
        Path | None, typer.Option("--extract", metavar="DIR", help="Keep each answer as a file")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print rows of CSV")] = False,
    why: Why = "",
    calling: Calling = "",
    timeout: Timeout = "",
    tls: Tls = False,
    ca: Ca = None,
    cert: Cert = None,
    key_file: Key = None,
    tls_name: TlsName = "",
    insecure: Insecure = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask TARGET for patients, studies, series, images or worklist entries."""
    from waystation.app.asking import Query, options

    worklist = model == "worklist"
    identifier = identifier_of(file, key, level, worklist=worklist)
    reasons: Reasons | None = None
    if why:
        from waystation.app.why import asked_for

        reasons = Reasons(identifier, charset, why, fuzzy=fuzzy, combined=datetime, as_json=as_json)
        identifier = asked_for(identifier, why, patient_root=model == "patient")
    elif not only_keys:
        _ask_for_the_usual(identifier, file, key or [], worklist=worklist)
    query = Query(
        model=model,
        identifier=identifier,
        charset=charset,
        limit=limit,
        options=options(relational=relational, datetime=datetime, fuzzy=fuzzy),
    )
    asked = TlsAsked(on=tls, ca=ca, cert=cert, key=key_file, name=tls_name, insecure=insecure)
    remote = remote_of(target, calling, config, asked)
    shown = reasons or _Shown(query, as_json=as_json, as_csv=as_csv, extract=extract)
    _show_all(remote, query, waits_of(timeout), shown)


def _ask_for_the_usual(
    identifier: "Identifier", file: Path | None, keys: list[str], *, worklist: bool
) -> None:
    """Ask for the attributes that a person wants to see at this level."""
    from waystation.app.identifier import LEVEL

    identifier.default(USUAL.get(identifier.text(LEVEL), USUAL["STUDY"]).split())
    for word in USUAL_STEP.split() if worklist else ():
        path = f"ScheduledProcedureStepSequence[0].{word}"
        if not any((one.partition("=")[0] == path) for one in keys) and file is None:
            identifier.add(path)


def _show_all(remote: "Remote", query: "Query", waits: "Waits", shown: "_Shown | Reasons") -> None:
    """Ask, show what comes, and turn what goes wrong into a sentence and an exit code."""
    from waystation.app.loop import run

    try:
        run(_find(remote, query, waits, shown))
    except UnreachableError as error:
        print(plain(refusal_text(error, remote)), file=sys.stderr)
        raise typer.Exit(exit_code(error)) from None
    except WaystationError as error:
        if isinstance(shown, _Shown):
            shown.end()
        print(plain(f"find: {error}"), file=sys.stderr)
        raise typer.Exit(1) from None
    shown.end()


async def _find(
    remote: "Remote", query: "Query", waits: "Waits", shown: "_Shown | Reasons"
) -> None:
    from waystation.app.asking import find as ask

    async with aclosing(ask(remote, query, waits)) as answers:
        async for answer in answers:
            shown.answer(answer)


class _Shown:
    """Prints answers: as they come, or as one table at the end."""

    def __init__(
        self, query: "Query", *, as_json: bool, as_csv: bool, extract: Path | None
    ) -> None:
        from waystation.dicom.tags import format_tag, keyword_of

        self._paths: list[str] = [
            keyword_of(tag) or format_tag(tag) for tag in query.identifier.columns()
        ]
        if query.model == "worklist":
            self._paths += [f"ScheduledProcedureStepSequence[0].{w}" for w in USUAL_STEP.split()]
        self._json = as_json
        self._csv = csv.writer(sys.stdout) if as_csv else None
        self._extract = extract
        self._rows: list[list[str]] = []
        self._count = 0
        if self._csv is not None:
            self._csv.writerow([path.rpartition(".")[2] for path in self._paths])

    def answer(self, head: "Head") -> None:
        """Take one answer."""
        self._count += 1
        if self._extract is not None:
            self._keep(self._extract, head)
        if self._json:
            from waystation.dicomweb.dicom_json import to_json

            print(json.dumps(to_json(head), ensure_ascii=False), flush=True)
            return
        row = [_text(head, path) for path in self._paths]
        if self._csv is not None:
            self._csv.writerow([plain(cell) for cell in row])
        else:
            self._rows.append(row)

    def _keep(self, folder: Path, head: "Head") -> None:
        from waystation.dicom.part10 import file_meta

        folder.mkdir(parents=True, exist_ok=True)
        # An answer is no instance of any class: the meta information says only how it is coded.
        meta = file_meta("1.2.840.10008.5.1.4.1.2.2.1", "2.25.0", head.transfer_syntax_uid)
        (folder / f"answer-{self._count:05d}.dcm").write_bytes(meta + head.data)

    def end(self) -> None:
        """Print what was gathered."""
        if self._json or self._csv is not None:
            return
        if self._rows:
            print_table([path.rpartition(".")[2] for path in self._paths], self._rows)
        print(f"{self._count} found", file=sys.stderr)


def _text(head: "Head", path: str) -> str:
    return "\\".join(map(str, head.values(path) or []))
