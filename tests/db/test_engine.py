"""One writer with group commit: an answer means that the commit has returned."""

import asyncio
import sqlite3
import threading
from typing import Any

import pytest

from waystation.db import engine
from waystation.db.engine import Database, Job
from waystation.db.statement import Transaction
from waystation.model.errors import MisuseError, StorageError


def put(name: str, value: str = "x") -> Job[str]:
    def job(transaction: Transaction) -> str:
        transaction.run("INSERT INTO meta (k, v) VALUES (:k, :v)", {"k": name, "v": value})
        return name

    return job


def seen_from_outside(database: Database, name: str) -> bool:
    """Ask over a connection of our own what is really committed."""
    connection = sqlite3.connect(f"file:{database.path}?mode=ro", uri=True)
    try:
        found = connection.execute("SELECT 1 FROM meta WHERE k = ?", (name,)).fetchone()
    finally:
        connection.close()
    return found is not None


class Gate:
    """A job that keeps the writer busy until it is opened, so that others queue up."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def job(self, _transaction: Transaction) -> None:
        self.entered.set()
        assert self.opened.wait(10)

    async def closed(self, database: Database) -> "asyncio.Future[None]":
        waiting = database.submit(self.job)
        await asyncio.to_thread(self.entered.wait, 10)
        return waiting


@pytest.mark.req("S-2")
async def test_a_write_resolves_only_after_its_commit_can_be_seen(database: Database) -> None:
    for number in range(20):
        assert await database.write(put(f"row{number}")) == f"row{number}"
        assert seen_from_outside(database, f"row{number}")


async def test_an_uncommitted_write_cannot_be_seen(database: Database) -> None:
    inside, leave = threading.Event(), threading.Event()

    def slow(transaction: Transaction) -> None:
        put("slow")(transaction)
        inside.set()
        assert leave.wait(10)

    writing = database.submit(slow)
    await asyncio.to_thread(inside.wait, 10)
    assert not seen_from_outside(database, "slow")
    assert not writing.done()
    leave.set()
    await writing
    assert seen_from_outside(database, "slow")


@pytest.mark.req("S-2")
async def test_jobs_that_wait_together_share_one_commit(database: Database) -> None:
    gate = Gate()
    first = await gate.closed(database)
    before = database.commits
    waiting = [database.submit(put(f"row{number}")) for number in range(engine.GROUP)]
    gate.opened.set()
    await first
    await asyncio.gather(*waiting)
    assert database.commits - before == 2
    assert database.jobs_committed == engine.GROUP + 1


async def test_no_commit_carries_more_than_a_group(database: Database) -> None:
    gate = Gate()
    first = await gate.closed(database)
    before = database.commits
    waiting = [database.submit(put(f"row{number}")) for number in range(2 * engine.GROUP + 1)]
    gate.opened.set()
    await asyncio.gather(first, *waiting)
    assert database.commits - before == 4


async def test_a_failing_job_fails_alone(database: Database) -> None:
    gate = Gate()
    first = await gate.closed(database)

    def broken(transaction: Transaction) -> None:
        put("broken")(transaction)
        raise ValueError("no")

    jobs: list[Job[Any]] = [put("before"), broken, put("after")]
    outcomes = [database.submit(job) for job in jobs]
    gate.opened.set()
    await first
    found = await asyncio.gather(*outcomes, return_exceptions=True)
    assert (found[0], found[2]) == ("before", "after")
    assert isinstance(found[1], ValueError)
    assert [seen_from_outside(database, name) for name in ("before", "broken", "after")] == [
        True,
        False,
        True,
    ]


async def test_what_the_engine_raises_is_a_storage_error(database: Database) -> None:
    await database.write(put("once"))
    with pytest.raises(StorageError):
        await database.write(put("once"))
    with pytest.raises(StorageError):
        await database.read(lambda transaction: transaction.one("SELECT nonsense"))


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(StorageError):
        await database.read(put("sneaky"))
    assert not seen_from_outside(database, "sneaky")


async def test_a_read_sees_what_was_committed_before_it(database: Database) -> None:
    await database.write(put("row", "7"))
    row = await database.read(lambda t: t.one("SELECT v FROM meta WHERE k = 'row'"))
    assert row == ("7",)


async def test_a_caller_that_gave_up_does_not_stop_the_others(database: Database) -> None:
    gate = Gate()
    first = await gate.closed(database)
    impatient, patient = database.submit(put("impatient")), database.submit(put("patient"))
    impatient.cancel()
    gate.opened.set()
    await asyncio.gather(first, patient)
    assert seen_from_outside(database, "impatient")


async def test_closing_finishes_what_was_asked_and_takes_nothing_more(database: Database) -> None:
    gate = Gate()
    await gate.closed(database)
    late = database.submit(put("late"))
    gate.opened.set()
    await asyncio.to_thread(database.close)
    assert await late == "late"
    assert seen_from_outside(database, "late")
    with pytest.raises(MisuseError):
        await database.write(put("too late"))


async def test_every_commit_is_synced_and_logged_ahead(database: Database) -> None:
    def pragmas(transaction: Transaction) -> tuple[object, object]:
        mode = transaction.one("PRAGMA journal_mode")
        synced = transaction.one("PRAGMA synchronous")
        assert mode is not None
        assert synced is not None
        return mode[0], synced[0]

    assert await database.write(pragmas) == ("wal", 2)
