"""``waystation health``: may this node be given work?

Contract: asks ``/health/ready`` where the node itself told that it listens; needs no rights and
no other program, so it can be the health check of a container that has none.  Exit 0 if it is
ready, 1 if it runs and is not (every reason on stdout), 3 if no node answers.
"""

import json
import urllib.error
from pathlib import Path
from typing import Any

import typer

from waystation.cli.api import announced, data_folder, opener
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import plain
from waystation.model.errors import UnreachableError

PATIENCE_S = 5.0


def health(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say whether the running node is ready, or why not."""
    found = _ask(data_folder(config))
    if as_json:
        print(json.dumps(found))
    else:
        print(plain("; ".join([found["status"], *found["reasons"]])))
    if found["status"] != "ready":
        raise typer.Exit(1)


def _ask(data: Path) -> dict[str, Any]:
    """Return status and reasons; raise `UnreachableError` if no node on ``data`` gives them."""
    told = announced(data)
    if told is None:
        raise UnreachableError(
            "connect", f"no node is running on {data} (or its web listener is off)"
        )
    url = told[0] + "/health/ready"
    try:
        try:
            answer = opener(data).open(url, timeout=PATIENCE_S)
        except urllib.error.HTTPError as error:
            # 503 tells its reasons in the same words as 200.
            answer = error
        with answer:
            found = json.load(answer)
        return {"status": str(found["status"]), "reasons": [str(one) for one in found["reasons"]]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreachableError("connect", f"{url}: {getattr(error, 'reason', error)}") from error
