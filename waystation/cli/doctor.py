"""``waystation doctor``: what works with a peer, rung by rung, and what to set where it does not.

Contract: exit 0 if no rung is bad, 1 if one is, 3 if the peer could not be reached at all.
``--json`` prints one document for each target: ``target``, ``verdict``, ``rungs``.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waystation.cli.calling import (
    Ca,
    Calling,
    Cert,
    Insecure,
    Key,
    Timeout,
    Tls,
    TlsAsked,
    TlsName,
    remote_of,
    waits_of,
)
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import plain
from waystation.model.errors import ConfigError

if TYPE_CHECKING:
    from waystation.app.doctor import Check, Rung

MARKS = {"ok": "ok  ", "warn": "warn", "bad": "BAD ", "skipped": "-   "}
BEFORE_DICOM = {"name", "port", "tls"}


def doctor(
    target: Annotated[
        str,
        typer.Argument(help="AET@host:port, or a destination's name; default: all destinations"),
    ] = "",
    store: Annotated[
        bool, typer.Option("--store", help="Store a synthetic image (delete it there afterwards)")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where the peer may reach us, to move it back")
    ] = 0,
    calling: Calling = "",
    timeout: Timeout = "",
    tls: Tls = False,
    ca: Ca = None,
    cert: Cert = None,
    key: Key = None,
    tls_name: TlsName = "",
    insecure: Insecure = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Climb the ladder of tests to TARGET and tell what to set where it fails."""
    from waystation.app.doctor import Check, worst
    from waystation.app.loop import run

    asked = TlsAsked(on=tls, ca=ca, cert=cert, key=key, name=tls_name, insecure=insecure)
    code = 0
    for name in [target] if target else _destinations(config):
        remote = remote_of(name, calling, config, asked)
        check = Check(remote=remote, waits=waits_of(timeout), store=store, port=port)
        if not as_json:
            print(plain(f"{name}: {remote.calling_ae} calls {remote.ae_title}"))
        rungs = run(_climb(check, quiet=as_json))
        verdict = worst(rungs)
        if as_json:
            document = {
                "target": name,
                "verdict": verdict,
                "rungs": [asdict(rung) for rung in rungs],
            }
            print(json.dumps(document, ensure_ascii=False))
        if verdict == "bad":
            code = max(code, 3 if rungs[-1].name in BEFORE_DICOM else 1)
    if code:
        raise typer.Exit(code)


def _destinations(config: Path | None) -> list[str]:
    import os

    from waystation.app.read import find_file, load
    from waystation.app.settings_destination import DicomDestination

    settings = load(find_file(config), os.environ).settings
    found = [
        name for name, table in settings.destination.items() if isinstance(table, DicomDestination)
    ]
    if not found:
        raise ConfigError("TARGET", "is missing, and no DICOM destination is configured")
    return found


async def _climb(check: "Check", *, quiet: bool) -> "list[Rung]":
    from waystation.app.doctor import Doctor

    rungs = []
    async for rung in Doctor(check).climb():
        rungs.append(rung)
        if not quiet:
            print(plain(f"  {MARKS[rung.verdict]} {rung.name:12} {rung.text}"), flush=True)
            for word, value in rung.details.items():
                print(plain(f"       {'':12} {word}: {_listed(value)}"))
            if rung.advice and rung.verdict in ("bad", "warn"):
                print(plain(f"       {'':12} → {rung.advice}"))
    return rungs


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
