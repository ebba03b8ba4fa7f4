"""Figures of a node in the text format of Prometheus, under the names of R-84.

Contract: labels are names from the configuration or words of fixed lists, never what a peer sent
(R-85).  `metrics_text` is a function of its argument: the registry lives for one answer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from waystation.flows.counters import Counters
from waystation.rules.duplicates import KINDS
from waystation.timing.histogram import Histogram
from waystation.web.metrics_pacs import PacsFigures, pacs_families
from waystation.web.shape import PRIORITIES
from waystation.web.tally import Tally

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
    """What a node counted, and how it is now.

    held: reason → how much.  unverified: destination → what it has to confirm yet.  arrivals,
    commits: of the log that an answer waits for.
    """

    counted: Counters = field(default_factory=Counters)
    commit_s: Histogram = field(default_factory=Histogram)
    arrivals: int = 0
    commits: int = 0
    held: Mapping[str, int] = field(default_factory=dict)
    lanes: Sequence[LaneFigures] = ()
    gathers_open: int = 0
    unaccounted: int = 0
    free_bytes: int = 0
    config_ok: bool = True
    unverified: Mapping[str, int] = field(default_factory=dict)
    web: Tally = field(default_factory=Tally)
    pacs: Sequence[PacsFigures] = ()


class _Once(Collector):
    """Hands prepared families to the registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def metrics_text(figures: Figures) -> bytes:
    """Return the exposition of ``figures``."""
    registry = CollectorRegistry(auto_describe=False)
    families = [*_counters(figures.counted), *_histograms(figures)]
    families += figures.web.families(PREFIX)
    families += pacs_families(figures.pacs, PREFIX)
    registry.register(_Once([*families, *_lanes(figures.lanes), *_node(figures)]))
    return generate_latest(registry)


def _counters(counted: Counters) -> Iterator[Metric]:
    for name, text, labels, found in (
        ("received", "C-STORE requests answered", ("peer", "status"), counted.answered),
        ("received_bytes", "Bytes that came with them", ("peer", "status"), counted.answered_bytes),
        ("refused", "Connections, associations, objects", ("peer", "reason"), counted.turned),
        ("deliveries", "Deliveries that ended", ("destination", "outcome"), counted.ended),
        ("attempts", "Attempts", ("destination", "class", "status"), counted.attempts),
    ):
        family = _counter(name, text, *labels)
        for values, n in list(found.items()):
            family.add_metric(list(values), n)
        yield family
    duplicates = _counter("duplicates", "Objects that came before", "kind")
    for kind in KINDS:
        duplicates.add_metric([kind], counted.duplicates[kind])
    yield duplicates


def _histograms(figures: Figures) -> Iterator[Metric]:
    counted = figures.counted
    for name, text, label, found in (
        ("accept_seconds", "From its last byte to its answer", "peer", counted.accept_s),
        ("send_seconds", "One attempt to deliver", "destination", counted.send_s),
        ("wait_seconds", "From planning to an attempt", "destination", counted.wait_s),
        ("gather_seconds", "From the last object to the end", "evidence", counted.gather_s),
    ):
        family = HistogramMetricFamily(PREFIX + name, text, labels=[label])
        for value, histogram in list(found.items()):
            family.add_metric([value], histogram.buckets(), histogram.total)
        yield family
    for name, text, histogram in (
        ("plan_seconds", "The rules, for one object", counted.plan_s),
        ("journal_commit_seconds", "Commits that an answer waits for", figures.commit_s),
    ):
        family = HistogramMetricFamily(PREFIX + name, text)
        family.add_metric([], histogram.buckets(), histogram.total)
        yield family


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
    if figures.unverified:
        unverified = _gauge("unverified", "Delivered and not confirmed yet", "destination")
        for name, n in figures.unverified.items():
            unverified.add_metric([name], n)
        yield unverified
    per_commit = figures.arrivals / figures.commits if figures.commits else 0.0
    for name, text, value in (
        ("unaccounted", "Rows of the journal that do not add up", figures.unaccounted),
        ("gathers_open", "Series and studies that are being collected", figures.gathers_open),
        ("spool_free_bytes", "Free space of the volume", figures.free_bytes),
        ("config_ok", "1 unless the last configuration was refused", int(figures.config_ok)),
        ("arrivals_per_commit", "Arrivals that shared a commit, on average", per_commit),
    ):
        gauge = _gauge(name, text)
        gauge.add_metric([], value)
        yield gauge
