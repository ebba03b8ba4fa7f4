"""What became of each line of a foreign configuration, and the text that was made of it.

Contract: a `Report` collects what was kept, changed or dropped, each with its file and line, and
every fault; `finish` raises all faults at once.  Nothing here reads a file.
"""

from collections import Counter
from dataclasses import dataclass, field

from waystation.app.faults import ConfigFaults, Fault

KEPT, CHANGED, DROPPED, WARNING = "kept", "changed", "dropped", "warning"
DIFFERENCES = (CHANGED, DROPPED)


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the fidelity list.  where: ``FILE:LINE`` of the source."""

    verdict: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.verdict:<8} {self.where}  {self.text}"


@dataclass(frozen=True, slots=True)
class Imported:
    """The configuration in our words, and how true it is to the source.  after: what to do next."""

    toml: str
    notes: tuple[Note, ...]
    after: str = ""

    @property
    def equal(self) -> bool:
        """True if nothing was changed or dropped."""
        return not any(note.verdict in DIFFERENCES for note in self.notes)

    @property
    def summary(self) -> str:
        counts = Counter(note.verdict for note in self.notes)
        return ", ".join(f"{counts[word]} {word}" for word in (KEPT, *DIFFERENCES))


@dataclass(slots=True)
class Report:
    """The fidelity list while it grows."""

    notes: list[Note] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def kept(self, where: str, text: str) -> None:
        self.notes.append(Note(KEPT, where, text))

    def changed(self, where: str, text: str) -> None:
        self.notes.append(Note(CHANGED, where, text))

    def dropped(self, where: str, text: str) -> None:
        self.notes.append(Note(DROPPED, where, text))

    def warning(self, where: str, text: str) -> None:
        """Say loudly what is as it was, and not good."""
        self.notes.append(Note(WARNING, where, text))

    def fault(self, where: str, key: str, problem: str) -> None:
        """Note what cannot be translated; `finish` raises it."""
        self.faults.append(Fault(where=where, key=key, problem=problem))

    def finish(self, toml: str, *, after: str = "") -> Imported:
        """Return the result.  Raises `ConfigFaults` with every fault that was noted."""
        if self.faults:
            raise ConfigFaults(self.faults)
        order = {WARNING: 0, CHANGED: 1, DROPPED: 2, KEPT: 3}
        notes = tuple(sorted(self.notes, key=lambda note: order[note.verdict]))
        return Imported(toml, notes, after)


def unreadable(where: str, problem: str) -> ConfigFaults:
    """Return the one fault that ends an import."""
    return ConfigFaults([Fault(where=where, key="", problem=problem)])
