"""The archive as a way out: a journal that knows the arrivals, and what is on file."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.destinations.making import Hold, Way
from waystation.db.engine import Database, Job
from waystation.db.migrate import migrate
from waystation.db.statement import Transaction
from waystation.destinations.archive import ArchiveDestination
from waystation.destinations.base import Cargo
from waystation.journal.ids import IdSource
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.model.outcome import Outcome


class Journalled(ArchiveDestination):
    """Knows the arrivals of what is sent, as the journal does."""

    def __init__(self, database: Database) -> None:
        super().__init__("x")
        self.journal = database
        self.sent: dict[str, bytes] = {}

    async def send(
        self, batch: Sequence[Delivery], cargo: Cargo
    ) -> AsyncGenerator[tuple[Delivery, Outcome], None]:
        assert isinstance(cargo, Hold)
        self.sent |= {one.sop_instance: one.data_set for one in cargo.objects.values()}
        await self.journal.write(_known(batch))
        async for done in super().send(batch, cargo):
            yield done


def _known(batch: Sequence[Delivery]) -> Job[None]:
    def job(transaction: Transaction) -> None:
        transaction.many(
            "INSERT INTO arrival (id, received_at, peer, calling_ae, called_ae, address, way_in,"
            " tls, sop_class, sop_instance, study, series, patient_id, modality,"
            " transfer_syntax, size_bytes, sha256, blob, planned) VALUES (:id, 0, '', '', '', '',"
            " '', 0, '', :uid, :study, '', '', '', '', 0, :sha256, '', 1) ON CONFLICT DO NOTHING",
            [
                {
                    "id": one.arrival_id,
                    "uid": one.sop_instance_uid,
                    "study": one.study_uid,
                    "sha256": bytes.fromhex(one.sha256),
                }
                for one in batch
            ],
        )

    return job


class Gone(Database):
    """A journal whose disk is full."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))

    async def write(self, job: Job[object], *, urgent: bool = True) -> object:  # type: ignore[override]
        raise StorageError("database: disk I/O error")

    async def read(self, job: Job[object]) -> object:  # type: ignore[override]
        raise StorageError("database: disk I/O error")


class ArchiveWay(Way):
    def __init__(self, database: Database) -> None:
        self.destination: Journalled = Journalled(database)
        self._database = database
        self._ids = IdSource()
        self.destination.join(database, self._ids.next)

    def arrived(self) -> dict[str, bytes]:
        import sqlite3

        connection = sqlite3.connect(self._database.path)
        rows = connection.execute("SELECT sop_instance FROM instance WHERE current = 1").fetchall()
        connection.close()
        return {uid: self.destination.sent[uid] for (uid,) in rows}

    async def break_down(self) -> None:
        self.destination.join(Gone(), self._ids.next)


@asynccontextmanager
async def archive_way(folder: Path) -> AsyncIterator[Way]:
    path = folder / "journal.db"
    migrate(path)
    database = Database(path)
    database.open()
    try:
        yield ArchiveWay(database)
    finally:
        database.close()
