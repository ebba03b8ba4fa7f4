"""``waystation send``: files and folders to a peer (C-STORE).

Contract: each file is offered once, its bytes as they are stored.  Exit 0 if the peer took all of
them, 1 if some failed, 3 if it could not be reached.  ``--json`` prints one document:
``sent`` (taken, with or without a warning), ``warned``, ``failed``, ``seconds``, ``failures``.
"""

import json
import sys
import time
from contextlib import AbstractContextManager, nullcontext
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

if TYPE_CHECKING:
    from collections.abc import Callable

    from waystation.app.dicom_files import DicomFile, NoDicomFile
    from waystation.app.sending import Tally, Way
    from waystation.model.peer import Remote

MOST_PRINTED = 20


def send(
    target: Target,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders")],
    calling: Calling = "",
    parallel: Annotated[int, typer.Option(min=1, max=64, help="Associations side by side")] = 1,
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
    """Send files, and what folders hold, to TARGET."""
    from waystation.app.loop import run
    from waystation.app.sending import Failure, Way

    asked = TlsAsked(on=tls, ca=ca, cert=cert, key=key, name=tls_name, insecure=insecure)
    remote = remote_of(target, calling, config, asked)
    way = Way(remote=remote, waits=waits_of(timeout), parallel=parallel)
    began = time.perf_counter()
    files, others = _looked_at(paths)
    tally = run(_send(way, files))
    tally.failures += [Failure(path=one.path, why=one.why) for one in others if one.named]
    ignored = sum(not one.named for one in others)
    _report(tally, time.perf_counter() - began, ignored, remote, as_json=as_json)
    if tally.unreachable is not None and not tally.reached:
        raise typer.Exit(exit_code(tally.unreachable))
    if tally.failures or not tally.sent:
        raise typer.Exit(1)


def _looked_at(paths: list[Path]) -> "tuple[list[DicomFile], list[NoDicomFile]]":
    from waystation.app.dicom_files import DicomFile, look, search

    files: list[DicomFile] = []
    others: list[NoDicomFile] = []
    for path, named in search(paths):
        found = look(path, named=named)
        if isinstance(found, DicomFile):
            files.append(found)
        else:
            others.append(found)
    return files, others


async def _send(way: "Way", files: "list[DicomFile]") -> "Tally":
    from waystation.app.sending import Sender

    with _progress(files) as told:
        return await Sender(way, told).send(files)


def _progress(
    files: "list[DicomFile]",
) -> "AbstractContextManager[Callable[[DicomFile], None]]":
    """Return a progress bar on a terminal, and silence elsewhere."""
    if not sys.stderr.isatty():
        return nullcontext(lambda _file: None)
    from waystation.cli.progress import ByteBar

    return ByteBar(sum(file.size_bytes for file in files))


def _report(
    tally: "Tally", seconds: float, ignored: int, remote: "Remote", *, as_json: bool
) -> None:
    failures = tally.failures
    if tally.unreachable is not None and not tally.reached:
        print(plain(refusal_text(tally.unreachable, remote)), file=sys.stderr)
    if ignored:
        print(f"left out: {ignored} files that are not DICOM", file=sys.stderr)
    if as_json:
        document: dict[str, Any] = {
            "sent": tally.sent,
            "warned": tally.warned,
            "failed": len(failures),
            "seconds": round(seconds, 3),
            "failures": [{"path": str(one.path), "why": one.why} for one in failures],
        }
        print(json.dumps(document, ensure_ascii=False))
        return
    for one in failures[:MOST_PRINTED]:
        print(f"{plain(one.path)}: {plain(one.why)}", file=sys.stderr)
    if len(failures) > MOST_PRINTED:
        print(f"... and {len(failures) - MOST_PRINTED} more; --json lists all", file=sys.stderr)
    rate = f", {tally.sent / seconds:.0f}/s" if tally.sent and seconds else ""
    print(
        f"{tally.sent} sent ({tally.warned} with a warning), {len(failures)} failed"
        f" in {seconds:.1f} s{rate}"
    )
