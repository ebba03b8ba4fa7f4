"""``waystation replay``: new deliveries from kept files (R-78).

Contract: needs the running node (exit 3).  ``--dry-run`` says what would be made and makes
nothing.  What was delivered, or is on its way, is left out unless ``--again``; filters apply.
"""

import json
from typing import Annotated, Any

import typer

from waystation.cli.api import data_folder, need_running, who
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import plain

LEFT_OUT = {
    "already": "already delivered or on their way (--again sends what is delivered)",
    "filtered": "taken away by a destination's filter",
    "nowhere": "sent nowhere by the rules",
    "held": "held: they need a decision first",
    "gone": "too old: their files are gone",
}


def replay(
    where: Annotated[str, typer.Option("--where", metavar="EXPR", help="Expression, as in if")],
    since: Annotated[
        str, typer.Option("--since", metavar="T", help="Arrived then or later; or like 7d, 12h")
    ],
    until: Annotated[str, typer.Option("--until", metavar="T", help="Arrived before")] = "",
    to: Annotated[
        str, typer.Option("--to", metavar="NAME", help="Only there, whatever the rules say")
    ] = "",
    again: Annotated[bool, typer.Option("--again", help="Also what was delivered there")] = False,
    priority: Annotated[str, typer.Option("--priority", help="low, normal or stat")] = "low",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be made")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make new deliveries of kept objects; low in priority, through all filters."""
    from waystation.cli.instants import instant

    order: dict[str, Any] = {
        "where": where,
        "since": instant("--since", since),
        "until": instant("--until", until) if until else None,
        "to": to,
        "again": again,
        "priority": priority,
        "preview": dry_run,
        "user": who(),
    }
    done = need_running(data_folder(config)).post("/api/v1/replay", order)
    print(json.dumps(done)) if as_json else _print(done)


def _print(done: dict[str, Any]) -> None:
    verb = "would be made" if done["preview"] else "made"
    matches = _count(done["arrivals"], "object matches", "objects match")
    deliveries = _count(done["made"], "delivery", "deliveries")
    print(f"{matches}; {deliveries} of {_count(done['studies'], 'study', 'studies')} {verb}")
    for name, n in sorted(done["to"].items()):
        print(f"   {plain(name)}  {n:,}")
    for key, words in LEFT_OUT.items():
        if done[key]:
            print(f"left out: {done[key]:,} {words}")


def _count(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"
