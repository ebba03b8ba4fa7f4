"""What the belts tell about what they do; the one in here listens to nobody.

Contract: each call returns at once and never raises; a belt does not know who listens.  Context
comes with each call and is kept nowhere, so that concurrent work cannot mislabel an event (R-86).
"""

from waystation.model.arrival import Arrival, Source
from waystation.model.delivery import Delivery
from waystation.model.plan import Plan
from waystation.model.values import value


@value
class Attempt:
    """How one attempt to deliver ended.

    word: delivered, warned, deferred, discarded, or held with its reason behind a blank.
    fault: who is to blame, ``refused``, or the word of a success.  wait_s: from the delivery's
    making to the beginning of this attempt.
    """

    delivery: Delivery
    word: str
    fault: str
    status: int | None
    why: str
    wait_s: float
    send_s: float


class Witness:
    """A listener.  All times are seconds, statuses are those of DIMSE or HTTP."""

    def turned_away(self, reason: str, peer: str) -> None:
        """A connection or an association was refused.  peer: "" if it is not known."""

    def accepted(self, arrival: Arrival, took_s: float) -> None:
        """An object was acknowledged, so long after its last byte had come."""

    def refused(self, source: Source, status: int, why: str, size_bytes: int) -> None:
        """An object was answered with a failure."""

    def judged(self, took_s: float) -> None:
        """The rules have answered for one arrival."""

    def planned(self, arrival: Arrival, plan: Plan, duplicate: str) -> None:
        """A plan is written.  duplicate: what was done about it, "" for a first one."""

    def tried(self, attempt: Attempt) -> None:
        """An attempt ended."""

    def discarded(self, destination: str, delivery_id: int, arrival_id: int, by: str) -> None:
        """A delivery ended without an attempt, by a filter; ids are 0 where unknown."""


SILENT = Witness()
