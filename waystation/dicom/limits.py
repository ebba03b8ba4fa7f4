"""How much of a data set we are willing to look at (rows L9 to L12 of the reliability spec)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkLimits:
    """Limits of one walk.  The first four refuse the object, the next three never do.

    A head beyond ``head_bytes`` or ``head_elements`` is walked to its end all the same, but only
    its beginning stays in memory (`Head.whole` is False); the rest must be read from the file.
    """

    elements: int = 1_000_000  # items count too: an empty item costs a reader as much
    fragments: int = 1_000_000
    depth: int = 64
    inflated_bytes: int = 512 << 20
    head_bytes: int = 16 << 20
    head_elements: int = 65_536
    indexed_bytes: int = 64 << 10  # longer values are present, but not read
    inflate_ratio: int = 100  # refuses too, once more than ``inflate_grace`` came out
    inflate_grace: int = 1 << 20


DEFAULT_LIMITS = WalkLimits()
