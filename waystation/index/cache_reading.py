"""What the broker's cache can tell: an entry with its objects, and what may be evicted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.index.cache_book import BY_UIDS, COMPLETE, STUDY, Listed, Scope

_ENTRY: Final = (
    "SELECT id, size_bytes, pinned FROM cache_entry WHERE source = :source AND study = :study"
)
_SCOPES: Final = "SELECT series, state, verified, n, checked_at FROM cache_scope WHERE entry = :id"
_MANIFEST: Final = "SELECT sop_instance, series, sop_class FROM cache_manifest WHERE entry = :id"
_OF_SERIES: Final = " AND series = :series"
_OBJECTS: Final = (
    "SELECT a.id, a.study, a.series, a.sop_class, a.sop_instance, a.transfer_syntax,"
    " a.calling_ae, a.blob, a.size_bytes, a.sha256, a.received_at, a.seal"
    " FROM cached k JOIN arrival a ON a.id = k.arrival WHERE k.entry = :id"
)
_NARROWER: Final = {
    "series": " AND k.series = :series",
    "instance": " AND k.sop_instance = :instance",
}
_ORDER: Final = " ORDER BY k.series_number, k.series, k.number, k.sop_instance"


@dataclass(slots=True, kw_only=True)
class Book:
    """An entry.  objects: rows as `waystation.journal.shelved.outgoing` takes them, in the order
    of series and instances.  id: 0 if there is no entry."""

    id: int = 0
    scopes: dict[str, Scope] = field(default_factory=dict)
    manifest: dict[str, Listed] = field(default_factory=dict)
    objects: Sequence[Row] = ()

    def complete(self, series: str = STUDY) -> Scope | None:
        """Return the scope of a series or the study if it is complete: its manifest is fulfilled,
        or without one as many objects are there as were counted (W-123)."""
        scope = self.scopes.get(series)
        if scope is None or scope.state != COMPLETE:
            return None
        here = {row[4] for row in self.objects if series in (STUDY, row[2])}
        if scope.verified == BY_UIDS:
            listed = [uid for uid, one in self.manifest.items() if series in (STUDY, one.series)]
            return scope if listed and all(uid in here for uid in listed) else None
        return scope if len(here) >= max(scope.n, 1) else None

    def covering(self, series: str) -> Scope | None:
        """Like `complete`; a series is complete in a study that is, if what is listed of it is
        here."""
        whole = self.scopes.get(STUDY)
        if (own := self.complete(series)) is not None or whole is None:
            return own
        if whole.state != COMPLETE or whole.verified != BY_UIDS:
            return None
        here = {row[4] for row in self.objects if row[2] == series}
        listed = [uid for uid, one in self.manifest.items() if one.series == series]
        return whole if listed and all(uid in here for uid in listed) else None


def book_of(source: str, study: str, series: str = "", instance: str = "") -> Job[Book]:
    """Read what the cache has of a study of a PACS, or of a series or an instance of it.

    Of an instance there is no manifest: it is there or it is not.
    """
    more = {name: uid for name, uid in (("series", series), ("instance", instance)) if uid}
    objects = _OBJECTS + "".join(_NARROWER[name] for name in more) + _ORDER
    manifest = _MANIFEST + (_OF_SERIES if series else "")

    def job(transaction: Transaction) -> Book:
        row = transaction.one(_ENTRY, {"source": source, "study": study})
        if row is None:
            return Book()
        one = {"id": row[0]}
        return Book(
            id=row[0],
            scopes={
                found[0]: Scope(
                    series=found[0],
                    state=found[1],
                    verified=found[2],
                    n=found[3],
                    checked_at=found[4],
                )
                for found in transaction.rows(_SCOPES, one)
            },
            manifest={
                found[0]: Listed(found[1], found[2])
                for found in (() if instance else transaction.rows(manifest, one | more))
            },
            objects=transaction.rows(objects, one | more),
        )

    return job


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An entry that may go, the least recently read first."""

    id: int
    source: str
    study: str
    read_at: float
    size_bytes: int


def oldest(limit: int) -> Job[list[Candidate]]:
    """Read the entries without a pin that were not read for longest."""

    def job(transaction: Transaction) -> list[Candidate]:
        rows = transaction.rows(
            "SELECT id, source, study, read_at, size_bytes FROM cache_entry WHERE pinned = 0"
            " ORDER BY read_at, id LIMIT :limit",
            {"limit": limit},
        )
        return [
            Candidate(id=row[0], source=row[1], study=row[2], read_at=row[3], size_bytes=row[4])
            for row in rows
        ]

    return job


def size() -> Job[int]:
    """Read how many bytes the cache holds, what was derived from its objects included (W-125)."""

    def job(transaction: Transaction) -> int:
        total = 0
        for sql in (
            "SELECT coalesce(sum(size_bytes), 0) FROM cache_entry",
            "SELECT coalesce(sum(length(m.data)), 0) FROM cached k"
            " JOIN instance_metadata m ON m.arrival = k.arrival",
            "SELECT coalesce(sum(length(f.data)), 0) FROM cached k"
            " JOIN frame_table f ON f.arrival = k.arrival",
        ):
            row = transaction.one(sql)
            total += int(row[0]) if row else 0
        return total

    return job
