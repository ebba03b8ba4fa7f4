"""How often somebody may try (L32).  Pure: ``now`` is in seconds and only grows."""

from collections import OrderedDict
from typing import Final

MOST_KEYS: Final = 10_000
# The first pause, and the longest.
FIRST_S, LONGEST_S = 30.0, 900.0


class Attempts:
    """Failed attempts by key: ``most`` within ``span_s`` are free, then each costs a pause."""

    def __init__(self, most: int = 10, span_s: float = 900.0) -> None:
        self._most = most
        self._span_s = span_s
        self._tries: OrderedDict[str, list[float]] = OrderedDict()

    def wait_s(self, key: str, now: float) -> float:
        """Return how long to wait before the next attempt, 0 for not at all."""
        recent = self._recent(key, now)
        beyond = len(recent) - self._most
        if not recent or beyond < 0:
            return 0.0
        pause = min(FIRST_S * 2.0 ** min(beyond, 16), LONGEST_S)
        return max(0.0, recent[-1] + pause - now)

    def _recent(self, key: str, now: float) -> list[float]:
        return [at for at in self._tries.get(key, []) if now - at < self._span_s]

    def failed(self, key: str, now: float) -> None:
        """Count one that failed."""
        self._tries[key] = [*self._recent(key, now)[-100:], now]
        self._tries.move_to_end(key)
        while len(self._tries) > MOST_KEYS:
            self._tries.popitem(last=False)

    def took_back(self, key: str, at: float) -> None:
        """Forget one that was counted at ``at`` and did not fail after all."""
        tries = self._tries.get(key, [])
        if at in tries:
            tries.remove(at)

    def succeeded(self, key: str) -> None:
        """Forget those of a key."""
        self._tries.pop(key, None)


class Bucket:
    """Calls by key: ``rate`` a second, ``burst`` at once."""

    def __init__(self, rate: float = 50.0, burst: float = 100.0) -> None:
        self._rate = rate
        self._burst = burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Take one call; return how long to wait if there is none left, else 0."""
        left, at = self._left.get(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        if left < 1:
            return (1 - left) / self._rate
        self._left[key] = (left - 1, now)
        self._left.move_to_end(key)
        while len(self._left) > MOST_KEYS:
            self._left.popitem(last=False)
        return 0.0
