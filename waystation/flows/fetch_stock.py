"""What a Fetch has of its study: from the cache, and as it lands (W-109, W-110, W-113).

Contract: an object counts only once it is sealed and journaled.  The objects that come in over the
listener are claimed here, also for a while after the end, so that stragglers find their place.
What the cache had complete is trusted for the time that the terms say, and after that only when
the PACS says so or cannot be asked (W-123).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from waystation.flows.fetch_manifest import WHOLE, Aim
from waystation.flows.fetch_survey import Survey
from waystation.flows.fetch_work import FetchParts, Goal
from waystation.index import cache_book
from waystation.index.cache_book import (
    BY_UIDS,
    COMPLETE,
    INCOMPLETE,
    UNCOUNTED,
    Findings,
    Scope,
)
from waystation.index.cache_reading import Book, book_of
from waystation.journal.shelved import outgoing
from waystation.model.arrival import Arrival
from waystation.model.delivery import Delivery
from waystation.model.errors import StorageError

log = structlog.get_logger()
# How long the end waits for the tables to have what was sealed.
FILED_S = 30.0


def delivery_of(arrival: Arrival) -> Delivery:
    """Return an object that was just received as something that can be read."""
    who = arrival.instance
    return Delivery(
        id=arrival.id,
        arrival_id=arrival.id,
        destination="",
        study_uid=who.study_uid,
        series_uid=who.series_uid,
        sop_class_uid=who.sop_class_uid,
        sop_instance_uid=who.sop_instance_uid,
        transfer_syntax_uid=who.transfer_syntax_uid,
        calling_ae=arrival.source.calling_ae,
        blob=arrival.blob,
        size_bytes=arrival.size_bytes,
        sha256=arrival.sha256,
        received_at=arrival.received_at,
    )


class Stock:
    """Of one Fetch; `waystation.flows.claims.Claimant`.

    here: series by SOP Instance UID.  landed, filed: objects in the order of coming, those of the
    cache first; what is filed is in the tables.  n_landed: how many came in by this Fetch.
    stale: what the cache had complete, and the PACS has to be asked about again.
    moved: called when something of an object comes.  hurry: nothing is waited for at the end.
    """

    def __init__(
        self, parts: FetchParts, study: str, survey: Survey, moved: Callable[[], None]
    ) -> None:
        self.study = study
        self.source = parts.upstream.name
        self.ready = asyncio.Event()
        self.moving = False
        self.here: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self.landed: list[Delivery] = []
        self.filed: list[Delivery] = []
        self.n_landed = 0
        self.size_bytes = 0
        self.first_at = 0.0
        self.stale: set[Aim] = set()
        self.hurry = False
        self._parts = parts
        self._survey = survey
        self._moved = moved
        self._book = Book()
        self._trusted: dict[Aim, float | None] = {}
        self._taken_over: set[Aim] = set()
        self._unfiled: dict[int, Delivery] = {}
        self._digests: dict[str, str] = {}
        self._numbers: set[int] = set()
        self._bell = asyncio.Event()
        self._goals: Sequence[Goal] | None = None
        self._late: asyncio.Task[None] | None = None

    # waiting

    def ring(self) -> None:
        """Wake everybody who waits for news."""
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()

    async def wait(self, seconds: float | None = None) -> None:
        """Wait for news, at most so long."""
        bell = self._bell
        try:
            async with asyncio.timeout(seconds):
                await bell.wait()
        except TimeoutError:
            return

    # what the cache has

    async def load(self) -> None:
        """Read what the cache has of the study."""
        self._book = book = await self._parts.database.read(book_of(self.source, self.study))
        for row in book.objects:
            one = outgoing(row)
            self._has(one)
            self._digests[one.sop_instance_uid] = one.sha256
            self.landed.append(one)
            self.filed.append(one)
        now = self._parts.clock()
        for series in book.scopes:
            scope = book.complete(series)
            if scope is None:
                continue
            if now - scope.checked_at <= self._parts.upstream.terms.revalidate_s:
                self._take_over(Aim(series), scope)
            else:
                self.stale.add(Aim(series))

    def _take_over(self, aim: Aim, scope: Scope) -> None:
        """Take what the cache's manifest lists of an aim for what the PACS lists."""
        if scope.verified != BY_UIDS:
            return
        manifest = self._survey.manifest
        listed: dict[str, dict[str, str]] = {}
        for uid, one in self._book.manifest.items():
            if aim.series in ("", one.series):
                listed.setdefault(one.series, {})[uid] = one.sop_class
        self._taken_over |= {aim, *map(Aim, listed)}
        for series, found in listed.items():
            manifest.put(series, found)
        if aim == WHOLE:
            manifest.series = dict.fromkeys(listed)

    def _has(self, one: Delivery) -> None:
        before = self.here.get(one.sop_instance_uid)
        if before is not None:
            self._counts[before] -= 1
        self.here[one.sop_instance_uid] = one.series_uid
        self._counts[one.series_uid] += 1

    def count(self, aim: Aim) -> int:
        """Return how many instances of an aim are here."""
        if aim.instance:
            return int(aim.instance in self.here)
        return self._counts[aim.series] if aim.series else len(self.here)

    def complete(self, aim: Aim) -> Scope | None:
        """Return what the cache says of an aim if it had all of it, however old that is."""
        return None if aim.instance else self._book.complete(aim.series)

    def trust(self, aim: Aim, checked_at: float | None = None) -> None:
        """Go by what the cache had.  checked_at: None if the PACS could not be asked."""
        scope = self.complete(aim)
        if scope is not None:
            self.stale.discard(aim)
            self._trusted[aim] = checked_at
            self._take_over(aim, scope)

    def distrust(self, aim: Aim) -> None:
        """The PACS has something else by now."""
        self.stale.discard(aim)

    def verified(self, aim: Aim) -> str | None:
        """Return against what an aim was found complete if the cache is trusted about it."""
        scope = self.complete(aim) if aim in self._trusted else None
        return None if scope is None else scope.verified

    # what comes in

    @property
    def listing(self) -> bool:
        """Whether it is still being asked what there is."""
        return self._survey.listing

    def sends(self, address: str) -> bool:
        """Tell whether objects of this PACS may come from an address."""
        return self._parts.sends(address)

    def asked(self, calling_ae: str, message_id: int) -> bool:
        """Tell whether this is, or was, a C-MOVE of ours."""
        ours = calling_ae == self._parts.upstream.terms.move.calling_ae
        return ours and message_id in self._numbers

    def used(self, message_id: int) -> bool:
        """Tell whether a C-MOVE of this Fetch had a Message ID."""
        return message_id in self._numbers

    def knows(self, title: str) -> bool:
        """Tell whether an AE title is ours or that of the PACS itself."""
        move = self._parts.upstream.terms.move
        return title in (move.calling_ae, move.ae_title)

    def lists(self, sop_instance_uid: str) -> bool:
        """Tell whether the PACS lists an instance that may still come.

        Once nothing is moved any more, what is here already comes for another reason.
        """
        expected = self.moving or sop_instance_uid not in self.here
        return expected and sop_instance_uid in self._survey.manifest.instances

    async def listed(self) -> None:
        """Wait until it is known what the PACS lists, or that it does not say."""
        await self._survey.listed()

    def began(self, message_id: int) -> None:
        """A C-MOVE begins."""
        self._numbers.add(message_id)
        self.moving = True

    def touched(self) -> None:
        """Something of an object came."""
        self._moved()

    def no_room(self) -> str:
        """Return why the cache takes nothing, "" if it does."""
        return self._parts.no_room()

    def took(self, arrival: Arrival) -> None:
        """Take an object that is sealed."""
        one = delivery_of(arrival)
        uid = one.sop_instance_uid
        self._unfiled[one.arrival_id] = one
        if self._digests.get(uid) != one.sha256:
            self._digests[uid] = one.sha256
            self._has(one)
            self.landed.append(one)
            self.size_bytes += one.size_bytes
        self._parts.grew(one.size_bytes)
        self.first_at = self.first_at or self._parts.clock()
        self.n_landed += 1
        if self._goals is not None and self._late is None:
            self._late = asyncio.create_task(self._note_late())
        self.ring()

    def has_filed(self, arrival_id: int) -> bool:
        """Note that an object is in the tables; False if it is none of ours."""
        one = self._unfiled.pop(arrival_id, None)
        if one is None:
            return False
        self._parts.filed(one.size_bytes)
        self.filed.append(one)
        self.ring()
        return True

    # the end

    async def close(self, goals: Sequence[Goal]) -> None:
        """Write down what was found out, once all that came is in the tables."""
        self._goals = goals
        await self._filed()
        try:
            await self._note(goals)
        except StorageError as error:
            # It will look incomplete and be asked for again: that is never wrong.
            log.error("cache book not written", source=self.source, error=str(error))

    @property
    def awaits_filing(self) -> bool:
        """Whether something that came is not in the tables yet."""
        return bool(self._unfiled)

    async def stop(self) -> None:
        """End what is done for stragglers."""
        if self._late is not None:
            self._late.cancel()
            await asyncio.gather(self._late, return_exceptions=True)

    async def _filed(self) -> None:
        until = asyncio.get_running_loop().time() + FILED_S
        while (
            self._unfiled
            and not self.hurry
            and (left := until - asyncio.get_running_loop().time()) > 0
        ):
            await self.wait(left)

    async def _note_late(self) -> None:
        """A straggler may have completed what was given up."""
        assert self._goals is not None
        await self._filed()
        try:
            await self._note([goal for goal in self._goals if goal.done])
        except StorageError as error:
            log.error("cache book not written", source=self.source, error=str(error))
        self._late = None

    async def _note(self, goals: Sequence[Goal]) -> None:
        manifest, now = self._survey.manifest, self._parts.clock()
        scopes: dict[str, Scope] = {}
        for goal in goals:
            if not goal.aim.instance and self._trusted.get(goal.aim, now) is not None:
                at = self._trusted.get(goal.aim) or now
                scopes[goal.aim.series] = self._scope(goal.aim, goal.verified, at, goal.done)
        fresh = {one for one in manifest.listed if Aim(one) not in self._taken_over}
        for aim in (*map(Aim, fresh), *({WHOLE} - self._taken_over)):
            if manifest.uids(aim) and manifest.missing(aim, self.here) == ():
                scopes[aim.series] = self._scope(aim, BY_UIDS, now, True)
        if not scopes:
            return
        findings = Findings(
            source=self.source,
            study=self.study,
            scopes=list(scopes.values()),
            manifest={uid: one for uid, one in manifest.instances.items() if one.series in fresh},
            listed=fresh,
        )
        await self._parts.database.write(cache_book.note(findings, now, self._parts.next_id))

    def _scope(self, aim: Aim, verified: str, at: float, done: bool) -> Scope:
        """Return what is written of an aim.  n: as the PACS counts, to be compared later."""
        told = self._survey.manifest.told(aim)
        if told is None and aim in self._trusted and (known := self.complete(aim)) is not None:
            told = known.n
        if told is None and verified != BY_UIDS:
            told = self.count(aim)
        return Scope(
            series=aim.series,
            state=COMPLETE if done else INCOMPLETE,
            verified=verified,
            n=UNCOUNTED if told is None else told,
            checked_at=at,
        )
