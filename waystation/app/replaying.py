"""New deliveries from kept files (R-78).

Contract: judged by the rules in force, or sent to one named destination or group, in either case
through its filters; low in priority unless asked otherwise.  While somebody is sending to us it
works only a thirtieth of the time, so that live traffic does not feel it.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic

import structlog

from waystation.app.acting import Acting
from waystation.app.deciding import decided
from waystation.app.explaining import heads_of
from waystation.app.node import Node
from waystation.app.node_reading import Read, in_thread
from waystation.app.selecting import condition_of, holds
from waystation.blobs.reading import BlobReader
from waystation.dicom.head import Head
from waystation.flows.lane_settings import NO_FILTER
from waystation.flows.route import Routing
from waystation.journal import replays, studies
from waystation.journal.ids import id_at
from waystation.journal.replays import Order
from waystation.journal.studies import Fate
from waystation.model.arrival import Arrival
from waystation.model.errors import ConfigError
from waystation.model.plan import Target
from waystation.rules.conditions import Condition, Look
from waystation.rules.duplicates import DUPLICATE, FIRST_KEPT
from waystation.rules.plan import plan
from waystation.web.view import ReplayAsked, ReplayDone

log = structlog.get_logger()
REPLAY = "replay"
PIECE = 100
REST = 30.0
ABSORBED = {f"discarded:{DUPLICATE}", f"discarded:{FIRST_KEPT}"}

Wanted = list[tuple[Arrival, Target]]


@dataclass(slots=True)
class _Count:
    arrivals: int = 0
    made: int = 0
    already: int = 0
    filtered: int = 0
    held: int = 0
    gone: int = 0
    nowhere: int = 0
    to: Counter[str] = field(default_factory=Counter)
    studies: set[str] = field(default_factory=set)


class Replaying:
    """Of one node."""

    def __init__(self, node: Node, acting: Acting) -> None:
        self._node = node
        self._acting = acting

    async def replay(self, asked: ReplayAsked) -> ReplayDone:
        """Make the deliveries, or say which they would be."""
        node = self._node
        routing = node.router.routing
        condition = condition_of(asked.where, node.settings)
        if asked.to and asked.to not in (*routing.destinations, *routing.ruleset.groups):
            raise ConfigError("--to", f'no destination or group "{asked.to}"')
        order = Order(by=asked.user, now=node.clock(), again=asked.again, dry=asked.preview)
        after = id_at(asked.since) - 1
        until = id_at(asked.until) if asked.until is not None else node.ids.next()
        judge = _Judge(
            condition=condition,
            routing=routing,
            asked=asked,
            groups=[
                name
                for name, group in node.settings.group.items()
                if any(member.to == asked.to for member in group.members)
            ],
        )
        found = _Count()
        while fates := await node.database.read(studies.since(after, until, PIECE)):
            after = fates[-1].arrival.id
            began = monotonic()
            kept = _kept(fates, found)
            wanted = await in_thread(node, partial(judge.wanted, node.blobs, kept, found))
            await self._make(wanted, order, found)
            await self._rest(monotonic() - began)
        if not asked.preview:
            log.info("replayed", by=asked.user, to=asked.to, n=found.made, again=asked.again)
            times = {"since": asked.since, "until": asked.until}
            decided(node, asked.user, "replay", to=asked.to, n=found.made, **times)
        return _done(found)

    async def _make(self, wanted: Wanted, order: Order, found: _Count) -> None:
        if not wanted:
            return
        node = self._node
        job = replays.make(wanted, order, node.ids)
        if order.dry:
            done = await node.database.read(job)
        else:
            done = await node.database.write(job, urgent=False)
        found.already += done.already
        found.made += len(done.made)
        for arrival, target in done.made:
            found.to[target.destination] += 1
            found.studies.add(arrival.instance.study_uid)
        if not order.dry:
            self._acting.wake(
                {(target.destination, one.instance.study_uid) for one, target in done.made}
            )

    async def _rest(self, worked_s: float) -> None:
        busy = self._node.listener.associations > 0
        await asyncio.sleep(worked_s * REST if busy else 0.0)


def _kept(fates: Sequence[Fate], found: _Count) -> list[Arrival]:
    """Return what can be sent again, and count what cannot."""
    kept = []
    for fate in fates:
        if fate.ended_why in ABSORBED:
            continue
        if fate.gone:
            found.gone += 1
        elif fate.hold_reason is not None:
            found.held += 1
        else:
            kept.append(fate.arrival)
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """Decides where each object goes.  groups: that ``asked.to`` is a member of."""

    condition: Condition
    routing: Routing
    asked: ReplayAsked
    groups: Collection[str] = ()

    def wanted(
        self, blobs: BlobReader, arrivals: Sequence[Arrival], found: _Count, read: Read
    ) -> Wanted:
        """Return what is to be made of some objects, and count the rest."""
        wanted: Wanted = []
        for arrival, head in heads_of(read, blobs, arrivals):
            if head is None or not holds(self.condition, self.routing, arrival, head):
                continue
            found.arrivals += 1
            targets = self._targets(arrival, head)
            if not targets:
                found.nowhere += 1
            for target in targets:
                if target.filtered_by:
                    found.filtered += 1
                elif target.hold is None:
                    wanted.append((arrival, replace(target, priority=self.asked.priority)))
                else:
                    found.nowhere += 1
        return wanted

    def _targets(self, arrival: Arrival, head: Head) -> list[Target]:
        routing, to = self.routing, self.asked.to
        facts, sop_class = routing.facts(arrival), arrival.instance.sop_class_uid
        if to:
            asked = routing.ruleset.filters.get(to, NO_FILTER)
            by = asked.refuses(sop_class, Look(head, facts, discreet=True))
            recipe = self._recipe(self._planned(arrival, head))
            target = Target(destination=to, rules=(REPLAY,), filtered_by=by, recipe=recipe)
            return [routing.placed(target)]
        first: dict[str, Target] = {}
        for target in self._planned(arrival, head):
            first.setdefault(target.destination, routing.placed(target))
        return list(first.values())

    def _planned(self, arrival: Arrival, head: Head) -> list[Target]:
        """Return where the rules send an object, at once or with its study."""
        routing = self.routing
        sop_class = arrival.instance.sop_class_uid
        made = plan(head, routing.facts(arrival), routing.ruleset, sop_class_uid=sop_class)
        return [*made.targets, *(target for one in made.joins for target in one.targets)]

    def _recipe(self, planned: Sequence[Target]) -> str:
        """Return what the rules do to what they send there, to it or to a group that it is in."""
        there = {self.asked.to, *self.groups}
        return next((one.recipe for one in planned if one.destination in there), "")


def _done(found: _Count) -> ReplayDone:
    return ReplayDone(
        arrivals=found.arrivals,
        studies=len(found.studies),
        made=found.made,
        already=found.already,
        filtered=found.filtered,
        nowhere=found.nowhere,
        held=found.held,
        gone=found.gone,
        to=dict(found.to),
    )
