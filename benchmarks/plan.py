"""How much to measure: the full set, or a small one to see that everything works."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """Objects and rounds of one run.

    rounds: that count; the median is taken (R-88).  slow: objects for contenders that need
    some 45 ms each.  warm_up: whether a first round is run and thrown away.  through_bytes: size
    of one object that is taken in and sent on.  associations: at once.  queue_levels: waiting
    deliveries at which accepting is timed.  archive: studies, and objects in each.
    archive_flat: studies, and how often they are copied.
    """

    rounds: int
    warm_up: bool
    ct: int
    small: int
    slow: int
    per_file_relay: int
    big_bytes: int
    through_bytes: int
    associations: tuple[int, ...]
    crash_queue: int
    queue_levels: tuple[int, ...]
    archive: tuple[int, int]
    archive_flat: tuple[int, int]


FULL = Amounts(
    rounds=5,
    warm_up=True,
    ct=1000,
    small=3000,
    slow=100,
    per_file_relay=200,
    big_bytes=2**30,
    through_bytes=4_000_000_000,
    associations=(1, 8, 200),
    crash_queue=10_000,
    queue_levels=(0, 10_000, 1_000_000),
    archive=(10_000, 10),
    archive_flat=(1000, 99),
)
QUICK = Amounts(
    rounds=1,
    warm_up=False,
    ct=120,
    small=400,
    slow=16,
    per_file_relay=24,
    big_bytes=64 * 2**20,
    through_bytes=64 * 2**20,
    associations=(1, 8, 200),
    crash_queue=500,
    queue_levels=(0, 2_000),
    archive=(200, 3),
    archive_flat=(100, 9),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One run: where its files lie, how much it measures, whether our node takes part."""

    scratch: Path
    amounts: Amounts
    with_ours: bool = True
    senders: int = 8

    @property
    def inputs(self) -> Path:
        return self.scratch / "inputs"

    @property
    def run(self) -> Path:
        return self.scratch / "run"
