"""Reading a node's journal and data folder from outside, without a hand in them."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.torture.books import Journal
from waystation.db.statement import Transaction
from waystation.journal.counts import unaccounted

OWN_FILES = {
    *("journal.db", "journal.db-wal", "journal.db-shm", "lock", "node.json"),
    *("audit.key", "api.key"),
}
OWN_FOLDERS = {"blobs", "intake", "orphans", "corrupt"}
OPEN = (
    "SELECT (SELECT count(*) FROM arrival WHERE planned = 0)"
    " + (SELECT count(*) FROM delivery WHERE state IN ('waiting', 'sending'))"
)


@contextmanager
def reading(data: Path) -> Iterator[sqlite3.Connection]:
    """Open the journal read-only."""
    address = f"file:{data / 'journal.db'}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=10.0)) as connection:
        yield connection


def open_rows(data: Path) -> int:
    """Return how many arrivals have no plan and how many deliveries have not ended."""
    with reading(data) as connection:
        return int(connection.execute(OPEN).fetchone()[0])


def states(data: Path) -> dict[str, int]:
    """Return state → number of deliveries; held ones by reason, as ``held:corrupt``."""
    query = (
        "SELECT state || coalesce(':' || hold_reason, ''), count(*) FROM delivery"
        " WHERE state <> 'held' OR hold_reason IS NOT NULL GROUP BY 1"
    )
    with reading(data) as connection:
        return {str(state): int(n) for state, n in connection.execute(query)}


def held_instances(data: Path, destination: str) -> set[str]:
    """Return the SOP Instance UIDs that are held for a destination."""
    query = (
        "SELECT a.sop_instance FROM delivery d JOIN arrival a ON a.id = d.arrival"
        " WHERE d.state = 'held' AND d.destination = ?"
    )
    with reading(data) as connection:
        return {str(uid) for (uid,) in connection.execute(query, (destination,))}


def arrivals(data: Path) -> int:
    """Return how many arrivals have a row."""
    with reading(data) as connection:
        return int(connection.execute("SELECT count(*) FROM arrival").fetchone()[0])


def blobs(data: Path) -> list[tuple[Path, str]]:
    """Return (file, SOP Instance UID) of every blob that a row refers to."""
    with reading(data) as connection:
        rows = connection.execute("SELECT blob, sop_instance FROM arrival WHERE blob <> ''")
        return [(data / "blobs" / str(name), str(uid)) for name, uid in rows]


def stray_files(data: Path) -> tuple[str, ...]:
    """Return what lies in the data folder of a stopped node and belongs to nothing."""
    known = {file for file, _ in blobs(data)}
    found = [
        entry.name
        for entry in data.iterdir()
        if entry.name not in (OWN_FOLDERS if entry.is_dir() else OWN_FILES)
    ]
    found += [
        str(file.relative_to(data))
        for file in (data / "blobs").rglob("*")
        if file.is_file() and file not in known
    ]
    return tuple(sorted(found))


def examine(data: Path) -> Journal:
    """Return what S-25 asks of a stopped node."""
    with reading(data) as connection:
        cursor = connection.cursor()
        numbers = unaccounted(time.time())(Transaction(cursor, "sqlite"))
        held = cursor.execute("SELECT count(*) FROM delivery WHERE state = 'held'").fetchone()[0]
        integrity = str(cursor.execute("PRAGMA integrity_check").fetchone()[0])
    return Journal(
        unaccounted=sum(abs(value) for value in numbers.values()),
        open_rows=open_rows(data),
        held=int(held),
        stray=stray_files(data),
        integrity=integrity,
    )
