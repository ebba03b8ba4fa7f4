"""What stands between a whole object and its being kept, whatever way it came in.

Contract: `arrival_of` makes the arrival of an object that was checked; `admit` raises
`RefusedError` for what filters, rules, validation or an earlier version refuse (R-8, E11), and
waits for room.  Sealing and the promise are the business of each way in (S-1).
"""

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from waystation.blobs.folder import BlobFolder
from waystation.db.engine import Database
from waystation.dicom.head import Head, Identity
from waystation.flows.claims import Claims
from waystation.flows.desk import Services
from waystation.flows.incoming import Incoming
from waystation.flows.recent import Recent
from waystation.flows.route import Acknowledged
from waystation.flows.witness import Witness
from waystation.journal import arrivals
from waystation.journal.ids import IdSource
from waystation.journal.intake import IntakeLog
from waystation.model.arrival import Arrival, Source
from waystation.model.errors import RefusedError
from waystation.model.instance import Instance
from waystation.timing.gather import Carrier
from waystation.wire.negotiate import AcceptPolicy
from waystation.wire.status import DATA_SET_MISMATCH, NOT_AUTHORISED, NOT_VALID


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What an association would not let in, for the ways that know no association (E10, L8).

    classes: which SOP classes are taken.  largest: bytes of one object.
    """

    classes: AcceptPolicy = AcceptPolicy()
    largest: int = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What receiving needs of the node.

    one_version: whether other bytes under a known UID are refused (``different = "refuse"``).
    refuses: decides before the answer what refuses the object (0124H): a filter, or no rule.
    rejects: the same for a validation (C001H).
    full: why nothing can be stored now, or "".
    arrived: told about each acknowledged arrival.  room: waits until one more may be.
    witness: told how each C-STORE was answered.
    ended: told when an association is over.
    services: what is served besides storing, by abstract syntax.
    claims: who may have asked for what comes in.
    bounds: of what comes in otherwise than by an association.
    """

    database: Database
    intake: IntakeLog
    blobs: BlobFolder
    disk: Executor
    recent: Recent
    ids: IdSource
    clock: Callable[[], float]
    refuses: Callable[[Head, Arrival], str]
    rejects: Callable[[Head, Arrival], Awaitable[str]]
    one_version: Callable[[], bool]
    full: Callable[[], str]
    arrived: Callable[[Acknowledged], None]
    room: Callable[[], Awaitable[None]]
    settled: Callable[[], Awaitable[None]]
    witness: Witness
    ended: Callable[[Carrier], None]
    services: Services = field(default_factory=dict)
    claims: Claims = field(default_factory=Claims)
    bounds: Bounds = Bounds()


def arrival_of(
    keeping: Keeping,
    source: Source,
    incoming: Incoming,
    found: Identity,
    priority: str = "normal",
) -> Arrival:
    """Return the arrival of a whole object; it has no blob yet."""
    return Arrival(
        id=keeping.ids.next(),
        received_at=keeping.clock(),
        source=source,
        instance=Instance(
            sop_class_uid=found.sop_class_uid,
            sop_instance_uid=found.sop_instance_uid,
            study_uid=found.study_uid,
            series_uid=found.series_uid,
            transfer_syntax_uid=incoming.context.transfer_syntax,
            patient_id=found.patient_id,
            modality=found.modality,
        ),
        blob="",
        size_bytes=incoming.size_bytes,
        sha256=incoming.sha256(),
        priority=priority,
    )


async def admit(keeping: Keeping, head: Head, arrival: Arrival) -> None:
    """Raise `RefusedError` if the object is not to be taken; else wait until there is room."""
    word = keeping.refuses(head, arrival)
    if word:
        raise RefusedError(NOT_AUTHORISED, word)
    word = await keeping.rejects(head, arrival)
    if word:
        raise RefusedError(NOT_VALID, word[:64])
    if keeping.one_version():
        await _refuse_version(keeping, arrival)
    await keeping.room()


async def _refuse_version(keeping: Keeping, arrival: Arrival) -> None:
    """Refuse other bytes under a UID that was received before (E11)."""
    # What was acknowledged a moment ago may not be in the tables yet.
    await keeping.settled()
    known = await keeping.database.read(arrivals.digests(arrival.instance.sop_instance_uid))
    if known and arrival.sha256 not in known:
        raise RefusedError(DATA_SET_MISMATCH, "other bytes under this SOP Instance UID")
