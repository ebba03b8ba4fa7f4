"""``waystation anonymize``: files and folders without identity (D-19, D-29 to D-31, D-38 to D-43).

Contract: originals are only read; an output is whole, verified and under a new name, or it is not
there.  What is held or failed is listed with its reason, and the others go on.  Exit 0 if every
object was written, 1 if some were not, 2 for a profile or options that cannot be used.  ``--json``
prints one line for each file, and at last ``{"summary": ...}``.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waystation.cli.api import who
from waystation.cli.file_lists import expanded
from waystation.cli.options import ConfigOption, JsonOption
from waystation.model.errors import ConfigError

if TYPE_CHECKING:
    from waystation.app.anonymizing import Done
    from waystation.app.batches import File, Worker
    from waystation.app.settings_deidentify import DeidentifySettings

Profile = Annotated[
    str, typer.Option("--profile", metavar="NAME|FILE", help="A [deidentify.NAME], or a TOML file")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder for the new objects")
]
ReportFile = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write the report, as JSON")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing; show what would change")]
Preview = Annotated[
    Path | None,
    typer.Option("--preview", metavar="DIR", help="Pictures of frames whose pixels change"),
]
Jobs = Annotated[int, typer.Option(min=0, max=64, help="Processes; 0: as many as pay")]
NewKey = Annotated[
    Path | None, typer.Option("--new-key", metavar="FILE", help="Only make a new project key")
]
Restore = Annotated[
    Path | None,
    typer.Option("--reidentify", metavar="KEY", help="Restore originals with this private key"),
]
Certificate = Annotated[
    Path | None, typer.Option("--certificate", metavar="FILE", help="Certificate of that key")
]
PasswordEnv = Annotated[
    str, typer.Option("--password-env", metavar="NAME", help="Variable with the key's password")
]
Approve = Annotated[
    list[str] | None,
    typer.Option("--approve", help="You looked at it yourself: sample, pixels or features"),
]
Ocr = Annotated[
    bool, typer.Option("--ocr", help="Hold what still shows text in its pixels; needs tesseract")
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first that fails")]


def anonymize(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH...", help="Files, folders, @LIST")
    ] = None,
    profile: Profile = "",
    output: Output = None,
    report: ReportFile = None,
    dry_run: DryRun = False,
    preview: Preview = None,
    jobs: Jobs = 0,
    new_key: NewKey = None,
    reidentify: Restore = None,
    certificate: Certificate = None,
    password_env: PasswordEnv = "",
    approve: Approve = None,
    ocr: Ocr = False,
    fail_fast: FailFast = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write objects without identity, by a profile of de-identification."""
    if new_key is not None:
        make_key(new_key)
        return
    found = expanded(paths or [])
    if not found:
        raise ConfigError("PATH", "say which files or folders")
    if output is None and not dry_run:
        raise ConfigError("--output", "say where the new objects go, or use --dry-run")
    if dry_run:
        output = None
    _check_places(found, output, report)
    from waystation.app.deid_run import directories

    media = reidentify is None and directories(found) > 0
    if reidentify is not None:
        make = _restoring(reidentify, certificate, password_env, output)
    else:
        how = (approve or [], ocr)
        make = _removing(profile, config, (output, preview), how, media=media)
    try:
        _run(found, make, (jobs, fail_fast), report, as_json=as_json, dry_run=dry_run)
    finally:
        # What was written is listed, also if something was held.
        if media and output is not None and output.is_dir():
            _list_media(output, as_json=as_json)


def make_key(path: Path) -> None:
    """Write a new project key, readable by its owner only."""
    import secrets

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(str(path), "is there already; a key is never overwritten") from error
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "cannot be written") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_hex(32).encode("ascii") + b"\n")
        file.flush()
        os.fsync(file.fileno())
    print(
        f"{path}: a new project key.  Keep a copy in a safe place: without it nobody can make the"
        " same pseudonyms again, and who has it can confirm guesses.",
        file=sys.stderr,
    )


def _check_places(paths: Sequence[Path], output: Path | None, report: Path | None) -> None:
    if report is not None and report.exists():
        raise ConfigError("--report", f"{report} is there already; name another file")
    place = output.resolve() if output is not None else None
    for path in paths:
        if not path.exists():
            raise ConfigError(str(path), "there is no such file or folder")
        folder = path.resolve() if path.is_dir() else None
        if place is not None and folder is not None and place.is_relative_to(folder):
            problem = f"lies in {path}: outputs do not go among the originals"
            raise ConfigError("--output", problem)


def _removing(
    profile: str,
    config: Path | None,
    places: tuple[Path | None, Path | None],
    how: tuple[list[str], bool],
    *,
    media: bool,
) -> "Callable[[], Worker[Done]]":
    from waystation.app.anonymizing import Anonymizer, Order
    from waystation.app.profile_file import profile_table
    from waystation.transforms.deid_step import APPROVABLE

    approve, ocr = how
    if unknown := [word for word in approve if word not in APPROVABLE]:
        words = ", ".join(APPROVABLE)
        raise ConfigError("--approve", f'nothing is called "{unknown[0]}"; write {words}')

    if not profile:
        raise ConfigError("--profile", "name a [deidentify.NAME] of the configuration, or a file")
    name, table = profile_table(profile, config, os.environ)
    if table.pseudonym.source == "allocated":
        problem = "its numbers are given by a running node: use it in a rule"
        raise ConfigError(f"deidentify.{name}.pseudonym.source", problem)
    if ocr:
        table = _reading(table)
    output, preview = places
    approved = tuple(dict.fromkeys(approve))
    order = Order(
        profile=name,
        table=table,
        output=output,
        previews=preview,
        approved=approved,
        media=media,
    )
    return partial(Anonymizer, order)


def _reading(table: "DeidentifySettings") -> "DeidentifySettings":
    """Return the profile with its further check on."""
    from waystation.codecs.text import HOW_TO_INSTALL, PROGRAM, program

    if program() is None:
        raise ConfigError("--ocr", f"needs the program {PROGRAM} ({HOW_TO_INSTALL})")
    return table.model_copy(update={"ocr": True})


def _list_media(output: Path, *, as_json: bool) -> None:
    """Make the DICOMDIR of what was written, as the originals had one."""
    from waystation.app.media import write

    listed, left = write(output)
    if not as_json:
        more = f"; {left:,} files have no place in one" if left else ""
        print(f"DICOMDIR made of {listed:,} objects{more}", file=sys.stderr)


def _restoring(
    key: Path, certificate: Path | None, password_env: str, output: Path | None
) -> "Callable[[], Worker[Done]]":
    from waystation.app.reidentifying import Recipient, Reidentifier

    if certificate is None:
        raise ConfigError("--certificate", "say which certificate belongs to the key")
    if output is None:
        raise ConfigError("--output", "say where the restored objects go")
    password = os.environ.get(password_env, "").encode() if password_env else None
    try:
        who = Recipient(
            key=key.read_bytes(), certificate=certificate.read_bytes(), password=password
        )
    except OSError as error:
        raise ConfigError(str(error.filename), error.strerror or "cannot be read") from error
    return partial(Reidentifier, who, output)


def _run(
    paths: Sequence[Path],
    make: "Callable[[], Worker[Done]]",
    how: tuple[int, bool],
    report: Path | None,
    *,
    as_json: bool,
    dry_run: bool,
) -> None:
    from waystation.app.batches import processes
    from waystation.app.deid_run import Run, directories
    from waystation.app.dicom_files import search
    from waystation.cli.anonymize_text import print_line, print_run, write_report

    jobs, fail_fast = how
    files = list(search(paths))
    run, began = Run(), time.perf_counter()
    at = datetime.now(UTC).isoformat(timespec="seconds")
    for done in _told(files, make, processes(len(files), jobs)):
        run.add(done)
        if as_json:
            print_line(done)
        if fail_fast and run.failures:
            break
    document = run.document(at, time.perf_counter() - began)
    document["files"]["directories"] = directories(paths)
    document["by"] = who()
    if report is not None:
        write_report(report, document)
    print_run(run, document, as_json=as_json, dry_run=dry_run)
    if run.failures or not run.states["written"]:
        raise typer.Exit(1)


def _told(
    files: "Sequence[File]", make: "Callable[[], Worker[Done]]", count: int
) -> "Iterator[Done]":
    """Yield what became of each file; on a terminal, show how far it is."""
    from waystation.app.batches import results

    found = results(files, make, count)
    if not sys.stderr.isatty():
        yield from found
        return
    from waystation.cli.progress import FileBar

    with FileBar(len(files)) as told:
        for done in found:
            told()
            yield done
