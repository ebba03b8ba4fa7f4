"""A worklist of its own on disk, with an HL7 feed, for tests."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from waystation.db.engine import Database
from waystation.db.migrate import migrate
from waystation.flows.hl7_feed import Feed, FeedTerms
from waystation.flows.steps import Steps
from waystation.hl7.message import Message, parse
from waystation.journal import hl7_messages
from waystation.journal.hl7_messages import KeptMessage
from waystation.journal.ids import IdSource
from waystation.matching.entry import flat
from waystation.model.step import Author, Step, StepState

NOW = 1_767_268_800.0  # 2026-01-01 12:00 UTC
PERSON = Author(kind="person", name="anna")


@dataclass(slots=True)
class WorklistRig:
    """The parts.  now: what the clock says."""

    database: Database
    steps: Steps
    feed: Feed
    now: list[float]

    async def take(self, raw: bytes, peer: str = "") -> Message:
        """Send a message; return its answer."""
        return parse(await self.feed.take(raw, peer))

    async def code(self, raw: bytes, peer: str = "") -> str:
        """Send a message; return the code of its answer."""
        return (await self.take(raw, peer)).value("MSA", 1)

    async def all(self) -> list[Step]:
        """Return every step there is."""

        def job(book: object) -> list[Step]:
            from waystation.index.step_book import StepBook

            assert isinstance(book, StepBook)
            rows = book.transaction.rows("SELECT id FROM step ORDER BY id")
            found = [book.get(int(row[0])) for row in rows]
            return [step for step in found if step is not None]

        return await self.steps.write(job)

    async def shown(self) -> list[tuple[StepState, Mapping[str, tuple[str, ...]]]]:
        """Return state and texts of every step, by study and step id."""
        found = [(step.state, flat(step.data)) for step in await self.all()]
        return sorted(found, key=lambda one: (one[1]["StudyInstanceUID"], str(one[1])))

    async def kept(self, most: int = 100) -> list[KeptMessage]:
        """Return the messages that were kept, newest first."""
        return await self.database.read(hl7_messages.latest(most))


@contextmanager
def worklist_rig(folder: Path, terms: FeedTerms | None = None) -> Iterator[WorklistRig]:
    """Open a worklist in a folder."""
    path = folder / "journal.db"
    migrate(path)
    database = Database(path)
    database.open()
    now = [NOW]
    try:
        steps = Steps(database, IdSource(), lambda: now[0])
        feed = Feed(steps, terms or FeedTerms(), IdSource().next, lambda: now[0], UTC)
        yield WorklistRig(database, steps, feed, now)
    finally:
        database.close()
