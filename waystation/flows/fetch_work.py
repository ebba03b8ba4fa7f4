"""What a Fetch is made with, and what it works at."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from waystation.db.engine import Database
from waystation.flows.claims import Claimant
from waystation.flows.fetch import FetchFailed
from waystation.flows.fetch_get import GetTaker
from waystation.flows.fetch_manifest import IMAGE, SERIES, WHOLE, Aim
from waystation.flows.fetch_places import Places
from waystation.flows.fetch_transfer import Ended
from waystation.flows.upstream import Upstream
from waystation.net.query_call import QueryCall


@dataclass(slots=True)
class Goal:
    """An aim that is worked at.

    prefetch: no reader waits for it.  not_before: of the next attempt, by the clock of the loop.
    verified: against what it was found complete.
    """

    aim: Aim
    prefetch: bool
    attempts: int = 0
    not_before: float = 0.0
    done: bool = False
    failure: FetchFailed | None = None
    verified: str = "none"

    @property
    def closed(self) -> bool:
        """Whether nothing more will be done for it."""
        return self.done or self.failure is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchParts:
    """What Fetches of one PACS share.

    places: for retrievals at one time.  sends: whether objects may come from an address.
    way: ``get`` or ``move``; no_get: C-GET turned out not to be taken.
    taker: makes what takes the objects of a C-GET.  retire: ends an association in order.
    listens: where our listener is, in words.  clock: Unix seconds.
    grew: told of bytes that came in; filed: that they are in the book; no_room: why the cache
    takes nothing more, or "".
    """

    upstream: Upstream
    database: Database
    places: Places
    clock: Callable[[], float]
    next_id: Callable[[], int]
    next_message_id: Callable[[], int]
    sends: Callable[[str], bool]
    way: Callable[[], str]
    no_get: Callable[[], None]
    taker: Callable[[Claimant, QueryCall], GetTaker]
    retire: Callable[[QueryCall], None]
    listens: Callable[[], str]
    grew: Callable[[int], None]
    filed: Callable[[int], None]
    no_room: Callable[[], str]


@dataclass(slots=True)
class Tally:
    """What the transfers of an attempt came to."""

    last: Ended | None = None
    failed: int = 0
    failed_uids: set[str] = field(default_factory=set)
    clean: bool = True
    told: int | None = 0

    def add(self, ended: Ended) -> None:
        """Take one of them."""
        self.last = ended
        self.failed += ended.failed or 0
        self.failed_uids |= ended.failed_uids
        self.clean = self.clean and ended.clean
        self.told = None if ended.told is None or self.told is None else self.told + ended.told


def batch(due: Sequence[Goal]) -> list[Goal]:
    """Return the goals for one attempt: those that somebody waits for, then one that nobody does.

    Goals of one level go together: the PACS is asked once.
    """
    waited = [goal for goal in due if not goal.prefetch]
    first = (waited or list(due))[0]
    if first.aim == WHOLE or first.prefetch:
        return [first]
    level = first.aim.level
    alike = level in (SERIES, IMAGE)
    return [one for one in waited if alike and one.aim.level == level] or [first]


def heard(task: "asyncio.Task[Any]") -> None:
    """Take note of an exception: those who wanted to know may have gone."""
    if not task.cancelled():
        task.exception()
