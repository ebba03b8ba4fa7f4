"""One object on its way in: checked while it comes, staged, written piece by piece.

Contract: `take` copies what it is given and never blocks; `next_piece` hands out what should be
written next.  Two pieces and the head are in memory at most, whatever the size of the object
(R-6).  The bytes are kept as they came; the walker only looks at their structure (R-5).
"""

import hashlib
import struct
from collections.abc import Callable

from waystation.blobs.folder import Draft
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, Identity, identity
from waystation.dicom.limits import WalkLimits
from waystation.dicom.part10 import file_meta
from waystation.dicom.uids import (
    DEFLATED_SYNTAXES,
    EXPLICIT_VR_BE,
    IMPLICIT_SYNTAXES,
    has_study,
    is_storage_class,
    is_uid,
)
from waystation.dicom.walk import Walker
from waystation.flows.stage import BLOCK, Stage, Stages
from waystation.model.errors import RefusedError
from waystation.wire.commands import Command
from waystation.wire.items import AcceptedContext
from waystation.wire.status import CANNOT_UNDERSTAND, DATA_SET_MISMATCH

# Objects up to this size ride in the journal: one commit seals them (decision 0002).
INLINE_LIMIT = 64 * 1024
PADDING_HEADER = 12
# Of longer heads the rest is read from the file when somebody needs it (L11, R-6).
WALK_LIMITS = WalkLimits(head_bytes=1 << 20)


class Incoming:
    """The object of one C-STORE request.

    new_draft: makes a draft when the object turns out not to fit into the journal.
    """

    def __init__(
        self,
        command: Command,
        context: AcceptedContext,
        new_draft: Callable[[], Draft],
        stages: Stages,
        calling_ae: str,
    ) -> None:
        self.command = command
        self.context = context
        self.fault: RefusedError | None = None
        self.draft: Draft | None = None
        self.size_bytes = 0
        self._new_draft = new_draft
        self._stages = stages
        self._stage: Stage | None = stages.take()
        self._digest = hashlib.sha256()
        self._walker = Walker(context.transfer_syntax, limits=WALK_LIMITS)
        meta = file_meta(
            command.sop_class_uid,
            command.sop_instance_uid,
            context.transfer_syntax,
            source_ae=calling_ae,
        )
        self._meta_size = len(meta)
        self._stage.put(meta)
        if command.fault_status:
            self.refuse(RefusedError(command.fault_status, command.fault_comment))

    def take(self, data: memoryview) -> None:
        """Take a piece of the data set; after a fault the rest is only counted (S-36)."""
        self.size_bytes += len(data)
        if self.fault is not None:
            return
        try:
            self._walker.feed(data)
        except DatasetError as error:
            self.refuse(RefusedError(CANNOT_UNDERSTAND, error.comment))
            return
        self._digest.update(data)
        assert self._stage is not None
        self._stage.put(data)

    def refuse(self, fault: RefusedError) -> None:
        """Note why this object will not be kept; the first reason stays."""
        self.fault = self.fault or fault
        self.forget()

    def forget(self) -> None:
        """Give back what is staged."""
        stage, self._stage = self._stage, None
        if stage is not None:
            self._stages.give_back(stage)

    def next_piece(self) -> tuple[memoryview, Stage | None] | None:
        """Return blocks to be written now, and the stage that is free afterwards, or None."""
        stage = self._stage
        if stage is None:
            return None
        if stage.full and self._stages.spare:
            self._stage = self._stages.take()
            self.draft = self.draft or self._new_draft()
            return stage.split(self._stage), stage
        blocks = stage.early()
        if blocks is None:
            return None
        self.draft = self.draft or self._new_draft()
        return blocks, None

    def last_piece(self) -> memoryview:
        """Return what is left to write, filled up to a whole block; valid until `forget`."""
        stage = self._stage
        assert stage is not None
        self.draft = self.draft or self._new_draft()
        stage.put(padding(-stage.size % BLOCK, self.context.transfer_syntax))
        return stage.rest()

    @property
    def must_wait(self) -> bool:
        """True if nothing more can be taken before a stage comes back."""
        stage = self._stage
        return stage is not None and stage.full

    @property
    def fits_inline(self) -> bool:
        """True if the object is small enough to ride in the journal."""
        return self.size_bytes <= INLINE_LIMIT

    def whole(self) -> bytes | None:
        """Return a copy of the whole data set, or None if it is not in one piece here."""
        stage = self._stage
        if stage is None or stage.size < self._meta_size + self.size_bytes:
            return None
        return bytes(stage.filled()[self._meta_size : self._meta_size + self.size_bytes])

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
            raise RefusedError(CANNOT_UNDERSTAND, error.comment) from error
        found = identity(head)
        _check(found, self.command)
        if self.context.abstract_syntax != found.sop_class_uid:
            raise RefusedError(DATA_SET_MISMATCH, "SOP Class UID differs from the context's")
        return head, found


def padding(size: int, transfer_syntax_uid: str) -> bytes:
    """Return at least ``size`` bytes that fill a file up to a whole block, behind a data set.

    They are Data Set Trailing Padding (FFFC,FFFC) where the encoding lets it stand there
    (PS3.10 7.2), else zeros.  An element that would not fit takes one more block.
    """
    if size == 0:
        return b""
    if transfer_syntax_uid in (EXPLICIT_VR_BE, *DEFLATED_SYNTAXES):
        return bytes(size)
    if size < PADDING_HEADER:
        size += BLOCK
    if transfer_syntax_uid in IMPLICIT_SYNTAXES:
        return struct.pack("<HHI", 0xFFFC, 0xFFFC, size - 8) + bytes(size - 8)
    return struct.pack("<HH2s2xI", 0xFFFC, 0xFFFC, b"OB", size - 12) + bytes(size - 12)


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
