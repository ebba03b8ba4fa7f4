"""Fill the journal of a stopped node: copies of one waiting delivery, as many as wanted.

Contract: the node was stopped cleanly after it had kept one object that waits for one
destination.  Afterwards its books balance: received, the tally of that destination, one arrival
and one waiting delivery more for each copy.  All copies share the first one's blob, which is
never sent here; they fall into studies of `STUDY_SIZE` objects.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from benchmarks.contenders import database_in

STUDY_SIZE = 100
COPIED = {
    "arrival": {
        "id": "old.id - n",
        "sop_instance": "old.sop_instance || '.' || n",
        "study": f"old.study || '.' || (n / {STUDY_SIZE})",
        "series": f"old.series || '.' || (n / {STUDY_SIZE})",
    },
    "delivery": {
        "id": "old.id - n",
        "arrival": "old.arrival - n",
        "study": f"old.study || '.' || (n / {STUDY_SIZE})",
    },
}
NUMBERS = "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)"


def prefill(data: Path, count: int) -> None:
    """Add ``count`` waiting deliveries to the journal in the folder ``data``."""
    with closing(sqlite3.connect(database_in(data), isolation_level=None)) as database:
        database.execute("PRAGMA synchronous=OFF")
        database.execute("BEGIN")
        for table, changed in COPIED.items():
            copy_rows(database, table, changed, count)
        database.execute("UPDATE counter SET v = v + ? WHERE k = 'received'", (count,))
        database.execute("UPDATE tally SET n = n + ? WHERE state = 'waiting'", (count,))
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    # What a node finds at start was on the disk before; the copy must not be charged to it.
    with database_in(data).open("rb") as file:
        os.fsync(file.fileno())


def copy_rows(
    database: sqlite3.Connection, table: str, changed: dict[str, str], count: int
) -> None:
    names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(changed.get(name, f"old.{name}") for name in names)
    database.execute(
        f"{NUMBERS} INSERT INTO {table} ({', '.join(names)})"
        f" SELECT {values} FROM number, (SELECT * FROM {table} LIMIT 1) AS old",
        (count,),
    )
