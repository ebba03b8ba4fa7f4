"""``waystation from-dump IN OUT``: a file out of the text that dcmdump writes (dump2dcm's place).

Contract: ``-`` is stdin or stdout.  OUT appears whole or not at all, and an existing one is
replaced only with ``--force``.  What had to be put up with is told on stderr with its line.
Exit 1 if the text is no dump (FILE:LINE), 2 if OUT exists.
"""

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waystation.cli.tables import plain
from waystation.model.errors import ConfigError, WaystationError

if TYPE_CHECKING:
    from waystation.dicom.dump_text import Dump


def from_dump(
    source: Annotated[str, typer.Argument(metavar="IN", help="Dump; - for stdin")],
    target: Annotated[str, typer.Argument(metavar="OUT", help="File to write; - for stdout")],
    data_set: Annotated[
        bool, typer.Option("--data-set", help="Write the data set alone, without file header")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists")] = False,
) -> None:
    """Write a DICOM file from a dump."""
    from waystation.dicom.dump_text import DumpError, read_dump

    if target != "-" and Path(target).exists() and not force:
        raise ConfigError(target, "exists already; --force replaces it")
    raw = _read(source)
    try:
        dump = read_dump(raw)
    except DumpError as error:
        where = f"{plain(source)}:{error.line}"
        raise WaystationError(f"{where}: {str(error).partition(': ')[2]}") from None
    for warning in dump.warnings:
        print(f"{plain(source)}: {warning}", file=sys.stderr)
    content = dump.data if data_set else _header(dump) + dump.data
    if target == "-":
        sys.stdout.buffer.write(content)
    else:
        _write(Path(target), content)


def _read(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise ConfigError(source, error.strerror or "cannot be read") from None


def _header(dump: "Dump") -> bytes:
    """Return preamble and file meta information; classes as the dump or its data set says."""
    from waystation.dicom import tags
    from waystation.dicom.head import Head
    from waystation.dicom.part10 import file_meta
    from waystation.dicom.uids import EXPLICIT_VR_LE, MODALITY_WORKLIST_FIND, make_uid

    head = Head.from_bytes(dump.data, EXPLICIT_VR_LE)
    sop_class = head.text(tags.SOP_CLASS_UID) or dump.meta.get(0x00020002, "")
    instance = head.text(tags.SOP_INSTANCE_UID) or dump.meta.get(0x00020003, "")
    made = make_uid(hashlib.sha256(dump.data).digest()[:16])
    return file_meta(sop_class or MODALITY_WORKLIST_FIND, instance or made, EXPLICIT_VR_LE)


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise WaystationError(f"{path}: {error.strerror or error}") from None
