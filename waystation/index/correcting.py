"""Studies are corrected, and corrections undone: the row and the index in one transaction (T-32).

Contract: `Correcting.correct` takes only what every object of the study can carry when it leaves;
nothing is changed otherwise.  The objects stay as they were received.  What is in force from then
on is told as soon as it is written.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from waystation.db.engine import Database, Job
from waystation.db.statement import Transaction
from waystation.dicom.errors import DatasetError
from waystation.dicom.head import Head
from waystation.dicom.tags import format_tag, keyword_of
from waystation.index.corrections import (
    ELEMENTS,
    Correction,
    Noted,
    add,
    all_in_force,
    of_study,
    undo,
)
from waystation.index.filing import Filing
from waystation.index.proof import Member, filings_from, members_of, written
from waystation.index.search import Heads
from waystation.model.errors import StorageError
from waystation.transforms.correction import corrected
from waystation.transforms.held import HeldError

TRIES: Final = 5
PAGE: Final = 100
UNREADABLE: Final = "an object of the study cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person wants.  values: tag → text, none to undo.  author, because: never empty."""

    study: str
    values: Mapping[int, str]
    author: str
    because: str


class Correcting:
    """Of one archive.

    heads: reads the heads of objects.  next_id: an id of our own making.  told: hears what is in
    force of a study, None for nothing.
    """

    def __init__(
        self,
        database: Database,
        heads: Heads,
        next_id: Callable[[], int],
        clock: Callable[[], float],
        told: Callable[[str, Correction | None], None] = lambda _study, _correction: None,
    ) -> None:
        self._told = told
        self._database = database
        self._heads = heads
        self._next_id = next_id
        self._clock = clock

    async def correct(self, order: Order) -> str:
        """Lay values over a study; return why not, "" if it was done.

        Raises `StorageError` if an object cannot be read, or the study changes all the time.
        """
        for tag in order.values:
            if tag not in ELEMENTS:
                return f"{keyword_of(tag) or format_tag(tag)} is none of patient or study"
        now = self._clock()

        def fits(head: Head) -> str:
            try:
                corrected(head, order.values, now=now, system="")
            except (HeldError, DatasetError) as error:
                return str(getattr(error, "why", error))
            return ""

        noted = Noted(
            id=self._next_id(),
            study=order.study,
            at=now,
            author=order.author,
            because=order.because,
            values=order.values,
            undone_at=0.0,
            undone_by="",
        )
        return await self._rewritten(order.study, fits, lambda open_: add(open_, noted))

    async def undo(self, order: Order) -> str:
        """End all corrections of a study; return why not, "" if it was done.  Raises as above."""
        if not await self._database.read(of_study(order.study)):
            return "nothing of it is corrected"
        now = self._clock()
        return await self._rewritten(
            order.study,
            lambda _head: "",
            lambda open_: undo(open_, order.study, now, order.author),
        )

    async def _rewritten(
        self, study: str, fits: Callable[[Head], str], note: Callable[[Transaction], object]
    ) -> str:
        for _ in range(TRIES):
            said, members = await self._database.read(members_of(study))
            if not members:
                return "there is no such study"
            filings = await self._filings(members, fits)
            if isinstance(filings, str):
                return filings
            rewrite = written(study, said, filings, self._next_id, note)
            found = await self._database.write(_in_force_by(rewrite, study))
            if found is not None:
                self._told(study, found.get(study))
                return ""
        raise StorageError("the study changes all the time")

    async def _filings(
        self, members: Sequence[Member], fits: Callable[[Head], str]
    ) -> list[Filing] | str:
        """Return the objects as they are filed, or why one of them cannot be corrected."""
        filings: list[Filing] = []
        for at in range(0, len(members), PAGE):
            some = members[at : at + PAGE]
            heads = await self._heads([each.row for each in some])
            if None in heads:
                raise StorageError(UNREADABLE)
            known = [head for head in heads if head is not None]
            if why := await asyncio.to_thread(_first, known, fits):
                return why
            filings += filings_from(some, heads)
        return filings


def _in_force_by(rewrite: Job[bool], study: str) -> Job[dict[str, Correction] | None]:
    """Return what is in force of a study once it is written anew, None if it was not."""
    read = all_in_force(study)
    return lambda transaction: read(transaction) if rewrite(transaction) else None


def _first(heads: Sequence[Head], fits: Callable[[Head], str]) -> str:
    return next(filter(None, map(fits, heads)), "")
