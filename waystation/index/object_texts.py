"""The metadata of objects, kept beside them for DICOMweb (W-79).

Contract: `objects` names what the archive shows of a study, series or instance, in the order of
answers, without reading any of it; `texts` reads what is kept, `keep` writes it, `missing` finds
what has none yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Transaction, placeholders

_OBJECTS: Final = (
    "SELECT i.arrival, s.uid, e.uid, i.sop_instance, a.transfer_syntax, a.sha256,"
    " length(m.data)"
    " FROM study s JOIN series e ON e.study = s.id"
    " JOIN instance i ON i.series = e.id AND i.current = 1"
    " JOIN arrival a ON a.id = i.arrival"
    " LEFT JOIN instance_metadata m ON m.arrival = i.arrival WHERE s.uid = :study"
)
_ORDER: Final = " ORDER BY e.number, e.uid, i.number, i.sop_instance"
_NARROWER: Final = {"series": " AND e.uid = :series", "instance": " AND i.sop_instance = :instance"}
_MISSING: Final = (
    "SELECT i.arrival, a.transfer_syntax FROM instance i JOIN arrival a ON a.id = i.arrival"
    " LEFT JOIN instance_metadata m ON m.arrival = i.arrival AND m.edition = :edition"
    " WHERE i.arrival > :after AND i.current = 1 AND i.series <> 0 AND m.arrival IS NULL"
    " ORDER BY i.arrival LIMIT :limit"
)
_TEXTS: Final = (
    "SELECT arrival, data FROM instance_metadata WHERE edition = :edition AND arrival IN ("
)
_KEEP: Final = (
    "INSERT INTO instance_metadata (arrival, edition, data)"
    " SELECT a.id, :edition, :data FROM arrival a WHERE a.id = :arrival"
    " AND (EXISTS (SELECT 1 FROM instance i WHERE i.arrival = a.id)"
    " OR EXISTS (SELECT 1 FROM cached k WHERE k.arrival = a.id))"
    " ON CONFLICT (arrival) DO UPDATE SET edition = excluded.edition, data = excluded.data"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One object that the archive shows.

    transfer_syntax: as it is stored.  kept_bytes: of its compressed metadata, 0 if none is kept.
    """

    arrival: int
    study_uid: str
    series_uid: str
    instance_uid: str
    transfer_syntax: str
    sha256: bytes
    kept_bytes: int = 0


def objects(path: Mapping[str, str]) -> Job[list[Described]]:
    """Read what a path (study, then perhaps series and instance) leads to."""
    text = _OBJECTS + "".join(more for name, more in _NARROWER.items() if name in path) + _ORDER
    values = {name: path[name] for name in ("study", *_NARROWER) if name in path}

    def job(transaction: Transaction) -> list[Described]:
        return [
            Described(
                arrival=row[0],
                study_uid=row[1],
                series_uid=row[2],
                instance_uid=row[3],
                transfer_syntax=row[4],
                sha256=bytes(row[5]),
                kept_bytes=row[6] or 0,
            )
            for row in transaction.rows(text, values)
        ]

    return job


def texts(arrivals: Sequence[int], edition: int) -> Job[dict[int, bytes]]:
    """Read the compressed metadata of objects, as far as it is kept."""
    values = {f"id{number}": value for number, value in enumerate(arrivals)}
    text = _TEXTS + placeholders("id", len(arrivals)) + ")"

    def job(transaction: Transaction) -> dict[int, bytes]:
        rows = transaction.rows(text, values | {"edition": edition})
        return {row[0]: bytes(row[1]) for row in rows}

    return job


def keep(made: Mapping[int, bytes], edition: int) -> Job[None]:
    """Write the compressed metadata of objects that are still there."""

    def job(transaction: Transaction) -> None:
        transaction.many(
            _KEEP,
            [
                {"arrival": arrival, "edition": edition, "data": data}
                for arrival, data in made.items()
            ],
        )

    return job


def missing(after: int, edition: int, limit: int) -> Job[list[tuple[int, str]]]:
    """Read which objects behind an arrival have no metadata, with their transfer syntaxes."""

    def job(transaction: Transaction) -> list[tuple[int, str]]:
        rows = transaction.rows(_MISSING, {"after": after, "edition": edition, "limit": limit})
        return [(row[0], row[1]) for row in rows]

    return job
