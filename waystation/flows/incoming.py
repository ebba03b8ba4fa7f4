"""One object on its way in: checked while it comes, staged, written piece by piece.

Contract: `take` copies what it is given and never blocks; `full_piece` hands out what should be
written next.  At most two pieces and the head are in memory, whatever the size of the object
(R-6).  The bytes are kept as they came; the walker only looks at their structure (R-5).
"""

import hashlib
from collections.abc import Callable

from waystation.blobs.folder import Draft
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, Identity, identity
from waystation.dicom.part10 import file_meta
from waystation.dicom.uids import has_study, is_storage_class, is_uid
from waystation.dicom.walk import Walker
from waystation.model.errors import RefusedError
from waystation.wire.commands import Command
from waystation.wire.items import AcceptedContext
from waystation.wire.status import CANNOT_UNDERSTAND, DATA_SET_MISMATCH

PIECE = 256 * 1024
# Objects up to this size ride in the journal: one commit seals them (decision 0002).
INLINE_LIMIT = 64 * 1024


class Incoming:
    """The object of one C-STORE request.

    new_draft: makes a draft when the object turns out not to fit into the journal.
    """

    def __init__(
        self,
        command: Command,
        context: AcceptedContext,
        new_draft: Callable[[], Draft],
        calling_ae: str,
    ) -> None:
        self.command = command
        self.context = context
        self.fault: RefusedError | None = None
        self.draft: Draft | None = None
        self.size_bytes = 0
        self._new_draft = new_draft
        self._calling_ae = calling_ae
        self._digest = hashlib.sha256()
        self._walker = Walker(context.transfer_syntax)
        self._stage = bytearray()
        if command.fault_status:
            self.fault = RefusedError(command.fault_status, command.fault_comment)

    def take(self, data: memoryview) -> None:
        """Take a piece of the data set; after a fault the rest is only counted (S-36)."""
        self.size_bytes += len(data)
        if self.fault is not None:
            return
        try:
            self._walker.feed(data)
        except DatasetError as error:
            self.refuse(RefusedError(CANNOT_UNDERSTAND, str(error)))
            return
        self._digest.update(data)
        self._stage += data

    def refuse(self, fault: RefusedError) -> None:
        """Note why this object will not be kept; the first reason stays."""
        self.fault = self.fault or fault
        self._stage = bytearray()

    def full_piece(self) -> bytearray | None:
        """Return a piece that should be written now, or None."""
        return self._cut() if len(self._stage) >= PIECE else None

    def last_piece(self) -> bytearray:
        """Return what is still staged."""
        return self._cut()

    def _cut(self) -> bytearray:
        piece, self._stage = self._stage, bytearray()
        if self.draft is None:
            self.draft = self._new_draft()
            piece[:0] = file_meta(
                self.command.sop_class_uid,
                self.command.sop_instance_uid,
                self.context.transfer_syntax,
                source_ae=self._calling_ae,
            )
        return piece

    @property
    def fits_inline(self) -> bool:
        """True if the object is small enough to ride in the journal."""
        return self.draft is None and self.size_bytes <= INLINE_LIMIT

    @property
    def staged(self) -> bytearray:
        """The whole data set of an object that fits inline."""
        return self._stage

    def sha256(self) -> str:
        """Return the digest of the data set as it came over the wire."""
        return self._digest.hexdigest()

    def finish(self) -> tuple[Head, Identity]:
        """Check the whole object; return its head.  Raises `RefusedError` (E6, E7)."""
        if self.fault is not None:
            raise self.fault
        try:
            head = self._walker.finish()
        except DatasetError as error:
            raise RefusedError(CANNOT_UNDERSTAND, str(error)) from error
        found = identity(head)
        _check(found, self.command)
        return head, found


def _check(found: Identity, command: Command) -> None:
    if (
        found.sop_class_uid != command.sop_class_uid
        or found.sop_instance_uid != command.sop_instance_uid
    ):
        if not found.sop_class_uid or not found.sop_instance_uid:
            raise RefusedError(CANNOT_UNDERSTAND, "SOP Class or Instance UID is missing")
        what = "Class" if found.sop_class_uid != command.sop_class_uid else "Instance"
        raise RefusedError(DATA_SET_MISMATCH, f"SOP {what} UID differs from the command's")
    if not (is_uid(found.sop_class_uid) and is_uid(found.sop_instance_uid)):
        raise RefusedError(CANNOT_UNDERSTAND, "SOP Class or Instance UID is malformed")
    needed = is_storage_class(found.sop_class_uid) and has_study(found.sop_class_uid)
    for name, uid in (("Study", found.study_uid), ("Series", found.series_uid)):
        if not uid and needed:
            raise RefusedError(CANNOT_UNDERSTAND, f"{name} Instance UID is missing")
        if uid and not is_uid(uid):
            raise RefusedError(CANNOT_UNDERSTAND, f"{name} Instance UID is malformed")
