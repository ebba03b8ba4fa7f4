"""Ids of our own making: time-ordered, unique within a node, 63 bits."""

import threading
import time

_TICKS_PER_MS = 1 << 20


class IdSource:
    """Hands out ids that never repeat and never go back, also when the clock does.

    last: the highest id in use, from the journal.
    """

    def __init__(self, last: int = 0) -> None:
        self._last = last
        self._lock = threading.Lock()

    def next(self) -> int:
        """Return a new id, greater than every one before."""
        with self._lock:
            self._last = max(self._last + 1, int(time.time() * 1000) * _TICKS_PER_MS)
            return self._last


def id_at(instant: float) -> int:
    """Return the smallest id that an arrival at ``instant`` (Unix seconds) can have."""
    return int(instant * 1000) * _TICKS_PER_MS
