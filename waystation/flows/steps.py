"""The steps of a node: what page, API, HL7, folder and services share (T-54, T-59, T-63).

Contract: each call is one transaction, and has happened when it returns; what cannot be done is
raised (`StepFaults`, `StepConflict`, `StepRefused`) and has changed nothing.  ``told`` are called
after the commit, in the order of the changes.  `write` runs any number of operations of a
`StepBook`, and statements of the caller's own, in one transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from waystation.db.engine import Database
from waystation.db.statement import Transaction
from waystation.index.step_book import StepBook
from waystation.index.step_ids import BookTerms
from waystation.index.step_pages import StepFilter, counts, page
from waystation.index.step_rows import Told
from waystation.journal.ids import IdSource
from waystation.matching.entry_ids import IdForms
from waystation.model.step import Author, Change, Step, StepDraft, StepState, Values

__all__ = ("StepFilter", "Steps", "Told")

log = structlog.get_logger()
T = TypeVar("T")


class Steps:
    """All of them.

    forms: how ids of our own are written in an area.  splits: see `BookTerms`.
    audit: writes what happened into the audit trail, in the transaction of the change (S-64).
    """

    def __init__(
        self,
        database: Database,
        ids: IdSource,
        clock: Callable[[], float],
        forms: Callable[[str], IdForms] = lambda _area: IdForms(),
        splits: Callable[[str], bool] = lambda _area: False,
        audit: Callable[[Transaction, Told], None] = lambda _transaction, _told: None,
    ) -> None:
        self._database = database
        self._ids = ids
        self._clock = clock
        self._forms = forms
        self._splits = splits
        self._audit = audit
        self.told: list[Callable[[Sequence[Told]], None]] = []

    async def write(self, job: Callable[[StepBook], T]) -> T:
        """Run ``job`` with a book in one transaction; return its result after the commit."""

        # The engine may run it again, on its own: what it collects must be new each time.
        def work(transaction: Transaction) -> tuple[T, list[Told]]:
            book = self._book(transaction)
            done = job(book)
            for told in book.told:
                self._audit(transaction, told)
            return done, book.told

        found, told = await self._database.write(work)
        for listener in self.told if told else ():
            try:
                listener(told)
            except Exception:
                log.exception("a listener to the worklist failed")
        return found

    def _book(self, transaction: Transaction) -> StepBook:
        terms = BookTerms(
            now=self._clock(), next_id=self._ids.next, forms=self._forms, splits=self._splits
        )
        return StepBook(transaction, terms)

    # one step

    async def add(self, draft: StepDraft, author: Author) -> Step:
        """Keep a new step.  Raises `StepFaults`."""
        return await self.write(lambda book: book.add(draft, author))

    async def add_all(
        self, drafts: Sequence[StepDraft], author: Author, *, one_order: bool = False
    ) -> list[Step]:
        """Keep new steps, all or none; ``one_order``: they share the ids made for the order."""
        return await self.write(lambda book: book.add_all(drafts, author, one_order=one_order))

    async def change(
        self,
        step_id: int,
        values: Values,
        version: int | None,
        author: Author,
        why: str = "",
        *,
        area: str | None = None,
    ) -> Step:
        """Put values over a step; ``version``: what was looked at, None for whatever is there."""
        return await self.write(
            lambda book: book.change(step_id, values, version, author, why, area=area)
        )

    async def move(self, step_id: int, to: StepState, author: Author, why: str = "") -> Step:
        """Bring a step to another state."""
        return await self.write(lambda book: book.move(step_id, to, author, why))

    async def delete(self, step_id: int, author: Author) -> Step:
        """Delete a step that was never started."""
        return await self.write(lambda book: book.delete(step_id, author))

    async def restore(self, step_id: int, author: Author) -> Step:
        """Undo a deletion, for ten minutes."""
        return await self.write(lambda book: book.restore(step_id, author))

    async def split(self, step_id: int, author: Author) -> list[Step]:
        """Make one step of each item of a step sequence that has several."""
        return await self.write(lambda book: book.split(step_id, author))

    async def fill(self, step_id: int, author: Author) -> Step:
        """Make the ids that a step lacks."""
        return await self.write(lambda book: book.fill(step_id, author))

    # reading

    async def get(self, step_id: int) -> Step | None:
        """Return a step, a deleted one too; None if there is none."""
        return await self._read(lambda book: book.get(step_id))

    async def history(self, step_id: int) -> list[Change]:
        """Return what happened to a step, oldest first."""
        return await self._read(lambda book: book.history(step_id))

    async def find(self, *, states: Sequence[StepState] = (), **said: str) -> list[Step]:
        """Return the steps that have all of these values (see `StepBook.find`)."""
        return await self._read(lambda book: book.find(states=states, **said))

    async def search(self, wanted: StepFilter) -> list[Step]:
        """Return one page of steps, by start time."""
        return await self._database.read(page(wanted))

    async def count(self, wanted: StepFilter) -> Mapping[str, int]:
        """Return how many there are, by station."""
        return await self._database.read(counts(wanted))

    async def _read(self, job: Callable[[StepBook], T]) -> T:
        return await self._database.read(lambda transaction: job(self._book(transaction)))
