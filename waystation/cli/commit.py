"""``waystation commit``: does a peer promise to keep these objects (Storage Commitment)?

Contract: exit 0 if it promised all of them, 1 if it refused, promised only some, or did not report
in time, 3 if it could not be reached.  ``--json`` prints one document: ``transaction``,
``committed``, ``failed`` (UID, reason), ``reported``.
"""

import json
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waystation.cli.calling import (
    Ca,
    Calling,
    Cert,
    Insecure,
    Key,
    Target,
    Timeout,
    Tls,
    TlsAsked,
    TlsName,
    exit_code,
    refusal_text,
    remote_of,
    waits_of,
)
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import plain
from waystation.model.errors import ConfigError, UnreachableError, WaystationError

if TYPE_CHECKING:
    from waystation.app.committing import Wish
    from waystation.flows.commitment_data import Report
    from waystation.journal.commitments import Reference

MOST_PRINTED = 20


def commit(
    target: Target,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders")],
    wait: Annotated[str, typer.Option("--wait", metavar="TIME", help="For the report")] = "60s",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Listen here for a report that comes later")
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
    """Ask TARGET to promise that it keeps the objects in these files."""
    from waystation.app import committing
    from waystation.app.loop import run
    from waystation.dicom.uids import make_uid

    asked = TlsAsked(on=tls, ca=ca, cert=cert, key=key, name=tls_name, insecure=insecure)
    remote = remote_of(target, calling, config, asked)
    wish = committing.Wish(
        objects=_objects(paths),
        transaction_uid=make_uid(uuid.uuid4().bytes),
        wait_s=_seconds(wait),
        port=port,
    )
    try:
        report = run(committing.commit(remote, wish, waits_of(timeout)))
    except UnreachableError as error:
        print(plain(refusal_text(error, remote)), file=sys.stderr)
        raise typer.Exit(exit_code(error)) from None
    except ConfigError:
        raise
    except WaystationError as error:
        print(plain(f"commit: {error}"), file=sys.stderr)
        raise typer.Exit(1) from None
    _tell(wish, report, as_json=as_json)
    if report is None or report.failures or len(report.safe) < len(wish.objects):
        raise typer.Exit(1)


def _objects(paths: list[Path]) -> "list[Reference]":
    from waystation.app.dicom_files import NoDicomFile, look, search

    found: list[Reference] = []
    for path, named in search(paths):
        file = look(path, named=named)
        if isinstance(file, NoDicomFile):
            if file.named:
                raise ConfigError(str(file.path), file.why)
            continue
        found.append((file.sop_class_uid, file.sop_instance_uid))
    if not found:
        raise ConfigError("PATH", "no DICOM file there")
    return list(dict.fromkeys(found))


def _seconds(wait: str) -> float:
    from waystation.app.quantities import read_duration

    try:
        return read_duration(wait)
    except ValueError as error:
        raise ConfigError("--wait", str(error)) from error


def _tell(wish: "Wish", report: "Report | None", *, as_json: bool) -> None:
    from waystation.wire.status import status_text

    failures = [] if report is None else [*report.failures]
    if as_json:
        document: dict[str, Any] = {
            "transaction": wish.transaction_uid,
            "reported": report is not None,
            "committed": 0 if report is None else len(report.safe),
            "failed": [{"uid": uid, "reason": status_text(why)} for _, uid, why in failures],
        }
        print(json.dumps(document))
        return
    for _, uid, why in failures[:MOST_PRINTED]:
        print(plain(f"not committed: {uid}: {status_text(why)}"), file=sys.stderr)
    if report is None:
        print("the peer took the request; its report did not come in time", file=sys.stderr)
        return
    print(f"{len(report.safe)} committed, {len(failures)} not")
