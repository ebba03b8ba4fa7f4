"""The search: one answer for each record that a query means, one by one (T-1, T-18, T-37, T-38).

Contract: SQL preselects, `matching` decides.  Answers come in the order of W-33, those of lower
levels study by study, series by series.  Between two pages nothing is held, no cursor and no
transaction, so that a search that is not read to its end costs nothing: close the generator.
Keys of a level above filter, keys of a level below mean "has at least one"; whether they may be
there is the service's affair (T-38).

A study that comes or changes its date during a search may be missed or seen as it was before.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, Protocol, TypeVar

from waystation.db.engine import Job
from waystation.dicom.head import Head
from waystation.index import levels, pages
from waystation.index.candidates import conditions
from waystation.index.pages import Hit, ImageRow
from waystation.index.records import ImageRecord
from waystation.matching.keys import is_universal
from waystation.matching.match import Matcher
from waystation.model.query import IMAGE, LEVELS, PATIENT, SERIES, STUDY, Key, Query, Record

# Answers of the first page are wanted soon, those of the next are many.
FIRST_PAGE: Final = 32
NEXT_PAGE: Final = 256
WITH_HEADS: Final = 64
# What the index knows of an object without its head.
OF_ROW: Final = frozenset(
    {
        *(levels.SOP_INSTANCE_UID, levels.SOP_CLASS_UID, levels.SERIES_UID, levels.STUDY_UID),
        *levels.COMPUTED,
    }
)

T = TypeVar("T")


class Reads(Protocol):
    """What the index asks of a journal: a running node's, or that of one which is stopped."""

    async def read(self, job: Job[T]) -> T:
        """Run a reading job.  Raises `StorageError`."""
        ...


# Gives the heads of objects in order, None for one that cannot be read.
Heads = Callable[[Sequence[ImageRow]], Awaitable[Sequence[Head | None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One answer.  record: what is shown; full: with the values of all objects, for `explain`.

    study_uid, series_uid: where it belongs, "" above its level.  image: at the image level.
    """

    level: str
    record: Record
    full: Record
    study_uid: str = ""
    series_uid: str = ""
    image: ImageRow | None = None


class Search:
    """One query on one index.

    area: keys that everything must match besides (`matching.when`).  home: zone of the node.
    shown: whether images are to show what is asked; else their rows are all that is wanted.
    """

    def __init__(
        self,
        database: Reads,
        heads: Heads,
        query: Query,
        *,
        area: Sequence[Key] = (),
        home: tzinfo | None = None,
        shown: bool = True,
    ) -> None:
        self._database = database
        self._heads = heads
        self._level = query.level
        self._home = home
        filters = [key for key in query.keys if not is_universal(key)]
        self._query = query
        self._keys = (*filters, *area)
        self._at = {level: self._matcher(level) for level in LEVELS}
        self._conditions = conditions(query.with_keys(self._keys))
        asked = query.keys if self._level == IMAGE and shown else ()
        below = [key for key in self._keys if self._place(key) == LEVELS.index(IMAGE)]
        self._needs_head = bool({key.tag for key in (*asked, *below)} - OF_ROW)
        # Objects that could not be looked at: the answer is not the whole one then (T-40).
        self.unreadable = 0

    def _matcher(self, level: str) -> Matcher | None:
        """Return what decides at a level; None if nothing is asked of it."""
        own = LEVELS.index(level)
        keys = [key for key in self._keys if self._place(key) == own]
        return None if not keys else Matcher(self._query.with_keys(keys), home=self._home)

    def _place(self, key: Key) -> int:
        """Return the number of the level that a key speaks of."""
        if key.tag == levels.MODALITY and self._level == STUDY:
            return LEVELS.index(STUDY)
        place = LEVELS.index(levels.level_of(key.tag))
        # What a study says of its patient is asked of the study.
        return max(place, 1) if self._level != PATIENT else place

    def _has_below(self, level: str) -> bool:
        below = LEVELS[LEVELS.index(level) + 1 :]
        return any(self._at[each] is not None for each in below)

    async def run(self) -> AsyncGenerator[Found, None]:
        """Yield the answers; raises `StorageError` if the index cannot be read."""
        found = self._patients() if self._level == PATIENT else self._from_studies()
        async with aclosing(found) as answers:
            async for answer in answers:
                yield answer

    async def _patients(self) -> AsyncGenerator[Found, None]:
        after, limit, more = None, FIRST_PAGE, True
        while more:
            job = pages.patients(self._conditions, self._at[PATIENT], after, limit)
            page = await self._database.read(job)
            for hit in page.hits:
                if await self._patient_has(hit):
                    yield Found(level=PATIENT, record=hit.shown, full=hit.full)
            after, limit, more = page.after, NEXT_PAGE, page.after is not None

    async def _patient_has(self, patient: Hit) -> bool:
        if not self._has_below(PATIENT):
            return True
        for study in await self._database.read(pages.studies_of(patient.id, self._at[STUDY])):
            if await self._study_has(study):
                return True
        return False

    async def _from_studies(self) -> AsyncGenerator[Found, None]:
        after, limit, more = None, FIRST_PAGE, True
        while more:
            job = pages.studies(self._conditions, self._at[STUDY], after, limit)
            page = await self._database.read(job)
            for study in page.hits:
                async with aclosing(self._of_study(study)) as answers:
                    async for answer in answers:
                        yield answer
            after, limit, more = page.after, NEXT_PAGE, page.after is not None

    async def _of_study(self, study: Hit) -> AsyncGenerator[Found, None]:
        if self._level == STUDY:
            if await self._study_has(study):
                yield Found(level=STUDY, record=study.shown, full=study.full, study_uid=study.uid)
            return
        for series in await self._database.read(pages.series_of(study, self._at[SERIES])):
            if self._level == IMAGE:
                async with aclosing(self._images(study, series)) as answers:
                    async for answer in answers:
                        yield answer
            elif await self._series_has(study, series):
                yield Found(
                    level=SERIES,
                    record=series.shown,
                    full=series.full,
                    study_uid=study.uid,
                    series_uid=series.uid,
                )

    async def _study_has(self, study: Hit) -> bool:
        """Return whether some series, or object, has what is asked of its level."""
        if not self._has_below(STUDY):
            return True
        for series in await self._database.read(pages.series_of(study, self._at[SERIES])):
            if await self._series_has(study, series):
                return True
        return False

    async def _series_has(self, study: Hit, series: Hit) -> bool:
        if not self._has_below(SERIES):
            return True
        async with aclosing(self._images(study, series)) as images:
            async for _ in images:
                return True
        return False

    async def _images(self, study: Hit, series: Hit) -> AsyncGenerator[Found, None]:
        matcher = self._at[IMAGE]
        most = WITH_HEADS if self._needs_head else NEXT_PAGE
        after = (-levels.FAR, "")
        while rows := await self._database.read(pages.images_of(series, study.uid, after, most)):
            heads: Sequence[Head | None] = [None] * len(rows)
            if self._needs_head:
                heads = await self._heads(rows)
                self.unreadable += sum(head is None for head in heads)
            for row, head in zip(rows, heads, strict=True):
                computed = pages.computed_of(study, series, row, alone=head is None)
                record = ImageRecord(head, computed, row.read_as)
                if matcher is None or matcher.matches(record):
                    yield Found(
                        level=IMAGE,
                        record=record,
                        full=record,
                        study_uid=study.uid,
                        series_uid=series.uid,
                        image=row,
                    )
            if len(rows) < most:
                return
            after = (rows[-1].number, rows[-1].sop_instance_uid)
