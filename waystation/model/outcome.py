"""How one attempt to deliver ended: a value, never an exception (R-55, S-21)."""

from dataclasses import field
from enum import Enum

from waystation.model.delivery import HoldReason
from waystation.model.values import value


class Fault(Enum):
    """Who is to blame, and so who pays: the rows of the policy table O3 to O9."""

    TRANSIENT = "transient"  # the lane backs off; the object is not charged
    UNKNOWN = "unknown"  # sent, no answer: again on a new association
    OBJECT = "object"  # this object is charged a try
    PROTOCOL = "protocol"  # one more try on a fresh association, then held
    PEER = "peer"  # the destination is blocked until its answer changes
    CONTEXT = "context"  # no presentation context: held after one association
    OURS = "ours"  # unreadable or damaged on our side: held at once


@value
class Delivered:
    """The receiver answered success, or a warning that we accept (O1, O2).

    syntax, sha256: of the data set that left, where it is not what was stored (R-63).
    detail: what was changed for it, in words.
    more: outcomes of other objects are known already and follow at once.
    """

    status: int = 0
    comment: str = ""
    syntax: str = ""
    sha256: str = ""
    detail: str = ""
    more: bool = field(default=False, compare=False)

    @property
    def warned(self) -> bool:
        return self.status != 0


@value
class Deferred:
    """Not delivered; may be tried again.

    rest_s: shortest pause that the other side asked for, seconds.
    connected: True if an association was up when it failed.
    """

    fault: Fault
    why: str
    status: int | None = None
    rest_s: float = 0.0
    connected: bool = False


@value
class Refused:
    """Not delivered and not tried again without a person: held."""

    reason: HoldReason
    why: str
    status: int | None = None


Outcome = Delivered | Deferred | Refused
