"""``waystation doctor --audit``: is the audit trail as it was written?

Contract: may run beside the node; exit 1 if a record was changed, removed or moved.
"""

import json
from pathlib import Path

import typer

from waystation.cli.api import data_folder


def look_through(config: Path | None, as_json: bool) -> None:
    """Read the whole trail and tell where it does not hold."""
    from waystation.app.loop import run
    from waystation.app.people_offline import audit_state

    number, broken = run(audit_state(data_folder(config)))
    if as_json:
        where = None if broken is None else {"number": broken.number, "why": broken.why}
        print(json.dumps({"records": number, "broken": where}))
    elif broken is None:
        print(f"the audit trail is as it was written: {number} records")
    else:
        print(f"the audit trail was tampered with: record {broken.number} {broken.why}")
    if broken is not None:
        raise typer.Exit(1)
