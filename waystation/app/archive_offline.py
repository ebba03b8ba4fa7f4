"""The archive of a data folder without its node: looked at beside it, or changed while it is off.

Contract: `reading` opens the journal read-only and may run beside a node.  `writing` takes the lock
of the folder: `StorageError` while a node works on it.
"""

import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from waystation.app.recovery import DataLock, open_database
from waystation.app.settings import Settings
from waystation.app.settings_archive import ArchiveDestination
from waystation.app.shelving import Shelf
from waystation.app.wiring import routing, sweep_settings
from waystation.app.wiring_schedule import Windows
from waystation.blobs.folder import BlobFolder
from waystation.blobs.reading import BlobReader
from waystation.db.engine import Database, Job
from waystation.db.migrate import FORMAT, format_of
from waystation.db.statement import Transaction
from waystation.dicom.head import Head
from waystation.flows.heads import head_from
from waystation.index.archive import Archive
from waystation.index.filing import file_all
from waystation.index.pages import ImageRow
from waystation.index.proof import Mending, Proof
from waystation.index.search import Reads
from waystation.journal import arrivals, heads
from waystation.journal.heads import HeadSource
from waystation.journal.ids import IdSource
from waystation.model.errors import StorageError

T = TypeVar("T")


class ReadOnly:
    """The journal of a data folder, opened anew for each question."""

    def __init__(self, data: Path) -> None:
        self._path = data / "journal.db"
        found = format_of(self._path)
        if found != FORMAT:
            state = f"has format {found}" if found else "is not there"
            raise StorageError(
                f"the journal {self._path} {state}: start the node once with this version"
            )

    async def read(self, job: Job[T]) -> T:
        """Run a reading job.  Raises `StorageError`."""
        try:
            address = f"{self._path.absolute().as_uri()}?mode=ro"
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=5.0)) as connection:
                connection.execute("BEGIN")
                return job(Transaction(connection.cursor(), "sqlite"))
        except sqlite3.Error as error:
            raise StorageError(f"{self._path} cannot be read: {error}") from error


class HeadsOf:
    """Reads the heads of archived objects, in this thread."""

    def __init__(self, database: Reads, blobs: BlobReader) -> None:
        self._database = database
        self._blobs = blobs

    async def __call__(self, rows: Sequence[ImageRow]) -> list[Head | None]:
        """Return the heads in order, None for one that cannot be read."""
        found = await self._database.read(heads.sources([row.arrival_id for row in rows]))
        by_id = {source.arrival: source for source in found}
        return [self._head(by_id.get(row.arrival_id)) for row in rows]

    def _head(self, source: HeadSource | None) -> Head | None:
        try:
            return None if source is None else head_from(source, self._blobs)
        except StorageError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An archive to be looked at."""

    database: Reads
    archive: Archive
    proof: Proof


def reading(data: Path) -> Seen:
    """Open the archive of a data folder to look at it."""
    database = ReadOnly(data)
    heads_of = HeadsOf(database, BlobReader(data / "blobs"))
    return Seen(
        database=database, archive=Archive(database, heads_of), proof=Proof(database, heads_of)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An archive to be changed."""

    database: Database
    blobs: BlobFolder
    ids: IdSource
    proof: Proof


@asynccontextmanager
async def writing(data: Path) -> AsyncIterator[Opened]:
    """Open the archive of a data folder to change it; the node must not run."""
    lock = DataLock(data)
    try:
        database = open_database(data)
        try:
            blobs = BlobFolder(data / "blobs")
            ids = IdSource(await database.read(arrivals.last_id()))
            mending = Mending(database=database, next_id=ids.next)
            proof = Proof(database, HeadsOf(database, blobs), mending)
            yield Opened(database=database, blobs=blobs, ids=ids, proof=proof)
        finally:
            database.close()
    finally:
        lock.release()


def shelf_of(
    opened: Opened, settings: Settings, author: str, clock: Callable[[], float] = time.time
) -> Shelf:
    """Return where `app.shelving.add` puts things; `StorageError` if there is no archive."""
    names = [
        name
        for name, table in settings.destination.items()
        if isinstance(table, ArchiveDestination)
    ]
    if not names:
        raise StorageError("the archive is switched off (archive.enabled)")
    return Shelf(
        database=opened.database,
        blobs=opened.blobs,
        ids=opened.ids,
        file=file_all(opened.ids.next),
        policy=routing(settings, Windows(settings.schedule, now=clock()).named).duplicates,
        marks=sweep_settings(settings).marks,
        destination=names[0],
        author=author,
        clock=clock,
    )
