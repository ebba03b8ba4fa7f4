"""Objects that came in a moment ago, so that sending them on need not read them again.

Contract: holds at most ``capacity_bytes``; the oldest goes first.  What is in here was copied from
the very memory that was written to the disk and never read back, so there is no disk in between
whose damage a digest could show (S-13 is about what was read).
"""

from collections import OrderedDict


class Recent:
    """Data sets by arrival id."""

    def __init__(self, capacity_bytes: int = 24 << 20) -> None:
        self._capacity = capacity_bytes
        self._held: OrderedDict[int, bytes] = OrderedDict()
        self._size = 0

    @property
    def wanted(self) -> bool:
        """True if anything can be kept at all."""
        return self._capacity > 0

    def keep(self, arrival_id: int, data: bytes) -> None:
        """Remember a data set for a while."""
        self._held[arrival_id] = data
        self._size += len(data)
        while self._size > self._capacity:
            _, old = self._held.popitem(last=False)
            self._size -= len(old)

    def get(self, arrival_id: int) -> bytes | None:
        """Return the data set if it is still here."""
        return self._held.get(arrival_id)
