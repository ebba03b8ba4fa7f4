"""What the worklist says about an object that has come: steps of its study, order or patient.

Contract: reads only; cancelled and deleted steps say nothing.  For `validate` (R-68).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.matching.entry import flat

MOST: Final = 50
_BY: Final = {
    "StudyInstanceUID": "study_uid",
    "AccessionNumber": "accession",
    "PatientID": "patient_id",
}


def scheduled(said: Mapping[str, str]) -> Job[dict[str, Sequence[Mapping[str, str]]]]:
    """Return a job that reads steps by each of the elements that has a value, newest first.

    said: StudyInstanceUID, AccessionNumber and PatientID of the object.
    """

    def job(transaction: Transaction) -> dict[str, Sequence[Mapping[str, str]]]:
        return {
            keyword: [_texts(bytes(row[0])) for row in _rows(transaction, keyword, text)]
            for keyword, text in said.items()
            if text
        }

    return job


def _rows(transaction: Transaction, keyword: str, text: str) -> Sequence[Sequence[bytes]]:
    return transaction.rows(
        f"SELECT s.data FROM step s WHERE s.{_BY[keyword]} = :text AND s.state <> 'cancelled'"
        " AND s.deleted_at IS NULL ORDER BY s.id DESC LIMIT :most",
        {"text": text, "most": MOST},
    )


def _texts(data: bytes) -> dict[str, str]:
    return {keyword: values[0] for keyword, values in flat(data).items()}
