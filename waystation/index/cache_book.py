"""What the broker's cache holds: entries, manifests, what was found complete (W-120 to W-125).

Contract: an object is in the cache by its row of ``cached`` and by nothing else, written in the
transaction that plans it; that row keeps its bytes alive.  A scope (a series, or the whole study)
counts as complete only while everything that its manifest lists is there.  `evict` takes whole
entries and all that was derived from them; the bytes are dropped by the caller.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.model.arrival import Arrival

COMPLETE: Final = "complete"
INCOMPLETE: Final = "incomplete"
# Against what a scope was judged (W-108).
BY_UIDS, BY_COUNTS, BY_NOTHING = "uids", "counts", "none"
# Of a scope that is the whole study.
STUDY: Final = ""
UNCOUNTED: Final = -1

_ENTRY: Final = "SELECT id FROM cache_entry WHERE source = :source AND study = :study"
_ADD_ENTRY: Final = (
    "INSERT INTO cache_entry (id, source, study, read_at) VALUES (:id, :source, :study, :at)"
)
_KNOWN: Final = (
    "SELECT k.arrival, a.sha256, a.size_bytes FROM cached k JOIN arrival a ON a.id = k.arrival"
    " WHERE k.entry = :entry AND k.sop_instance = :uid"
)
_SHELVE: Final = (
    "INSERT INTO cached (arrival, entry, series, sop_instance, series_number, number)"
    " VALUES (:arrival, :entry, :series, :uid, :series_number, :number)"
)
_GROW: Final = (
    "UPDATE cache_entry SET size_bytes = size_bytes + :size_bytes, n = n + :n WHERE id = :entry"
)
# What was made of an object goes with it, unless the archive shows the same arrival (W-125).
_UNDERIVE: Final = (
    "DELETE FROM instance_metadata WHERE arrival = :id AND NOT EXISTS"
    " (SELECT 1 FROM instance i WHERE i.arrival = :id)",
    "DELETE FROM frame_table WHERE arrival = :id AND NOT EXISTS"
    " (SELECT 1 FROM instance i WHERE i.arrival = :id)",
)
_UNDERIVE_ALL: Final = (
    "DELETE FROM instance_metadata WHERE arrival IN (SELECT k.arrival FROM cached k"
    " WHERE k.entry = :id) AND NOT EXISTS"
    " (SELECT 1 FROM instance i WHERE i.arrival = instance_metadata.arrival)",
    "DELETE FROM frame_table WHERE arrival IN (SELECT k.arrival FROM cached k"
    " WHERE k.entry = :id) AND NOT EXISTS"
    " (SELECT 1 FROM instance i WHERE i.arrival = frame_table.arrival)",
)
_CLEAR: Final = (
    "DELETE FROM cached WHERE entry = :id",
    "DELETE FROM cache_scope WHERE entry = :id",
    "DELETE FROM cache_manifest WHERE entry = :id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an object stands among those of its study."""

    series_number: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is known of a series, or with series "" of the whole study.

    n: how many instances the PACS counts, `UNCOUNTED` if it does not say.
    """

    series: str
    state: str
    verified: str
    n: int
    checked_at: float


@dataclass(frozen=True, slots=True)
class Listed:
    """One instance of a manifest."""

    series: str
    sop_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a Fetch found out, to be written down.

    manifest: by SOP instance, of the series that were listed anew.  listed: those series.
    """

    source: str
    study: str
    scopes: Sequence[Scope] = ()
    manifest: Mapping[str, Listed] = field(default_factory=dict)
    listed: Iterable[str] = ()


def shelve(
    transaction: Transaction,
    coming: Sequence[tuple[Arrival, Place | None]],
    next_id: Callable[[], int],
) -> None:
    """Put fetched arrivals into the cache; their own rows are there already.

    Equal bytes under the same UID are kept once, the first of them; other bytes take its place.
    """
    for arrival, place in coming:
        source, study = arrival.source.fetched_from, arrival.instance.study_uid
        entry = _entry(transaction, source, study, arrival.received_at, next_id)
        one = {"entry": entry, "uid": arrival.instance.sop_instance_uid}
        known = transaction.one(_KNOWN, one)
        if known is not None:
            if known[0] == arrival.id or bytes(known[1]).hex() == arrival.sha256:
                continue
            drop_object(transaction, known[0])
        at = place or Place()
        values = {
            "arrival": arrival.id,
            "series": arrival.instance.series_uid,
            "series_number": at.series_number,
            "number": at.number,
        }
        transaction.run(_SHELVE, one | values)
        transaction.run(_GROW, {"entry": entry, "size_bytes": arrival.size_bytes, "n": 1})


def shelver(
    next_id: Callable[[], int],
) -> Callable[[Transaction, Sequence[tuple[Arrival, Place | None]]], None]:
    """Return what puts fetched arrivals into the cache (`waystation.journal.adoption`)."""

    def job(transaction: Transaction, coming: Sequence[tuple[Arrival, Place | None]]) -> None:
        shelve(transaction, coming, next_id)

    return job


def _entry(
    transaction: Transaction, source: str, study: str, at: float, next_id: Callable[[], int]
) -> int:
    of = {"source": source, "study": study}
    row = transaction.one(_ENTRY, of)
    if row is not None:
        return int(row[0])
    made = next_id()
    transaction.run(_ADD_ENTRY, of | {"id": made, "at": at})
    return made


def drop_object(transaction: Transaction, arrival_id: int) -> None:
    """Take one object out of the cache, and what was derived from it."""
    one = {"id": arrival_id}
    row = transaction.one(
        "SELECT k.entry, a.size_bytes FROM cached k JOIN arrival a ON a.id = k.arrival"
        " WHERE k.arrival = :id",
        one,
    )
    if row is None:
        return
    transaction.run("DELETE FROM cached WHERE arrival = :id", one)
    transaction.run(_GROW, {"entry": row[0], "size_bytes": -row[1], "n": -1})
    for sql in _UNDERIVE:
        transaction.run(sql, one)


def damaged(arrival_ids: Iterable[int]) -> Job[set[int]]:
    """Take objects whose bytes are damaged or missing out of the cache: they are fetched again.

    Returns those that nobody else needs: no person has to decide about them (W-124).
    """

    def job(transaction: Transaction) -> set[int]:
        return {one for one in arrival_ids if _give_up(transaction, one)}

    return job


def _give_up(transaction: Transaction, arrival_id: int) -> bool:
    one = {"id": arrival_id}
    drop_object(transaction, arrival_id)
    alone = transaction.run(
        "UPDATE arrival SET blob_gone = 1, blob = ''"
        " WHERE id = :id AND blob_gone = 0 AND ended_why LIKE 'kept:%'",
        one,
    )
    if alone:
        transaction.run("DELETE FROM parcel WHERE arrival = :id", one)
    return alone > 0


def note(findings: Findings, at: float, next_id: Callable[[], int]) -> Job[None]:
    """Write down what a Fetch found out."""

    def job(transaction: Transaction) -> None:
        entry = _entry(transaction, findings.source, findings.study, at, next_id)
        for series in findings.listed:
            transaction.run(
                "DELETE FROM cache_manifest WHERE entry = :entry AND series = :series",
                {"entry": entry, "series": series},
            )
        transaction.many(
            "INSERT INTO cache_manifest (entry, sop_instance, series, sop_class)"
            " VALUES (:entry, :uid, :series, :sop_class)"
            " ON CONFLICT (entry, sop_instance) DO UPDATE SET series = excluded.series",
            [
                {"entry": entry, "uid": uid, "series": one.series, "sop_class": one.sop_class}
                for uid, one in findings.manifest.items()
            ],
        )
        transaction.many(
            "INSERT INTO cache_scope (entry, series, state, verified, n, checked_at)"
            " VALUES (:entry, :series, :state, :verified, :n, :checked_at)"
            " ON CONFLICT (entry, series) DO UPDATE SET state = excluded.state,"
            " verified = excluded.verified, n = excluded.n, checked_at = excluded.checked_at",
            [
                {
                    "entry": entry,
                    "series": one.series,
                    "state": one.state,
                    "verified": one.verified,
                    "n": one.n,
                    "checked_at": one.checked_at,
                }
                for one in findings.scopes
            ],
        )

    return job


def read_at(seen: Mapping[int, float]) -> Job[None]:
    """Note when entries were read last (W-121)."""

    def job(transaction: Transaction) -> None:
        transaction.many(
            "UPDATE cache_entry SET read_at = :at WHERE id = :id AND read_at < :at",
            [{"id": entry, "at": at} for entry, at in seen.items()],
        )

    return job


def evict(transaction: Transaction, entry: int) -> list[tuple[int, str]]:
    """Take an entry out of the cache; return (arrival, blob) of what it held.

    A pinned one stays and gives nothing.
    """
    one = {"id": entry}
    if not transaction.run("DELETE FROM cache_entry WHERE id = :id AND pinned = 0", one):
        return []
    held = transaction.rows(
        "SELECT a.id, a.blob FROM cached k JOIN arrival a ON a.id = k.arrival WHERE k.entry = :id",
        one,
    )
    for sql in (*_UNDERIVE_ALL, *_CLEAR):
        transaction.run(sql, one)
    return [(row[0], row[1]) for row in held]
