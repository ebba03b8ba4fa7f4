"""Which objects may be poison: they end the lane's way again and again while others pass.

Contract (R-55): an object that met transient or unknown endings ``tries`` times, with others
delivered in between, counts as an object fault from then on, so that it cannot stop a lane.
A lane that is simply down makes no suspects: nobody passes there.  An object that is the only one
of its lane is judged by patience instead: ``tries`` endings after the longest pause.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class _Record:
    endings: int
    passed_at: int
    patient: int = 0


@dataclass(slots=True)
class Suspects:
    """The lane's memory of objects that failed while the connection was up."""

    tries: int
    passed: int = 0
    _records: dict[int, _Record] = field(default_factory=dict)

    def failed(self, delivery_id: int, *, patient: bool = False) -> bool:
        """Count one lane-class ending; return whether the object is poison by now.

        patient: it was the only one, and the lane had paused for as long as it ever does.
        """
        record = self._records.get(delivery_id)
        if record is None:
            record = self._records[delivery_id] = _Record(endings=1, passed_at=self.passed)
        elif self.passed > record.passed_at:
            record.endings += 1
            record.passed_at = self.passed
        record.patient += patient
        return max(record.endings, record.patient) >= self.tries

    def known(self, delivery_id: int) -> bool:
        return delivery_id in self._records

    def delivered(self, delivery_id: int) -> None:
        self.passed += 1
        self._records.pop(delivery_id, None)

    def forget(self, delivery_id: int) -> None:
        """Drop what is known of a delivery that ended (held, discarded)."""
        self._records.pop(delivery_id, None)
