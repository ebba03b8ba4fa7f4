"""One retrieval from a PACS, many readers: what the broker offers to those who serve its objects.

Contract (W-104 to W-119): `Fetches.want` attaches a reader to the one Fetch of a source and study,
or to the cache; its `Reading` yields every instance in scope once, as soon as it is sealed, and
ends only when nothing that the PACS lists is missing (W-113).  Whatever else happens is a
`FetchFailed`, before the first instance or after it (W-90).  `Reading.close` must be called in the
end, also after a failure: it tells that the reader has gone (W-118) and lets go of the cache
(W-122).
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from waystation.model.delivery import Delivery
from waystation.model.errors import WaystationError
from waystation.model.values import value

# Of `Progress.state`.
RUNNING, COMPLETE, INCOMPLETE, FAILED, CANCELLED = (
    "running",
    "complete",
    "incomplete",
    "failed",
    "cancelled",
)
LINK = "/api/v1/fetches/"

# A study, perhaps one series of it, perhaps one instance of that: "study", "series", "instance".
Path = Mapping[str, str]


class FetchFailed(WaystationError):
    """What is wanted cannot be had, or not all of it (W-62, W-89).

    status: of HTTP: 404 every word of the source says that it is not there; 502 the source failed
        or sent less than it lists; 503 come again; 504 a time-out.
    title, text: for people, without patient data.  source: its name.
    retry_after_s: seconds, None if coming again is of no use.
    dimse_status: what the PACS answered, None if nothing.  fetch: id of the progress, "" for none.
    missing: how many instances of the scope are lacking, 0 if unknown.
    """

    def __init__(
        self,
        status: int,
        title: str,
        text: str,
        *,
        source: str = "",
        retry_after_s: float | None = None,
        dimse_status: int | None = None,
        fetch: str = "",
        missing: int = 0,
    ) -> None:
        super().__init__(text)
        self.status = status
        self.title = title
        self.text = text
        self.source = source
        self.retry_after_s = retry_after_s
        self.dimse_status = dimse_status
        self.fetch = fetch
        self.missing = missing

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.retry_after_s is not None


@value
class Progress:
    """How far a Fetch is (W-119).

    state: running, complete, incomplete, failed or cancelled.  level: study, series or instance.
    expected: instances that the PACS lists, None if not known yet.
    missing: UIDs of instances that are lacking still, at most some of them; n_missing: all.
    verified: against what completeness is judged: ``uids``, ``counts`` or ``none`` (W-108).
    rate: bytes per second since the first object.  began_at, ended_at: Unix seconds.
    way: ``get`` or ``move``, "" before it is known.
    """

    id: str
    source: str
    study_uid: str
    level: str
    state: str
    began_at: float
    ended_at: float | None = None
    expected: int | None = None
    received: int = 0
    size_bytes: int = 0
    rate: float = 0.0
    n_missing: int = 0
    missing: tuple[str, ...] = ()
    verified: str = "none"
    error: str = ""
    status: int = 0
    readers: int = 0
    way: str = ""


class Reading(Protocol):
    """One reader of what it wanted; an asynchronous iterator of its instances, each once.

    What came from the cache is yielded first, by series and instance number.
    """

    @property
    def link(self) -> str:
        """URL path of the progress resource, "" where no Fetch is needed."""

    @property
    def expected(self) -> int | None:
        """How many instances are in scope, None before the manifest is known."""

    @property
    def uids(self) -> Collection[str] | None:
        """SOP Instance UIDs of all that is in scope, None where nobody knows them."""

    @property
    def missing(self) -> int:
        """How many of them cannot be had; more than 0 before the first instance only with
        ``partial = "serve"``: the answer is then a 206 and ends in order."""

    @property
    def verified(self) -> str:
        """Against what completeness is judged: ``uids``, ``counts`` or ``none`` (W-108)."""

    @property
    def complete(self) -> bool:
        """True if all of it is in the cache, so that an ETag can be given."""

    @property
    def warnings(self) -> Sequence[str]:
        """Texts for ``Warning: 299``, as far as they are known now."""

    def __aiter__(self) -> AsyncIterator[Delivery]:
        """Yield the instances; raises `FetchFailed`."""

    async def close(self) -> None:
        """The reader has gone, or has everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What the cache holds complete, in the order of series and instances, without any transfer.

    reading: `Reading.close` of it lets go of the cache.
    """

    objects: Sequence[Delivery]
    reading: Reading


class Fetches(Protocol):
    """The broker's retrievals of one node."""

    async def want(
        self, source: str, path: Path, *, filed: bool = False, prefetch: bool = False
    ) -> Reading:
        """Attach a reader.  Returns once it is known that there is something to read.

        source: name of a ``[pacs.NAME]`` table.
        filed: instances are yielded once their rows are in the tables too; for metadata, frames
        and everything else that asks the database about an arrival.
        prefetch: nobody waits: interactive readers come first (W-140).
        Raises `FetchFailed`: 404 within one C-FIND (W-104), 502, 503 or 504.
        """

    async def whole(self, source: str, path: Path) -> Whole | None:
        """Return what is wanted if the cache has it complete and checked not long ago."""

    async def exists(self, source: str, path: Path) -> int | None:
        """Return how many instances there are, None if nobody said; starts nothing (W-17).

        Raises `FetchFailed`, 404 among them.
        """

    def progress(self, fetch: str = "") -> Sequence[Progress]:
        """Return the Fetches under way and those that ended lately, or the one with that id."""

    def follow(self, fetch: str) -> AsyncIterator[Progress]:
        """Yield how far a Fetch is whenever that changes, its end last.

        Yields nothing for an id that is unknown.
        """

    async def cancel(self, fetch: str) -> bool:
        """End a Fetch and its readers; False if there is none under way (W-119)."""

    async def prefetch(self, source: str, path: Path) -> Progress:
        """Begin to fetch without a reader.  Raises `FetchFailed`."""

    async def forget(self, source: str, path: Path) -> int:
        """Drop what the cache holds of a study; return how many objects.  In use: 0 (W-99)."""
