"""``check --queue``: what a configuration would do to what is already under way (R-3).

Contract: reads the journal of the data folder that the configuration names, node running or
stopped; changes nothing.  A folder without a journal has no queue.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from waystation.cli.journal import StoppedJournal
from waystation.cli.tables import plain
from waystation.journal import queue
from waystation.model.delivery import State

if TYPE_CHECKING:
    from waystation.app.settings import Settings

MOVING = (State.WAITING.value, State.SENDING.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """becomes: ``held`` or ``waiting``, once this configuration is in force."""

    destination: str
    deliveries: int
    becomes: str

    def __str__(self) -> str:
        name = plain(self.destination)
        if self.becomes == State.HELD.value:
            return (
                f"queue: {self.deliveries:,} deliveries to {name} would be held (destination-gone):"
                f" there is no destination or group {name}"
            )
        return f"queue: {self.deliveries:,} deliveries to {name} would be let go: it is back"

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def effects(settings: "Settings") -> list[Effect]:
    """Return what would change for what is under way."""
    journal = StoppedJournal(settings.node.data)
    if not journal.exists:
        return []
    known = {*settings.destination, *settings.group}
    found = []
    for name, states in sorted(journal.read(queue.bound_for()).items()):
        moving = sum(states.get(state, 0) for state in MOVING)
        if name not in known and moving:
            found.append(Effect(destination=name, deliveries=moving, becomes=State.HELD.value))
        elif name in known and states.get(State.HELD.value):
            back = journal.read(queue.gone_again(name))
            if back:
                found.append(Effect(destination=name, deliveries=back, becomes=State.WAITING.value))
    return found
