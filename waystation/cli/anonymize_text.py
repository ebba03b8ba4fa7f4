"""What ``waystation anonymize`` prints and writes down."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from waystation.cli.tables import plain, print_table
from waystation.model.errors import WaystationError

if TYPE_CHECKING:
    from waystation.app.anonymizing import Done
    from waystation.app.deid_run import Run

MOST_PRINTED = 20


def print_line(done: "Done") -> None:
    """Print one file as a line of JSON."""
    line: dict[str, Any] = {
        "path": str(done.path),
        "state": done.state,
        "why": done.why,
        "place": done.place,
        "study": done.study,
        "in": done.digests[0],
        "out": done.digests[1],
    }
    if done.rows:
        names = ("path", "name", "action", "by", "before", "after")
        line["changes"] = [{name: getattr(row, name) for name in names} for row in done.rows]
    print(json.dumps(line, ensure_ascii=False))


def write_report(path: Path, document: dict[str, Any]) -> None:
    """Write the report of a run."""
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False, indent=1)
            file.write("\n")
    except OSError as error:
        raise WaystationError(f"{path}: the report cannot be written: {error.strerror}") from error


def print_run(run: "Run", document: dict[str, Any], *, as_json: bool, dry_run: bool) -> None:
    """Print what became of a run."""
    files = document["files"]
    if as_json:
        summary = {**files, "seconds": document["seconds"], "studies": len(document["studies"])}
        print(json.dumps({"summary": summary}))
        return
    if dry_run:
        _print_changes(run)
    for done in run.failures[:MOST_PRINTED]:
        print(f"{plain(done.path)}: {done.state}: {plain(done.why)}", file=sys.stderr)
    if len(run.failures) > MOST_PRINTED:
        more = len(run.failures) - MOST_PRINTED
        print(f"... and {more} more; --json lists all", file=sys.stderr)
    if files["left_out"]:
        print(f"left out: {files['left_out']} files that are not DICOM", file=sys.stderr)
    if files["directories"]:
        print(f"left out: {files['directories']} DICOMDIR, made anew", file=sys.stderr)
    seconds = document["seconds"]
    rate = f", {files['written'] / seconds:.0f}/s" if files["written"] and seconds else ""
    done_word = "would be written" if dry_run else "written"
    print(
        f"{files['written']} {done_word}, {files['held']} held, {files['failed']} failed"
        f" in {seconds:.1f} s{rate}"
    )


def _print_changes(run: "Run") -> None:
    """Print one object side by side, or the totals of several."""
    if len(run.shown) == 1 and run.states.total() == 1:
        rows = run.shown[0].rows
        print_table(
            ("element", "name", "action", "rule", "old", "new"),
            [
                (row.path, row.name, row.action, row.by, _text(row.before), _text(row.after))
                for row in rows
            ],
        )
        return
    total = run.total
    names = [(action, by, tag, count) for (action, by, tag), count in sorted(total.changed.items())]
    print_table(("action", "rule", "element", "elements"), names, ("elements",))
    for rule, count in total.rules.items():
        print(f"pixel rule {plain(rule)}: {count} objects")


def _text(value: str | None) -> str:
    return "-" if value is None else value
