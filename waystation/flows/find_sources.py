"""C-FIND asked of us, answered by our archive and the PACS together: a workstation sees one PACS.

Contract: opt-in (``archive.federate``); an area that shows a part of the archive only stays with
it.  Records are merged by UID (patients by PatientID) as on the web.  A source that did not answer,
or has more than it gave, ends the query with a failure behind the matches: success would say that
these are all (T-40).
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

from waystation.flows.catalogue import IndexCatalogue
from waystation.flows.federate import ARCHIVE, Federation
from waystation.model.errors import RefusedError
from waystation.model.query import Query, Record
from waystation.model.upstream import UpstreamFailed
from waystation.wire.status import CANNOT_UNDERSTAND, OUT_OF_RESOURCES

MOST = 10_000


class SourceCatalogue:
    """Searches the archive, and the PACS besides where they are wanted.

    federation: of the node, None while it has none.  whole: whether all of the archive, and so the
    PACS too, is seen under a called AE title.
    """

    def __init__(
        self,
        own: IndexCatalogue,
        federation: Callable[[], Federation | None],
        whole: Callable[[str], bool],
    ) -> None:
        self._own = own
        self._federation = federation
        self._whole = whole

    async def search(self, query: Query, title: str) -> AsyncGenerator[Record, None]:
        """Yield what matches; raises `RefusedError` behind matches that are not all."""
        federation = self._federation()
        if federation is None or not federation.upstreams.federated or not self._whole(title):
            async for record in self._own.search(query, title):
                yield record
            return
        await self._own.settle()
        try:
            found = await federation.search(query, own=self._own.found(query, title), most=MOST)
        except UpstreamFailed as failure:
            raise RefusedError(CANNOT_UNDERSTAND, f"source {failure}") from failure
        for row in found.rows:
            yield row.record if ARCHIVE in row.sources else _Elsewhere(row.record)
        if found.failures:
            names = ", ".join(failure.source for failure in found.failures)
            raise RefusedError(CANNOT_UNDERSTAND, f"these are not all: no answer from {names}")
        if found.capped:
            raise RefusedError(OUT_OF_RESOURCES, "more matches than a source gives; narrow it")


def is_online(record: Record) -> bool:
    """Tell whether the images of a record are here."""
    return not isinstance(record, _Elsewhere)


class _Elsewhere:
    """A record of what only PACS have."""

    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        self._record = record

    @property
    def charset(self) -> str:
        return self._record.charset

    @property
    def zone(self) -> int | None:
        return self._record.zone

    def values(self, tag: int, vr: str) -> Sequence[str]:
        return self._record.values(tag, vr)

    def items(self, tag: int) -> Sequence[Record]:
        return self._record.items(tag)

    def elements(self) -> Iterable[tuple[int, str]]:
        return self._record.elements()
