"""Objects that are filed again though their bytes cannot be read: by what the index says of them.

Contract: such an object stays listed under its study and series.  What those say is the least that
it can have said itself: it lies below what the objects say that can be read.
"""

from collections.abc import Sequence
from typing import Final

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.index.entry import Entry
from waystation.index.filing import Filing
from waystation.index.proof import Member

_SAID: Final = (
    "SELECT i.number, coalesce(r.modality, ''), sl.data, rl.data, sl.regions FROM instance i"
    " LEFT JOIN series r ON r.id = i.series LEFT JOIN level rl ON rl.id = r.id"
    " LEFT JOIN level sl ON sl.id = r.study WHERE i.arrival = :arrival"
)


def as_listed(members: Sequence[Member]) -> Job[list[Filing]]:
    """Read how objects are filed; what the index does not list is missing."""

    def job(transaction: Transaction) -> list[Filing]:
        found = []
        for one in members:
            row = transaction.one(_SAID, {"arrival": one.row.arrival_id})
            if row is not None:
                levels = [bytes(each or b"") for each in row[2:5]]
                found.append(_filing(one, row[0], row[1], levels))
        return found

    return job


def _filing(member: Member, number: int, modality: str, levels: Sequence[bytes]) -> Filing:
    row = member.row
    return Filing(
        place=member.place,
        arrival_id=row.arrival_id,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        received_at=row.received_at,
        again_at=member.again_at,
        entry=Entry(
            study_uid=row.study_uid,
            series_uid=row.series_uid,
            sop_instance_uid=row.sop_instance_uid,
            sop_class_uid=row.sop_class_uid,
            modality=modality,
            number=number,
            study=levels[0],
            series=levels[1],
            regions=levels[2],
            read_as=row.read_as,
        ),
    )
