"""The journal, read without a running node.

Contract: opens the database file read-only and changes nothing; gives the JSON that the API gives.
"""

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any, TypeVar

from waystation.db.engine import Job
from waystation.db.statement import Transaction
from waystation.journal import ages, queue, recovery
from waystation.journal.entries import Chosen, LaneCounts
from waystation.journal.recovery import PAUSED
from waystation.model.errors import StorageError
from waystation.web import shapes
from waystation.web.view import LaneView, queue_view

T = TypeVar("T")
NOT_RUNNING = "the node is not running"


class StoppedJournal:
    """Answers the questions of ``queue list`` and ``queue show``."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._path = data / "journal.db"

    @property
    def exists(self) -> bool:
        """Whether a node has run there."""
        return self._path.exists()

    def read(self, job: Job[T]) -> T:
        """Run a reading job.  Raises `StorageError`."""
        if not self._path.exists():
            raise StorageError(f"there is no journal at {self._path}: no node has run there yet")
        try:
            with contextlib.closing(
                sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)
            ) as connection:
                return job(Transaction(connection.cursor(), "sqlite"))
        except sqlite3.Error as error:
            raise StorageError(f"{self._path} cannot be read: {error}") from error

    def destinations(self) -> dict[str, Any]:
        """Return the queue in numbers."""
        now = time.time()
        seen, old = self.read(queue.overview()), self.read(ages.ages(now, ages.midnight(now)))
        view = queue_view([self._lane(counts) for counts in seen.lanes], seen, old, now)
        return shapes.queue(view).model_dump(mode="json")

    def _lane(self, counts: LaneCounts) -> LaneView:
        by = self.read(recovery.mark(PAUSED + counts.destination))
        if by:
            return LaneView(counts=counts, state="paused", why=f"by {by}; {NOT_RUNNING}")
        return LaneView(counts=counts, state="stopped", why=NOT_RUNNING)

    def shares(self, by: str, limit: int) -> dict[str, Any]:
        """Return what is open by peer, rule or study."""
        found = self.read(ages.shares(by, limit))
        return shapes.shares(by, found, time.time()).model_dump(mode="json")

    def deliveries(self, chosen: Chosen) -> dict[str, Any]:
        """Return a page of deliveries."""
        found = self.read(queue.deliveries(chosen))
        return shapes.deliveries(found, chosen.limit).model_dump(mode="json")

    def arrivals(self, chosen: Chosen) -> dict[str, Any]:
        """Return a page of held arrivals."""
        found = self.read(queue.held_arrivals(chosen))
        return shapes.arrivals(found, chosen.limit).model_dump(mode="json")

    def story(self, number: int) -> dict[str, Any] | None:
        """Return the story of the arrival that ``number`` is, or that it is a delivery of."""
        arrival_id = self.read(queue.arrival_of(number))
        story = self.read(queue.story(number if arrival_id is None else arrival_id))
        return None if story is None else shapes.told(story).model_dump(mode="json")
