"""Figures of the PACS behind the broker (W-135): queries, their failures, associations, health."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from waystation.timing.histogram import Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class PacsFigures:
    """One PACS.

    ended: how searches ended ("ok" or the status of HTTP that the failure has) → how many.
    in_use, idle: associations for queries.
    """

    name: str
    down: bool
    in_use: int
    idle: int
    ended: Mapping[str, int] = field(default_factory=dict)
    search_s: Histogram = field(default_factory=Histogram)


def pacs_families(pacs: Sequence[PacsFigures], prefix: str) -> Iterator[Metric]:
    """Return the families; none on a node without PACS."""
    if not pacs:
        return
    down = GaugeMetricFamily(prefix + "pacs_down", "1 while it cannot be reached", labels=["pacs"])
    calls = GaugeMetricFamily(
        prefix + "pacs_associations", "Associations for queries", labels=["pacs", "state"]
    )
    ended = CounterMetricFamily(
        prefix + "pacs_searches", "Searches at a PACS", labels=["pacs", "status"]
    )
    times = HistogramMetricFamily(
        prefix + "pacs_search_seconds", "From a query to its last match", labels=["pacs"]
    )
    for one in pacs:
        down.add_metric([one.name], int(one.down))
        calls.add_metric([one.name, "in use"], one.in_use)
        calls.add_metric([one.name, "idle"], one.idle)
        for status, n in sorted(one.ended.items()):
            ended.add_metric([one.name, status], n)
        times.add_metric([one.name], one.search_s.buckets(), one.search_s.total)
    yield from (down, calls, ended, times)
