"""A table of pseudonyms in a file, read again when it changes (D-29).

Contract: the table is replaced whole, by another whole one; while the file is missing or could be
read in two ways, the last good one stays in force and the log says why.  Without a good one ever,
`HeldError`: the object waits.  Safe to call from several threads.
"""

import hashlib
from pathlib import Path
from threading import Lock

import structlog

from waystation.model.delivery import HoldReason
from waystation.transforms.deid.pseudonyms import (
    Crosswalk,
    IdentityRules,
    Patient,
    Pseudonym,
    read_table,
)
from waystation.transforms.held import HeldError

log = structlog.get_logger()
Signature = tuple[int, int, int]


class CrosswalkFile:
    """One file.  rules: what makes two Patient IDs one."""

    def __init__(self, path: Path, rules: IdentityRules) -> None:
        self._path = path
        self._rules = rules
        self._lock = Lock()
        self._signature: Signature | None = None
        self._digest = ""
        self._table: Crosswalk | None = None

    @property
    def digest(self) -> str:
        """Of the table in force, "" while there is none."""
        with self._lock:
            self._look()
            return self._digest

    def __call__(self, patient: Patient) -> Pseudonym | None:
        """Return the pseudonym of a patient, None if the table has none.  Raises `HeldError`."""
        with self._lock:
            self._look()
            table = self._table
        if table is None:
            raise HeldError(
                HoldReason.DEID_FAILED, "the table of pseudonyms cannot be read", transient=True
            )
        return table.find(patient)

    def _look(self) -> None:
        """Read the file if `stat` says that it may have changed."""
        try:
            state = self._path.stat()
            signature = (state.st_mtime_ns, state.st_size, state.st_ino)
            if signature == self._signature:
                return
            content = self._path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            if digest != self._digest:
                self._table = read_table(content.decode("utf-8"), self._rules)
                self._digest = digest
                log.info("pseudonyms_read", file=str(self._path), patients=len(self._table))
            self._signature = signature
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            log.error("pseudonyms_unusable", file=str(self._path), why=why)
