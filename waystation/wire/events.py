"""What a conversation tells its shell: bytes in, these values out.

Data fragments are views into the buffer given to `Association.receive`; they are valid only
until the next call.  Whoever wants to keep them copies them.
"""

from dataclasses import dataclass, field

from waystation.wire.commands import Command
from waystation.wire.items import AssociateAccept, AssociateReject, AssociateRequest


@dataclass(frozen=True, slots=True)
class AssociateAsked:
    """Acceptor: A-ASSOCIATE-RQ came; answer with `Association.accept` or `reject`."""

    request: AssociateRequest


@dataclass(frozen=True, slots=True)
class AssociateAccepted:
    """Requestor: the peer accepted; contexts and limits are in force."""

    accept: AssociateAccept


@dataclass(frozen=True, slots=True)
class AssociateRejected:
    """Requestor: the peer refused.

    Acceptor: the request itself was unacceptable (E14, L5, L6); the A-ASSOCIATE-RJ is queued.
    """

    reject: AssociateReject


@dataclass(frozen=True, slots=True)
class MessageBegun:
    """A whole command set came.  If ``has_data``, `DataCame` events follow."""

    context_id: int
    command: Command
    has_data: bool


@dataclass(frozen=True, slots=True)
class DataCame:
    """A piece of the data set of the message begun last; ``last`` ends the message."""

    context_id: int
    data: memoryview = field(repr=False)
    last: bool


@dataclass(frozen=True, slots=True)
class ReleaseAsked:
    """The peer wants to end; the reply is queued already, unless both asked at once."""


@dataclass(frozen=True, slots=True)
class Released:
    """The association ended in order; close the transport."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association is gone: A-ABORT from the peer, lost connection, or our own abort.

    by: ``peer`` (A-ABORT came), ``us`` (we found a fault; A-ABORT is queued), ``transport``.
    """

    by: str
    source: int
    reason: int
    problem: str = ""


Event = (
    AssociateAsked
    | AssociateAccepted
    | AssociateRejected
    | MessageBegun
    | DataCame
    | ReleaseAsked
    | Released
    | Aborted
)
