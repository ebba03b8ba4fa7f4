"""Files put into the archive of a node that does not run (T-35).

Contract: each file is read whole, checked as on reception, and compared by its digest with what the
archive has; then it is sealed, and filed with its arrival in one transaction, some at a time.  With
``in_place`` nothing is copied: the file gets a second name among the blobs, on the same file
system.  It may be broken off and begun again: what is there is passed over.
"""

import hashlib
import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from waystation.app.dicom_files import DicomFile, NoDicomFile, look, search
from waystation.blobs.folder import BlobFolder
from waystation.blobs.slots import sync_folder
from waystation.blobs.volume import Marks, why_stop
from waystation.blobs.volume import look as volume
from waystation.db.engine import Database, Job
from waystation.db.statement import Transaction
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head, Identity, identity
from waystation.dicom.part10 import file_meta
from waystation.dicom.uids import has_study, is_storage_class, is_uid
from waystation.dicom.walk import Walker
from waystation.flows.incoming import INLINE_LIMIT, padding
from waystation.flows.stage import BLOCK
from waystation.index.entry import entry_of
from waystation.journal.adoption import Adoption, File, adopt
from waystation.journal.ids import IdSource
from waystation.model.arrival import Arrival, Source
from waystation.model.errors import StorageError
from waystation.model.instance import Instance
from waystation.model.plan import Plan, Target, Verdict
from waystation.rules.duplicates import DuplicatePolicy, judge

RULE: Final = "archive add"
TOGETHER: Final = 64
TOGETHER_BYTES: Final = 64 << 20
PIECE: Final = 1 << 20
_KNOWN: Final = (
    "SELECT 1 FROM arrival a JOIN archived k ON k.arrival = a.id WHERE a.sop_instance = :uid"
    " AND a.sha256 = :sha256 AND coalesce(a.hold_reason, '') <> 'corrupt'"
    " AND a.ended_why IS NULL LIMIT 1"
)


@dataclass(slots=True)
class Added:
    """What became of the files.  skipped: no DICOM files; held: other bytes under a known UID."""

    added: int = 0
    known: int = 0
    held: int = 0
    skipped: int = 0
    size_bytes: int = 0
    failures: list[tuple[Path, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where objects go.  destination: the name of the archive among the ways out.

    marks: when the volume counts as full; then nothing more is added.

    author: who adds.  clock: Unix seconds.
    """

    database: Database
    blobs: BlobFolder
    ids: IdSource
    file: File
    policy: DuplicatePolicy
    marks: Marks
    destination: str
    author: str
    clock: Callable[[], float]


async def add(
    shelf: Shelf,
    paths: Iterable[Path],
    *,
    in_place: bool = False,
    told: Callable[[Added], None] = lambda _added: None,
) -> Added:
    """Put files and the files of folders into the archive; ``told`` of progress.

    Raises `StorageError` when the volume is full (R-9); what was added until then stays.
    """
    done = Added()
    batch: list[Adoption] = []
    seen: set[str] = set()
    for path, named in search(paths):
        found = look(path, named=named)
        if isinstance(found, NoDicomFile):
            done.skipped += not found.named
            done.failures += [(path, found.why)] if found.named else []
            continue
        full = why_stop(volume(shelf.blobs.root), shelf.marks, found.size_bytes)
        if full and not in_place:
            await _write(shelf, batch, done)
            raise StorageError(f"no room in the archive: {full}; {done.added} were added")
        try:
            adoption = await _adoption(shelf, found, seen, in_place=in_place)
        except (OSError, DatasetError, StorageError, ValueError) as error:
            done.failures.append((path, str(error)))
            continue
        if adoption is None:
            done.known += 1
            continue
        batch.append(adoption)
        seen.add(adoption.arrival.sha256)
        if len(batch) == TOGETHER or _size(batch) >= TOGETHER_BYTES:
            await _write(shelf, batch, done)
            batch, seen = [], set()
            told(done)
    await _write(shelf, batch, done)
    told(done)
    return done


def _size(batch: list[Adoption]) -> int:
    return sum(len(each.data or b"") for each in batch)


async def _adoption(
    shelf: Shelf, found: DicomFile, seen: set[str], *, in_place: bool
) -> Adoption | None:
    """Read and seal one file; None if the archive has it."""
    head, sha256 = _looked_at(found)
    known = _known(head.text(0x00080018), sha256)
    if sha256 in seen or await shelf.database.read(known):
        return None
    said = _checked(identity(head), head)
    inline = found.size_bytes <= INLINE_LIMIT and not in_place
    blob = "" if inline else (_linked if in_place else _copied)(shelf.blobs, found)
    target = Target(destination=shelf.destination, rules=(RULE,), archived=True)
    verdict = Verdict(rule=RULE, matched=True, clause=f"added by {shelf.author}")
    return Adoption(
        arrival=_arrival(shelf, found, said, sha256, blob),
        plan=Plan(targets=(target,), verdicts=(verdict,)),
        data=b"".join(_pieces(found)) if inline else None,
        entry=entry_of(head),
    )


def _looked_at(found: DicomFile) -> tuple[Head, str]:
    walker, digest = Walker(found.transfer_syntax_uid), hashlib.sha256()
    for piece in _pieces(found):
        walker.feed(piece)
        digest.update(piece)
    return walker.finish(), digest.hexdigest()


def _pieces(found: DicomFile) -> Iterator[bytes]:
    with found.path.open("rb") as file:
        file.seek(found.offset)
        while piece := file.read(PIECE):
            yield piece


def _checked(said: Identity, head: Head) -> Identity:
    """Return what the object says it is; ValueError if reception would refuse it (E6, E7)."""
    if not (is_uid(said.sop_class_uid) and is_uid(said.sop_instance_uid)):
        raise ValueError("SOP Class or Instance UID is missing or malformed")
    needed = is_storage_class(said.sop_class_uid) and has_study(said.sop_class_uid)
    for name, uid in (("Study", said.study_uid), ("Series", said.series_uid)):
        if (not uid and needed) or (uid and not is_uid(uid)):
            raise ValueError(f"{name} Instance UID is missing or malformed")
    return said


def _known(uid: str, sha256: str) -> Job[bool]:
    values = {"uid": uid, "sha256": bytes.fromhex(sha256)}

    def job(transaction: Transaction) -> bool:
        return transaction.one(_KNOWN, values) is not None

    return job


def _arrival(shelf: Shelf, found: DicomFile, said: Identity, sha256: str, blob: str) -> Arrival:
    return Arrival(
        id=shelf.ids.next(),
        received_at=shelf.clock(),
        source=Source(peer="", calling_ae="", called_ae="", address="", way_in="file"),
        instance=Instance(
            sop_class_uid=said.sop_class_uid,
            sop_instance_uid=said.sop_instance_uid,
            study_uid=said.study_uid,
            series_uid=said.series_uid,
            transfer_syntax_uid=found.transfer_syntax_uid,
            patient_id=said.patient_id,
            modality=said.modality,
        ),
        blob=blob,
        size_bytes=found.size_bytes,
        sha256=sha256,
    )


def _copied(blobs: BlobFolder, found: DicomFile) -> str:
    """Write a blob: our own file meta, the bytes of the data set, whole blocks."""
    draft = blobs.draft()
    meta = file_meta(
        found.sop_class_uid, found.sop_instance_uid, found.transfer_syntax_uid, source_ae=""
    )
    rest = padding(-(len(meta) + found.size_bytes) % BLOCK, found.transfer_syntax_uid)
    # Past the page cache only what begins on a page of memory can be written.
    stage, filled = memoryview(mmap.mmap(-1, 2 * PIECE + BLOCK)), 0
    try:
        for piece in (meta, *_pieces(found), rest):
            stage[filled : filled + len(piece)] = piece
            filled += len(piece)
            whole = filled // BLOCK * BLOCK
            if whole >= PIECE or (piece is rest and whole):
                draft.write(stage[:whole])
                stage[: filled - whole] = bytes(stage[whole:filled])
                filled -= whole
        return draft.seal()
    except BaseException:
        draft.discard()
        raise


def _linked(blobs: BlobFolder, found: DicomFile) -> str:
    """Give the file itself a second name among the blobs."""
    draft = blobs.draft()
    name = draft.bind()
    place = blobs.root / name
    beside = place.with_name(place.name + ".new")
    try:
        os.link(found.path.resolve(strict=True), beside)
        os.replace(beside, place)
    except OSError as error:
        draft.discard()
        reason = error.strerror or str(error)
        raise StorageError(f"cannot be kept in place ({reason}): leave out --in-place") from error
    draft.seal()
    blobs.sync(name)
    sync_folder(place.parent)
    return name


async def _write(shelf: Shelf, batch: list[Adoption], done: Added) -> None:
    if not batch:
        return
    decide = partial(judge, shelf.policy)
    now = shelf.clock()
    job = adopt(
        batch,
        shelf.ids,
        now,
        lambda arrival, plan, earlier: decide(arrival, plan, earlier, now),
        file=shelf.file,
    )
    for adoption, adopted in zip(batch, await shelf.database.write(job), strict=True):
        taken = any(target.archived and not target.hold for target in adopted.plan.targets)
        done.added += taken
        done.held += not taken
        done.size_bytes += adoption.arrival.size_bytes if taken else 0
