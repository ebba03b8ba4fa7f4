"""Start after a crash, in the order of S-11; may itself be killed at any step and run again."""

import fcntl
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from waystation.blobs.folder import BlobFolder
from waystation.blobs.slots import make_folder
from waystation.db.engine import Database
from waystation.db.migrate import migrate, quick_check
from waystation.flows.route import Acknowledged
from waystation.index import cache_book
from waystation.journal import arrivals, deliveries, recovery
from waystation.journal.arrivals import from_meta
from waystation.journal.ids import id_at
from waystation.journal.intake import IntakeLog, ever_written
from waystation.journal.marks import LSN, take_note
from waystation.model.arrival import Arrival
from waystation.model.errors import StorageError

log = structlog.get_logger()

MARK = "checked_at"
# Clocks and file times may differ a little; looking at a few folders twice is cheap.
SLACK_S = 120.0
CHUNK = 2000
# A whole check of a large file takes longer than a restart may.
QUICK_CHECK_BYTES = 128 << 20


class DataLock:
    """The lock that keeps a second process off a data folder (S-11 step 1)."""

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise StorageError(
                f"{folder} is in use by process {holder or 'unknown'}: "
                "only one node may work on a data folder"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go of the folder."""
        os.close(self._descriptor)


@dataclass(slots=True)
class Found:
    """What recovery came upon.  unplanned: a person asked for a new plan and it was not made."""

    leases: int = 0
    orphans: int = 0
    corrupt: int = 0
    unplanned: list[Arrival] = field(default_factory=list)


def open_database(folder: Path) -> Database:
    """Check and migrate the journal, then open it (step 2)."""
    path = folder / "journal.db"
    if not path.exists() and ever_written(folder / "intake"):
        # An empty one would forget what is owed, and everything would look in order.
        raise StorageError(
            f"{path} is missing, but images were received here: put it back or restore its last"
            f" copy, or move {folder} away to begin anew"
        )
    if path.exists() and 0 < path.stat().st_size <= QUICK_CHECK_BYTES:
        quick_check(path)
    migrate(path)
    path.chmod(0o600)
    database = Database(path)
    database.open()
    return database


async def read_intake(log_: IntakeLog, database: Database, blobs: BlobFolder) -> list[Acknowledged]:
    """Return the arrivals that the intake log has and the tables do not (step 4).

    Outcomes that had not reached the tables are written there at once.

    The record of an object in a file may have been written while its blob was not yet sealed.
    Such a pair was never acknowledged; it is told by its digest and left out.
    """
    text = await database.read(recovery.mark(LSN))
    found = []
    outcomes = []
    for record in log_.open(int(text) if text else 0):
        if record.meta.startswith(deliveries.OUTCOME):
            outcomes.append(record)
            continue
        arrival = from_meta(record.meta)
        if await database.read(arrivals.by_id(arrival.id)) is not None:
            log_.settled([record.lsn])
            continue
        if arrival.blob and not blobs.intact(arrival.blob, arrival.size_bytes, arrival.sha256):
            log.info("never acknowledged", arrival=f"{arrival.id:x}")
            log_.settled([record.lsn])
            continue
        if arrival.blob:
            # Whole, but perhaps never synced: an equal object that comes again relies on it.
            blobs.sync(arrival.blob)
        data = None if arrival.blob else record.data
        found.append(Acknowledged(arrival=arrival, data=data, lsn=record.lsn))
    await database.write(deliveries.replay([record.meta for record in outcomes]))
    log_.settled([record.lsn for record in outcomes])
    # Old records must not be met again when the rows they became are long swept.
    taken = log_.watermark(())
    await database.write(lambda transaction: take_note(transaction, taken))
    return found


async def recover(database: Database, blobs: BlobFolder) -> Found:
    """Bring journal and blobs together again, once the intake log is in the tables."""
    found = Found()
    text = await database.read(recovery.mark(MARK))
    since = float(text) - SLACK_S if text else 0.0
    await _check_rows(database, blobs, since, found)
    await _clear_folders(database, blobs, since, found)
    found.unplanned = await _unplanned(database)
    found.leases = await database.write(recovery.return_leases(time.time()))
    await database.write(recovery.set_mark(MARK, str(time.time())))
    if found.leases or found.orphans or found.corrupt or found.unplanned:
        log.info(
            "recovered",
            resumed=found.leases,
            orphans=found.orphans,
            corrupt=found.corrupt,
            to_be_routed=len(found.unplanned),
        )
    return found


async def _unplanned(database: Database) -> list[Arrival]:
    """Return arrivals that a person wanted planned anew when the process ended."""
    found: list[Arrival] = []
    after = 0
    while batch := await database.read(arrivals.unplanned(after, CHUNK)):
        after = batch[-1].id
        found += batch
    return found


async def _check_rows(database: Database, blobs: BlobFolder, since: float, found: Found) -> None:
    """Hold arrivals whose file is missing or too short (step 5); those of the cache just go."""
    after = id_at(since)
    while batch := await database.read(recovery.planned_blobs(after, CHUNK)):
        after = batch[-1][0]
        bad = [
            arrival_id for arrival_id, name, size_bytes in batch if blobs.size_of(name) < size_bytes
        ]
        if bad:
            again = await database.write(cache_book.damaged(bad))
            bad = [arrival_id for arrival_id in bad if arrival_id not in again]
            found.corrupt += len(bad)
            await database.write(recovery.hold_corrupt(bad, "file missing or cut at start"))


async def _clear_folders(database: Database, blobs: BlobFolder, since: float, found: Found) -> None:
    """Take files that no row needs out of sight: nobody was told that they are kept (step 4)."""
    for folder in blobs.folders_since(since):
        files = blobs.names_in(folder)
        known = await database.read(recovery.known_blobs([name for name, _ in files]))
        for name, size_bytes in files:
            if name in known:
                continue
            if size_bytes == 0:
                blobs.drop(name)
            else:
                blobs.set_aside(name, blobs.orphans)
                found.orphans += 1
        blobs.drop_folder(folder)
