"""Deliveries and a destination on a simulated clock: what the tests of timing drive."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from waystation.model.delivery import Delivery, HoldReason
from waystation.model.outcome import Deferred, Delivered, Fault
from waystation.timing.lane import Lane
from waystation.timing.retry import RetryPolicy, after_failure

REFUSED_CONNECTION = Deferred(fault=Fault.TRANSIENT, why="connection refused")
REJECTED = Deferred(fault=Fault.PEER, why="rejected: calling AE title not recognised")


def delivery(number: int = 1, **more: object) -> Delivery:
    made = Delivery(
        id=number,
        arrival_id=number,
        destination="pacs",
        study_uid=f"2.25.{number}",
        series_uid=f"2.25.{number}.2",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sop_instance_uid=f"2.25.{number}.1",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        calling_ae="WAYSTATION",
        blob=str(number),
        size_bytes=1,
        sha256="",
        received_at=0.0,
    )
    return replace(made, **more)  # type: ignore[arg-type]


@dataclass
class Waiting:
    """One delivery as the journal would keep it."""

    delivery: Delivery
    due: float = 0.0
    last_fault: Fault | None = None


Answer = Callable[[Delivery, float], Delivered | Deferred]
Probe = Callable[[float], Deferred | None]


@dataclass
class Belt:
    """A lane with its queue, one delivery at a time, run without waiting.

    answer: what the destination says to a delivery at a time.  probe: what it says to a probe.
    """

    answer: Answer
    probe: Probe = lambda now: None
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    jitter: float = 0.5
    now: float = 0.0
    done: dict[int, float] = field(default_factory=dict)
    held: dict[int, HoldReason] = field(default_factory=dict)
    attempts: dict[int, list[float]] = field(default_factory=dict)
    probes: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lane = Lane(self.policy)
        self.queue: list[Waiting] = []

    def add(self, *deliveries: Delivery) -> None:
        self.queue += [Waiting(each, due=self.now) for each in deliveries]

    def run(self, until: float) -> None:
        """Run to ``until``; a lane that never wakes although deliveries wait is a fault."""
        while self.queue and self.now <= until:
            if self.lane.probe_due(self.now):
                self.ask()
                continue
            ready = [each for each in self.queue if each.due <= self.now]
            if ready and self.lane.may_send(self.now):
                self.send(self.pick(ready))
                continue
            wakes = [each.due for each in self.queue if each.due > self.now]
            lane_wake = self.lane.next_wake(self.now)
            assert lane_wake is not None
            wakes += [lane_wake] if lane_wake > self.now else []
            assert wakes, "the lane sleeps for ever while deliveries wait"
            self.now = min(wakes)

    def pick(self, ready: list[Waiting]) -> Waiting:
        aside = self.lane.aside
        if aside is None:
            return ready[0]
        others = [each for each in ready if each.delivery.study_uid != aside.study_uid]
        others = others or [each for each in ready if each.delivery.id != aside.id]
        return (others or ready)[0]

    def ask(self) -> None:
        self.lane.probe_begun(self.now)
        assert not self.lane.probe_due(self.now)
        self.probes.append(self.now)
        self.lane.probe_result(self.probe(self.now), self.now)

    def send(self, waiting: Waiting) -> None:
        mine = waiting.delivery
        self.lane.began(self.now)
        self.attempts.setdefault(mine.id, []).append(self.now)
        outcome = self.answer(mine, self.now)
        if isinstance(outcome, Delivered):
            self.lane.succeeded(self.now, mine)
            self.done[mine.id] = self.now
            self.queue.remove(waiting)
            return
        alone = len(self.queue) == 1
        fault = self.lane.failed(outcome, self.now, jitter=self.jitter, delivery=mine, alone=alone)
        outcome = replace(outcome, fault=fault)
        decision = after_failure(
            self.policy, mine, outcome, now=self.now, last_fault=waiting.last_fault
        )
        if decision.next_at is None:
            assert decision.hold is not None
            self.held[mine.id] = decision.hold
            self.lane.forget(mine.id)
            self.queue.remove(waiting)
            return
        waiting.due = decision.next_at
        waiting.last_fault = fault
        waiting.delivery = replace(
            mine,
            attempts=mine.attempts + 1,
            object_failures=mine.object_failures + decision.charge_object,
            first_failed_at=self.now if mine.first_failed_at is None else mine.first_failed_at,
        )
