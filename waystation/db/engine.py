"""One database: a single writer thread with group commit, and a few readers.

Contract: `write` runs a job inside a transaction and resolves **after** the commit has returned;
jobs that wait together share one commit (S-2).  A job that is not ``urgent`` waits a moment for
company: each commit costs a sync of the disk, and an answer to a sender must not queue behind
bookkeeping.  A job that raises is rolled back alone and its
caller gets the exception; the others of its group are run again, each on its own, so a job must
be repeatable until it has committed.  Anything the engine itself raises becomes `StorageError`.

SQLite: WAL, ``synchronous=FULL``, exactly one writing connection in one process, which also
checkpoints and closes last, because SQLite before 3.51.3 can damage a WAL file when two
connections write or checkpoint at once (https://sqlite.org/wal.html#walresetbug).
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from waystation.db.statement import Transaction
from waystation.model.errors import MisuseError, StorageError, WaystationError

T = TypeVar("T")
Job = Callable[[Transaction], T]
GROUP = 64
COMPANY_S = 0.003
READERS = 2
# Pages of 4 KiB; a larger log makes fewer, longer checkpoints than SQLite's own 1,000.
CHECKPOINT_PAGES = 2000
# Of the writing connection; behind it the system caches the file as well.
CACHE_KIB = 8 * 1024
# A log file that has its size already is overwritten in place, so that a commit syncs data only;
# while it grows, each commit also syncs the file system's own journal.
LOG_BYTES = CHECKPOINT_PAGES * 4200


class _Pending(Generic[T]):
    __slots__ = ("error", "future", "job", "loop", "result", "urgent")

    def __init__(self, job: Job[T], loop: asyncio.AbstractEventLoop, urgent: bool) -> None:
        self.job = job
        self.urgent = urgent
        self.loop = loop
        self.future: asyncio.Future[T] = loop.create_future()
        self.result: T | None = None
        self.error: BaseException | None = None


def _deliver(group: list[_Pending[Any]]) -> None:
    for pending in group:
        if pending.future.cancelled():
            continue
        if pending.error is not None:
            pending.future.set_exception(pending.error)
        else:
            pending.future.set_result(pending.result)


class Database:
    """The journal's database on SQLite.

    path: file of the database; its folder must exist.
    """

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._jobs: queue.SimpleQueue[_Pending[Any] | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Pending[Any] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._writer: sqlite3.Connection | None = None
        self._closed = False
        self.commits = 0
        self.jobs_committed = 0

    def open(self) -> None:
        """Open the writing connection and start the threads."""
        self._writer = self._connect()
        self._grow_log(self._writer)
        self._start("writer", self._write_loop)
        for number in range(READERS):
            self._start(f"reader-{number}", self._read_loop)

    def _start(self, name: str, loop: Callable[[], None]) -> None:
        thread = threading.Thread(target=loop, name=f"db-{name}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=5.0
            )
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
            connection.execute("PRAGMA temp_store=MEMORY")
        except sqlite3.Error as error:
            raise StorageError(f"database {self.path.name}: {error}") from error
        return connection

    @staticmethod
    def _grow_log(writer: sqlite3.Connection) -> None:
        """Give the write-ahead log its full size once, by a transaction that leaves no trace."""
        try:
            writer.execute("BEGIN IMMEDIATE")
            writer.execute("CREATE TABLE growth (data BLOB)")
            writer.execute("INSERT INTO growth VALUES (zeroblob(?))", (LOG_BYTES,))
            writer.execute("DROP TABLE growth")
            writer.execute("COMMIT")
            writer.execute("PRAGMA wal_checkpoint(RESTART)")
        except sqlite3.Error as error:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise StorageError(f"database: {error}") from error

    async def write(self, job: Job[T], *, urgent: bool = True) -> T:
        """Run ``job`` in a transaction; return its result once the commit has returned.

        Raises what the job raised, or `StorageError` if the database failed.
        """
        return await self.submit(job, urgent=urgent)

    def submit(self, job: Job[T], *, urgent: bool = True) -> "asyncio.Future[T]":
        """Like `write`, without waiting: the future resolves after the commit."""
        return self._enqueue(self._jobs, job, urgent)

    async def read(self, job: Job[T]) -> T:
        """Run ``job`` on a read-only connection; it sees what was committed."""
        return await self._enqueue(self._reads, job, True)

    def _enqueue(
        self, jobs: "queue.SimpleQueue[_Pending[Any] | None]", job: Job[T], urgent: bool
    ) -> "asyncio.Future[T]":
        if self._closed:
            raise MisuseError("the database is closed")
        pending = _Pending(job, asyncio.get_running_loop(), urgent)
        jobs.put(pending)
        return pending.future

    def close(self) -> None:
        """Finish what was asked, then stop the threads and close; last of all the writer."""
        if self._closed:
            return
        self._closed = True
        for _ in range(READERS):
            self._reads.put(None)
        self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        if self._writer is not None:
            self._writer.close()

    def _write_loop(self) -> None:
        stop = False
        while not stop:
            group, stop = self._next_group()
            if group:
                self._commit(group)
                _answer(group)

    def _next_group(self) -> tuple[list[_Pending[Any]], bool]:
        """Return the jobs to commit together, and whether to stop afterwards."""
        group: list[_Pending[Any]] = []
        pending = self._jobs.get()
        while pending is not None:
            group.append(pending)
            if len(group) == GROUP:
                return group, False
            hurry = any(member.urgent for member in group)
            try:
                pending = self._jobs.get_nowait() if hurry else self._jobs.get(timeout=COMPANY_S)
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[_Pending[Any]]) -> None:
        """Run all jobs in one transaction; if one fails, each in its own."""
        try:
            self._transact(group)
        except BaseException as error:  # noqa: BLE001 - handed to the caller of the job
            if len(group) == 1:
                group[0].error = _translated(error)
                return
            for pending in group:
                self._commit([pending])

    def _transact(self, group: list[_Pending[Any]]) -> None:
        writer = self._writer
        assert writer is not None
        cursor = writer.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            transaction = Transaction(cursor, self.dialect)
            for pending in group:
                pending.result = pending.job(transaction)
            cursor.execute("COMMIT")
        except BaseException:
            if writer.in_transaction:
                cursor.execute("ROLLBACK")
            raise
        self.commits += 1
        self.jobs_committed += len(group)

    def _read_loop(self) -> None:
        connection: sqlite3.Connection | None = None
        while (pending := self._reads.get()) is not None:
            try:
                if connection is None:
                    connection = sqlite3.connect(
                        f"file:{self.path}?mode=ro", uri=True, isolation_level=None, timeout=5.0
                    )
                cursor = connection.cursor()
                cursor.execute("BEGIN")
                try:
                    pending.result = pending.job(Transaction(cursor, self.dialect))
                finally:
                    cursor.execute("ROLLBACK")
            except BaseException as error:  # noqa: BLE001 - handed to the caller of the job
                pending.error = _translated(error)
            _answer([pending])
        if connection is not None:
            connection.close()


def _answer(group: list[_Pending[Any]]) -> None:
    """Wake the callers; jobs of one group may belong to different loops."""
    loops: dict[asyncio.AbstractEventLoop, list[_Pending[Any]]] = {}
    for pending in group:
        loops.setdefault(pending.loop, []).append(pending)
    for loop, members in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_deliver, members)


def _translated(error: BaseException) -> BaseException:
    if isinstance(error, WaystationError) or not isinstance(error, sqlite3.Error):
        return error
    translated = StorageError(f"database: {error}")
    translated.__cause__ = error
    return translated
