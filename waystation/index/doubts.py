"""What contradicts itself in the archive, for a person to look at (T-31, T-33).

Contract: reads only; nothing is noted anywhere, so that a doubt ends with its cause.  `doubts_of`
tells those of one study, `doubts` goes through the studies page by page.  Texts name UIDs and no
patient.
Objects are indexed under what they say all the same: nothing is merged or moved by itself.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Row, Transaction
from waystation.dicom.values import decode_text
from waystation.index import levels
from waystation.index.described import read
from waystation.matching.folding import folded

SERIES, INSTANCE, PATIENT, IDENTITY = "series", "instance", "patient", "identity"
_SERIES: Final = (
    "SELECT s.uid, r.uid, t.uid FROM study s JOIN series r ON r.study = s.id"
    " JOIN series o ON o.uid = r.uid AND o.study <> r.study JOIN study t ON t.id = o.study"
    " WHERE s.uid = :study"
)
_INSTANCES: Final = (
    "SELECT s.uid, i.sop_instance, r.uid, p.uid, t.uid FROM study s"
    " JOIN series r ON r.study = s.id JOIN instance i ON i.series = r.id AND i.current = 1"
    " JOIN arrival a ON a.sop_instance = i.sop_instance"
    " JOIN instance o ON o.arrival = a.id AND o.current = 1 AND o.series <> i.series"
    " JOIN series p ON p.id = o.series JOIN study t ON t.id = p.study WHERE s.uid = :study"
)
# Other values of the study's own Patient ID, and of its patient's name and birth date.
_IDS: Final = (
    "SELECT s.uid FROM study s JOIN level l ON l.id = s.id WHERE s.uid = :study"
    " AND l.others LIKE '%\"00100020\"%'"
)
_PATIENTS: Final = (
    "SELECT s.uid, l.data, l.others FROM study s JOIN patient p ON p.id = s.patient"
    " JOIN level l ON l.id = p.id WHERE s.uid = :study"
    " AND (l.others LIKE '%\"00100010\"%' OR l.others LIKE '%\"00100030\"%')"
)
_STUDIES: Final = "SELECT uid FROM study WHERE uid > :after ORDER BY uid LIMIT :limit"
# Studies that one look goes through.
PAGE: Final = 500
NAMES: Final = {levels.PATIENT_NAME: "name", levels.BIRTH_DATE: "birth date"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One contradiction.  kind: series, instance, patient or identity.  other: study it is with."""

    study: str
    kind: str
    text: str
    other: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What some studies have.  after: where the next page begins, "" if that was the last."""

    doubts: list[Doubt]
    after: str


def doubts_of(study: str) -> Job[list[Doubt]]:
    """Read what contradicts itself in one study."""
    values = {"study": study}

    def job(transaction: Transaction) -> list[Doubt]:
        found = [_series(row) for row in transaction.rows(_SERIES, values)]
        found += [_instance(row) for row in transaction.rows(_INSTANCES, values)]
        found += [_identity(row) for row in transaction.rows(_IDS, values)]
        for row in transaction.rows(_PATIENTS, values):
            found += _patient(row)
        return sorted(set(found), key=lambda one: (one.study, one.kind, one.text))

    return job


def doubts(after: str = "", limit: int = PAGE) -> Job[Looked]:
    """Read what contradicts itself in up to ``limit`` studies behind a study UID."""

    def job(transaction: Transaction) -> Looked:
        rows = transaction.rows(_STUDIES, {"after": after, "limit": limit})
        found = [one for (uid,) in rows for one in doubts_of(uid)(transaction)]
        return Looked(doubts=found, after=rows[-1][0] if len(rows) == limit else "")

    return job


def _series(row: Row) -> Doubt:
    text = f"series {row[1]} is also in study {row[2]}"
    return Doubt(study=row[0], kind=SERIES, text=text, other=row[2])


def _instance(row: Row) -> Doubt:
    text = f"instance {row[1]} is in series {row[2]} and in series {row[3]}"
    return Doubt(study=row[0], kind=INSTANCE, text=text, other=row[4] if row[4] != row[0] else "")


def _identity(row: Row) -> Doubt:
    return Doubt(study=row[0], kind=IDENTITY, text="its objects have different Patient IDs")


def _patient(row: Row) -> Iterator[Doubt]:
    """Yield what other objects say of a patient with the same ID, if it is really different."""
    head, others = read(bytes(row[1])), json.loads(row[2])
    for tag, word in NAMES.items():
        vr = levels.PATIENT[tag]
        shown = decode_text(head.raw_sequence(tag), vr, head.charset(""))
        said = {folded(each).strip("\0^= ") for each in (shown, *others.get(f"{tag:08X}", ()))}
        if len(said - {""}) > 1:
            text = f"the same Patient ID is used with another {word}"
            yield Doubt(study=row[0], kind=PATIENT, text=text)
