"""``waystation import``: files, folders and ZIP archives into the running node (R-19).

Contract: what is imported takes the way of every image: it is sealed and journaled before it counts
as taken, and the rules decide where it goes.  Files stay where they are.  Exit 0 if all were
taken, 1 if some failed, 3 if no node is running.  ``--json`` prints one document: ``taken``,
``failed``, ``seconds``, ``failures``.
"""

import json
import sys
import time
import zipfile
from pathlib import Path
from typing import Annotated, Any

import typer

from waystation.cli.api import NodeApi, data_folder, need_running, store_path
from waystation.cli.file_lists import expanded
from waystation.cli.options import ConfigOption, JsonOption
from waystation.cli.tables import plain
from waystation.model.errors import ConfigError, UnreachableError, WaystationError

MOST_PRINTED = 20
DICOM, ZIP = "application/dicom", "application/zip"


def take_in(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders, ZIP archives, @LIST")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give files to the running node, as if they had come over the network."""
    from waystation.app.dicom_files import search

    data = data_folder(config)
    api, place = need_running(data), store_path(data)
    began, taken, others = time.monotonic(), 0, 0
    failures: list[dict[str, str]] = []
    for path, named in search(expanded(paths)):
        if not path.exists():
            raise ConfigError(str(path), "no such file or folder")
        kind = _kind(path, named=named)
        if not kind:
            others += 1
            continue
        try:
            stored, faults = _import(api, place, path, kind)
        except UnreachableError:
            raise
        except WaystationError as error:
            stored, faults = 0, [str(error)]
        taken += stored
        failures += [{"path": str(path), "why": why} for why in faults]
    _report(taken, failures, others, time.monotonic() - began, as_json=as_json)
    if failures:
        raise typer.Exit(1)


def _kind(path: Path, *, named: bool) -> str:
    """Return the media type of a file, "" for one in a folder that is nothing for us."""
    from waystation.app.dicom_files import DicomFile, look

    if zipfile.is_zipfile(path):
        return ZIP
    return DICOM if named or isinstance(look(path, named=named), DicomFile) else ""


def _import(api: NodeApi, place: str, path: Path, kind: str) -> tuple[int, list[str]]:
    """Return how many objects were taken, and why others were not."""
    try:
        with path.open("rb") as file:
            answer = api.upload(place, file, path.stat().st_size, kind)
    except OSError as error:
        return 0, [error.strerror or str(error)]
    from waystation.dicomweb.stow import FAILED, OTHERS, STORED

    stored = len(answer.get(STORED, {}).get("Value", ()))
    refused = [item for tag in (FAILED, OTHERS) for item in answer.get(tag, {}).get("Value", ())]
    return stored, [_reason(item) for item in refused]


def _reason(item: dict[str, Any]) -> str:
    from waystation.dicomweb.stow import FAILURE_REASON
    from waystation.wire.status import status_text

    number = item.get(FAILURE_REASON, {}).get("Value", [0])[0]
    return status_text(int(number))


def _report(
    taken: int, failures: list[dict[str, str]], others: int, seconds: float, *, as_json: bool
) -> None:
    if others:
        print(f"left out: {others} files that are not DICOM", file=sys.stderr)
    if as_json:
        document = {
            "taken": taken,
            "failed": len(failures),
            "seconds": round(seconds, 3),
            "failures": failures,
        }
        print(json.dumps(document, ensure_ascii=False))
        return
    for one in failures[:MOST_PRINTED]:
        print(f"failed: {plain(one['path'])}: {plain(one['why'])}")
    if len(failures) > MOST_PRINTED:
        print(f"... and {len(failures) - MOST_PRINTED} more")
    print(f"{taken} objects taken, {len(failures)} failed, in {seconds:.1f} s")
