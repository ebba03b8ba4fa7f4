"""What Fetches are made with: places at a PACS, Message IDs, C-GET or C-MOVE."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from waystation.db.engine import Database
from waystation.flows.admitting import Keeping
from waystation.flows.cache import Cache
from waystation.flows.claims import Claimant, Claims
from waystation.flows.fetch_get import GetTaker
from waystation.flows.fetch_places import Places
from waystation.flows.fetch_stock import Stock
from waystation.flows.fetch_transfer import GET, MOVE
from waystation.flows.fetch_work import FetchParts
from waystation.flows.upstream import Upstream
from waystation.model.arrival import Source
from waystation.net.pool import CallPool
from waystation.net.query_call import QueryCall

MESSAGE_IDS = 65_535
# How long a PACS that turned out not to take C-GET is not asked for it again, seconds.
NO_GET_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerParts:
    """What the broker needs of the node.

    upstream: of a name, None if there is none.  sends: whether objects of a source may come from
    an address.  keeping: what receiving needs.  full: why nothing can be stored, or "".
    listens: where our listener is, in words.  clock: Unix seconds.
    """

    upstream: Callable[[str], Upstream | None]
    sends: Callable[[str, str], bool]
    database: Database
    cache: Cache
    claims: Claims
    keeping: Callable[[], Keeping]
    full: Callable[[], str]
    clock: Callable[[], float]
    next_id: Callable[[], int]
    listens: Callable[[], str]


class Maker:
    """Of one node.

    stocks: those whose Message IDs are taken.
    """

    def __init__(
        self,
        parts: BrokerParts,
        stocks: Callable[[], Iterable[Stock]],
    ) -> None:
        self._parts = parts
        self._stocks = stocks
        self._places: dict[str, tuple[int, Places]] = {}
        self._no_get: dict[str, float] = {}
        self._numbers = itertools.cycle(range(1, MESSAGE_IDS + 1))
        self._calls = CallPool()

    def places(self, upstream: Upstream) -> Places:
        """Return the places for retrievals at a PACS."""
        most = upstream.terms.retrieve_most
        known = self._places.get(upstream.name)
        if known is None or known[0] != most:
            known = self._places[upstream.name] = (most, Places(most))
        return known[1]

    def parts(self, upstream: Upstream) -> FetchParts:
        """Return what a Fetch from a PACS is made with."""
        parts, source = self._parts, upstream.name
        return FetchParts(
            upstream=upstream,
            database=parts.database,
            places=self.places(upstream),
            clock=parts.clock,
            next_id=parts.next_id,
            next_message_id=self._next_number,
            sends=lambda address: parts.sends(source, address),
            way=lambda: self._way(upstream),
            no_get=lambda: self._no_get.update({source: parts.clock() + NO_GET_S}),
            taker=lambda claimant, call: self._taker(upstream, claimant, call),
            retire=self._calls.retire,
            listens=parts.listens,
            grew=parts.cache.grew,
            filed=parts.cache.filed,
            no_room=parts.cache.no_room,
        )

    def _next_number(self) -> int:
        """Return a Message ID that no C-MOVE has whose objects may still come (W-110)."""
        taken: Sequence[Stock] = list(self._stocks())
        return next(n for n in self._numbers if not any(one.used(n) for one in taken))

    def _way(self, upstream: Upstream) -> str:
        wanted = upstream.terms.retrieve
        if wanted in (GET, MOVE):
            return wanted
        if self._no_get.get(upstream.name, 0.0) > self._parts.clock():
            return MOVE
        return GET if upstream.takes_get else MOVE

    def _taker(self, upstream: Upstream, claimant: Claimant, call: QueryCall) -> GetTaker:
        remote = upstream.terms.get
        source = Source(
            peer="",
            calling_ae=remote.ae_title,
            called_ae=remote.calling_ae,
            address=remote.host,
            way_in="fetch",
            tls=remote.tls is not None,
            fetched_from=upstream.name,
        )
        return GetTaker(self._parts.keeping(), source, claimant, call.hold, call.go_on)

    def change(self) -> None:
        """Ask for C-GET again: the terms may be others."""
        self._no_get.clear()

    async def close(self) -> None:
        """End the associations."""
        await self._calls.close()
