"""``waystation reload``: have the running node read its configuration again (R-2)."""

import json
import sys
from typing import Any

import typer

from waystation.cli.api import data_folder, need_running
from waystation.cli.options import ConfigOption, JsonOption


def reload(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Put the configuration file in force, or print its faults and change nothing (exit 2)."""
    from waystation.app.faults import ConfigFaults

    try:
        api = need_running(data_folder(config))
    except ConfigFaults as error:
        # Too broken to say where the node is: it would be rejected anyway.
        answer: dict[str, Any] = {"ok": False, "faults": [str(fault) for fault in error.faults]}
    else:
        answer = api.post("/api/v1/reload", {})
    if as_json:
        print(json.dumps(answer))
    else:
        for fault in answer["faults"]:
            print(fault)
    if not answer["ok"]:
        print("the configuration in force stays", file=sys.stderr)
        raise typer.Exit(2)
    print("reloaded", file=sys.stderr)
