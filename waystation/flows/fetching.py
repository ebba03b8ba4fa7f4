"""One retrieval of a study from a PACS, with many readers (W-105 to W-118).

Contract: an aim is reached only when everything that the PACS lists of it is sealed here, or where
it lists nothing, when a clean final answer agrees with what came (W-113).  What readers wait for
is moved first; requests for single series widen to the study by the terms of the PACS.  Every wait
ends: transfers and queries have time-outs, retries a limit, and nothing polls.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from waystation.flows.fetch import FetchFailed
from waystation.flows.fetch_failures import (
    cancelled,
    incomplete,
    no_room,
    not_there,
    of_upstream,
    refused_destination,
)
from waystation.flows.fetch_manifest import WHOLE, Aim, Job, jobs
from waystation.flows.fetch_stock import Stock
from waystation.flows.fetch_survey import Survey
from waystation.flows.fetch_transfer import (
    GET,
    MOVE,
    MOVE_DESTINATION_UNKNOWN,
    Ended,
    Transfer,
)
from waystation.flows.fetch_work import FetchParts, Goal, Tally, batch, heard
from waystation.model.upstream import UpstreamFailed, UpstreamTerms

log = structlog.get_logger()


class Fetch:
    """Of one study of one PACS.  ended: told of its end."""

    def __init__(
        self, parts: FetchParts, fetch_id: str, study: str, ended: Callable[["Fetch"], None]
    ) -> None:
        self._ended = ended
        self._parts = parts
        self._upstream = parts.upstream
        self.id = fetch_id
        self.survey = Survey(parts.upstream, study, lambda: self.stock.ring())
        self.stock = Stock(parts, study, self.survey, self._touched)
        self.goals: dict[Aim, Goal] = {}
        self.began_at = parts.clock()
        self.way = ""
        self.problem: FetchFailed | None = None
        self.cancelled = False
        self.vanished = False
        self.accepting = True
        self.over = asyncio.Event()
        self.warnings: dict[str, None] = {}
        self._asked: dict[Aim, asyncio.Task[None]] = {}
        self._transfer: Transfer | None = None
        self._kept: list[object] = []
        self._entering = 0
        self._task = asyncio.create_task(self._run())

    @property
    def terms(self) -> UpstreamTerms:
        """How the PACS is called."""
        return self._upstream.terms

    @property
    def study(self) -> str:
        """Study Instance UID."""
        return self.stock.study

    def _touched(self) -> None:
        if self._transfer is not None:
            self._transfer.touched()

    # what somebody wants

    def visit(self, aim: Aim) -> Goal:
        """Return what a reader goes by until it is admitted."""
        return self.goals.get(aim) or Goal(aim, False)

    def keep(self, reading: object) -> None:
        """Hold on to a reader of nobody until this is over (a prefetch)."""
        self._kept.append(reading)

    async def admit(self, aim: Aim, *, prefetch: bool) -> Goal:
        """Return the goal for an aim that the PACS has.

        Raises `FetchFailed`: 404 if it has not (W-104).
        """
        self._entering += 1
        try:
            await self.stock.ready.wait()
            if aim not in self.goals and not self._is_known(aim):
                task = self._asked.get(aim)
                if task is None:
                    task = self._asked[aim] = asyncio.create_task(self._check(aim))
                    task.add_done_callback(heard)
                # One of many that wait must not take the question along when it goes.
                await asyncio.wait([task])
                if not task.cancelled():
                    task.result()
            if not self.accepting:
                raise self.problem or cancelled(self.terms.name, self.id)
            goal = self._aim_at(aim, prefetch=prefetch)
            self._widen(aim)
            return goal
        finally:
            self._entering -= 1
            self.stock.ring()

    def _is_known(self, aim: Aim) -> bool:
        """Tell whether something of an aim is here, or listed, by this very Fetch."""
        if aim in self.stock.stale or (WHOLE in self.stock.stale and not aim.instance):
            return False
        listed = self.survey.manifest
        if aim.instance:
            return aim.instance in self.stock.here or aim.instance in listed.instances
        return self.stock.count(aim) > 0 or listed.size(aim) > 0

    async def _check(self, aim: Aim) -> None:
        """Ask whether there is any; what the cache has complete is compared by counts (W-123)."""
        if self.terms.has("sequential"):
            # It answers nothing while it sends; perhaps what comes says it all.
            while self._transfer is not None and not self._is_known(aim):
                await self.stock.wait()
            if self._is_known(aim):
                return
        known = self.stock.complete(aim)
        try:
            n = await self.survey.exists(aim)
        except UpstreamFailed as error:
            if known is None:
                raise of_upstream(error, self.id) from error
            minutes = max(0.0, self._parts.clock() - known.checked_at) / 60
            name = self.terms.name
            self.warnings[
                f"source {name} cannot be asked; this is what it had {minutes:.0f} minutes ago"
            ] = None
            self.stock.trust(aim)
            return
        if n == -1:
            # What it does not have any more, nobody gets from here.
            self.vanished = known is not None and aim == WHOLE
            raise not_there(self.terms.name, aim)
        if known is not None and n is not None and n == known.n:
            self.stock.trust(aim, checked_at=self._parts.clock())
        elif known is not None:
            self.stock.distrust(aim)
            self.survey.doubt(aim)

    def _aim_at(self, aim: Aim, *, prefetch: bool) -> Goal:
        goal = self.goals.get(aim)
        given_up = goal is not None and goal.failure is not None and goal.prefetch
        if goal is None or (given_up and not prefetch):
            goal = self.goals[aim] = Goal(aim, prefetch)
            if (verified := self.stock.verified(aim)) is not None:
                goal.verified, goal.done = verified, True
        goal.prefetch = goal.prefetch and prefetch
        self.stock.ring()
        return goal

    def _widen(self, aim: Aim) -> None:
        """Let more follow what was asked for, once it looks as if it will be wanted (W-105)."""
        level = self.terms.fetch_level
        if level == "series" or aim == WHOLE:
            return
        series = {one.series for one in self.goals}
        if level == "study" or len(series) > 1:
            self._aim_at(WHOLE, prefetch=True)
        elif aim.series and len(self.goals) > 1:
            self._aim_at(Aim(aim.series), prefetch=True)

    # the belt

    async def _run(self) -> None:
        try:
            await self.stock.load()
            self.stock.ready.set()
            while (more := self._open_goals()) or (self._entering and not self.cancelled):
                await (self._work(more) if more else self.stock.wait())
        except Exception:
            log.exception("fetch failed", source=self.terms.name, fetch=self.id)
            self._fail(self._open_goals(), incomplete(self.terms.name, self.id, 0, 0))
        finally:
            self.accepting = False
            self.stock.ready.set()
            await self._end()

    def _open_goals(self) -> list[Goal]:
        for goal in self.goals.values():
            self.look(goal)
        return [goal for goal in self.goals.values() if not goal.closed]

    def look(self, goal: Goal) -> None:
        """Close a goal of which nothing that is listed lacks."""
        manifest, aim = self.survey.manifest, goal.aim
        # Asked at every object that lands: most times a comparison of numbers tells it.
        if goal.closed or not 0 < manifest.size(aim) <= self.stock.count(aim):
            return
        if manifest.missing(aim, self.stock.here) == ():
            goal.done, goal.verified = True, "uids"

    async def _work(self, goals: Sequence[Goal]) -> None:
        if self.cancelled:
            self._fail(goals, cancelled(self.terms.name, self.id))
            return
        now = asyncio.get_running_loop().time()
        due = [goal for goal in goals if goal.not_before <= now]
        if not due:
            await self.stock.wait(min(goal.not_before for goal in goals) - now)
            return
        await self._attempt(batch(due))

    async def _attempt(self, goals: Sequence[Goal]) -> None:
        aims = [goal.aim for goal in goals]
        for goal in goals:
            goal.attempts += 1
        tally = Tally()
        manifest, here = self.survey.manifest, self.stock.here
        # What is here already must not be moved again, and its readers are not kept waiting.
        begun = [aim for aim in aims if self.stock.count(aim)]
        for aim in begun:
            self.survey.begin(aim)
        await self.survey.listed(begun)
        for job in jobs(aims, manifest, here, lists=not self.terms.has("no_uid_list")):
            tally.add(await self._ask(job, goals))
            assert tally.last is not None
            if self.cancelled or tally.last.permanent:
                break
        if self.cancelled:
            return
        self.survey.again(aims)
        await self.survey.listed(aims)
        await self._quiet(goals, tally)
        for goal in goals:
            self._settle(goal, tally)
        self.stock.ring()

    async def _ask(self, job: Job, goals: Sequence[Goal]) -> Ended:
        """Move what a job says; by C-MOVE where C-GET fails before its first object (W-107)."""
        prefetch = all(goal.prefetch for goal in goals)
        async with self._parts.places.one(prefetch=prefetch), self._upstream.turn():
            way = self._parts.way()
            landed = self.stock.n_landed
            ended = await self._transfer_by(way, job, goals)
            fell = way == GET and ended.failure is not None and self.stock.n_landed == landed
            if fell and self.terms.retrieve == "auto" and not self.cancelled:
                if ended.refused:
                    self._parts.no_get()
                log.info("c-get failed, c-move instead", source=self.terms.name)
                ended = await self._transfer_by(MOVE, job, goals)
        return ended

    async def _transfer_by(self, way: str, job: Job, goals: Sequence[Goal]) -> Ended:
        if self.cancelled:
            return Ended(way, cancelled=True)
        self.way = way
        number = self._parts.next_message_id()
        self._transfer = transfer = Transfer(
            self._upstream,
            self.study,
            job,
            number,
            lambda call: self._parts.taker(self.stock, call),
            classes=self.survey.classes([goal.aim for goal in goals]) if way == GET else (),
            retire=self._parts.retire,
        )
        if way == MOVE:
            self.stock.began(number)
        doing = asyncio.create_task(transfer.run(way))
        # Beside the transfer; to a PACS that does one thing at a time, after it (W-108).
        for goal in goals:
            self.survey.begin(goal.aim)
        try:
            return await doing
        finally:
            self._transfer = None
            self.stock.moving = False
            self.stock.ring()
            if not doing.done():
                doing.cancel()
                await asyncio.gather(doing, return_exceptions=True)

    async def _quiet(self, goals: Iterable[Goal], tally: Tally) -> None:
        """Wait for what is still on its way after the final answer of a C-MOVE (W-114)."""
        last = tally.last
        if last is None or last.way == GET or last.failure is not None:
            return
        loop = asyncio.get_running_loop()
        until = loop.time() + self.terms.quiet_s
        n_landed = self.stock.n_landed
        while not self.cancelled and self._awaited(goals, tally):
            if self.stock.n_landed != n_landed:
                n_landed, until = self.stock.n_landed, loop.time() + self.terms.quiet_s
            left = until - loop.time()
            if left <= 0:
                return
            await self.stock.wait(left)

    def _awaited(self, goals: Iterable[Goal], tally: Tally) -> bool:
        """Tell whether anything lacks that the PACS does not say it failed to send."""
        lacking: set[str] = set()
        for goal in goals:
            missing = self.survey.manifest.missing(goal.aim, self.stock.here)
            if missing is None:
                if not self._agrees(goal, tally):
                    return tally.clean
                continue
            lacking.update(missing)
        return len(lacking - tally.failed_uids) > max(0, tally.failed - len(tally.failed_uids))

    def _agrees(self, goal: Goal, tally: Tally) -> bool:
        """Tell whether as much is here as the PACS counts, where it lists nothing (W-108)."""
        here = self.stock.count(goal.aim)
        count = self.survey.manifest.count(goal.aim)
        if count is not None:
            return here >= count > 0
        return here > 0 and (tally.told is None or self.stock.n_landed >= tally.told)

    def _settle(self, goal: Goal, tally: Tally) -> None:
        """Decide about a goal after an attempt."""
        self.look(goal)
        if goal.closed:
            return
        last = tally.last
        blind = goal.aim in self.survey.blind
        if blind and tally.clean and self._agrees(goal, tally):
            counted = self.survey.manifest.count(goal.aim) is not None or tally.told is not None
            goal.done, goal.verified = True, "counts" if counted else "none"
        elif (last is not None and last.permanent) or goal.attempts >= self.terms.attempts:
            self._fail([goal], self._failure(goal, last))
        else:
            pause = min(self.terms.first_s * 2 ** (goal.attempts - 1), self.terms.ceiling_s)
            goal.not_before = asyncio.get_running_loop().time() + pause

    def _failure(self, goal: Goal, last: Ended | None) -> FetchFailed:
        manifest, name = self.survey.manifest, self.terms.name
        missing = manifest.missing(goal.aim, self.stock.here)
        count = manifest.count(goal.aim) or 0
        here = self.stock.count(goal.aim)
        lacking = len(missing) if missing is not None else max(count - here, 0)
        if last is not None and last.status == MOVE_DESTINATION_UNKNOWN:
            return refused_destination(self.terms, self._parts.listens(), self.id, lacking)
        if why := self._parts.no_room():
            return no_room(name, why)
        if last is not None and last.failure is not None:
            return of_upstream(last.failure, self.id, missing=lacking)
        return incomplete(name, self.id, lacking, count)

    def _fail(self, goals: Iterable[Goal], failure: FetchFailed) -> None:
        for goal in goals:
            goal.failure = failure
            self.problem = self.problem or failure
            if not goal.prefetch:
                log.warning(
                    "fetch failed",
                    source=self.terms.name,
                    fetch=self.id,
                    status=failure.status,
                    missing=failure.missing,
                    why=failure.text,
                )
        self.stock.ring()

    # the end

    def cancel(self) -> None:
        """End it: nobody wants it any more, or a person says so (W-118)."""
        self.cancelled = True
        self.accepting = False
        if self._transfer is not None:
            self._transfer.cancel()
        self.stock.ring()

    async def stop(self) -> None:
        """End it at once: the node stops."""
        self.cancelled = True
        # The tables take nothing more; what is sealed is in the log.
        self.stock.hurry = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _end(self) -> None:
        for task in self._asked.values():
            if not task.done():
                task.cancel()
        await self.survey.stop()
        self._fail(self._open_goals(), cancelled(self.terms.name, self.id))
        try:
            await self.stock.close(list(self.goals.values()))
        finally:
            self.over.set()
            self.stock.ring()
            self._ended(self)
