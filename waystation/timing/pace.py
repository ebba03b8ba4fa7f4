"""How fast a lane goes: objects and bytes over the last minute, and what it can do.

Contract: ``now`` is monotonic seconds.  The line rate counts only time in which something was
being sent, and is remembered while the lane has nothing to do.
"""

from collections import deque
from dataclasses import dataclass

SLOT_S = 5.0
SLOTS = 12


@dataclass(slots=True)
class _Slot:
    began: float
    objects: int = 0
    size_bytes: int = 0
    busy_s: float = 0.0


class Pace:
    """Of one lane."""

    def __init__(self) -> None:
        self._slots: deque[_Slot] = deque(maxlen=SLOTS)
        self._busy_since: float | None = None
        self._line_rate: float | None = None

    def sent(self, size_bytes: int, now: float) -> None:
        """One object was delivered."""
        slot = self._slot(now)
        slot.objects += 1
        slot.size_bytes += size_bytes

    def working(self, working: bool, now: float) -> None:
        """Workers of the lane are busy from now on, or idle."""
        self._count_busy(now)
        self._busy_since = now if working else None

    def objects_per_s(self, now: float) -> float:
        return sum(slot.objects for slot in self._recent(now)) / (SLOT_S * SLOTS)

    def bytes_per_s(self, now: float) -> float:
        return sum(slot.size_bytes for slot in self._recent(now)) / (SLOT_S * SLOTS)

    def line_rate(self, now: float) -> float | None:
        """Return bytes a second while sending, None if nothing was ever sent."""
        self._count_busy(now)
        recent = self._recent(now)
        busy_s = sum(slot.busy_s for slot in recent)
        size_bytes = sum(slot.size_bytes for slot in recent)
        if busy_s > 0 and size_bytes:
            self._line_rate = size_bytes / busy_s
        return self._line_rate

    def _recent(self, now: float) -> list[_Slot]:
        return [slot for slot in self._slots if now - slot.began < SLOT_S * SLOTS]

    def _slot(self, now: float) -> _Slot:
        began = now // SLOT_S * SLOT_S
        if not self._slots or self._slots[-1].began < began:
            self._slots.append(_Slot(began))
        return self._slots[-1]

    def _count_busy(self, now: float) -> None:
        if self._busy_since is not None:
            self._slot(now).busy_s += now - self._busy_since
            self._busy_since = now
