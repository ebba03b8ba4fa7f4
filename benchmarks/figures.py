"""Figures: samples of ours and of a peer, their medians and the ratio that counts.

Machines differ and get busy, so only a ratio taken in one run says anything (R-88).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

OURS = "waystation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.

    ratio: ours divided by the peer's.  bar: what to reach, for ``ratio`` where there is a peer,
    else for ``ours``; ``higher`` says on which side of it is good.
    """

    name: str
    unit: str
    ours: float | None
    peer: float | None = None
    bar: float | None = None
    higher: bool = True

    @property
    def ratio(self) -> float | None:
        if self.ours is None or not self.peer:
            return None
        return self.ours / self.peer

    @property
    def reached(self) -> bool | None:
        """Return whether the bar is reached; None where there is none, or no figure."""
        judged = self.ratio if self.peer is not None else self.ours
        if self.bar is None or judged is None:
            return None
        return judged >= self.bar if self.higher else judged <= self.bar

    def as_json(self) -> dict[str, float | str | bool | None]:
        return {
            "ours": rounded(self.ours),
            "peer": rounded(self.peer),
            "ratio": rounded(self.ratio),
            "unit": self.unit,
            "bar": self.bar,
            "reached": self.reached,
        }


@dataclass(slots=True)
class Samples:
    """What each contender measured, round by round."""

    of: dict[str, list[float]] = field(default_factory=dict)

    def add(self, contender: str, value: float) -> None:
        self.of.setdefault(contender, []).append(value)

    def median(self, contender: str) -> float | None:
        values = self.of.get(contender)
        return median(values) if values else None


def against_each(
    name: str,
    unit: str,
    samples: Samples,
    *,
    bars: Mapping[str, float] | None = None,
    higher: bool = True,
) -> list[Figure]:
    """Return one figure for each peer in ``samples``, named ``NAME.PEER``."""
    ours = samples.median(OURS)
    return [
        Figure(
            name=f"{name}.{peer}",
            unit=unit,
            ours=ours,
            peer=samples.median(peer),
            bar=(bars or {}).get(peer),
            higher=higher,
        )
        for peer in samples.of
        if peer != OURS
    ]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of the sorted values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
