"""Decisions about the queue, handed to the running node.

Contract: the node carries a decision out and records who took it.  What is chosen is counted
first; more than a hundred wants ``--yes``.  Deciding about nothing is no failure.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from waystation.cli.api import data_folder, need_running, who
from waystation.cli.sources import Wanted
from waystation.model.errors import ConfigError

MANY = 100
DONE = {
    "retry": "will be tried again",
    "hold": "held",
    "release": "released",
    "discard": "discarded",
    "resend": "will be sent again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision as the operator gave it."""

    action: str
    wanted: Wanted
    ids: Sequence[str] = ()
    everything: bool = False
    because: str = ""
    yes: bool = False
    preview: bool = False


def decide(decided: Decided, config: Path | None, *, as_json: bool) -> None:
    """Count, ask for ``--yes`` if that is many, carry out, say what was done."""
    if not (decided.wanted.narrowed or decided.ids or decided.everything):
        raise ConfigError(f"queue {decided.action}", "say which: ids, a filter, or --all")
    if decided.action == "discard" and not decided.because and not decided.preview:
        raise ConfigError("queue discard", "--because TEXT is needed: why may it go?")
    api = need_running(data_folder(config))
    path = f"/api/v1/deliveries/{decided.action}"
    order: dict[str, Any] = decided.wanted.filters() | {
        "ids": list(decided.ids),
        "all": decided.everything,
        "because": decided.because,
        "user": who(),
    }
    found = api.post(path, order | {"preview": True})
    if decided.preview:
        _say(found, as_json=as_json)
        return
    if found["matching"] > MANY and not decided.yes:
        print(f"{found['matching']} match: say --yes if you mean them all", file=sys.stderr)
        raise typer.Exit(2)
    _say(api.post(path, order), as_json=as_json)


def _say(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(done))
        return
    if done["preview"]:
        print(f"{done['matching']} match")
    else:
        print(f"{done['changed']} {DONE[done['action']]}")
    others = ", ".join(f"{n} {state}" for state, n in sorted(done["left"].items()))
    if others:
        print(f"left alone: {others}", file=sys.stderr)


def change_lane(name: str, change: str, config: Path | None) -> None:
    """Pause or resume one lane."""
    from urllib.parse import quote

    api = need_running(data_folder(config))
    api.post(f"/api/v1/destinations/{quote(name, safe='')}/{change}", {"user": who()})
    print(f"{name} {change}d by {who()}")
