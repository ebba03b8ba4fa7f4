"""What a node sees of itself: counts, the event log, reports and alerts.

Contract: nothing in here can hold up an image; `Watching` is told by the belts and returns at
once.
"""

from waystation.flows.counters import Counters
from waystation.flows.witness import Witness
from waystation.model.arrival import Arrival, Source
from waystation.model.delivery import Delivery
from waystation.model.plan import Plan


class Watching(Witness):
    """Of one node."""

    def __init__(self) -> None:
        self.counters = Counters()

    def turned_away(self, reason: str, peer: str) -> None:
        self.counters.turned_away(reason, peer)

    def accepted(self, arrival: Arrival, took_s: float) -> None:
        self.counters.accepted(arrival, took_s)

    def refused(self, source: Source, status: int, why: str, size_bytes: int) -> None:
        self.counters.refused(source, status, why, size_bytes)

    def judged(self, took_s: float) -> None:
        self.counters.judged(took_s)

    def planned(self, arrival: Arrival, plan: Plan, duplicate: str) -> None:
        self.counters.planned(arrival, plan, duplicate)

    def tried(
        self,
        delivery: Delivery,
        word: str,
        fault: str,
        status: int | None,
        why: str,
        wait_s: float,
        send_s: float,
    ) -> None:
        self.counters.tried(delivery, word, fault, status, why, wait_s, send_s)

    def discarded(self, destination: str, delivery_id: int, arrival_id: int, by: str) -> None:
        self.counters.discarded(destination, delivery_id, arrival_id, by)

    def gathered(self, evidence: str, seconds: float) -> None:
        """A gather ended, so long after its last object."""
        self.counters.gathered(evidence, seconds)
