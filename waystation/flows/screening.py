"""Whether a destination's ``refuse_when`` takes away what is queued for it (R-18).

Contract: asked at each claim, with the head as it is stored and the facts of the arrival.  An
object whose head cannot be read passes: the cargo finds out what is wrong with it.
"""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from waystation.db.engine import Database
from waystation.dicom.head import Head
from waystation.flows.route import Routing
from waystation.journal import arrivals
from waystation.model.arrival import Arrival
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError
from waystation.rules.classes import ClassFilter
from waystation.rules.conditions import Look

log = structlog.get_logger()


class Screening:
    """Of one node.  routing: what is in force."""

    def __init__(
        self,
        database: Database,
        head_of: Callable[[Arrival, bytes | None], Awaitable[Head]],
        routing: Callable[[], Routing],
    ) -> None:
        self._database = database
        self._head_of = head_of
        self._routing = routing

    async def __call__(self, asked: ClassFilter, batch: Sequence[Delivery]) -> set[int]:
        """Return the ids of those that ``asked`` refuses."""
        return {delivery.id for delivery in batch if await self._refused(asked, delivery)}

    async def _refused(self, asked: ClassFilter, delivery: Delivery) -> bool:
        arrival = await self._database.read(arrivals.by_id(delivery.arrival_id))
        if arrival is None:
            return False
        try:
            head = await self._head_of(arrival, None)
        except StorageError as error:
            log.error("head not read", arrival=f"{arrival.id:x}", error=str(error))
            return False
        facts = self._routing().facts(arrival)
        return bool(asked.refuses(arrival.instance.sop_class_uid, Look(head, facts)))
