"""``waystation doctor``: what works with a peer, rung by rung, and what to set where it does not.

Contract: exit 0 if no rung is bad, 1 if one is, 3 if the peer could not be reached at all.
With ``--audit``: whether the audit trail is as it was written, 1 if not.
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
    from collections.abc import AsyncGenerator

    from waystation.app.doctor import Check, Rung
    from waystation.model.upstream import UpstreamTerms

MARKS = {"ok": "ok  ", "warn": "warn", "bad": "BAD ", "skipped": "-   "}
BEFORE_DICOM = {"name", "port", "tls"}


def doctor(
    target: Annotated[
        str,
        typer.Argument(
            help="AET@host:port, or the name of a destination or PACS; default: all of them"
        ),
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
    audit: Annotated[
        bool, typer.Option("--audit", help="Look through the audit trail instead of at peers")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Climb the ladder of tests to TARGET and tell what to set where it fails."""
    if audit:
        from waystation.cli.doctor_audit import look_through

        look_through(config, as_json)
        return
    from waystation.app.doctor import Check
    from waystation.app.loop import run

    asked = TlsAsked(on=tls, ca=ca, cert=cert, key=key, name=tls_name, insecure=insecure)
    code = 0
    for name in [target] if target else _everybody(config):
        terms = _pacs(name, config)
        if terms is not None:
            code = max(code, _told(name, run(_climb_pacs(*terms, quiet=as_json)), as_json))
            continue
        remote = remote_of(name, calling, config, asked)
        check = Check(remote=remote, waits=waits_of(timeout), store=store, port=port)
        if not as_json:
            print(plain(f"{name}: {remote.calling_ae} calls {remote.ae_title}"))
        code = max(code, _told(name, run(_climb(check, quiet=as_json)), as_json))
    if code:
        raise typer.Exit(code)


def _told(name: str, rungs: "list[Rung]", as_json: bool) -> int:
    """Print the document of one target if it is wanted; return the exit code."""
    from waystation.app.doctor import worst

    verdict = worst(rungs)
    if as_json:
        document = {"target": name, "verdict": verdict, "rungs": [asdict(rung) for rung in rungs]}
        print(json.dumps(document, ensure_ascii=False))
    if verdict != "bad":
        return 0
    return 3 if rungs[-1].name in BEFORE_DICOM else 1


def _pacs(name: str, config: Path | None) -> "tuple[UpstreamTerms, int] | None":
    """Return how a PACS is called and where we listen, None if no PACS is called so."""
    import os

    from waystation.app.read import find_file, load
    from waystation.app.wiring_pacs import upstream_terms

    if "@" in name:
        return None
    settings = load(find_file(config), os.environ).settings
    if name in settings.destination or name not in settings.pacs:
        return None
    return upstream_terms(settings)[name], settings.dicom.port


def _everybody(config: Path | None) -> list[str]:
    import os

    from waystation.app.read import find_file, load
    from waystation.app.settings_destination import DicomDestination

    settings = load(find_file(config), os.environ).settings
    found = [
        name for name, table in settings.destination.items() if isinstance(table, DicomDestination)
    ]
    found += [name for name in settings.pacs if name not in settings.destination]
    if not found:
        raise ConfigError("TARGET", "is missing, and no DICOM destination or PACS is configured")
    return found


async def _climb_pacs(terms: "UpstreamTerms", port: int, *, quiet: bool) -> "list[Rung]":
    from waystation.app.doctor_pacs import PacsDoctor

    if not quiet:
        print(plain(f"{terms.name}: {terms.find.calling_ae} asks {terms.find.ae_title}"))
    return await _listened(PacsDoctor(terms, port).climb(), quiet=quiet)


async def _climb(check: "Check", *, quiet: bool) -> "list[Rung]":
    from waystation.app.doctor import Doctor

    return await _listened(Doctor(check).climb(), quiet=quiet)


async def _listened(climbing: "AsyncGenerator[Rung, None]", *, quiet: bool) -> "list[Rung]":
    rungs = []
    async for rung in climbing:
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
