"""What ``waystation edit`` prints."""

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from waystation.cli.tables import plain

if TYPE_CHECKING:
    from waystation.app.editing import Edited

STATES = ("edited", "unchanged", "skipped", "failed", "left-out")


def print_edited(done: "Edited", *, rows: bool = True) -> None:
    """Print what became of one file; rows: what changed, element by element."""
    if done.why and done.state != "left-out":
        print(f"{plain(done.path)}: {done.state}: {plain(done.why)}", file=sys.stderr)
    if rows and done.rows:
        print(plain(done.path))
        for row in done.rows:
            name = f" {row.name}" if row.name else ""
            if row.before is not None:
                print(f"- {row.path}{name}: {plain(row.before)}")
            if row.after is not None:
                print(f"+ {row.path}{name}: {plain(row.after)}")
    elif done.uids:
        for level, (old, new) in done.uids.items():
            print(f"{plain(done.path)}: {level} {plain(old)} -> {plain(new)}")


def print_line(done: "Edited") -> None:
    """Print one file as a line of JSON."""
    changes = [
        {"path": row.path, "name": row.name, "before": row.before, "after": row.after}
        for row in done.rows
    ]
    line = {
        "path": str(done.path),
        "state": done.state,
        "why": done.why,
        "place": done.place,
        "changes": changes,
        "uids": {level: {"before": old, "after": new} for level, (old, new) in done.uids.items()},
    }
    print(json.dumps(line, ensure_ascii=False))


def print_summary(states: Mapping[str, int], *, as_json: bool, dry_run: bool) -> None:
    """Print how many files came to which end."""
    if as_json:
        summary = {state.replace("-", "_"): states.get(state, 0) for state in STATES}
        print(json.dumps({"summary": summary}))
        return
    words = [f"{states.get(state, 0)} {state}" for state in STATES if states.get(state, 0)]
    would = "nothing was written: " if dry_run else ""
    print(would + (", ".join(words) or "no files"), file=sys.stderr)
