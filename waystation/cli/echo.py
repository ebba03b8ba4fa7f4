"""``waystation echo``: is a peer there, and does it talk to us (C-ECHO)?

Contract: exit 0 if every echo was answered with success, 1 if the peer refused or answered
something else, 3 if it could not be reached.  ``--json`` prints one document: ``ok``, ``ms``
(median), ``times_ms``, ``peer``; or ``ok``, ``layer``, ``why``.
"""

import json
import statistics
import sys
import time
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
from waystation.model.errors import LostError, UnreachableError, WaystationError

if TYPE_CHECKING:
    from waystation.model.peer import Remote
    from waystation.net.client import Call, Waits


def echo(
    target: Target,
    calling: Calling = "",
    repeat: Annotated[int, typer.Option(min=1, help="So many times, on one association")] = 1,
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
    """Ask TARGET whether it is there."""
    from waystation.app.loop import run

    asked = TlsAsked(on=tls, ca=ca, cert=cert, key=key, name=tls_name, insecure=insecure)
    remote = remote_of(target, calling, config, asked)
    try:
        found = run(_ask(remote, waits_of(timeout), repeat))
    except UnreachableError as error:
        _end({"ok": False, "layer": error.layer, "why": refusal_text(error, remote)}, as_json)
        raise typer.Exit(exit_code(error)) from None
    except LostError as error:
        _end({"ok": False, "layer": "echo", "why": f"echo: {error}"}, as_json)
        raise typer.Exit(1) from None
    except _Answered as error:
        _end({"ok": False, "layer": "echo", "why": f"echo: {error}"}, as_json)
        raise typer.Exit(1) from None
    _end(found, as_json, remote)


class _Answered(WaystationError):
    """The peer answered with something else than success."""


async def _ask(remote: "Remote", waits: "Waits", repeat: int) -> dict[str, Any]:
    from waystation.dicom.uids import EXPLICIT_VR_LE, IMPLICIT_VR_LE
    from waystation.net.client import VERIFICATION, Call
    from waystation.wire.negotiate import propose
    from waystation.wire.status import status_text

    began = time.perf_counter()
    contexts = propose([(VERIFICATION, [IMPLICIT_VR_LE, EXPLICIT_VR_LE])])[0]
    call = await Call.open(remote, contexts, waits)
    opened = time.perf_counter()
    try:
        times = []
        for _ in range(repeat):
            before = time.perf_counter()
            reply = await call.echo()
            times.append((time.perf_counter() - before) * 1000)
            if reply.status:
                raise _Answered(f"answered {status_text(reply.status)}")
    except WaystationError:
        call.abort()
        raise
    await call.release()
    return {
        "ok": True,
        "ms": round(statistics.median(times), 3),
        "times_ms": [round(one, 3) for one in times],
        "association_ms": round((opened - began) * 1000, 3),
        "peer": _peer(call),
    }


def _peer(call: "Call") -> dict[str, Any]:
    accepted = call.accepted
    if accepted is None:
        return {}
    return {
        "implementation": accepted.implementation_class_uid,
        "version": accepted.implementation_version,
        "max_pdu": accepted.max_pdu,
    }


def _end(found: dict[str, Any], as_json: bool, remote: "Remote | None" = None) -> None:
    if as_json:
        print(json.dumps(found))
    elif remote is None:
        print(plain(found["why"]), file=sys.stderr)
    else:
        peer = found["peer"]
        print(
            f"{plain(remote.ae_title)} answers in {found['ms']:.1f} ms"
            f" (association {found['association_ms']:.1f} ms,"
            f" {plain(peer.get('version')) or 'no version name'})"
        )
