"""The rows of patients, studies and series while they are changed, and the SQL that keeps them.

Contract: a row is read once, changed in memory and written once, in the caller's transaction.
"""

from dataclasses import dataclass
from typing import Final

from waystation.db.statement import Row, Transaction
from waystation.index.columns import Terms, first, name_column, series_number, study_columns
from waystation.index.levels import BIRTH_DATE, MODALITY, PATIENT_NAME
from waystation.matching.preselect import date_form

_ADD_LEVEL: Final = (
    "INSERT INTO level (id, data, others, regions) VALUES (:id, :data, :others, :regions)"
    " ON CONFLICT (id) DO UPDATE SET data = :data, others = :others, regions = :regions"
)
_STUDY: Final = (
    "SELECT s.id, s.patient, s.modalities, s.classes, s.n_series, s.n_instances, s.size_bytes,"
    " s.first_at, s.last_at, s.place, l.data, l.others, l.regions"
    " FROM study s JOIN level l ON l.id = s.id WHERE s.uid = :uid"
)
_ADD_STUDY: Final = (
    "INSERT INTO study (id, uid, patient, patient_id, name, birth_date, date, time, accession,"
    " study_id, description, modalities, classes, n_series, n_instances, size_bytes, first_at,"
    " last_at, varied, place)"
    " VALUES (:id, :uid, :patient, :patient_id, :name, :birth_date, :date, :time, :accession,"
    " :study_id, :description, :modalities, :classes, :n_series, :n_instances, :size_bytes,"
    " :first_at, :last_at, :varied, :place)"
)
_CHANGE_STUDY: Final = (
    "UPDATE study SET patient = :patient, patient_id = :patient_id, name = :name,"
    " birth_date = :birth_date, date = :date, time = :time, accession = :accession,"
    " study_id = :study_id, description = :description, modalities = :modalities,"
    " classes = :classes, n_series = :n_series, n_instances = :n_instances,"
    " size_bytes = :size_bytes, first_at = :first_at, last_at = :last_at, varied = :varied,"
    " place = :place WHERE id = :id"
)
# An index is written anew for each column named, whether its value is another or not.
_COUNT_STUDY: Final = (
    "UPDATE study SET modalities = :modalities, classes = :classes, n_series = :n_series,"
    " n_instances = :n_instances, size_bytes = :size_bytes, first_at = :first_at,"
    " last_at = :last_at, place = :place WHERE id = :id"
)
_SERIES: Final = (
    "SELECT s.id, s.n_instances, l.data, l.others FROM series s JOIN level l ON l.id = s.id"
    " WHERE s.study = :study AND s.uid = :uid"
)
_ADD_SERIES: Final = (
    "INSERT INTO series (id, uid, study, modality, number, n_instances)"
    " VALUES (:id, :uid, :study, :modality, :number, :n_instances)"
)
_CHANGE_SERIES: Final = (
    "UPDATE series SET modality = :modality, number = :number, n_instances = :n_instances"
    " WHERE id = :id"
)
_COUNT_SERIES: Final = "UPDATE series SET n_instances = :n_instances WHERE id = :id"
_PATIENT_COLUMNS: Final = (
    "SELECT p.id, p.issuer, p.patient_id, p.only_study, p.n_studies, p.n_series, p.n_instances,"
    " p.place, l.data, l.others FROM patient p JOIN level l ON l.id = p.id"
)
_ADD_PATIENT: Final = (
    "INSERT INTO patient (id, issuer, patient_id, only_study, name, birth_date, n_studies,"
    " n_series, n_instances, place)"
    " VALUES (:id, :issuer, :patient_id, :only_study, :name, :birth_date, :n_studies,"
    " :n_series, :n_instances, :place)"
)
_CHANGE_PATIENT: Final = (
    "UPDATE patient SET name = :name, birth_date = :birth_date, n_studies = :n_studies,"
    " n_series = :n_series, n_instances = :n_instances, place = :place WHERE id = :id"
)
_COUNT_PATIENT: Final = (
    "UPDATE patient SET n_studies = :n_studies, n_series = :n_series,"
    " n_instances = :n_instances, place = :place WHERE id = :id"
)
_ADD_TERM: Final = (
    "INSERT INTO term (kind, value, study) VALUES (:kind, :value, :study) ON CONFLICT DO NOTHING"
)
Identity = tuple[str, str, str]


@dataclass(slots=True, kw_only=True)
class PatientRow:
    """identity: issuer, patient id and, without an id, the one study (T-31)."""

    id: int
    identity: Identity
    data: bytes = b""
    others: str = ""
    n_studies: int = 0
    n_series: int = 0
    n_instances: int = 0
    place: int = 0
    new: bool = True
    said: tuple[bytes, str] = (b"", "")


@dataclass(slots=True, kw_only=True)
class StudyRow:
    """patient: 0 until it is known.  before: its counts (series, instances) as they were read."""

    id: int
    uid: str
    patient: int = 0
    data: bytes = b""
    others: str = ""
    regions: bytes = b""
    modalities: str = ""
    classes: str = ""
    n_series: int = 0
    n_instances: int = 0
    size_bytes: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    place: int = 0
    new: bool = True
    before: tuple[int, int] = (0, 0)
    said: tuple[bytes, str, bytes] = (b"", "", b"")


@dataclass(slots=True, kw_only=True)
class SeriesRow:
    id: int
    uid: str
    study: int
    data: bytes = b""
    others: str = ""
    n_instances: int = 0
    new: bool = True
    said: tuple[bytes, str] = (b"", "")


def study_at(transaction: Transaction, uid: str) -> StudyRow | None:
    """Return the row of a study."""
    row = transaction.one(_STUDY, {"uid": uid})
    if row is None:
        return None
    data, regions = bytes(row[10]), bytes(row[12])
    return StudyRow(
        id=row[0],
        uid=uid,
        patient=row[1],
        modalities=row[2],
        classes=row[3],
        n_series=row[4],
        n_instances=row[5],
        size_bytes=row[6],
        first_at=row[7],
        last_at=row[8],
        place=row[9],
        data=data,
        others=row[11],
        regions=regions,
        new=False,
        before=(row[4], row[5]),
        said=(data, row[11], regions),
    )


def series_at(transaction: Transaction, study: int, uid: str) -> SeriesRow | None:
    """Return the row of a series of a study."""
    row = transaction.one(_SERIES, {"study": study, "uid": uid})
    if row is None:
        return None
    data = bytes(row[2])
    return SeriesRow(
        id=row[0],
        uid=uid,
        study=study,
        n_instances=row[1],
        data=data,
        others=row[3],
        new=False,
        said=(data, row[3]),
    )


def patient_at(transaction: Transaction, identity: Identity) -> PatientRow | None:
    """Return the row of a patient."""
    issuer, patient_id, only_study = identity
    row = transaction.one(
        _PATIENT_COLUMNS + " WHERE p.patient_id = :patient_id AND p.issuer = :issuer"
        " AND p.only_study = :only_study",
        {"issuer": issuer, "patient_id": patient_id, "only_study": only_study},
    )
    return None if row is None else _patient(row)


def patient_of(transaction: Transaction, row_id: int) -> PatientRow | None:
    """Return the row of a patient by its id."""
    row = transaction.one(_PATIENT_COLUMNS + " WHERE p.id = :id", {"id": row_id})
    return None if row is None else _patient(row)


def _patient(row: Row) -> PatientRow:
    data = bytes(row[8])
    return PatientRow(
        id=row[0],
        identity=(row[1], row[2], row[3]),
        n_studies=row[4],
        n_series=row[5],
        n_instances=row[6],
        place=row[7],
        data=data,
        others=row[9],
        new=False,
        said=(data, row[9]),
    )


def write_patient(transaction: Transaction, row: PatientRow) -> None:
    """Write a patient; one without studies goes."""
    if not row.n_studies:
        transaction.run("DELETE FROM patient WHERE id = :id", {"id": row.id})
        transaction.run("DELETE FROM level WHERE id = :id", {"id": row.id})
        return
    counts = {
        "id": row.id,
        "n_studies": row.n_studies,
        "n_series": row.n_series,
        "n_instances": row.n_instances,
        "place": row.place,
    }
    if not row.new and row.said == (row.data, row.others):
        transaction.run(_COUNT_PATIENT, counts)
        return
    shown = {
        "name": name_column(first(row.data, PATIENT_NAME)),
        "birth_date": date_form(first(row.data, BIRTH_DATE)),
    }
    if row.new:
        issuer, patient_id, only_study = row.identity
        identity = {"issuer": issuer, "patient_id": patient_id, "only_study": only_study}
        transaction.run(_ADD_PATIENT, counts | shown | identity)
    else:
        transaction.run(_CHANGE_PATIENT, counts | shown)
    _write_level(transaction, row.id, row.data, row.others)


def write_study(transaction: Transaction, row: StudyRow) -> None:
    """Write a study and its terms."""
    counts = {
        "id": row.id,
        "modalities": row.modalities,
        "classes": row.classes,
        "n_series": row.n_series,
        "n_instances": row.n_instances,
        "size_bytes": row.size_bytes,
        "first_at": row.first_at,
        "last_at": row.last_at,
        "place": row.place,
    }
    if not row.new and row.said == (row.data, row.others, row.regions):
        transaction.run(_COUNT_STUDY, counts)
        return
    columns = study_columns(row.data, row.others)
    fields = counts | {
        "uid": row.uid,
        "patient": row.patient,
        "patient_id": columns.patient_id,
        "name": columns.name,
        "birth_date": columns.birth_date,
        "date": columns.date,
        "time": columns.time,
        "accession": columns.accession,
        "study_id": columns.study_id,
        "description": columns.description,
        "varied": columns.varied,
    }
    if row.new:
        transaction.run(_ADD_STUDY, fields)
        _write_terms(transaction, row.id, columns.terms)
    else:
        transaction.run(_CHANGE_STUDY, {k: v for k, v in fields.items() if k != "uid"})
        if study_columns(row.said[0], row.said[1]).terms != columns.terms:
            transaction.run("DELETE FROM term WHERE study = :study", {"study": row.id})
            _write_terms(transaction, row.id, columns.terms)
    _write_level(transaction, row.id, row.data, row.others, row.regions)


def _write_terms(transaction: Transaction, study: int, terms: Terms) -> None:
    transaction.many(
        _ADD_TERM,
        [{"kind": kind, "value": value, "study": study} for kind, value in sorted(terms)],
    )


def write_series(transaction: Transaction, row: SeriesRow) -> None:
    """Write a series."""
    counts = {"id": row.id, "n_instances": row.n_instances}
    if not row.new and row.said == (row.data, row.others):
        transaction.run(_COUNT_SERIES, counts)
        return
    shown = {"modality": first(row.data, MODALITY), "number": series_number(row.data)}
    if row.new:
        added = counts | shown | {"uid": row.uid, "study": row.study}
        transaction.run(_ADD_SERIES, added)
    else:
        transaction.run(_CHANGE_SERIES, counts | shown)
    _write_level(transaction, row.id, row.data, row.others)


def _write_level(
    transaction: Transaction, row_id: int, data: bytes, others: str, regions: bytes = b""
) -> None:
    transaction.run(_ADD_LEVEL, {"id": row_id, "data": data, "others": others, "regions": regions})
