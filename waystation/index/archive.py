"""What can be asked of the archive: records for a query, objects for a retrieval.

Contract: `search` answers one query (C-FIND, QIDO-RS); `instances` gives the objects behind unique
keys in the order of answers, as the archive shows them: the newest version of each.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import tzinfo

from waystation.index import levels
from waystation.index.pages import ImageRow
from waystation.index.search import Heads, Reads, Search
from waystation.matching.folding import plain
from waystation.matching.unique import Wanted
from waystation.model.query import IMAGE, Key, Options, Query


class Archive:
    """Of one node.  heads: reads the heads of objects."""

    def __init__(self, database: Reads, heads: Heads) -> None:
        self._database = database
        self._heads = heads

    def search(
        self, query: Query, *, area: Sequence[Key] = (), home: tzinfo | None = None
    ) -> Search:
        """Return a search that is not begun; ``area``: keys that everything must match besides."""
        return Search(self._database, self._heads, query, area=area, home=home)

    async def instances(
        self, wanted: Wanted, *, area: Sequence[Key] = ()
    ) -> AsyncGenerator[ImageRow, None]:
        """Yield what is to be retrieved; raises `StorageError` if the index cannot be read.

        A patient's studies are those that say so now; a study that is named may have said so
        before.
        """
        keys = [
            Key(tag, vr, values)
            for tag, vr, values in (
                (levels.PATIENT_ID, "LO", wanted.patient_ids),
                (levels.STUDY_UID, "UI", wanted.studies),
                (levels.SERIES_UID, "UI", wanted.series),
                (levels.SOP_INSTANCE_UID, "UI", wanted.instances),
            )
            if values
        ]
        query = Query(level=IMAGE, options=Options(relational=True)).with_keys(keys)
        named = bool(wanted.studies or wanted.series or wanted.instances)
        patients = {plain(each) for each in wanted.patient_ids}
        search = Search(self._database, self._heads, query, area=area, shown=False)
        async with aclosing(search.run()) as answers:
            async for found in answers:
                shown = found.record.values(levels.PATIENT_ID, "LO")
                if (named or patients & set(map(plain, shown))) and found.image is not None:
                    yield found.image
