"""Objects are put on file: their rows in the index, in the transaction of the caller (T-29).

Contract: `file` may be asked twice for the same object and changes nothing the second time.  The
arrival's own row is there already.  Of a SOP instance the newest version of a series is shown;
an older one stays on file (S-17).  What is equal byte by byte is kept once, except in the place of
a copy that was found damaged; that it came again makes its study as young as that (T-30).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.index.columns import joined, study_columns
from waystation.index.corrections import in_force
from waystation.index.described import corrected, merged, only, united, with_others
from waystation.index.entry import Entry
from waystation.index.levels import PATIENT, SERIES, STUDY
from waystation.index.rows import (
    Identity,
    PatientRow,
    SeriesRow,
    StudyRow,
    patient_at,
    patient_of,
    series_at,
    study_at,
    write_patient,
    write_series,
    write_study,
)
from waystation.model.arrival import Arrival

_KNOWN: Final = (
    "SELECT i.arrival, i.series, i.current, a.sha256 FROM arrival a"
    " JOIN instance i ON i.arrival = a.id"
    " WHERE a.sop_instance = :uid AND coalesce(a.hold_reason, '') <> 'corrupt'"
    # A person has dismissed it as damaged.
    " AND a.ended_why IS NULL"
)
_SHOWN: Final = (
    "SELECT i.arrival FROM arrival a JOIN instance i ON i.arrival = a.id"
    " WHERE a.sop_instance = :uid AND i.series = :series AND i.current = 1 AND i.arrival <> :self"
)
_KEEP: Final = (
    "INSERT INTO archived (arrival, place, again_at, read_as)"
    " VALUES (:arrival, :place, :again, :read_as)"
)
_AGAIN: Final = "UPDATE archived SET again_at = :at WHERE arrival = :arrival AND again_at < :at"
_YOUNGER: Final = "UPDATE study SET last_at = :at WHERE uid = :uid AND last_at < :at"
_ADD: Final = (
    "INSERT INTO instance (arrival, series, number, sop_instance)"
    " VALUES (:arrival, :series, :number, :uid)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """One object for the archive.

    place: its place in the order of filing, an id of ours.  received_at: Unix seconds.
    again_at: when an equal copy came last, 0 if none did.
    """

    place: int
    arrival_id: int
    sha256: str
    size_bytes: int
    received_at: float
    entry: Entry
    again_at: float = 0.0


def file(transaction: Transaction, filings: Iterable[Filing], next_id: Callable[[], int]) -> None:
    """Put objects on file, in order."""
    desk = _Desk(transaction, next_id)
    for filing in filings:
        desk.take(filing)
    desk.write()


def file_all(
    next_id: Callable[[], int],
) -> Callable[[Transaction, Sequence[tuple[int, Arrival, Any]]], None]:
    """Return what files arrivals with their entries, each (place, arrival, entry)."""

    def job(transaction: Transaction, filings: Sequence[tuple[int, Arrival, Any]]) -> None:
        file(transaction, (filing_of(*each) for each in filings), next_id)

    return job


def filing_of(place: int, arrival: Arrival, entry: Entry) -> Filing:
    """Return an arrival as it is filed."""
    return Filing(
        place=place,
        arrival_id=arrival.id,
        sha256=arrival.sha256,
        size_bytes=arrival.size_bytes,
        received_at=arrival.received_at,
        entry=entry,
    )


def filed(filings: Sequence[Filing], next_id: Callable[[], int]) -> Job[None]:
    """Put objects on file in a transaction of their own."""
    return lambda transaction: file(transaction, filings, next_id)


class _Desk:
    """The rows that one call changes."""

    def __init__(self, transaction: Transaction, next_id: Callable[[], int]) -> None:
        self._transaction = transaction
        self._next_id = next_id
        self._studies: dict[str, StudyRow] = {}
        self._series: dict[tuple[int, str], SeriesRow] = {}
        self._patients: dict[Identity, PatientRow] = {}
        self._left: dict[int, PatientRow] = {}

    def take(self, filing: Filing) -> None:
        """Put one object on file."""
        entry, uid = filing.entry, filing.entry.sop_instance_uid
        known = self._transaction.rows(_KNOWN, {"uid": uid})
        digest = bytes.fromhex(filing.sha256)
        same = next((row for row in known if bytes(row[3]) == digest), None)
        if same is not None and same[0] != filing.arrival_id:
            self._renew(filing, same[0])
        if same is not None and same[2]:
            return
        study = self._study(entry.study_uid) if entry.study_uid else None
        series = self._series_of(study, entry.series_uid) if study else None
        self._place(filing, series.id if series else 0, same)
        arrival = same[0] if same is not None else filing.arrival_id
        replaced = self._replace(uid, series.id if series else 0, arrival)
        if study is not None and series is not None:
            _note(study, series, filing, new=not replaced, more=same is None)

    def _renew(self, filing: Filing, arrival: int) -> None:
        """Note that an object came again: its sender was told that it is here (T-30)."""
        at, uid = filing.received_at, filing.entry.study_uid
        self._transaction.run(_AGAIN, {"arrival": arrival, "at": at})
        if uid in self._studies:
            self._studies[uid].last_at = max(self._studies[uid].last_at, at)
        else:
            self._transaction.run(_YOUNGER, {"uid": uid, "at": at})

    def _place(self, filing: Filing, series: int, same: Row | None) -> None:
        """Write the row of the object; an equal copy that is on file takes its new place."""
        run, entry = self._transaction.run, filing.entry
        if same is not None:
            moved = {"arrival": same[0], "place": filing.place}
            run("UPDATE archived SET place = :place WHERE arrival = :arrival", moved)
            run("UPDATE instance SET current = 1 WHERE arrival = :arrival", {"arrival": same[0]})
            return
        one = {"arrival": filing.arrival_id}
        kept = {"place": filing.place, "again": filing.again_at, "read_as": entry.read_as}
        run(_KEEP, one | kept)
        uid = entry.sop_instance_uid
        run(_ADD, one | {"series": series, "number": entry.number, "uid": uid})

    def _replace(self, uid: str, series: int, arrival: int) -> bool:
        """Let a newer version stand for the older ones of its series."""
        shown = {"uid": uid, "series": series, "self": arrival}
        older = self._transaction.rows(_SHOWN, shown)
        for (number,) in older:
            self._transaction.run(
                "UPDATE instance SET current = 0 WHERE arrival = :arrival", {"arrival": number}
            )
        return bool(older)

    def _study(self, uid: str) -> StudyRow:
        row = self._studies.get(uid)
        if row is None:
            row = study_at(self._transaction, uid) or StudyRow(id=self._next_id(), uid=uid)
            self._studies[uid] = row
        return row

    def _series_of(self, study: StudyRow, uid: str) -> SeriesRow:
        row = self._series.get((study.id, uid))
        if row is None:
            found = None if study.new else series_at(self._transaction, study.id, uid)
            row = found or SeriesRow(id=self._next_id(), uid=uid, study=study.id)
            study.n_series += found is None
            self._series[study.id, uid] = row
        return row

    def write(self) -> None:
        """Write what has changed."""
        for study in sorted(self._studies.values(), key=lambda row: row.place):
            if values := in_force(self._transaction, study.uid):
                study.data, study.others = corrected(study.data, study.others, values)
            self._settle(study)
            write_study(self._transaction, study)
        for series in self._series.values():
            write_series(self._transaction, series)
        for row in self._left.values():
            if row.n_studies:
                describe(self._transaction, row)
        for row in {**{r.id: r for r in self._patients.values()}, **self._left}.values():
            write_patient(self._transaction, row)

    def _settle(self, study: StudyRow) -> None:
        """Give the study to its patient, and count it there."""
        columns = study_columns(study.data, study.others)
        has_id = bool(columns.patient_id)
        identity = (columns.issuer, columns.patient_id, "") if has_id else ("", "", study.uid)
        patient = self._patient(identity)
        if study.patient and study.patient != patient.id:
            self._leave(study)
        elif study.patient:
            patient.n_series -= study.before[0]
            patient.n_instances -= study.before[1]
            patient.n_studies -= 1
        if study.patient != patient.id:
            study.patient = patient.id
            # Whatever else is the same, the row says another patient now.
            study.said = (b"", "", b"")
        patient.n_studies += 1
        patient.n_series += study.n_series
        patient.n_instances += study.n_instances
        if patient.place > study.place:
            # Not its newest study, as when an index is made anew: the others have a say.
            self._left[patient.id] = patient
            return
        patient.place = study.place
        _describe(patient, study.data, study.others)

    def _patient(self, identity: Identity) -> PatientRow:
        row = self._patients.get(identity)
        if row is None:
            found = patient_at(self._transaction, identity)
            row = found or PatientRow(id=self._next_id(), identity=identity)
            self._patients[identity] = row
        return row

    def _leave(self, study: StudyRow) -> None:
        """The study turned out to be somebody else's: its former patient has one less."""
        row = self._left.get(study.patient)
        if row is None:
            by_id = {patient.id: patient for patient in self._patients.values()}
            found = by_id.get(study.patient) or patient_of(self._transaction, study.patient)
            if found is None:
                return
            row = self._patients[found.identity] = self._left[found.id] = found
        row.n_studies -= 1
        row.n_series -= study.before[0]
        row.n_instances -= study.before[1]


def _note(study: StudyRow, series: SeriesRow, filing: Filing, *, new: bool, more: bool) -> None:
    """Add what an object says to the rows above it.

    new: it is one more object; more: it is one more file.
    """
    entry, at = filing.entry, filing.received_at
    study.data, study.others = merged(study.data, study.others, entry.study, STUDY)
    series.data, series.others = merged(series.data, series.others, entry.series, SERIES)
    study.regions = united(study.regions, entry.regions)
    study.modalities = joined(study.modalities, entry.modality)
    study.classes = joined(study.classes, entry.sop_class_uid)
    study.n_instances += new
    series.n_instances += new
    study.place = filing.place
    if more:
        study.size_bytes += filing.size_bytes
        study.first_at = min(study.first_at or at, at)
        study.last_at = max(study.last_at, at, filing.again_at)


def _describe(patient: PatientRow, data: bytes, others: str) -> None:
    """Lay what the newest study says of its patient over what the others say."""
    patient.data, patient.others = merged(
        patient.data, patient.others, only(data, PATIENT), PATIENT
    )
    patient.others = with_others(patient.others, patient.data, others, PATIENT)


def describe(transaction: Transaction, patient: PatientRow) -> None:
    """Make anew what is said of a patient, from all studies that are left, newest last."""
    fresh = replace(patient, data=b"", others="")
    for data, others, place in transaction.rows(
        "SELECT l.data, l.others, s.place FROM study s JOIN level l ON l.id = s.id"
        " WHERE s.patient = :patient ORDER BY s.place",
        {"patient": patient.id},
    ):
        _describe(fresh, bytes(data), others)
        patient.place = place
    patient.data, patient.others = fresh.data, fresh.others
