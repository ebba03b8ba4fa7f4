"""Objects that the archive keeps, as something that can be sent or verified.

Contract: only what the archive holds (`archived`) and shows (`current`) is found; the order is that
of series and instances.  A damaged row is marked as such (``sealed``), never left out.
"""

from collections.abc import Iterator, Sequence

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction, placeholders
from waystation.journal.arrivals import seal
from waystation.model.delivery import Delivery

# SQLite takes 32,766 bound values at most.
BATCH = 5000
_COLUMNS = (
    "SELECT a.id, a.study, a.series, a.sop_class, a.sop_instance, a.transfer_syntax,"
    " a.calling_ae, a.blob, a.size_bytes, a.sha256, a.received_at, a.seal"
)
_OBJECTS = (
    f"{_COLUMNS}, s.uid, e.number, e.uid, i.number FROM study s"
    " JOIN series e ON e.study = s.id JOIN instance i ON i.series = e.id AND i.current = 1"
    " JOIN arrival a ON a.id = i.arrival WHERE "
)
_BY_UID = (
    f"{_COLUMNS} FROM arrival a JOIN archived k ON k.arrival = a.id"
    " LEFT JOIN instance i ON i.arrival = a.id WHERE coalesce(i.current, 1) = 1"
    " AND a.sop_instance IN "
)
_ATTRIBUTES = {
    "patients": "s.patient_id",
    "studies": "s.uid",
    "series": "e.uid",
    "instances": "a.sop_instance",
}


def objects(**wanted: Sequence[str]) -> Job[list[Delivery]]:
    """Return the objects of what is wanted: ``patients``, ``studies``, ``series``, ``instances``.

    Each that is given narrows the others; at least one must have a value.
    """
    named = {word: list(values) for word, values in wanted.items() if values}
    longest = max(named, key=lambda word: len(named[word]))

    def job(transaction: Transaction) -> list[Delivery]:
        rows: list[Row] = []
        for batch in batches(named[longest]):
            clauses: list[str] = []
            params: dict[str, object] = {}
            for word, values in {**named, longest: batch}.items():
                clauses.append(f"{_ATTRIBUTES[word]} IN ({placeholders(word, len(values))})")
                params |= {f"{word}{number}": value for number, value in enumerate(values)}
            rows += transaction.rows(_OBJECTS + " AND ".join(clauses), params)
        rows.sort(key=lambda row: (row[12], row[13], row[14], row[15], row[4]))
        return [outgoing(row) for row in rows]

    return job


def by_uid(uids: Sequence[str]) -> Job[dict[str, Delivery]]:
    """Return the archive's object of each SOP Instance UID that it keeps."""

    def job(transaction: Transaction) -> dict[str, Delivery]:
        found: dict[str, Delivery] = {}
        for batch in batches(uids):
            params = {f"uid{number}": uid for number, uid in enumerate(batch)}
            sql = f"{_BY_UID}({placeholders('uid', len(batch))})"
            for row in transaction.rows(sql, params):
                found[row[4]] = outgoing(row)
        return found

    return job


def batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the values in batches that one statement can take."""
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]


def outgoing(row: Row) -> Delivery:
    """Return one row of `_COLUMNS` as something to send."""
    digest = bytes(row[9])
    own = seal(digest, row[3], row[4], row[5], row[1], row[2], row[6])
    return Delivery(
        id=row[0],
        arrival_id=row[0],
        destination="",
        study_uid=row[1],
        series_uid=row[2],
        sop_class_uid=row[3],
        sop_instance_uid=row[4],
        transfer_syntax_uid=row[5],
        calling_ae=row[6],
        blob=row[7],
        size_bytes=row[8],
        sha256=digest.hex(),
        received_at=row[10],
        sealed=row[11] is None or bytes(row[11]) == own,
    )
