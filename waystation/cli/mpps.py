"""``waystation mpps``: tell a peer of a performed procedure step (MPPS), as a modality does.

Contract: ``create`` begins one (IN PROGRESS) and prints its UID; ``set`` changes or ends it.  Exit
1 with the status in words if the peer refuses, 3 if it cannot be reached.
"""

import json
import sys
import uuid
from datetime import datetime
from enum import StrEnum
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
from waystation.cli.worklist_values import read_values
from waystation.model.errors import ConfigError, UnreachableError, WaystationError

if TYPE_CHECKING:
    from waystation.net.query_call import Answer


class Operation(StrEnum):
    """What is told."""

    CREATE = "create"
    SET = "set"


def mpps(
    target: Target,
    operation: Annotated[Operation, typer.Argument(help="create or set")],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEYWORD=VALUE...",
            help="Such as ScheduledStepAttributesSequence.StudyInstanceUID=1.2.3",
        ),
    ] = None,
    uid: Annotated[str, typer.Option("--uid", metavar="UID", help="Of the performed step")] = "",
    completed: Annotated[bool, typer.Option("--completed", help="With set: it is done")] = False,
    discontinued: Annotated[
        bool, typer.Option("--discontinued", help="With set: it was given up")
    ] = False,
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
    """Tell TARGET that a procedure step is being performed, or how it ended."""
    from waystation.app.loop import run
    from waystation.app.performing import perform
    from waystation.dicom.uids import make_uid

    if operation is Operation.SET and not uid:
        raise ConfigError("--uid", "set needs the UID that create printed")
    asked = TlsAsked(on=tls, ca=ca, cert=cert, key=key, name=tls_name, insecure=insecure)
    remote = remote_of(target, calling, config, asked)
    uid = uid or make_uid(uuid.uuid4().bytes)
    said = read_values(words or [])
    if operation is Operation.CREATE:
        values = _begun(said, remote.calling_ae)
    else:
        values = _ended(said, completed=completed, discontinued=discontinued)
    try:
        answer = run(perform(remote, operation.value, uid, values, waits_of(timeout)))
    except UnreachableError as error:
        print(plain(refusal_text(error, remote)), file=sys.stderr)
        raise typer.Exit(exit_code(error)) from None
    except WaystationError as error:
        print(plain(f"mpps: {error}"), file=sys.stderr)
        raise typer.Exit(1) from None
    _tell(answer, answer.command.sop_instance_uid or uid, as_json=as_json)


def _tell(answer: "Answer", uid: str, *, as_json: bool) -> None:
    from waystation.wire.status import status_text

    comment = answer.command.error_comment
    if as_json:
        found = {"uid": uid, "status": f"{answer.status:04X}", "comment": comment}
        print(json.dumps(found))
    elif not answer.status:
        print(uid)
    if answer.status:
        text = status_text(answer.status) + (f": {comment}" if comment else "")
        print(plain(f"mpps: answered {text}"), file=sys.stderr)
        raise typer.Exit(1)


def _begun(said: dict[str, Any], station: str) -> dict[str, Any]:
    """Return what an N-CREATE says; what is not given is of now and of us."""
    now = datetime.now().astimezone()
    return {
        "PatientName": "",
        "PatientID": "",
        "PatientBirthDate": "",
        "PatientSex": "",
        "PerformedProcedureStepStatus": "IN PROGRESS",
        "PerformedProcedureStepID": f"{now:%H%M%S}",
        "PerformedStationAETitle": station,
        "PerformedProcedureStepStartDate": f"{now:%Y%m%d}",
        "PerformedProcedureStepStartTime": f"{now:%H%M%S}",
        "PerformedProcedureStepEndDate": "",
        "PerformedProcedureStepEndTime": "",
        "Modality": "OT",
        "ScheduledStepAttributesSequence": [{"StudyInstanceUID": ""}],
        "PerformedSeriesSequence": [],
    } | said


def _ended(said: dict[str, Any], *, completed: bool, discontinued: bool) -> dict[str, Any]:
    if completed and discontinued:
        raise ConfigError("--discontinued", "is not for a step that is --completed")
    if not completed and not discontinued:
        return said
    now = datetime.now().astimezone()
    return {
        "PerformedProcedureStepStatus": "COMPLETED" if completed else "DISCONTINUED",
        "PerformedProcedureStepEndDate": f"{now:%Y%m%d}",
        "PerformedProcedureStepEndTime": f"{now:%H%M%S}",
    } | said
