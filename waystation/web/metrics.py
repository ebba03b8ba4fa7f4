"""Figures of a node in the text format of Prometheus, under the names of R-84.

Contract: labels are names from the configuration or words of fixed lists, never what a peer sent
(R-85).  `metrics_text` is a function of its argument: the registry lives for one answer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from waystation.web.shapes import PRIORITIES, status_hex

PREFIX = "waystation_"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingFigures:
    """What waits with one priority, 0 to 2.  clears_at: Unix seconds, None if unknown."""

    priority: int
    n: int
    size_bytes: int
    oldest_s: float
    clears_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFigures:
    """One lane.  rate_bytes: bytes per second over the last minute."""

    destination: str
    open: bool
    down: bool
    blocked: bool
    associations: int
    rate_bytes: float = 0.0
    waiting: Sequence[WaitingFigures] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """received: (peer, status) → objects.  outcomes: (destination, word) → how often."""

    received: Mapping[tuple[str, int], int] = field(default_factory=dict)
    received_bytes: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    lanes: Sequence[LaneFigures] = ()
    unaccounted: int = 0
    free_bytes: int = 0
    config_ok: bool = True
    commits: int = 0
    jobs: int = 0
    associations: int = 0
    unplanned: int = 0


class _Once(Collector):
    """Hands prepared families to the registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def metrics_text(figures: Figures) -> bytes:
    """Return the exposition of ``figures``."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once([*_counters(figures), *_lanes(figures.lanes), *_node(figures)]))
    return generate_latest(registry)


def _counters(figures: Figures) -> Iterator[Metric]:
    received = _counter("received", "C-STORE requests answered", "peer", "status")
    for (peer, status), n in figures.received.items():
        received.add_metric([peer, status_hex(status) or ""], n)
    yield received
    size = _counter("received_bytes", "Bytes of data sets that came in", "peer")
    for peer, n in figures.received_bytes.items():
        size.add_metric([peer], n)
    yield size
    refused = _counter("refused", "Connections and associations refused", "peer", "reason")
    for reason, n in figures.refused.items():
        refused.add_metric(["", reason], n)
    yield refused
    outcomes = _counter("deliveries", "Attempts to deliver, by outcome", "destination", "outcome")
    for (destination, word), n in figures.outcomes.items():
        outcomes.add_metric([destination, word], n)
    yield outcomes


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(PREFIX + name, text, labels=labels)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, labels=labels)


def _lanes(lanes: Sequence[LaneFigures]) -> Iterator[Metric]:
    waiting = _gauge("queue_deliveries", "Deliveries that wait", "destination", "priority")
    oldest = _gauge("queue_oldest_seconds", "Age of the oldest", "destination", "priority")
    size = _gauge("queue_bytes", "Bytes that wait", "destination", "priority")
    clears = _gauge("clears_at", "When all will be gone", "destination", "priority")
    opened = _gauge("lane_open", "1 while its window allows sending", "destination")
    breaker = _gauge("lane_breaker", "1 while the destination is away", "destination")
    blocked = _gauge("lane_blocked", "1 while the destination refuses us", "destination")
    calls = _gauge("lane_associations", "Associations that send now", "destination")
    rate = _gauge("lane_rate_bytes", "Bytes per second in the last minute", "destination")
    for lane in lanes:
        name = lane.destination
        found = {each.priority: each for each in lane.waiting}
        for priority, word in enumerate(PRIORITIES):
            each = found.get(priority, _nothing(priority))
            waiting.add_metric([name, word], each.n)
            size.add_metric([name, word], each.size_bytes)
            oldest.add_metric([name, word], each.oldest_s)
            if each.clears_at is not None:
                clears.add_metric([name, word], each.clears_at)
        opened.add_metric([name], int(lane.open))
        breaker.add_metric([name], int(lane.down or lane.blocked))
        blocked.add_metric([name], int(lane.blocked))
        calls.add_metric([name], lane.associations)
        rate.add_metric([name], lane.rate_bytes)
    yield from (waiting, size, oldest, clears, opened, breaker, blocked, calls, rate)


def _nothing(priority: int) -> WaitingFigures:
    return WaitingFigures(priority=priority, n=0, size_bytes=0, oldest_s=0.0)


def _node(figures: Figures) -> Iterator[Metric]:
    held = _gauge("held", "What waits for a person", "reason")
    for reason, n in figures.held.items():
        held.add_metric([reason], n)
    yield held
    per_commit = figures.jobs / figures.commits if figures.commits else 0.0
    for name, text, value in (
        ("unaccounted", "Rows of the journal that do not add up", figures.unaccounted),
        ("unplanned", "Arrivals without a plan yet", figures.unplanned),
        ("associations", "Associations that peers have open", figures.associations),
        ("spool_free_bytes", "Free space of the volume", figures.free_bytes),
        ("config_ok", "1 unless the last configuration was refused", int(figures.config_ok)),
        ("arrivals_per_commit", "Journal jobs that shared a commit, on average", per_commit),
    ):
        gauge = _gauge(name, text)
        gauge.add_metric([], value)
        yield gauge
