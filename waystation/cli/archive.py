"""``waystation archive``: what the archive holds, whether its index is right, and what it drops.

Contract: ``list``, ``verify``, ``doubts`` and ``retention`` only look, and may run beside the node.
``add`` and ``rebuild`` change the archive and need the node to be stopped (exit 1 while it runs).
Exit 1 if a file failed or a difference was found that is not mended.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waystation.cli.api import data_folder, who
from waystation.cli.archive_correct import add_corrections
from waystation.cli.archive_studies import COLUMNS, MOST, studies_of
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import instant_text, plain, print_table

if TYPE_CHECKING:
    from waystation.app.shelving import Added
    from waystation.index.proof import Proof

HEADS = ("patient", "name", "date", "accession", "modalities", "study", "series", "objects", "uid")

archive = typer.Typer(
    help="The archive.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


add_corrections(archive)


@archive.callback()
def root() -> None:
    """The archive."""


@archive.command("add")
def add(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders")],
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place",
            help="Copy nothing: keep the files themselves, which nobody may change afterwards",
        ),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put existing files into the archive; the node must be stopped."""
    import os

    from waystation.app.loop import run
    from waystation.app.read import find_file, load

    settings = load(find_file(config), os.environ).settings
    done = run(_add(settings, paths, in_place=in_place))
    for path, why in done.failures:
        print(f"{plain(path)}: {plain(why)}", file=sys.stderr)
    if as_json:
        print(json.dumps(_counts(done)))
    else:
        print(_summary(done))
    if done.failures:
        raise typer.Exit(1)


async def _add(settings: Any, paths: list[Path], *, in_place: bool) -> "Added":
    from waystation.app.archive_offline import shelf_of, writing
    from waystation.app.shelving import add as put

    def told(done: "Added") -> None:
        if sys.stderr.isatty():
            print(f"\r{done.added:,} added, {done.known:,} known", end="", file=sys.stderr)

    async with writing(Path(settings.node.data)) as opened:
        shelf = shelf_of(opened, settings, who())
        done = await put(shelf, paths, in_place=in_place, told=told)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return done


def _counts(done: "Added") -> dict[str, Any]:
    return {
        "added": done.added,
        "known": done.known,
        "held": done.held,
        "skipped": done.skipped,
        "bytes": done.size_bytes,
        "failures": [{"file": str(path), "why": why} for path, why in done.failures],
    }


def _summary(done: "Added") -> str:
    said = [f"{done.added:,} added"]
    said += [f"{done.known:,} there already"] if done.known else []
    said += [f"{done.held:,} held: other bytes under a known UID"] if done.held else []
    said += [f"{done.skipped:,} left out: no DICOM files"] if done.skipped else []
    said += [f"{len(done.failures):,} failed"] if done.failures else []
    return ", ".join(said)


@archive.command("list")
def show(
    patient: Annotated[str, typer.Option("--patient", metavar="ID", help="Patient ID")] = "",
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Name; * and ?")] = "",
    date: Annotated[str, typer.Option("--date", metavar="DAY", help="20260101-20260131")] = "",
    accession: Annotated[str, typer.Option("--accession", metavar="NUMBER")] = "",
    modality: Annotated[str, typer.Option("--modality", metavar="CT")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most studies")] = MOST,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the studies in the archive, the newest first."""
    from waystation.app.loop import run

    asked = {
        "PatientID": patient,
        "PatientName": name,
        "StudyDate": date,
        "AccessionNumber": accession,
        "ModalitiesInStudy": modality,
    }
    found = run(studies_of(data_folder(config), asked, limit))
    if as_json:
        for row in found:
            print(json.dumps(row, ensure_ascii=False))
        return
    rows = [["\\".join(row[word]) for word in COLUMNS] for row in found]
    print_table(HEADS, rows, numbers=("series", "objects"))
    if len(found) == limit:
        print(f"the first {limit:,}; there may be more (--limit)", file=sys.stderr)


@archive.command("verify")
def verify(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Prove that the index says what the archived objects say; changes nothing."""
    from waystation.app.archive_offline import reading
    from waystation.app.loop import run

    wrong = run(_prove(reading(data_folder(config)).proof, as_json=as_json))
    if wrong:
        raise typer.Exit(1)


@archive.command("rebuild")
def rebuild(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make the index say what the archived objects say; the node must be stopped."""
    from waystation.app.loop import run

    if run(_rebuild(data_folder(config), as_json=as_json)):
        raise typer.Exit(1)


async def _rebuild(data: Path, *, as_json: bool) -> int:
    from waystation.app.archive_offline import writing

    async with writing(data) as opened:
        return await _prove(opened.proof, as_json=as_json)


async def _prove(proof: "Proof", *, as_json: bool) -> int:
    """Print what is wrong; return how much of it is not mended."""
    wrong = mended = 0
    async for finding in proof.run():
        mended += finding.mended
        wrong += not finding.mended
        if not as_json:
            what = "mended" if finding.mended else "differs"
            print(f"{what}  {plain(finding.study_uid) or 'patients'}: {plain(finding.what)}")
    counts = {"studies": proof.studies, "objects": proof.checked, "wrong": wrong, "mended": mended}
    if as_json:
        print(json.dumps(counts))
    else:
        print(f"{proof.checked:,} objects of {proof.studies:,} studies as they should be")
    return wrong


@archive.command("doubts")
def in_doubt(
    study: Annotated[str, typer.Argument(metavar="[UID]", help="One study; default: all")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what contradicts itself: UIDs that stand twice, one ID with two names; changes nothing.

    Exit 1 if there is any.
    """
    from waystation.app.loop import run

    if run(_doubts(data_folder(config), study, as_json=as_json)):
        raise typer.Exit(1)


async def _doubts(folder: Path, study: str, *, as_json: bool) -> int:
    """Print what is in doubt; return how much of it there is."""
    from dataclasses import asdict

    from waystation.app.archive_offline import reading
    from waystation.index.doubts import Looked, doubts, doubts_of

    read = reading(folder).database.read
    n_found, after = 0, ""
    while True:
        if study:
            looked = Looked(doubts=await read(doubts_of(study)), after="")
        else:
            looked = await read(doubts(after))
        for one in looked.doubts:
            print(json.dumps(asdict(one)) if as_json else f"{plain(one.study)}  {plain(one.text)}")
        n_found, after = n_found + len(looked.doubts), looked.after
        if not after:
            return n_found


@archive.command("retention")
def retention(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what the retention rules would remove now, and what they removed lately."""
    import os

    from waystation.app.loop import run
    from waystation.app.read import find_file, load

    settings = load(find_file(config), os.environ).settings
    found = run(_retention(settings))
    if as_json:
        print(json.dumps(found))
        return
    for rule in found["rules"]:
        dry = " (dry run)" if rule["dry_run"] else ""
        objects = f"{rule['bytes'] / 1e9:.2f} GB"
        print(f"{plain(rule['name'])}{dry}: {len(rule['studies']):,} studies, {objects}")
        for study in rule["studies"][:MOST]:
            print(f"   {instant_text(study['last_at'])}  {plain(study['uid'])}")
    if not found["rules"]:
        print("no retention rule: nothing is ever removed")
    for gone in found["removed"]:
        objects = f"{gone['instances']:,} objects"
        print(f"removed {instant_text(gone['at'])} {plain(gone['study'])} {objects}, {gone['why']}")


async def _retention(settings: Any) -> dict[str, Any]:
    import time
    from dataclasses import asdict

    from waystation.app.archive_offline import reading
    from waystation.app.wiring_archive import retention_rules
    from waystation.flows.retention import plan
    from waystation.index.removal import removals

    database = reading(Path(settings.node.data)).database
    rules = []
    for rule in retention_rules(settings):
        studies = await plan(rule, database.read, time.time())
        rules.append(
            {
                "name": rule.name,
                "dry_run": rule.dry_run,
                "bytes": sum(study.size_bytes for study in studies),
                "studies": [{"uid": study.uid, "last_at": study.last_at} for study in studies],
            }
        )
    removed = await database.read(removals(100))
    return {"rules": rules, "removed": [asdict(each) for each in removed]}
