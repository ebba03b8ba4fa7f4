"""``waystation alert test``: one message to everybody whom alerts and reports would reach (R-82).

Contract: needs no running node and sends at once, so that a wrong password shows here and not in
the night.  Exit 0 if everybody was reached, 1 if somebody refused, 3 if somebody could not be
reached, 2 if nobody is configured.
"""

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import plain
from waystation.model.errors import ConfigError, UnreachableError, WaystationError

if TYPE_CHECKING:
    from waystation.flows.outbox import Ways
    from waystation.journal.watching import Message

alert = typer.Typer(
    help="Alerts and reports.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@alert.callback()
def root() -> None:
    """Alerts and reports."""


@alert.command("test")
def try_out(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Send a test message to everybody who gets alerts or reports."""
    import os

    from waystation.app.loop import run
    from waystation.app.read import find_file, load
    from waystation.app.testing_alerts import everybody
    from waystation.app.wiring_watch import ways

    settings = load(find_file(config), os.environ).settings
    messages = everybody(settings)
    if not messages:
        raise ConfigError("alert.to", "nobody gets alerts or reports; write a mail address")
    found = run(_send_all(ways(settings), messages))
    if as_json:
        print(json.dumps({"ok": all(row["ok"] for row in found), "sent": found}))
    else:
        for row in found:
            print(f"{row['channel']} {plain(row['to'])}: {plain(row['why']) or 'taken'}")
    if any(row["layer"] == "" and not row["ok"] for row in found):
        raise typer.Exit(1)
    if not all(row["ok"] for row in found):
        raise typer.Exit(3)
    print(f"{len(found)} sent", file=sys.stderr)


async def _send_all(ways: "Ways", messages: "list[Message]") -> list[dict[str, Any]]:
    import time

    now = time.time()
    found = []
    for number, message in enumerate(messages):
        row = {"channel": message.channel, "ok": True, "why": "", "layer": ""}
        row["to"] = _shown(message)
        try:
            await ways.send(f"test-{int(now)}-{number}", message, at=now, now=now)
        except UnreachableError as error:
            row |= {"ok": False, "why": str(error), "layer": error.layer}
        except WaystationError as error:
            row |= {"ok": False, "why": str(error)}
        found.append(row)
    return found


def _shown(message: "Message") -> str:
    """Return who is meant; the path of a webhook is often its only secret."""
    from urllib.parse import urlsplit

    if message.channel != "webhook":
        return message.to
    parts = urlsplit(message.to)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/..."
