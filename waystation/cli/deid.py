"""``waystation deid``: reports, approvals, and who is behind a pseudonym (D-30, D-40, D-43).

Contract: ``report`` and ``check`` read the journal, also of a stopped node.  Decisions and look-ups
need it running (exit 3), as they are written into its chain of records and its audit trail first.
Whoever looks up here needs the project key and the data folder; in the console and the API they
need the grant ``reidentify``.
"""

import csv
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waystation.cli.api import data_folder, need_running, who
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import plain, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from waystation.app.crosswalks import Entry

deid = typer.Typer(
    help="De-identification: reports, approvals, pseudonyms.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
StudyUid = Annotated[str, typer.Argument(metavar="STUDY", help="Its UID, original or new")]
Profile = Annotated[str, typer.Option("--profile", metavar="NAME", help="A [deidentify.NAME]")]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; kept with it")]
What = Annotated[str, typer.Option("--what", help="What you looked at: sample, pixels, features")]


@deid.command("report")
def report(study: StudyUid, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Tell what was done to a study; no original value is shown."""
    from waystation.cli.journal import StoppedJournal
    from waystation.journal import deid_records

    found = StoppedJournal(data_folder(config)).read(deid_records.report_of(study))
    if found is None:
        print(f"nothing of {plain(study)} was de-identified here", file=sys.stderr)
        raise typer.Exit(1)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for one in found["reports"]:
        _print_report(one)
    for why, number in found["held"].items():
        print(f"held now: {number}: {plain(why)}")
    for one in found["decisions"]:
        print(f"{one['kind']} of {one['what']} by {plain(one['by'])}: {plain(one['because'])}")


def _print_report(one: dict[str, Any]) -> None:
    objects, pixels, seen = one["objects"], one["pixels"], one["verification"]
    rows = [
        ("study", one["study"]),
        ("profile", f"{one['profile']} {one['profile_hash'][:16]}, edition {one['edition']}"),
        ("key", one["key"]),
        ("objects out", objects["out"]),
        ("verified", seen["passed"]),
        ("not verified", seen["off"]),
        ("private elements kept", one["private_kept"]),
        ("words removed from text", one["tokens_removed"]),
        ("unreadable values removed", one["unreadable"]),
        ("options", ", ".join(one["methods"])),
        *((f"pixel rule {rule}", f"{number} objects") for rule, number in pixels["rules"].items()),
        ("frames blacked", pixels["frames"]),
        *(("less strict because", why) for why in one["loosened"]),
        *(("note", note) for note in one["notes"]),
    ]
    for name, value in rows:
        print(f"{name:<25} {plain(value)}")
    changed = [(row["action"], row["by"], row["tag"], row["elements"]) for row in one["changed"]]
    print_table(("action", "rule", "element", "elements"), changed, ("elements",))


@deid.command("check")
def check(config: ConfigOption = None) -> None:
    """Prove that no record of de-identification was changed, removed or moved."""
    from waystation.cli.journal import StoppedJournal
    from waystation.journal import deid_records

    broken = StoppedJournal(data_folder(config)).read(deid_records.broken_link())
    if broken is not None:
        print(f"record {broken} does not fit the one before it", file=sys.stderr)
        raise typer.Exit(1)
    print("every record fits the one before it")


def _decide(
    study: str,
    profile: str,
    said: tuple[bool, str, str],
    config: Path | None,
    *,
    as_json: bool,
    release: bool = False,
) -> None:
    approved, what, because = said
    order = {"study": study, "profile": profile, "what": what, "approved": approved}
    order |= {"release": True} if release else {}
    api = need_running(data_folder(config))
    found = api.post("/api/v1/deid/decisions", order | {"because": because, "user": who()})
    if as_json:
        print(json.dumps(found))
        return
    print(f"{'approved' if approved else 'rejected'}; {len(found['held'])} deliveries are held")
    if found["device_rule"]:
        print("a rule for this device, for a file that pixels.rules of the profile names:")
        print(found["device_rule"], end="")
    if found["held"] and approved:
        print(f"let them go: waystation queue release --study {plain(study)}", file=sys.stderr)


@deid.command("approve")
def approve(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="Its UID as it came in")],
    profile: Profile,
    because: Because,
    what: What = "sample",
    release: Annotated[bool, typer.Option("--release", help="Try again what it held")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that you looked at a study, and that it may leave."""
    said = (True, what, because)
    _decide(study, profile, said, config, as_json=as_json, release=release)


@deid.command("reject")
def reject(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="Its UID as it came in")],
    profile: Profile,
    because: Because,
    what: What = "sample",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that you looked at a study, and that it must not leave."""
    _decide(study, profile, (False, what, because), config, as_json=as_json)


@deid.command("withdraw")
def withdraw(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="Its UID as it came in")],
    profile: Profile,
    because: Because,
    what: What = "sample",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an approval or rejection back: the study waits for a person again."""
    order = {"study": study, "profile": profile, "what": what, "because": because, "user": who()}
    api = need_running(data_folder(config))
    found = api.post("/api/v1/deid/decisions/withdrawals", order)
    print(json.dumps(found) if as_json else f"taken back; {len(found['held'])} are held")


def _table(
    kind: str, profile: str, because: str, config: Path | None, pseudonym: str = ""
) -> "Iterable[Entry]":
    """Write down who asks, then return the table of pseudonyms."""
    from waystation.app.crosswalks import entries
    from waystation.app.profile_file import profile_table
    from waystation.cli.journal import StoppedJournal

    name, table = profile_table(profile, config, os.environ)
    data = data_folder(config)
    order = {"kind": kind, "profile": name, "because": because, "user": who()}
    need_running(data).post("/api/v1/deid/lookups", order | {"pseudonym": pseudonym})
    return entries(name, table, os.environ, StoppedJournal(data).read)


@deid.command("lookup")
def lookup(
    pseudonym: Annotated[str, typer.Argument(help="Patient ID as it stands in outputs")],
    profile: Profile,
    because: Because,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell who is behind a pseudonym; that you asked, and why, is kept."""
    for one in _table("lookup", profile, because, config, pseudonym):
        if one.pseudonym_id == pseudonym:
            said = {"issuer": one.issuer, "patient_id": one.patient_id, "study": one.of_study}
            print(json.dumps(said, ensure_ascii=False) if as_json else plain(one.patient_id))
            return
    print("nobody has this pseudonym", file=sys.stderr)
    raise typer.Exit(1)


@deid.command("export")
def export(
    profile: Profile,
    because: Because,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="CSV file")],
    config: ConfigOption = None,
) -> None:
    """Write the whole table of pseudonyms; that you did, and why, is kept."""
    from waystation.app.crosswalks import COLUMNS
    from waystation.model.errors import ConfigError

    if output.exists():
        raise ConfigError("--output", f"{output} is there already; name another file")
    table = list(_table("export", profile, because, config))
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows([getattr(one, name) for name in COLUMNS] for one in table)
    print(f"{len(table)} patients", file=sys.stderr)
