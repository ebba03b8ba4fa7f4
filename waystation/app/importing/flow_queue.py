"""DicomFlowRouter's queue into a data folder of ours, by the way every arrival takes.

Contract: each file is read to its end and checked like a received object; sealed; written to the
journal with its one delivery; and only then, if asked, renamed.  A file that is cut or is no DICOM
object is held ``corrupt`` without bytes of ours, so that nothing can ever send it: the original
stays where it is.  The node of the folder must be stopped (its lock is taken).  Importing again
makes nothing twice.
"""

import asyncio
import hashlib
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from waystation.app.importing.dicomflowrouter import Layout
from waystation.app.importing.flow_files import DONE, Queued, queued
from waystation.app.importing.sources import shown
from waystation.app.recovery import DataLock, open_database
from waystation.app.settings import Settings
from waystation.blobs.folder import BlobFolder
from waystation.blobs.volume import Marks, look, why_stop
from waystation.db.engine import Database
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Identity
from waystation.dicom.part10 import Meta, read_meta
from waystation.flows.incoming import Incoming
from waystation.flows.stage import Stages
from waystation.journal import arrivals, recovery
from waystation.journal.adoption import Adoption
from waystation.journal.ids import IdSource
from waystation.journal.imports import IMPORT, take_over
from waystation.journal.intake import IntakeLog
from waystation.journal.marks import LSN
from waystation.model.arrival import Arrival, Earlier, Source
from waystation.model.delivery import HoldReason
from waystation.model.errors import RefusedError, StorageError
from waystation.model.instance import Instance
from waystation.model.plan import Plan, Target
from waystation.rules.duplicates import DuplicatePolicy, judge
from waystation.wire.commands import C_STORE_RQ, Command
from waystation.wire.items import AcceptedContext

PIECE = 256 << 10
Say = Callable[[str], None]


@dataclass(slots=True)
class Ledger:
    """What became of the queue.  Every file is in exactly one of the first five."""

    counts: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        """True if everything will go out by itself."""
        return not (self.counts["corrupt"] or self.counts["held"] or self.counts["unreadable"])

    def __str__(self) -> str:
        words = ("taken over", "known before", "corrupt", "held", "unreadable", "renamed")
        return ", ".join(f"{self.counts[word]} {word}" for word in words)


@dataclass(frozen=True, slots=True)
class _Read:
    """A whole, sound object."""

    identity: Identity
    transfer_syntax: str
    size_bytes: int
    sha256: str
    data: bytes | None
    blob: str


def import_queue(found: Layout, settings: Settings, *, move: bool, say: Say) -> Ledger:
    """Take the queue over into the data folder of ``settings``.

    Raises `StorageError` if the folder is in use, full or damaged; what was done stays done.
    """
    files = queued(found, Path(settings.node.data))
    return asyncio.run(_Import(settings, say, move=move).run(files))


class _Import:
    def __init__(self, settings: Settings, say: Say, *, move: bool) -> None:
        self._settings = settings
        self._say = say
        self._move = move
        self._ledger = Ledger()

    async def run(self, files: list[Queued]) -> Ledger:
        folder = Path(self._settings.node.data)
        lock = DataLock(folder)
        try:
            self._database = open_database(folder)
            try:
                self._blobs = BlobFolder(folder / "blobs")
                self._ids = await _ids(folder, self._database)
                for file in files:
                    await self._file(file)
            finally:
                self._database.close()
        finally:
            lock.release()
        return self._ledger

    async def _file(self, file: Queued) -> None:
        self._room(file)
        try:
            descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            self._unread(file, error.strerror or "cannot be opened")
            return
        with os.fdopen(descriptor, "rb", buffering=0):
            try:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise OSError(0, "is no file")
                await self._whole(file, descriptor)
            except RefusedError as fault:
                await self._corrupt(file, descriptor, fault.comment)
            except DatasetError as error:
                await self._corrupt(file, descriptor, error.comment)
            except OSError as error:
                self._unread(file, error.strerror or "cannot be read")

    def _unread(self, file: Queued, why: str) -> None:
        self._ledger.counts["unreadable"] += 1
        self._say(f"unreadable  {shown(file.path)}: {why}")

    def _room(self, file: Queued) -> None:
        spool = self._settings.spool
        marks = Marks(max_used=spool.max_used / 100.0, min_free_bytes=spool.min_free)
        full = why_stop(look(self._blobs.root), marks, file.size_bytes)
        if full:
            raise StorageError(f"no room for the queue: {full}; what is left stays where it is")

    async def _whole(self, file: Queued, descriptor: int) -> None:
        found = _read(descriptor, self._blobs, file.calling_ae)
        arrival = self._arrival(file, found)
        if await self._adopt(file, arrival, found.data, file.hold, file.why):
            word = "held" if file.hold else "taken over"
            self._ledger.counts[word] += 1
            if file.hold:
                self._say(f"held        {shown(file.path)}: {file.why}")
        elif found.blob:
            self._blobs.drop(found.blob)
        if self._move:
            self._rename(file)

    async def _corrupt(self, file: Queued, descriptor: int, why: str) -> None:
        """Write down that there is a damaged file; its bytes stay only where they are."""
        prefix = os.pread(descriptor, PIECE, 0)
        try:
            meta = read_meta(prefix)
        except DatasetError:
            meta = Meta("", "", "", 0)
        identity = Identity(meta.sop_class_uid, meta.sop_instance_uid, "", "", "", "")
        digest = hashlib.sha256()
        for piece in _pieces(descriptor, 0):
            digest.update(piece)
        size_bytes = os.fstat(descriptor).st_size
        found = _Read(identity, meta.transfer_syntax_uid, size_bytes, digest.hexdigest(), None, "")
        said = f"cut or damaged: {why}"
        if await self._adopt(file, self._arrival(file, found), None, HoldReason.CORRUPT, said):
            self._ledger.counts["corrupt"] += 1
            self._say(f"corrupt     {shown(file.path)}: {why}; the file stays there")

    async def _adopt(
        self, file: Queued, arrival: Arrival, data: bytes | None, hold: HoldReason | None, why: str
    ) -> bool:
        target = Target(destination=file.destination, rules=(IMPORT,), hold=hold)
        corrupt = hold is HoldReason.CORRUPT
        plan = Plan(targets=(target,), hold=HoldReason.CORRUPT if corrupt else None)
        now = time.time()
        # The same bytes may wait for several endpoints; that is no duplicate.
        policy = DuplicatePolicy(same="send", different=self._settings.duplicates.different)

        def judged(arrival: Arrival, made: Plan, earlier: Sequence[Earlier]) -> Plan:
            return made if corrupt else judge(policy, arrival, made, earlier, now)

        adoption = Adoption(arrival=arrival, plan=plan, data=data)
        new = await self._database.write(take_over(adoption, self._ids, now, judged, why))
        if not new:
            self._ledger.counts["known before"] += 1
        return new

    def _arrival(self, file: Queued, found: _Read) -> Arrival:
        identity = found.identity
        return Arrival(
            id=self._ids.next(),
            received_at=file.received_at,
            source=Source(
                peer="", calling_ae=file.calling_ae, called_ae="", address="", way_in=IMPORT
            ),
            instance=Instance(
                sop_class_uid=identity.sop_class_uid,
                sop_instance_uid=identity.sop_instance_uid,
                study_uid=identity.study_uid,
                series_uid=identity.series_uid,
                transfer_syntax_uid=found.transfer_syntax,
                patient_id=identity.patient_id,
                modality=identity.modality,
            ),
            blob=found.blob,
            size_bytes=found.size_bytes,
            sha256=found.sha256,
        )

    def _rename(self, file: Queued) -> None:
        """Take the file out of the router's sight; never over another file."""
        beside = file.path.with_name(file.path.name + DONE)
        if os.path.lexists(beside):
            self._say(f"not renamed {shown(file.path)}: there is a {shown(beside)} already")
            return
        try:
            file.path.rename(beside)
        except OSError as error:
            self._say(f"not renamed {shown(file.path)}: {error.strerror}")
        else:
            self._ledger.counts["renamed"] += 1


async def _ids(folder: Path, database: Database) -> IdSource:
    """Return ids above all in use, also those that only the intake log knows."""
    last = await database.read(arrivals.last_id())
    text = await database.read(recovery.mark(LSN))
    records = IntakeLog(folder / "intake").open(int(text) if text else 0)
    known = [arrivals.from_meta(one.meta).id for one in records if one.meta.startswith(b"{")]
    return IdSource(max([last, *known]))


def _read(descriptor: int, blobs: BlobFolder, calling_ae: str) -> _Read:
    """Return the object of a file, its bytes sealed if they are many.

    Raises `RefusedError` or `DatasetError` if it is not whole, `StorageError` if it cannot be
    kept, OSError if it cannot be read.
    """
    meta = read_meta(os.pread(descriptor, PIECE, 0))
    command = Command(
        field=C_STORE_RQ,
        message_id=1,
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
    )
    context = AcceptedContext(1, meta.sop_class_uid, meta.transfer_syntax_uid)
    stages = Stages(PIECE)
    incoming = Incoming(command, context, blobs.draft, stages, calling_ae)
    try:
        for piece in _pieces(descriptor, meta.data_set_offset):
            incoming.take(memoryview(piece))
            while (ready := incoming.next_piece()) is not None:
                blocks, stage = ready
                assert incoming.draft is not None
                incoming.draft.write(blocks)
                if stage is not None:
                    stages.give_back(stage)
        _, identity = incoming.finish()
        sha256 = incoming.sha256()
        data = incoming.whole() if incoming.fits_inline else None
        blob = "" if data is not None else _sealed(incoming)
    except BaseException:
        if incoming.draft is not None:
            incoming.draft.discard()
        raise
    return _Read(
        identity,
        meta.transfer_syntax_uid,
        incoming.size_bytes,
        sha256,
        data,
        blob,
    )


def _sealed(incoming: Incoming) -> str:
    blocks = incoming.last_piece()
    assert incoming.draft is not None
    incoming.draft.write(blocks)
    return incoming.draft.seal()


def _pieces(descriptor: int, at: int) -> Iterator[bytes]:
    while piece := os.pread(descriptor, PIECE, at):
        at += len(piece)
        yield piece
