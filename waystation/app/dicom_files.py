"""Files to send: searched, and looked at just enough to negotiate.

Contract: only the beginning of a file is read here.  A file named on the command line must be a
DICOM file; one that a search came upon and that is none is left out and counted.  Links to
folders are not followed, names that begin with a dot and DICOMDIR are left out of a search.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from waystation.dicom import tags
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.part10 import Meta, read_meta

PREFIX_BYTES = 64 * 1024
LONG_PREFIX_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomFile:
    """One object on disk; its data set begins at ``offset`` and is ``size_bytes`` long."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDicomFile:
    """A file that cannot be sent.  named: it stood on the command line itself."""

    path: Path
    why: str
    named: bool


def search(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield (file, whether it was named itself), folders searched in order of name."""
    for path in paths:
        if not path.is_dir():
            yield path, True
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if not name.startswith(".") and name != "DICOMDIR":
                    yield Path(folder, name), False


def look(path: Path, *, named: bool) -> DicomFile | NoDicomFile:
    """Read what the beginning of a file says of it."""
    try:
        with path.open("rb") as file:
            prefix = file.read(PREFIX_BYTES)
            size = os.fstat(file.fileno()).st_size
            try:
                meta = _identified(prefix)
            except DatasetError:
                if size <= PREFIX_BYTES:
                    raise
                meta = _identified(prefix + file.read(LONG_PREFIX_BYTES - PREFIX_BYTES))
    except OSError as error:
        return NoDicomFile(path=path, why=error.strerror or str(error), named=True)
    except DatasetError as error:
        return NoDicomFile(path=path, why=str(error), named=named or prefix[128:132] == b"DICM")
    return DicomFile(
        path=path,
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        offset=meta.data_set_offset,
        size_bytes=size - meta.data_set_offset,
    )


def _identified(prefix: bytes) -> Meta:
    """Return the meta information, its identity that of the data set.

    Tools that copied a file under a new UID often changed only one of the two; a receiver compares
    the C-STORE with the data set.
    """
    meta = read_meta(prefix)
    try:
        head = Head.from_bytes(
            prefix[meta.data_set_offset :], meta.transfer_syntax_uid, tail_missing=True
        )
    except DatasetError:
        if meta.sop_class_uid and meta.sop_instance_uid:
            return meta
        raise
    meta = meta._replace(
        sop_class_uid=head.text(tags.SOP_CLASS_UID) or meta.sop_class_uid,
        sop_instance_uid=head.text(tags.SOP_INSTANCE_UID) or meta.sop_instance_uid,
    )
    if not (meta.sop_class_uid and meta.sop_instance_uid):
        raise DatasetError("R-5", "no SOP Class or Instance UID in the file")
    return meta
