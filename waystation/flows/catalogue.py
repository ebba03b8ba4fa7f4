"""The index as the services see it: searched, its heads read, its objects chosen.

Contract: what an area (a called AE title with a condition) does not show is neither found nor
retrieved there.  Heads are read in worker threads, a page at a time; one that cannot be read is
None, and the search goes on.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing, suppress
from datetime import tzinfo

import structlog

from waystation.blobs.folder import BlobFolder
from waystation.db.engine import Database
from waystation.dicom.head import Head
from waystation.flows.heads import head_from
from waystation.index.levels import level_of
from waystation.index.pages import ImageRow
from waystation.index.search import Found, Search
from waystation.journal import heads, shelved
from waystation.journal.heads import HeadSource
from waystation.matching.unique import UNIQUE, Wanted
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.model.query import LEVELS, STUDY, Key, Query, Record

log = structlog.get_logger()
# How long a request waits for what is being put on file.
SETTLED_S = 0.5


class IndexCatalogue:
    """The archive of a node.

    area: the keys that everything must match under a called AE title, () for all of it.
    zone: of records that name none.  settled: waits until what was acknowledged is on file.
    shown: the head of an object of a study as a query shows it (T-32).
    """

    def __init__(
        self,
        database: Database,
        blobs: BlobFolder,
        disk: Executor,
        area: Callable[[str], Sequence[Key]],
        zone: Callable[[], tzinfo | None],
        settled: Callable[[], Awaitable[None]],
        shown: Callable[[str, Head | None], Head | None] = lambda _study, head: head,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._disk = disk
        self._area = area
        self._zone = zone
        self._settled = settled
        self._shown = shown

    async def search(self, query: Query, title: str) -> AsyncGenerator[Record, None]:
        """Yield what matches, in the order of answers."""
        await self.settle()
        async with aclosing(self.found(query, title)) as answers:
            async for answer in answers:
                yield answer.record

    def found(self, query: Query, title: str) -> AsyncGenerator[Found, None]:
        """Yield what matches, with where it belongs."""
        area = self._area(title)
        search = Search(self._database, self.heads, query, area=area, home=self._zone())
        return search.run()

    async def instances(self, wanted: Wanted, title: str) -> list[Delivery]:
        """Return the objects of what is wanted, as far as the area shows them."""
        await self.settle()
        chosen = await self._database.read(
            shelved.objects(
                patients=wanted.patient_ids,
                studies=wanted.studies,
                series=wanted.series,
                instances=wanted.instances,
            )
        )
        area = self._area(title)
        if not chosen or not area:
            return chosen
        studies = tuple(dict.fromkeys(one.study_uid for one in chosen))
        # As deep as the conditions of the area go: what a query hides there is not sent either.
        level = max((STUDY, *(level_of(key.tag) for key in area)), key=LEVELS.index)
        query = Query(level=level).with_keys([Key(UNIQUE[STUDY], "UI", studies)])
        async with aclosing(self.found(query, title)) as answers:
            shown = {_place(answer) async for answer in answers}
        places = [(one.study_uid, one.series_uid, one.sop_instance_uid) for one in chosen]
        depth = LEVELS.index(level)
        return [one for one, place in zip(chosen, places, strict=True) if place[:depth] in shown]

    async def settle(self) -> None:
        """Wait for what was acknowledged a moment ago, but not for what keeps coming (T-29)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLED_S):
                await self._settled()

    async def heads(self, rows: Sequence[ImageRow]) -> list[Head | None]:
        """Return the head of each object, None for one that cannot be read."""
        inline = [row.arrival_id for row in rows if not row.blob]
        known = {
            source.arrival: source
            for source in (await self._database.read(heads.sources(inline)) if inline else ())
        }
        sources = [known.get(row.arrival_id) or _source(row) for row in rows]
        studies = [row.study_uid for row in rows]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk, self._read, sources, studies)

    def _read(self, sources: Sequence[HeadSource], studies: Sequence[str]) -> list[Head | None]:
        both = zip(sources, studies, strict=True)
        return [self._shown(study, self._head(source)) for source, study in both]

    def _head(self, source: HeadSource) -> Head | None:
        try:
            return head_from(source, self._blobs)
        except StorageError as error:
            log.error("head not read", arrival=f"{source.arrival:x}", error=str(error))
            return None


def _place(found: Found) -> tuple[str, ...]:
    """Return the UIDs of a study, series or object and of what it lies in."""
    image = found.image.sop_instance_uid if found.image is not None else ""
    return tuple(filter(None, (found.study_uid, found.series_uid, image)))


def _source(row: ImageRow) -> HeadSource:
    return HeadSource(
        arrival=row.arrival_id,
        blob=row.blob,
        size_bytes=row.size_bytes,
        transfer_syntax=row.transfer_syntax_uid,
    )
