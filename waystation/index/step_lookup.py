"""What the worklist says about an object that has come: steps of its study, order or patient.

Contract: reads only; cancelled and deleted steps say nothing.  For `validate` (R-68).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.index.step_rows import joined
from waystation.matching.entry import flat

MOST: Final = 50
_BY: Final = {
    "StudyInstanceUID": "s.study_uid = :text",
    "AccessionNumber": "s.accession = :text",
    "PatientID": "s.patient_id = :text",
}
_NOT_CANCELLED: Final = (
    "AND s.state <> 'cancelled' AND s.deleted_at IS NULL ORDER BY s.id DESC LIMIT :most"
)


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
        joined("SELECT s.data FROM step s WHERE", _BY[keyword], _NOT_CANCELLED),
        {"text": text, "most": MOST},
    )


def _texts(data: bytes) -> dict[str, str]:
    return {keyword: values[0] for keyword, values in flat(data).items()}
