"""Readers of a Fetch, and of what the cache has (W-80, W-109, W-122)."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence

from waystation.flows.fetch import LINK
from waystation.flows.fetch_manifest import Aim
from waystation.flows.fetch_work import Goal
from waystation.flows.fetching import Fetch
from waystation.model.delivery import Delivery
from waystation.model.errors import MisuseError


def doubts(source: str, verified: str) -> list[str]:
    """Return what has to be said where completeness is not certain (W-108)."""
    if verified == "uids":
        return []
    how = "by its counts only" if verified == "counts" else "by nothing but its word"
    return [f"source {source} does not list its instances; completeness is known {how}"]


class Following:
    """A reader of a Fetch: yields what is there and then what lands.  gone: called once."""

    complete = False
    missing = 0

    def __init__(
        self, fetch: Fetch, goal: Goal, *, filed: bool, gone: Callable[["Following"], None]
    ) -> None:
        self.fetch = fetch
        self.goal = goal
        self._filed = filed
        self._gone = gone
        self._closed = False

    @property
    def link(self) -> str:
        return LINK + self.fetch.id

    @property
    def expected(self) -> int | None:
        return self.fetch.survey.manifest.count(self.goal.aim)

    @property
    def uids(self) -> Collection[str] | None:
        manifest = self.fetch.survey.manifest
        return manifest.uids(self.goal.aim) if manifest.known(self.goal.aim) else None

    @property
    def verified(self) -> str:
        if self.goal.done:
            return self.goal.verified
        return "uids" if self.fetch.survey.manifest.known(self.goal.aim) else "none"

    @property
    def warnings(self) -> Sequence[str]:
        blind = self.goal.aim in self.fetch.survey.blind
        more = doubts(self.fetch.terms.name, self.goal.verified) if self.goal.done or blind else []
        return [*self.fetch.warnings, *more]

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        if self._closed:
            raise MisuseError("the reading was closed")
        stock, aim = self.fetch.stock, self.goal.aim
        source = stock.filed if self._filed else stock.landed
        at, seen = 0, set[str]()
        while True:
            while at < len(source):
                one = source[at]
                at += 1
                uid = one.sop_instance_uid
                if uid not in seen and aim.holds(one.series_uid, uid):
                    seen.add(uid)
                    yield one
            self.fetch.look(self.goal)
            if self.goal.done and len(seen) >= stock.count(aim):
                return
            if self.goal.failure is not None:
                raise self.goal.failure
            if self._closed:
                return
            await stock.wait()

    async def close(self) -> None:
        """The reader has gone, or has everything."""
        if not self._closed:
            self._closed = True
            self._gone(self)
            self.fetch.stock.ring()


class Shelf:
    """A reader of what the cache has.  gone: called once.

    uids: of all that is in scope where something is missing, None if nobody knows them.
    """

    link = ""

    def __init__(
        self,
        objects: Sequence[Delivery],
        *,
        gone: Callable[[], None],
        verified: str = "uids",
        warnings: Sequence[str] = (),
        missing: int = 0,
        link: str = "",
        uids: Collection[str] | None = None,
    ) -> None:
        self.objects = objects
        self._uids = uids
        self.verified = verified
        self.warnings = warnings
        self.missing = missing
        self.link = link
        self._gone = gone
        self._closed = False

    @property
    def expected(self) -> int | None:
        return len(self.objects) + self.missing

    @property
    def uids(self) -> Collection[str] | None:
        return self._uids if self.missing else [one.sop_instance_uid for one in self.objects]

    @property
    def complete(self) -> bool:
        return not self.missing

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        for one in self.objects:
            yield one

    async def close(self) -> None:
        """The reader has gone, or has everything."""
        if not self._closed:
            self._closed = True
            self._gone()


def chosen(objects: Sequence[Delivery], aim: Aim) -> list[Delivery]:
    """Return those that belong to an aim."""
    return [one for one in objects if aim.holds(one.series_uid, one.sop_instance_uid)]
