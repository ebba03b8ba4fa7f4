"""What the node has counted since it started, for its metrics (R-84).

Contract: plain numbers, so that an object costs about a microsecond.  Keys are names from the
configuration and words of fixed lists (R-85): a status that the Standard does not list counts
under its range.
"""

from collections import Counter, defaultdict

from waystation.flows.witness import Attempt, Witness
from waystation.model.arrival import Arrival, Source
from waystation.model.plan import Plan
from waystation.timing.histogram import BRIEF, LONG, Histogram
from waystation.wire.status import NAMES

# Those that a DICOMweb server or a webhook may answer with.
HTTP = frozenset(
    {200, 202, 400, 401, 403, 404, 405, 408, 409, 410, 411, 413, 415, 422, 429}
    | {500, 501, 502, 503, 504, 507}
)


def status_word(status: int | None) -> str:
    """Return a status as a label, "" for none."""
    if status is None:
        return ""
    if status in NAMES:
        return f"{status:04X}"
    if status in HTTP:
        return f"{status}"
    first = f"{status:04X}"[0]
    return f"{first}xxx" if first in "ABC" else "other"


class Counters(Witness):
    """answered: (peer, status) → objects; answered_bytes alike.  turned: (peer, reason) → how
    often.  ended: (destination, outcome) → deliveries.  attempts: (destination, class, status).
    """

    def __init__(self) -> None:
        self.answered: Counter[tuple[str, str]] = Counter()
        self.answered_bytes: Counter[tuple[str, str]] = Counter()
        self.turned: Counter[tuple[str, str]] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.attempts: Counter[tuple[str, str, str]] = Counter()
        self.duplicates: Counter[str] = Counter()
        self.accept_s: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.plan_s = Histogram(BRIEF)
        self.send_s: defaultdict[str, Histogram] = defaultdict(Histogram)
        self.wait_s: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(LONG))
        self.gather_s: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(LONG))

    def turned_away(self, reason: str, peer: str) -> None:
        self.turned[peer, reason] += 1

    def accepted(self, arrival: Arrival, took_s: float) -> None:
        peer = arrival.source.peer
        self.answered[peer, "0000"] += 1
        self.answered_bytes[peer, "0000"] += arrival.size_bytes
        self.accept_s[peer].add(took_s)

    def refused(self, source: Source, status: int, why: str, size_bytes: int) -> None:
        word = status_word(status)
        self.answered[source.peer, word] += 1
        self.answered_bytes[source.peer, word] += size_bytes
        self.turned[source.peer, word] += 1

    def judged(self, took_s: float) -> None:
        self.plan_s.add(took_s)

    def planned(self, arrival: Arrival, plan: Plan, duplicate: str) -> None:
        if duplicate:
            self.duplicates[duplicate] += 1
        for target in plan.targets:
            if target.filtered_by:
                self.ended[target.destination, "filtered"] += 1
            elif target.hold is not None:
                self.ended[target.destination, "held"] += 1

    def tried(self, attempt: Attempt) -> None:
        to = attempt.delivery.destination
        self.attempts[to, attempt.fault, status_word(attempt.status)] += 1
        self.send_s[to].add(attempt.send_s)
        self.wait_s[to].add(attempt.wait_s)
        if attempt.word != "deferred":
            self.ended[to, attempt.word.partition(" ")[0]] += 1

    def discarded(self, destination: str, delivery_id: int, arrival_id: int, by: str) -> None:
        self.ended[destination, "filtered"] += 1

    def gathered(self, evidence: str, seconds: float) -> None:
        """A gather ended, so long after its last object."""
        self.gather_s[evidence].add(seconds)
