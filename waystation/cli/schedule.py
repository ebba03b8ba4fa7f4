"""``waystation schedule``: open or shut, why, and what comes next (R-41).

Contract: exit 0 whether it is open or shut; 2 if the text, the name, the instant or the
configuration is wrong.  A text needs no configuration.
"""

import json
import os
import sys
from datetime import datetime
from time import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waystation.cli.options import ConfigOption, JsonOption, VerboseOption

if TYPE_CHECKING:
    from waystation.app.schedule_preview import Preview


def schedule(
    text: Annotated[
        str, typer.Argument(metavar='NAME|"TEXT"', help="Name of a schedule, or hours in place")
    ],
    at: Annotated[str, typer.Option("--at", metavar="T", help="Instant; default now")] = "",
    count: Annotated[
        int, typer.Option("--next", min=0, max=1000, help="How many changes to show")
    ] = 10,
    zone: Annotated[str, typer.Option("--zone", help="Time zone; default the schedule's")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = 0,
) -> None:
    """Tell whether a schedule is open, why, and when it opens and shuts next."""
    from waystation.app.schedule_preview import find_schedule, preview, read_instant, shuttings

    now = time()
    found = find_schedule(text, config=config, environ=os.environ, zone=zone, now=now)
    seen = preview(text, found, read_instant(at, found.zone, now) if at else now, count)
    for warning in found.hours.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if verbose:
        for line in shuttings(found.hours):
            print(line, file=sys.stderr)
    if as_json:
        print(json.dumps(_plain(seen), indent=2))
    else:
        _print(seen)


def _print(seen: "Preview") -> None:
    from waystation.app.schedule_preview import moment_text
    from waystation.timing.window import wait_text

    state = "open" if seen.is_open else "shut"
    print(f"{state} at {moment_text(seen.moment(seen.at))} ({seen.zone})")
    print(f"why: {seen.schedule.why(seen.at).partition(': ')[2]}")
    for change, opens in seen.changes:
        word = "opens" if opens else "shuts"
        print(f"{word} {moment_text(seen.moment(change))}, in {wait_text(change - seen.at)}")
    if not seen.changes and seen.schedule.next_change(seen.at) is None:
        print(f"never {'shuts' if seen.is_open else 'opens'}")


def _plain(seen: "Preview") -> dict[str, Any]:
    def instant(moment: datetime) -> str:
        return moment.isoformat(timespec="seconds")

    return {
        "schedule": seen.name,
        "hours": seen.schedule.hours.text,
        "zone": seen.zone,
        "at": instant(seen.moment(seen.at)),
        "open": seen.is_open,
        "why": seen.schedule.why(seen.at),
        "problem": seen.schedule.problem_at(seen.at),
        "warnings": list(seen.schedule.hours.warnings),
        "next": [
            {
                "change": "opens" if opens else "shuts",
                "at": instant(seen.moment(change)),
                "unix": change,
            }
            for change, opens in seen.changes
        ],
    }
