"""What a person decides about the queue, carried out in a running node (R-59).

Contract: decisions go to the journal in pieces of a thousand rows, so that receiving is not kept
waiting; the lanes, the groups and the router hear of them.  Each is logged with its author.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from waystation.app.deciding import decided
from waystation.app.node import Node
from waystation.app.node_reading import in_thread
from waystation.app.selecting import condition_of, passing
from waystation.flows.route import Acknowledged
from waystation.journal import decisions, fixing, queue
from waystation.journal.decisions import Action, Changed, Decision
from waystation.journal.entries import Chosen, Listed, ListedArrival
from waystation.rules.conditions import Condition
from waystation.web.view import ActionAsked, ActionDone

log = structlog.get_logger()
PIECE = 1000
MOST_IDS = 100
WITHOUT_ARRIVALS = (Action.HOLD, Action.RESEND)


class Acting:
    """Of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node

    # what an expression chooses

    def asked(self, where: str) -> Condition | None:
        """Return the compiled expression, None for none; raise `ConfigError`."""
        return condition_of(where, self._node.settings) if where else None

    async def deliveries(self, chosen: Chosen, where: str) -> Sequence[Listed]:
        """Return a page of deliveries, those that the expression is true of."""
        asked = self.asked(where)
        if asked is None:
            return await self._node.database.read(queue.deliveries(chosen))
        found: list[Listed] = []
        async for page in self._delivery_pages(replace(chosen, limit=PIECE), asked):
            found += page
            if len(found) >= chosen.limit:
                break
        return found[: chosen.limit]

    async def arrivals(self, chosen: Chosen, where: str) -> Sequence[ListedArrival]:
        """Return a page of held arrivals, those that the expression is true of."""
        asked = self.asked(where)
        if asked is None:
            return await self._node.database.read(queue.held_arrivals(chosen))
        found: list[ListedArrival] = []
        async for page in self._arrival_pages(replace(chosen, limit=PIECE), asked):
            found += page
            if len(found) >= chosen.limit:
                break
        return found[: chosen.limit]

    async def _delivery_pages(
        self, chosen: Chosen, asked: Condition
    ) -> AsyncIterator[list[Listed]]:
        while page := await self._node.database.read(queue.deliveries(chosen)):
            meant = await self._meant(asked, [one.arrival for one in page])
            yield [one for one in page if one.arrival in meant]
            chosen = replace(chosen, after=page[-1].id)

    async def _arrival_pages(
        self, chosen: Chosen, asked: Condition
    ) -> AsyncIterator[list[ListedArrival]]:
        while page := await self._node.database.read(queue.held_arrivals(chosen)):
            meant = await self._meant(asked, [one.id for one in page])
            yield [one for one in page if one.id in meant]
            chosen = replace(chosen, after=page[-1].id)

    async def _meant(self, asked: Condition, ids: Sequence[int]) -> set[int]:
        node = self._node
        routing, distinct = node.router.routing, sorted(set(ids))
        return await in_thread(
            node, lambda read: passing(read, node.blobs, asked, routing, distinct)
        )

    # acting

    async def act(self, asked: ActionAsked) -> ActionDone:
        """Carry out what a person decided, and tell the belts."""
        if asked.where:
            return await self._act_where(asked)
        by_state = await self._node.database.read(queue.states(asked.chosen))
        ready = decisions.starting_states(asked.action)
        matching = sum(by_state.get(state, 0) for state in ready)
        if asked.action not in WITHOUT_ARRIVALS:
            matching += await self._node.database.read(queue.count_held(asked.chosen))
        left = {state: n for state, n in by_state.items() if state not in ready}
        changed = 0 if asked.preview else await self._carry_out(asked)
        return ActionDone(matching=matching, changed=changed, left=left)

    async def _act_where(self, asked: ActionAsked) -> ActionDone:
        condition = self.asked(asked.where)
        assert condition is not None
        decision = self._decision(asked)
        matching = changed = 0
        # What this very action makes must not be chosen again.
        chosen = replace(asked.chosen, limit=PIECE, until=self._node.ids.next())
        for state in decisions.starting_states(asked.action):
            if asked.chosen.state not in ("", state):
                continue
            async for page in self._delivery_pages(replace(chosen, state=state), condition):
                matching += len(page)
                if page and not asked.preview:
                    ids = tuple(one.id for one in page)
                    changed += await self._decide(Chosen(ids=ids, limit=PIECE), decision)
        if asked.action not in WITHOUT_ARRIVALS:
            async for held in self._arrival_pages(chosen, condition):
                matching += len(held)
                if held and not asked.preview:
                    ids = tuple(one.id for one in held)
                    done = await self._decide_arrivals(Chosen(ids=ids, limit=PIECE), decision)
                    changed += done.arrivals
        if not asked.preview:
            self._say(asked, changed)
        return ActionDone(matching=matching, changed=changed, left={})

    def _decision(self, asked: ActionAsked) -> Decision:
        return Decision(
            action=asked.action, by=asked.user, because=asked.because, now=self._node.clock()
        )

    async def _carry_out(self, asked: ActionAsked) -> int:
        node = self._node
        decision = self._decision(asked)
        # What this very action makes must not be chosen again.
        chosen = replace(asked.chosen, limit=PIECE, until=node.ids.next())
        changed = 0
        while True:
            done = await node.database.write(decisions.decide(chosen, decision, node.ids))
            self._tell(done)
            changed += len(done.deliveries)
            if done.last == chosen.after:
                break
            chosen = replace(chosen, after=done.last)
        changed += await self._carry_out_arrivals(asked, decision)
        self._say(asked, changed)
        return changed

    async def _decide(self, chosen: Chosen, decision: Decision) -> int:
        done = await self._node.database.write(decisions.decide(chosen, decision, self._node.ids))
        self._tell(done)
        return len(done.deliveries)

    async def _carry_out_arrivals(self, asked: ActionAsked, decision: Decision) -> int:
        chosen = replace(asked.chosen, limit=PIECE)
        changed = 0
        while True:
            done = await self._decide_arrivals(chosen, decision)
            changed += done.arrivals
            if done.last == chosen.after:
                return changed
            chosen = replace(chosen, after=done.last)

    async def _decide_arrivals(self, chosen: Chosen, decision: Decision) -> Changed:
        node = self._node
        if decision.action is not Action.DISCARD:
            done = await node.database.write(decisions.decide_arrivals(chosen, decision))
            self._tell(done)
            return done
        page = [one.id for one in await node.database.read(queue.held_arrivals(chosen))]
        if not page:
            return Changed(last=chosen.after)
        given_up, stuck = await node.archivist.dismiss(page, decision.by, decision.because)
        left = tuple(one for one in page if one not in stuck)
        if not left:
            return Changed(arrivals=given_up, last=page[-1])
        rest = Chosen(ids=left, limit=PIECE)
        done = await node.database.write(decisions.decide_arrivals(rest, decision))
        self._tell(done)
        return replace(done, arrivals=done.arrivals + given_up, last=page[-1])

    def _say(self, asked: ActionAsked, changed: int) -> None:
        """Write down who decided what; an expression may quote a patient and stays out."""
        chosen = asked.chosen
        log.info(
            "decided",
            action=asked.action.value,
            by=asked.user,
            because=asked.because,
            n=changed,
            to=chosen.destination,
            study=chosen.study,
            state=chosen.state,
            reason=chosen.reason,
            ids=len(chosen.ids),
            where=bool(asked.where),
        )
        decided(
            self._node,
            asked.user,
            asked.action.value,
            because=asked.because,
            n=changed,
            to=chosen.destination,
            study=chosen.study,
            state=chosen.state,
            reason=chosen.reason,
            ids=[f"{one:x}" for one in chosen.ids[:MOST_IDS]],
            where=bool(asked.where),
        )

    async def fix(self, delivery_id: int, edits: Sequence[Mapping[str, Any]], user: str) -> str:
        """Give a delivery further edits; return why that was not done, "" if it was."""
        node = self._node
        done = await node.database.write(fixing.fix(delivery_id, edits, user, node.clock()))
        if not done.problem:
            elements = [str(one.get("set", "")) for one in edits]
            log.info("fixed", by=user, delivery=f"{delivery_id:x}", elements=elements)
            decided(
                node,
                user,
                "fix",
                delivery=f"{delivery_id:x}",
                study=done.study,
                elements=elements,
            )
            self.wake({(done.destination, done.study), (done.group, done.study)})
        return done.problem

    def _tell(self, done: Changed) -> None:
        node = self._node
        for arrival in done.to_plan:
            node.router.arrived(Acknowledged(arrival=arrival, known=True))
        for entry in done.deliveries:
            belt = node.belts.get(entry.destination)
            if belt is not None:
                belt.lane.forget(entry.id)
        # At a member, what belongs to a group goes wherever its study goes by now.
        places = {(entry.destination, entry.study) for entry in done.deliveries}
        places |= {(entry.group, entry.study) for entry in done.deliveries if entry.group}
        self.wake(places)

    def wake(self, places: set[tuple[str, str]]) -> None:
        """Tell lanes and groups that something of a study waits for (destination, study)."""
        node = self._node
        for name in {name for name, _ in places} & set(node.belts):
            node.belts[name].wake()
        for name, study in places:
            if name in node.settings.group:
                node.groups.wake(name, study)
