"""How often something took how long, in buckets that Prometheus understands.

Contract: `add` costs less than a microsecond; the shell that measured decides about the clock.
"""

from bisect import bisect_left
from collections.abc import Sequence

# Seconds.
BRIEF = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.0)
USUAL = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
LONG = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 6 * 3600.0, 86_400.0, 7 * 86_400.0)


class Histogram:
    """bounds: upper ends of the buckets, ascending; what is larger goes into one more."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = USUAL) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return (upper end, how many up to it), the last one for everything."""
        found, n = [], 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            n += count
            found.append(("+Inf" if bound == float("inf") else f"{bound:.5f}".rstrip("0"), n))
        return [(text + "0" if text.endswith(".") else text, float(n)) for text, n in found]
