"""``waystation worklist list | show | add | edit | cancel | delete | export | why | preview``.

Contract: needs the running node (exit 3).  Exit 1 if the node refuses, with what is wrong in words.
``--json`` prints what the API answers.  An edit names the version that was looked at, if
``--version`` is given: then it is refused where somebody else was quicker.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from waystation.cli.api import NodeApi, data_folder, need_running, who
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import instant_text, plain, print_table
from waystation.cli.worklist_values import read_values, written
from waystation.model.errors import ConfigError
from waystation.model.printable import cell

STEPS = "/api/v1/worklist/steps"
OPEN = ("scheduled", "arrived", "ready", "started")
PAGE = 500
HEADS = ("id", "start", "station", "mod", "state", "patient", "name", "accession", "procedure")
COLUMNS = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber"),
    *("ReferringPhysicianName", "StudyInstanceUID", "RequestedProcedureID"),
    *("RequestedProcedureDescription", "RequestedProcedurePriority", "Modality"),
    *("ScheduledStationAETitle", "ScheduledStationName", "ScheduledProcedureStepStartDate"),
    *("ScheduledProcedureStepStartTime", "ScheduledPerformingPhysicianName"),
    *("ScheduledProcedureStepDescription", "ScheduledProcedureStepID"),
    *("ScheduledProcedureStepLocation", "ScheduledProcedureStepStatus"),
)

StepId = Annotated[str, typer.Argument(metavar="ID", help="Of `worklist list`")]
Day = Annotated[str, typer.Option("--day", metavar="DAY", help="20260301, or 20260301-20260307")]
Station = Annotated[str, typer.Option("--station", metavar="AE", help="AE title of a station")]
State = Annotated[list[str] | None, typer.Option("--state", help="State, also several times")]
Text = Annotated[str, typer.Option("--text", help="Words of name, patient id, accession number")]
Area = Annotated[str, typer.Option("--area", metavar="NAME", help="Area of the steps")]
Because = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why")]
Words = Annotated[list[str], typer.Argument(metavar="KEYWORD=VALUE...", help="Values")]


def show_list(
    day: Day = "",
    station: Station = "",
    modality: Annotated[str, typer.Option("--modality", metavar="CT")] = "",
    state: State = None,
    area: Area = "",
    text: Text = "",
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Only those that lack something")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Those that are over too")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most steps")] = PAGE,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List steps by start time; without --all or --state those that are not over."""
    asked = _asked(day, station, modality, state, area, text, every=every)
    if incomplete:
        asked["incomplete"] = "true"
    found = list(_pages(need_running(data_folder(config)), asked, limit))
    if as_json:
        print(json.dumps({"steps": found}, ensure_ascii=False))
        return
    print_table(HEADS, [_row(one) for one in found])
    lacking = sum(bool(one["missing"]) for one in found)
    if lacking:
        print(f"{lacking} lack something and are not shown to modalities", file=sys.stderr)


def _asked(
    day: str,
    station: str,
    modality: str,
    state: list[str] | None,
    area: str,
    text: str,
    *,
    every: bool,
) -> dict[str, Any]:
    first, dash, last = day.partition("-")
    return {
        "first": first,
        "last": last if dash else first,
        "station": station,
        "modality": modality,
        "state": state or ([] if every else list(OPEN)),
        "area": area,
        "text": text,
    }


def _pages(api: NodeApi, asked: dict[str, Any], limit: int) -> Iterator[dict[str, Any]]:
    after, left = "", limit
    while left:
        given = {**asked, "after": after, "limit": min(left, PAGE)}
        page = api.get(STEPS, given)
        yield from page["steps"]
        left -= len(page["steps"])
        after = page["after"]
        if not after:
            return


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    values = one["values"]
    start = one["start"]
    time = f"{start[8:10]}:{start[10:12]}" if start[8:10] < "24" else "no time"
    shown = f"{start[:4]}-{start[4:6]}-{start[6:8]} {time}"
    titles = values.get("ScheduledStationAETitle", "")
    return (
        one["id"],
        shown if len(start) > 8 else "no day",
        titles if isinstance(titles, str) else "\\".join(titles),
        values.get("Modality", ""),
        one["state"] + (" !" if one["missing"] else ""),
        values.get("PatientID", ""),
        values.get("PatientName", ""),
        values.get("AccessionNumber", ""),
        values.get("RequestedProcedureDescription", ""),
    )


def show(step: StepId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one step with its history."""
    api = need_running(data_folder(config))
    found = api.get(f"{STEPS}/{step}")
    history = api.get(f"{STEPS}/{step}/history")["changes"]
    if as_json:
        print(json.dumps({**found, "history": history}, ensure_ascii=False))
        return
    _print(found)
    print("history:")
    for one in history:
        by = " ".join(filter(None, (one["author"]["kind"], one["author"]["name"])))
        detail = one["author"]["detail"]
        print(
            f"  {instant_text(one['at'])}  {one['what']}  {plain(by)}"
            + (f" ({plain(detail)})" if detail else "")
            + (f": {plain(one['why'])}" if one["why"] else "")
        )
        for keyword, text in one["after"].items():
            print(f"    {keyword}: {plain(one['before'].get(keyword, ''))} -> {plain(text)}")


def _print(one: dict[str, Any]) -> None:
    print(f"step {one['id']}  {one['state']}  version {one['version']}", end="")
    print(f"  area {plain(one['area'])}" if one["area"] else "")
    if one["missing"]:
        print(f"lacks: {', '.join(one['missing'])}")
    for path, text in written(one["values"]):
        print(f"  {path}: {plain(text)}")


def add(
    words: Words,
    area: Area = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a step; ids that are not given are made."""
    api = need_running(data_folder(config))
    order = {"steps": [{"values": read_values(words), "area": area}], "user": who()}
    (made,) = api.post(STEPS, order)["steps"]
    print(json.dumps(made, ensure_ascii=False)) if as_json else _print(made)


def edit(
    step: StepId,
    words: Words,
    version: Annotated[
        int | None, typer.Option("--version", help="The one that was looked at")
    ] = None,
    because: Because = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change values of a step; KEYWORD= removes one."""
    api = need_running(data_folder(config))
    order = {"values": read_values(words), "version": version, "why": because, "user": who()}
    done = api.send("PATCH", f"{STEPS}/{step}", order)
    print(json.dumps(done, ensure_ascii=False)) if as_json else _print(done)


def move(
    step: StepId,
    state: Annotated[str, typer.Argument(metavar="STATE", help="arrived, ready, scheduled ...")],
    because: Because = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a step to another state."""
    _move(step, state, because, config, as_json=as_json)


def cancel(
    step: StepId,
    because: Because = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel a step."""
    _move(step, "cancelled", because, config, as_json=as_json)


def _move(step: str, state: str, because: str, config: Path | None, *, as_json: bool) -> None:
    api = need_running(data_folder(config))
    order = {"to": state, "why": because, "user": who()}
    done = api.post(f"{STEPS}/{step}/state", order)
    print(json.dumps(done, ensure_ascii=False)) if as_json else print(f"{step}: {done['state']}")


def delete(
    step: StepId,
    undo: Annotated[bool, typer.Option("--undo", help="Bring it back, for ten minutes")] = False,
    config: ConfigOption = None,
) -> None:
    """Delete a step that was never started."""
    api = need_running(data_folder(config))
    if undo:
        api.post(f"{STEPS}/{step}/restore", {"user": who()})
    else:
        api.send("DELETE", f"{STEPS}/{step}", {"user": who()})
    print(f"{step}: {'is back' if undo else 'deleted; --undo brings it back for ten minutes'}")


def export(
    output: Annotated[Path, typer.Argument(metavar="FILE", help=".csv or .json; - for stdout")],
    day: Day = "",
    station: Station = "",
    state: State = None,
    area: Area = "",
    text: Text = "",
    every: Annotated[bool, typer.Option("--all", help="Those that are over too")] = False,
    config: ConfigOption = None,
) -> None:
    """Write steps as a table (CSV), which `worklist import` reads, or one JSON object a line."""
    if output.suffix not in (".csv", ".json") and str(output) != "-":
        raise ConfigError("FILE", "expected a name that ends in .csv or .json")
    api = need_running(data_folder(config))
    asked = _asked(day, station, "", state, area, text, every=every)
    found = [one["values"] for one in _pages(api, asked, sys.maxsize)]
    if str(output) == "-":
        _write(sys.stdout, found, as_csv=True)
        return
    with output.open("w", encoding="utf-8", newline="") as file:
        _write(file, found, as_csv=output.suffix == ".csv")
    print(f"{len(found)} steps written to {output}")


def _write(file: Any, found: list[dict[str, Any]], *, as_csv: bool) -> None:
    if not as_csv:
        for values in found:
            file.write(json.dumps(values, ensure_ascii=False) + "\n")
        return
    table = csv.writer(file)
    table.writerow(COLUMNS)
    for values in found:
        said = (values.get(keyword, "") for keyword in COLUMNS)
        table.writerow(cell(one if isinstance(one, str) else "\\".join(one)) for one in said)


def why(
    step: StepId,
    station: Annotated[str, typer.Argument(metavar="[AE]", help="Of the station")] = "",
    called: Annotated[str, typer.Option("--called", metavar="AE", help="Title it calls")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a station sees a step, or does not, by its last query; exit 1 if it does not."""
    api = need_running(data_folder(config))
    found = api.get(f"{STEPS}/{step}/why", {"station": station, "called": called})
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        by = "its query of " + instant_text(found["query"]["at"]) if found["query"] else ""
        print(f"{plain(found['station'])} {'sees' if found['seen'] else 'does not see'} it", end="")
        print(f", by {by or 'a usual query of today'}")
        for one in found["reasons"]:
            print(f"  {'+' if one['good'] else '-'} {plain(one['text'])}")
            if one["mend"]:
                print(f"      {plain(one['mend'])}")
    if not found["seen"]:
        raise typer.Exit(1)


def preview(
    station: Annotated[str, typer.Argument(metavar="AE", help="AE title of the station")],
    called: Annotated[str, typer.Option("--called", metavar="AE", help="Title it calls")] = "",
    last: Annotated[bool, typer.Option("--last", help="To its last query")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show exactly what a station would be answered."""
    api = need_running(data_folder(config))
    asked = {"station": station, "called": called, "last": str(last).lower()}
    found = api.get("/api/v1/worklist/preview", asked)["entries"]
    if as_json:
        print(json.dumps({"entries": found}, ensure_ascii=False))
        return
    for one in found:
        lost = f", {one['replaced']} characters lost" if one["replaced"] else ""
        print(f"step {one['step']}  {one['charset'] or 'ASCII'}{lost}")
        for path, text in one["values"]:
            print(f"  {path}: {plain(text)}")
    print(f"{len(found)} entries")
