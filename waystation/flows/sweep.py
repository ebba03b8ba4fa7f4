"""Finished, leftover, too old: what may go, goes; nothing undelivered is ever touched (R-12).

Also looks at the volume and says when nothing more may come in (R-9, S-19).
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import structlog

from waystation.blobs.folder import BlobFolder
from waystation.blobs.volume import Marks, half_reserve_gone, look, why_stop
from waystation.db.engine import Database
from waystation.flows.heads import head_from, kept
from waystation.journal import counts, heads, keeping, people
from waystation.journal.heads import HeadSource
from waystation.journal.ids import id_at
from waystation.model.errors import StorageError

log = structlog.get_logger()
CHUNK = 500
HOUR_S = 3600.0
LOOK_S = 2.0
RESUME_MARGIN = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepSettings:
    """keep_s: bytes stay this long after the last delivery; memory_s: rows stay this long.

    heads_s: heads stay this long when the bytes have gone.
    """

    marks: Marks = Marks()
    keep_s: float = 86_400.0
    heads_s: float = 14 * 86_400.0
    memory_s: float = 30 * 86_400.0
    orphans_s: float = 7 * 86_400.0


class Sweep:
    """The belt that tidies up."""

    def __init__(
        self,
        settings: SweepSettings,
        database: Database,
        blobs: BlobFolder,
        disk: Executor,
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self._database = database
        self._blobs = blobs
        self._disk = disk
        self._clock = clock
        self.stopped_why = ""
        self.nothing_more_why = ""
        self.unaccounted = 0
        self.largest_bytes = 0

    def received(self, size_bytes: int) -> None:
        """Note the size of an object: the largest must always fit (R-9)."""
        self.largest_bytes = max(self.largest_bytes, size_bytes)

    async def watch_volume(self) -> None:
        """Look at the volume every few seconds until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._disk, self.look)
            except Exception:
                log.exception("volume cannot be looked at")
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Compare the volume with its marks."""
        space = look(self._blobs.root)
        marks = self.settings.marks
        margin = RESUME_MARGIN if self.stopped_why else 0.0
        why = why_stop(space, marks, self.largest_bytes, margin)
        if bool(why) != bool(self.stopped_why):
            log.warning("intake", state="stopped" if why else "resumed", why=why)
        self.stopped_why = why
        gone = bool(why) and half_reserve_gone(space, marks)
        self.nothing_more_why = "volume full" if gone else ""

    async def run(self) -> None:
        """Sweep once an hour until cancelled."""
        while True:
            try:
                await self.once()
            except StorageError as error:
                log.error("sweep failed", error=str(error))
            except Exception:
                log.exception("sweep failed")
            await asyncio.sleep(HOUR_S if self.settings.keep_s >= HOUR_S else 10.0)

    async def once(self) -> int:
        """Drop what is finished and old; return how many blobs went."""
        now = self._clock()
        before = now - self.settings.keep_s
        dropped = 0
        after = 0
        while True:
            found = await self._database.read(keeping.droppable(before, id_at(now), after, CHUNK))
            if not found:
                break
            after = found[-1][0]
            stays = await self._heads([arrival_id for arrival_id, _ in found])
            names = await self._database.write(keeping.drop(found, before, stays, now))
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._disk, self._drop_all, names)
            dropped += len(found)
            await asyncio.sleep(0)
        purge = keeping.purge(id_at(now - self.settings.memory_s), CHUNK)
        while await self._database.write(purge) == CHUNK:
            continue
        await self._database.write(people.forget(now - self.settings.memory_s))
        forget = heads.forget(now - self.settings.heads_s, CHUNK)
        while await self._database.write(forget) == CHUNK:
            continue
        await asyncio.get_running_loop().run_in_executor(self._disk, self._old_orphans, now)
        await self.account()
        if dropped:
            log.info("swept", blobs=dropped)
        return dropped

    async def _heads(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Return what is kept of objects whose bytes go; a head that cannot be read is not."""
        if not self.settings.heads_s:
            return {}
        sources = await self._database.read(heads.sources(ids))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk, self._read_heads, sources)

    def _read_heads(self, sources: Sequence[HeadSource]) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for source in sources:
            try:
                found[source.arrival] = kept(head_from(source, self._blobs))
            except StorageError as error:
                log.warning("head not kept", arrival=f"{source.arrival:x}", error=str(error))
        return found

    def _drop_all(self, names: Sequence[str]) -> None:
        for name in names:
            try:
                self._blobs.drop(name)
            except OSError as error:
                log.error("blob not removed", blob=name, error=str(error))

    def _old_orphans(self, now: float) -> None:
        for path in self._blobs.orphans.iterdir():
            if now - path.stat().st_mtime > self.settings.orphans_s:
                path.unlink()
                log.info("orphan removed", name=path.name)

    async def account(self) -> int:
        """Count what cannot be explained (S-15); 0 on a healthy node."""
        found = await self._database.read(counts.unaccounted(self._clock()))
        self.unaccounted = sum(abs(value) for value in found.values())
        if self.unaccounted:
            log.error("rows do not add up", **dict(found))
        return self.unaccounted
