"""Where the frames of big objects lie, kept beside them (W-83).

Contract: written once an object was read whole and found to be what was received; goes with it.
"""

from waystation.db.engine import Job
from waystation.db.statement import Transaction


def read(arrival: int) -> Job[bytes | None]:
    """Read the table of an object, None if it was never made."""

    def job(transaction: Transaction) -> bytes | None:
        row = transaction.one(
            "SELECT data FROM frame_table WHERE arrival = :arrival", {"arrival": arrival}
        )
        return None if row is None else bytes(row[0])

    return job


def keep(arrival: int, data: bytes) -> Job[None]:
    """Write the table of an object that is still there."""

    def job(transaction: Transaction) -> None:
        transaction.run(
            "INSERT INTO frame_table (arrival, data)"
            " SELECT a.id, :data FROM arrival a WHERE a.id = :arrival"
            " AND (EXISTS (SELECT 1 FROM instance i WHERE i.arrival = a.id)"
            " OR EXISTS (SELECT 1 FROM cached k WHERE k.arrival = a.id))"
            " ON CONFLICT (arrival) DO UPDATE SET data = excluded.data",
            {"arrival": arrival, "data": data},
        )

    return job
