"""Whether a validation refuses an object before its sender gets an answer (C001H; R-8, R-68).

Contract: only validations of rules that take the object are asked, and only those that reject.
The time is limited: at the limit, and where something cannot be judged, the object is accepted
and its lane decides (R-10).  A node without such validations never comes here.
"""

import asyncio
from collections.abc import Callable

import structlog

from waystation.dicom.head import Head
from waystation.flows.route import Routing
from waystation.flows.treat import Treatments
from waystation.model.arrival import Arrival
from waystation.rules.plan import plan

log = structlog.get_logger()
DECIDE_S = 2.0


class Rejecting:
    """Of one node.  routing: what is in force."""

    def __init__(self, treatments: Treatments, routing: Callable[[], Routing]) -> None:
        self.active = False
        self._treatments = treatments
        self._routing = routing

    async def __call__(self, head: Head, arrival: Arrival) -> str:
        """Return what refuses the object, "" for nothing."""
        if not self.active:
            return ""
        try:
            async with asyncio.timeout(DECIDE_S):
                return await self._why(head, arrival)
        except TimeoutError:
            log.warning("not judged in time", arrival=f"{arrival.id:x}")
        except Exception:
            log.exception("not judged", arrival=f"{arrival.id:x}")
        return ""

    async def _why(self, head: Head, arrival: Arrival) -> str:
        routing = self._routing()
        sop_class = arrival.instance.sop_class_uid
        made = plan(head, routing.facts(arrival), routing.ruleset, sop_class_uid=sop_class)
        joined = [target for one in made.joins for target in one.targets]
        wanted = [target.recipe for target in (*made.targets, *joined) if not target.filtered_by]
        for digest in dict.fromkeys(filter(None, wanted)):
            why = await self._treatments.refusal(digest, head, arrival)
            if why:
                return why
        return ""
