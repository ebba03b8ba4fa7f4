"""``waystation worklist import | messages | replay``: what comes into the worklist by itself.

Contract: needs the running node (exit 3).  ``import`` takes ``.wl`` files, dumps, DICOM JSON and
CSV tables; a file with a fault is left out whole and named, the others are taken (exit 1).
``messages`` lists HL7 messages without patient data; ``replay`` runs a refused one again.
"""

import base64
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waystation.cli.api import NodeApi, data_folder, need_running, who
from waystation.cli.file_lists import expanded
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import plain
from waystation.model.errors import ConfigError, WaystationError

if TYPE_CHECKING:
    from waystation.model.step import StepDraft

BATCH = 200
SUFFIXES = (".wl", ".dump", ".csv", ".json", ".dcm")
RESULTS = ("made", "changed", "same", "left")


def import_files(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help=".wl, dump, JSON, CSV; folders; @LIST; - for stdin"),
    ],
    area: Annotated[str, typer.Option("--area", metavar="NAME", help="Area of the steps")] = "",
    split_steps: Annotated[
        bool, typer.Option("--split-steps", help="Make several steps of an entry that has several")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be made")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make or change steps by worklist files; the same file again is the same steps."""
    from waystation.flows.entry_files import read_entries

    api = need_running(data_folder(config))
    total: dict[str, Any] = {**{name: [] for name in RESULTS}, "failures": [], "warnings": []}
    for name, raw in _files(expanded(paths)):
        found = read_entries(raw, area=area, split_steps=split_steps)
        total["warnings"] += [{"path": name, "text": text} for text in found.warnings]
        faults = list(found.faults) or ([] if found.drafts else ["holds no entry"])
        if not faults:
            try:
                _send(api, name, found.drafts, area, total, preview=dry_run)
            except WaystationError as error:
                faults = [str(error)]
        total["failures"] += [{"path": name, "why": why} for why in faults]
    _report(total, as_json=as_json, dry_run=dry_run)
    if total["failures"]:
        raise typer.Exit(1)


def _files(paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file that is meant."""
    for path in paths:
        if str(path) == "-":
            yield "stdin", sys.stdin.buffer.read()
            continue
        if not path.exists():
            raise ConfigError(str(path), "no such file or folder")
        for file in _within(path) if path.is_dir() else [path]:
            yield str(file), file.read_bytes()


def _within(folder: Path) -> list[Path]:
    """Return the worklist files of a folder; of a dump beside its file only the file."""
    found = [one for one in sorted(folder.rglob("*")) if one.suffix.lower() in SUFFIXES]
    whole = {one.with_suffix("") for one in found if one.suffix.lower() == ".wl"}
    return [
        one
        for one in found
        if one.is_file()
        and not one.name.startswith(".")
        and not (one.suffix.lower() == ".dump" and one.with_suffix("") in whole)
    ]


def _send(
    api: NodeApi,
    name: str,
    drafts: "Sequence[StepDraft]",
    area: str,
    total: dict[str, Any],
    *,
    preview: bool,
) -> None:
    for start in range(0, len(drafts), BATCH):
        order = {
            "entries": [_entry(draft) for draft in drafts[start : start + BATCH]],
            "source": Path(name).name,
            "area": area,
            "preview": preview,
            "user": who(),
        }
        done = api.post("/api/v1/worklist/import", order)
        if "made" not in done:
            raise WaystationError(f"the node refused it: {done.get('detail', done)}")
        for result in RESULTS:
            total[result] += done[result]


def _entry(draft: "StepDraft") -> dict[str, Any]:
    if draft.data:
        return {"data": base64.b64encode(draft.data).decode("ascii")}
    return {"values": draft.values}


def _report(total: dict[str, Any], *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print(json.dumps({**total, "preview": dry_run}))
        return
    for one in total["warnings"]:
        print(f"{plain(one['path'])}: {plain(one['text'])}", file=sys.stderr)
    for one in total["failures"]:
        print(f"{plain(one['path'])}: {plain(one['why'])}", file=sys.stderr)
    would = "would be " if dry_run else ""
    words = {
        "made": f"{would}made",
        "changed": f"{would}changed",
        "same": "unchanged",
        "left": "left alone: they are over",
    }
    counts = [f"{len(total[name])} {words[name]}" for name in RESULTS if total[name]]
    print(f"steps: {', '.join(counts) or 'none'}")
    if total["failures"]:
        print(f"{len(total['failures'])} faults", file=sys.stderr)


def messages(
    refused: Annotated[bool, typer.Option("--refused", help="Only what was refused")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List HL7 messages, the newest first, and what each of them did."""
    api = need_running(data_folder(config))
    found: list[dict[str, Any]] = []
    for code in ("AE", "AR") if refused else ("",):
        asked = api.get("/api/v1/worklist/messages", {"code": code, "limit": limit})
        found += asked["messages"]
    found.sort(key=lambda one: one["received_at"], reverse=True)
    if as_json:
        print(json.dumps({"messages": found[:limit]}))
        return
    for one in found[:limit]:
        _print(one)


def replay(
    message: Annotated[str, typer.Argument(metavar="ID", help="Of `worklist messages`")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a refused HL7 message again, after its mapping was mended."""
    api = need_running(data_folder(config))
    done = api.post(f"/api/v1/worklist/messages/{message}/replay", {})
    if "code" not in done:
        raise ConfigError("ID", "is not the number of a message")
    print(json.dumps(done)) if as_json else _print(done)
    if done["code"] != "AA":
        raise typer.Exit(1)


def _print(one: dict[str, Any]) -> None:
    from datetime import datetime

    at = datetime.fromtimestamp(one["received_at"]).astimezone()
    print(f"{one['id']}  {at:%Y-%m-%d %H:%M:%S}  {one['code']}  {plain(one['kind'])}", end="")
    print(f"  {plain(one['sender'])}  {plain(one['control_id'])}")
    for text in [one["why"]] if one["why"] else one["effects"]:
        print(f"   {plain(text)}")
