"""Pages of rows, read and matched in one go.

Contract: each job reads what follows a place in the order of answers, and returns only what
matches; it holds nothing afterwards.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.index import levels
from waystation.index.candidates import Conditions, Place, patient_page, study_pages
from waystation.index.records import Computed, LevelRecord, words
from waystation.matching.match import Matcher

Where = TypeVar("Where")
STUDY_COLUMNS: Final = (
    "s.date, s.time, s.uid, s.id, s.modalities, s.classes, s.n_series, s.n_instances, l.data,"
    " l.others, l.regions"
)
PATIENT_COLUMNS: Final = (
    "p.patient_id, p.name, p.id, p.n_studies, p.n_series, p.n_instances, l.data, l.others"
)
_SERIES: Final = (
    "SELECT r.id, r.study, r.number, r.uid, r.n_instances, l.data, l.others FROM series r"
    " JOIN level l ON l.id = r.id WHERE r.study = :study ORDER BY r.number, r.uid"
)
_STUDIES_OF_PATIENT: Final = (
    "SELECT " + STUDY_COLUMNS + " FROM study s JOIN level l ON l.id = s.id"
    " WHERE s.patient = :patient ORDER BY s.date DESC, s.time DESC, s.uid"
)
_IMAGES: Final = (
    "SELECT i.arrival, i.number, i.sop_instance, a.sop_class, a.transfer_syntax, a.size_bytes,"
    " a.sha256, a.blob, a.received_at, a.calling_ae, coalesce(k.read_as, '') FROM instance i"
    " JOIN arrival a ON a.id = i.arrival LEFT JOIN archived k ON k.arrival = i.arrival"
    " WHERE i.series = :series AND i.current = 1 AND i.number >= :number"
    " AND (i.number > :number OR i.sop_instance > :uid)"
    " ORDER BY i.number, i.sop_instance LIMIT :limit"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A row that matched.  shown: what is answered; full: with the values of all objects."""

    id: int
    uid: str
    shown: LevelRecord
    full: LevelRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Where]):
    """Hits, and where the next page begins; None if there is none."""

    hits: Sequence[Hit]
    after: Where | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRow:
    """One object that the archive shows, as the index knows it.

    blob: "" if the bytes ride in the journal.  received_at: Unix seconds.  read_as: as in `Entry`.
    """

    arrival_id: int
    number: int
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    size_bytes: int
    sha256: str
    blob: str
    received_at: float
    calling_ae: str
    series_uid: str
    study_uid: str
    read_as: str = ""


def studies(
    found: Conditions, matcher: Matcher | None, after: Place | None, limit: int
) -> Job[Page[Place]]:
    """Read a page of candidates; return those that match."""

    def job(transaction: Transaction) -> Page[Place]:
        statements = study_pages(found, STUDY_COLUMNS, after, limit)
        parts = [transaction.rows(text, values) for text, values in statements]
        rows = _in_order(parts)[:limit]
        more = any(len(part) == limit for part in parts) or sum(map(len, parts)) > limit
        last = rows[-1] if rows and more else None
        return Page(
            hits=_matching(map(study_hit, rows), matcher),
            after=None if last is None else (last[0], last[1], last[2]),
        )

    return job


def _in_order(parts: Sequence[Sequence[Row]]) -> list[Row]:
    if len(parts) == 1:
        return list(parts[0])
    found: list[Row] = []
    for row in heapq.merge(*parts, key=lambda row: _Newest(row[0], row[1], row[2])):
        if not found or found[-1][3] != row[3]:
            found.append(row)
    return found


class _Newest:
    """Sorts by date and time, newest first, then by UID."""

    __slots__ = ("_day", "_uid")

    def __init__(self, date: str, time: str, uid: str) -> None:
        self._day, self._uid = (date, time), uid

    def __lt__(self, other: "_Newest") -> bool:
        return self._day > other._day or (self._day == other._day and self._uid < other._uid)


def _matching(hits: Iterator[Hit], matcher: Matcher | None) -> list[Hit]:
    return [hit for hit in hits if matcher is None or matches(matcher, hit)]


def matches(matcher: Matcher, hit: Hit) -> bool:
    """Tell whether a row matches by what it shows, or by what other objects say."""
    return matcher.matches(hit.shown) or (hit.full is not hit.shown and matcher.matches(hit.full))


def study_hit(row: Row) -> Hit:
    """Return the record of a row of `STUDY_COLUMNS`."""
    modalities = words(row[4])
    computed: Computed = {
        levels.MODALITIES_IN_STUDY: modalities,
        # At this level the same (T-38).
        levels.MODALITY: modalities,
        levels.CLASSES_IN_STUDY: words(row[5]),
        levels.STUDY_SERIES: (str(row[6]),),
        levels.STUDY_INSTANCES: (str(row[7]),),
    }
    data, others, regions = bytes(row[8]), row[9], bytes(row[10])
    shown = LevelRecord(data, computed=computed, regions=regions)
    full = LevelRecord(data, others, computed=computed, regions=regions) if others else shown
    return Hit(id=row[3], uid=row[2], shown=shown, full=full)


def patients(
    found: Conditions, matcher: Matcher | None, after: tuple[str, str, int] | None, limit: int
) -> Job[Page[tuple[str, str, int]]]:
    """Read a page of patients; return those that match."""

    def job(transaction: Transaction) -> Page[tuple[str, str, int]]:
        text, values = patient_page(found, PATIENT_COLUMNS, after, limit)
        rows = transaction.rows(text, values)
        last = rows[-1] if len(rows) == limit else None
        return Page(
            hits=_matching(map(_patient_hit, rows), matcher),
            after=None if last is None else (last[0], last[1], last[2]),
        )

    return job


def _patient_hit(row: Row) -> Hit:
    computed: Computed = {
        levels.PATIENT_STUDIES: (str(row[3]),),
        levels.PATIENT_SERIES: (str(row[4]),),
        levels.PATIENT_INSTANCES: (str(row[5]),),
    }
    data, others = bytes(row[6]), row[7]
    shown = LevelRecord(data, computed=computed)
    full = LevelRecord(data, others, computed=computed) if others else shown
    return Hit(id=row[2], uid="", shown=shown, full=full)


def studies_of(patient: int, matcher: Matcher | None) -> Job[list[Hit]]:
    """Read the studies of a patient that match."""

    def job(transaction: Transaction) -> list[Hit]:
        rows = transaction.rows(_STUDIES_OF_PATIENT, {"patient": patient})
        return _matching(map(study_hit, rows), matcher)

    return job


def series_of(study: Hit, matcher: Matcher | None) -> Job[list[Hit]]:
    """Read the series of a study that match, each with the attributes of its study."""

    def job(transaction: Transaction) -> list[Hit]:
        rows = transaction.rows(_SERIES, {"study": study.id})
        return _matching((_series_hit(row, study) for row in rows), matcher)

    return job


def _series_hit(row: Row, study: Hit) -> Hit:
    data, others = bytes(row[5]), row[6]
    computed: Computed = {levels.SERIES_INSTANCES: (str(row[4]),)}
    shown = LevelRecord(data, computed=computed, above=study.shown)
    full = shown
    if others or study.full is not study.shown:
        full = LevelRecord(data, others, computed=computed, above=study.full)
    return Hit(id=row[0], uid=row[3], shown=shown, full=full)


def images_of(
    series: Hit, study_uid: str, after: tuple[int, str], limit: int
) -> Job[list[ImageRow]]:
    """Read the next objects of a series, by number and UID."""

    def job(transaction: Transaction) -> list[ImageRow]:
        values = {"series": series.id, "number": after[0], "uid": after[1], "limit": limit}
        return [
            ImageRow(
                arrival_id=row[0],
                number=row[1],
                sop_instance_uid=row[2],
                sop_class_uid=row[3],
                transfer_syntax_uid=row[4],
                size_bytes=row[5],
                sha256=bytes(row[6]).hex(),
                blob=row[7],
                received_at=row[8],
                calling_ae=row[9],
                series_uid=series.uid,
                study_uid=study_uid,
                read_as=row[10],
            )
            for row in transaction.rows(_IMAGES, values)
        ]

    return job


# Of the rows above an object, what its own head does not say.
_OF_STUDY: Final = (
    levels.MODALITIES_IN_STUDY,
    levels.CLASSES_IN_STUDY,
    levels.STUDY_SERIES,
    levels.STUDY_INSTANCES,
)


def computed_of(study: Hit, series: Hit, row: ImageRow, *, alone: bool) -> Computed:
    """Return what the index knows of an object; ``alone``: without its head."""
    found: dict[int, tuple[str, ...]] = {
        tag: tuple(study.shown.values(tag, "LO")) for tag in _OF_STUDY
    }
    found |= {
        levels.SERIES_INSTANCES: tuple(series.shown.values(levels.SERIES_INSTANCES, "IS")),
        levels.SOP_INSTANCE_UID: (row.sop_instance_uid,),
        levels.SOP_CLASS_UID: (row.sop_class_uid,),
        levels.SERIES_UID: (row.series_uid,),
        levels.STUDY_UID: (row.study_uid,),
        levels.AVAILABLE_SYNTAX: (row.transfer_syntax_uid,),
    }
    if alone:
        found[levels.PATIENT_ID] = tuple(study.shown.values(levels.PATIENT_ID, "LO"))
    return found
