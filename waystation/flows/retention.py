"""Old studies leave the archive when a rule with a name says so (T-30, S-18).

Contract: `plan` tells what each rule would take now and changes nothing; the belt does it, oldest
first, and writes down what went.  Without a rule nothing goes, whatever the disk or the archive
looks like.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from math import inf
from typing import Any, Final

import structlog

from waystation.db.engine import Database, Job
from waystation.flows.rounds import keep_going
from waystation.index import removal
from waystation.index.removal import Old, Reason
from waystation.journal.ids import IdSource
from waystation.matching.match import Matcher
from waystation.model.query import STUDY, Key, Query

log = structlog.get_logger()
HOUR_S: Final = 3600.0
FIRST_S: Final = 60.0
PAGE: Final = 200
Read = Callable[[Job[Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """One rule.  keys: which studies, () for all; older_than_s: since the newest object came.

    only_above_bytes: takes only while the archive holds more, None for always.
    """

    name: str
    older_than_s: float
    keys: tuple[Key, ...] = ()
    only_above_bytes: int | None = None
    dry_run: bool = False


async def meant(rule: RetentionRule, read: Read, now: float) -> AsyncGenerator[Old, None]:
    """Yield the studies that are old enough for a rule, the oldest first."""
    before = now - rule.older_than_s
    matcher = Matcher(Query(level=STUDY).with_keys(rule.keys)) if rule.keys else None
    after: tuple[float, int] | None = (0.0, 0)
    while after is not None:
        page = await read(removal.aged(before, matcher, after, PAGE))
        for study in page.studies:
            yield study
        after = page.after


async def too_much(rule: RetentionRule, read: Read) -> float:
    """Return how many bytes have to go by a rule, at most."""
    if rule.only_above_bytes is None:
        return inf
    return float(await read(removal.size()) - rule.only_above_bytes)


async def plan(rule: RetentionRule, read: Read, now: float) -> list[Old]:
    """Return what a rule would take now, if nothing of it has to stay."""
    left, found = await too_much(rule, read), []
    async with aclosing(meant(rule, read, now)) as studies:
        async for study in studies:
            if left <= 0:
                break
            left -= study.size_bytes
            found.append(study)
    return found


class RetentionBelt:
    """Of one node.  rules: those in force.  gone: hears of each study that was taken."""

    def __init__(
        self,
        rules: Sequence[RetentionRule],
        database: Database,
        ids: IdSource,
        clock: Callable[[], float],
        gone: Callable[[str], None] = lambda _study: None,
    ) -> None:
        self._gone = gone
        self._rules = rules
        self._database = database
        self._ids = ids
        self._clock = clock
        self._wake = asyncio.Event()

    def change(self, rules: Sequence[RetentionRule]) -> None:
        """Go by other rules."""
        self._rules = rules
        self._wake.set()

    async def run(self) -> None:
        """Look once an hour until cancelled."""
        await asyncio.sleep(FIRST_S)
        await keep_going("retention", self._round, self._wake, self._clock, FIRST_S)

    async def _round(self) -> float:
        await self.once()
        return HOUR_S

    async def once(self) -> int:
        """Take what the rules say now; return how many studies went."""
        taken = 0
        for rule in self._rules:
            taken += await self._apply(rule)
        return taken

    async def _apply(self, rule: RetentionRule) -> int:
        now, taken, size_bytes = self._clock(), 0, 0
        reason = Reason(
            author=rule.name,
            before=now - rule.older_than_s,
            why=f"nothing came for {rule.older_than_s / 86_400.0:g} days",
        )
        left = await too_much(rule, self._database.read)
        async with aclosing(meant(rule, self._database.read, now)) as studies:
            async for study in studies:
                if left <= 0:
                    break
                if not rule.dry_run:
                    job = removal.remove(study, reason, self._ids.next(), now)
                    if not await self._database.write(job, urgent=False):
                        continue
                    self._gone(study.uid)
                taken += 1
                size_bytes += study.size_bytes
                left -= study.size_bytes
        if taken:
            what = "would remove" if rule.dry_run else "removed"
            log.info("retention", rule=rule.name, what=what, studies=taken, bytes=size_bytes)
        return 0 if rule.dry_run else taken
