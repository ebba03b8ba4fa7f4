"""Whether the index says what the archived objects say, and making it say so (T-35).

Contract: `Proof.run` goes through the archive study by study and tells each that differs; with
``mending`` it writes that study anew, from the objects alone.  A study of which an object cannot be
read is told and left as it is.  Works beside a node that goes on: what changes meanwhile is looked
at again.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from waystation.db.engine import Database, Job
from waystation.db.statement import Transaction
from waystation.dicom.head import Head
from waystation.index.corrections import of_study
from waystation.index.entry import entry_of
from waystation.index.filing import Filing, describe, file
from waystation.index.pages import ImageRow
from waystation.index.removal import forget
from waystation.index.rows import PatientRow, patient_of, write_patient
from waystation.index.search import Heads, Reads
from waystation.index.shadow import Shadow, Shape, shape

PAGE: Final = 200
AT_ONCE: Final = 100
TRIES: Final = 3
PATIENT: Final = "counts or attributes of a patient"
CHANGING: Final = "it changes all the time"
UNREADABLE: Final = "{} of its objects cannot be read"
_STUDIES: Final = (
    "SELECT f.uid FROM (SELECT a.study AS uid FROM arrival a WHERE a.study > :after AND EXISTS"
    " (SELECT 1 FROM archived k WHERE k.arrival = a.id)"
    " UNION SELECT s.uid FROM study s WHERE s.uid > :after) AS f ORDER BY f.uid LIMIT :limit"
)
_MEMBERS: Final = (
    "SELECT a.id, k.place, a.sop_instance, a.sop_class, a.transfer_syntax, a.size_bytes,"
    " a.sha256, a.blob, a.received_at,"
    " coalesce(a.hold_reason, '') = 'corrupt' OR a.ended_why IS NOT NULL, a.series, k.again_at,"
    " k.read_as"
    " FROM arrival a"
    " JOIN archived k ON k.arrival = a.id WHERE a.study = :uid ORDER BY k.place"
)
_PATIENTS: Final = "SELECT p.id FROM patient p WHERE p.id > :after ORDER BY p.id LIMIT :limit"
_COUNTS: Final = (
    "SELECT count(*), coalesce(sum(n_series), 0), coalesce(sum(n_instances), 0)"
    " FROM study WHERE patient = :id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One archived object.  corrupt: its bytes were found damaged.  again_at: as in `Filing`."""

    place: int
    row: ImageRow
    corrupt: bool
    again_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with a study, or with the row of a patient (then ``study_uid`` is "").

    mended: it was written anew.
    """

    study_uid: str
    what: str
    mended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """Where what is wrong is written anew.  next_id: an id of our own making."""

    database: Database
    next_id: Callable[[], int]


class Proof:
    """Of one archive.  heads: reads the heads of objects.  checked: objects, so far."""

    def __init__(
        self,
        database: Reads,
        heads: Heads,
        mending: Mending | None = None,
    ) -> None:
        self._database = database
        self._heads = heads
        self._mending = mending
        self.studies = 0
        self.checked = 0

    async def run(self) -> AsyncGenerator[Finding, None]:
        """Yield what is wrong; raises `StorageError` if the journal cannot be read."""
        with Shadow() as shadow:
            finding = await self._study(shadow, "")
            if finding is not None:
                yield finding
            after = ""
            while found := await self._database.read(_studies(after)):
                after = found[-1]
                for uid in found:
                    finding = await self._study(shadow, uid)
                    if finding is not None:
                        yield finding
        async for finding in self._patients():
            yield finding

    async def _study(self, shadow: Shadow, uid: str) -> Finding | None:
        for _ in range(TRIES):
            values = await self._database.read(of_study(uid))
            said, members = await self._database.read(members_of(uid))
            filings = await filings_of(self._heads, members)
            missing = len(members) - len(filings)
            if missing:
                return Finding(study_uid=uid, what=UNREADABLE.format(missing))
            corrupt = frozenset(each.row.arrival_id for each in members if each.corrupt)
            meant = shadow.of(filings, corrupt, uid, values)
            if meant == said:
                self.studies += bool(uid)
                self.checked += len(members)
                return None
            what = ", ".join(meant.differences(said))
            if self._mending is not None:
                job = written(uid, said, filings, self._mending.next_id)
                if await self._mending.database.write(job):
                    return Finding(study_uid=uid, what=what, mended=True)
            elif (await self._database.read(members_of(uid)))[0] == said:
                return Finding(study_uid=uid, what=what)
        return Finding(study_uid=uid, what=CHANGING)

    async def _patients(self) -> AsyncGenerator[Finding, None]:
        after = 0
        while page := await self._database.read(_patients(after)):
            after = page[-1]
            for patient in await self._database.read(_wrong(page)):
                # What was being changed a moment ago is looked at again, where it is mended.
                if self._mending is not None:
                    await self._mending.database.write(_rewritten(patient))
                yield Finding(study_uid="", what=PATIENT, mended=self._mending is not None)


async def filings_of(heads: Heads, members: Sequence[Member]) -> list[Filing]:
    """Return objects as they are filed; those that cannot be read are missing."""
    found: list[Filing] = []
    for at in range(0, len(members), AT_ONCE):
        some = members[at : at + AT_ONCE]
        found += filings_from(some, await heads([each.row for each in some]))
    return found


def filings_from(members: Sequence[Member], heads: Sequence[Head | None]) -> list[Filing]:
    """Return objects as they are filed, by their heads; what has none is missing."""
    both = zip(members, heads, strict=True)
    return [_filing(each, head) for each, head in both if head is not None]


def _filing(member: Member, head: Head) -> Filing:
    row = member.row
    return Filing(
        place=member.place,
        arrival_id=row.arrival_id,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        received_at=row.received_at,
        entry=entry_of(head, row.read_as),
        again_at=member.again_at,
    )


def _studies(after: str) -> Job[list[str]]:
    def job(transaction: Transaction) -> list[str]:
        return [row[0] for row in transaction.rows(_STUDIES, {"after": after, "limit": PAGE})]

    return job


def members_of(uid: str) -> Job[tuple[Shape, list[Member]]]:
    """Read what the index says of a study, and the objects that it should say it of."""

    def job(transaction: Transaction) -> tuple[Shape, list[Member]]:
        rows = transaction.rows(_MEMBERS, {"uid": uid})
        members = [
            Member(
                place=row[1],
                corrupt=bool(row[9]),
                again_at=row[11],
                row=ImageRow(
                    arrival_id=row[0],
                    number=0,
                    sop_instance_uid=row[2],
                    sop_class_uid=row[3],
                    transfer_syntax_uid=row[4],
                    size_bytes=row[5],
                    sha256=bytes(row[6]).hex(),
                    blob=row[7],
                    received_at=row[8],
                    calling_ae="",
                    series_uid=row[10],
                    study_uid=uid,
                    read_as=row[12],
                ),
            )
            for row in rows
        ]
        return shape(transaction, uid), members

    return job


def written(
    uid: str,
    said: Shape,
    filings: Sequence[Filing],
    next_id: Callable[[], int],
    before: Callable[[Transaction], object] = lambda _transaction: None,
) -> Job[bool]:
    """Write a study anew, unless it changed since it was looked at.  before: is done first."""

    def job(transaction: Transaction) -> bool:
        if shape(transaction, uid) != said:
            return False
        before(transaction)
        row = transaction.one(
            "SELECT id, patient, n_series, n_instances FROM study WHERE uid = :uid", {"uid": uid}
        )
        for arrival in [filing.arrival_id for filing in filings]:
            transaction.run("DELETE FROM instance WHERE arrival = :id", {"id": arrival})
            transaction.run("DELETE FROM archived WHERE arrival = :id", {"id": arrival})
        if row is not None:
            transaction.run("DELETE FROM study WHERE id = :id", {"id": row[0]})
            forget(transaction, *row)
        file(transaction, filings, next_id)
        return True

    return job


def _patients(after: int) -> Job[list[int]]:
    def job(transaction: Transaction) -> list[int]:
        rows = transaction.rows(_PATIENTS, {"after": after, "limit": PAGE})
        return [row[0] for row in rows]

    return job


def _meant(transaction: Transaction, patient: int) -> tuple[PatientRow, PatientRow] | None:
    """Return a patient as it stands, and as its studies make it."""
    row = patient_of(transaction, patient)
    counts = transaction.one(_COUNTS, {"id": patient})
    if row is None or counts is None:
        return None
    meant = replace(row, n_studies=counts[0], n_series=counts[1], n_instances=counts[2])
    describe(transaction, meant)
    return row, meant


def _wrong(patients: Sequence[int]) -> Job[list[int]]:
    def job(transaction: Transaction) -> list[int]:
        found = []
        for patient in patients:
            both = _meant(transaction, patient)
            if both is not None and both[0] != both[1]:
                found.append(patient)
        return found

    return job


def _rewritten(patient: int) -> Job[None]:
    def job(transaction: Transaction) -> None:
        both = _meant(transaction, patient)
        if both is not None:
            write_patient(transaction, both[1])

    return job
