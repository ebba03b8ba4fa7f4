"""Which deliveries of a lane may leave now, and when the others may.

Contract (R-38, R-40): an open window lets everything go that is due.  Through a shut one pass
``stat``, unless the destination says ``stat_waits``, and what has waited for
``send_anyway_after``.  Instants are Unix seconds; nothing here reads a clock.
"""

from dataclasses import dataclass

from waystation.timing.fairness import STAT
from waystation.timing.window import ALWAYS, Schedule

PRIORITIES = (0, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """When a lane may send.  anyway_s: how long a delivery waits at most for the window."""

    window: Schedule = ALWAYS
    stat_waits: bool = False
    anyway_s: float | None = None

    def due_by(self, priority: int, now: float) -> float | None:
        """Return how late a due time may be for its delivery to leave now; None: nothing may."""
        if self.window.is_open(now) or self.passes(priority):
            return now
        return None if self.anyway_s is None else now - self.anyway_s

    def passes(self, priority: int) -> bool:
        """Return whether a shut window does not concern this priority."""
        return priority == STAT and not self.stat_waits

    def leaves_at(self, priority: int, due: float, now: float) -> float | None:
        """Return when what is due at ``due`` may leave, None if no opening is in sight."""
        if self.passes(priority) or self.window.is_open(now):
            return due
        opens = self.window.next_change(now)
        anyway = None if self.anyway_s is None else due + self.anyway_s
        known = [at for at in (opens, anyway) if at is not None]
        return max(due, min(known)) if known else None

    def why(self, priority: int, due: float, now: float) -> str:
        """Return in words why a delivery may leave now or why it may not (R-40)."""
        if self.window.is_open(now):
            return f"window {self.window.why(now)}"
        if self.passes(priority):
            return f"stat passes the window ({self.window.why(now)})"
        if self.anyway_s is not None and due <= now - self.anyway_s:
            return f"waited for {self.anyway_s:.0f} s, sent whatever the window"
        return f"window {self.window.why(now)}, {self.window.outlook(now)}"
