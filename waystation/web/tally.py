"""What DICOMweb requests came to: how many, how long, how large, how many now (W-135).

Contract: counts by resource and source; both come from tables of ours, never from a caller.
"""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from starlette.types import Message, Send

from waystation.timing.histogram import Histogram


class Tally:
    """Of one node.  A place is a resource and a source."""

    def __init__(self) -> None:
        self.answered: Counter[tuple[str, str, str, int]] = Counter()
        self.seconds: dict[tuple[str, str], Histogram] = {}
        self.bytes: Counter[tuple[str, str]] = Counter()
        self.in_flight = 0

    def note(self, method: str, place: tuple[str, str], status: int, took_s: float) -> None:
        """Count an answer; took_s: from the request to the first byte."""
        self.answered[method, *place, status] += 1
        self.seconds.setdefault(place, Histogram()).add(took_s)

    def counted(self, place: tuple[str, str], send: Send) -> Send:
        """Return what sends, and counts the bytes of the body."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.body":
                self.bytes[place] += len(message.get("body", b""))
            await send(message)

        return sending

    def families(self, prefix: str) -> Iterator[Metric]:
        """Return the families; none before anything was asked for."""
        if not self.answered:
            return
        labels = ("resource", "source")
        requests = CounterMetricFamily(
            prefix + "dicomweb_requests",
            "DICOMweb requests answered",
            labels=("method", *labels, "status"),
        )
        for (*place, status), n in list(self.answered.items()):
            requests.add_metric([*map(str, place), str(status)], n)
        yield requests
        times = HistogramMetricFamily(
            prefix + "dicomweb_seconds", "From a request to the first byte", labels=labels
        )
        for named, histogram in list(self.seconds.items()):
            times.add_metric(named, histogram.buckets(), histogram.total)
        yield times
        size = CounterMetricFamily(
            prefix + "dicomweb_sent_bytes", "Bytes of bodies that were sent", labels=labels
        )
        for named, n in list(self.bytes.items()):
            size.add_metric(named, n)
        yield size
        now = GaugeMetricFamily(
            prefix + "dicomweb_in_flight", "Requests that are being answered now"
        )
        now.add_metric([], self.in_flight)
        yield now
