"""Metadata for DICOMweb, made ahead of the requests for it (W-79).

Contract: `texts` gives the metadata of objects, as `dicomweb.json_model` writes it; what was never
made is made then and kept.  The belt (`run`) makes it for what has come into the archive, slowly
and when nothing else is busy: it must not take time from receiving.  What cannot be read is left
out by the belt, and is a `StorageError` for who asks for it.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final

import structlog

from waystation.blobs.folder import BlobFolder
from waystation.db.engine import Database
from waystation.dicomweb.json_model import EDITION, Composer
from waystation.flows.heads import head_from
from waystation.index import object_texts
from waystation.index.object_texts import Described
from waystation.journal import heads
from waystation.journal.heads import HeadSource
from waystation.model.errors import StorageError

log = structlog.get_logger()

TOGETHER: Final = 32
LOOK_S: Final = 3.0
# Every so often everything is looked at again: what was filed late has an older id.
AGAIN_S: Final = 900.0
# The belt rests so many times as long as it worked.
REST: Final = 4.0
BUSY_JOBS: Final = 10
BUSY_S: Final = 0.3
LONGEST_WAIT_S: Final = 60.0
LEVEL: Final = 6


class MetadataBelt:
    """Of one node.  wanted: whether anybody can ask for metadata at all."""

    def __init__(
        self,
        database: Database,
        blobs: BlobFolder,
        disk: Executor,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._disk = disk
        self._wanted = wanted
        self._ahead = Composer()
        self._bad: set[int] = set()

    async def texts(self, objects: Sequence[Described]) -> list[bytes]:
        """Return the metadata of some objects, in order, `BULK` where URLs belong.

        Raises `StorageError` if one cannot be read.
        """
        ids = [one.arrival for one in objects]
        kept = await self._database.read(object_texts.texts(ids, EDITION))
        lacking = {one.arrival: one.transfer_syntax for one in objects if one.arrival not in kept}
        if lacking:
            made = await self._made(lacking, Composer())
            if len(made) < len(lacking):
                raise StorageError("an object of the archive cannot be read")
            kept |= made
            kept_soon = self._database.submit(object_texts.keep(made, EDITION), urgent=False)
            kept_soon.add_done_callback(_note)
        return await asyncio.get_running_loop().run_in_executor(
            self._disk, lambda: [zlib.decompress(kept[number]) for number in ids]
        )

    async def _made(self, lacking: Mapping[int, str], composer: Composer) -> dict[int, bytes]:
        sources = await self._database.read(heads.sources(list(lacking)))
        return await asyncio.get_running_loop().run_in_executor(
            self._disk, self._compose, sources, lacking, composer
        )

    def _compose(
        self, sources: Sequence[HeadSource], syntaxes: Mapping[int, str], composer: Composer
    ) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        for source in sources:
            try:
                head = head_from(source, self._blobs)
            except StorageError as error:
                log.error("head not read", arrival=f"{source.arrival:x}", error=str(error))
                continue
            text = composer.text(head, syntaxes[source.arrival])
            found[source.arrival] = zlib.compress(text, LEVEL)
        return found

    async def run(self) -> None:
        """Make what is missing, for ever."""
        loop = asyncio.get_running_loop()
        after, again = 0, loop.time() + AGAIN_S
        while True:
            if loop.time() >= again:
                after, again = 0, loop.time() + AGAIN_S
                self._bad.clear()
            found = None
            if self._wanted():
                found = await self.some(after)
            if found is None:
                await asyncio.sleep(LOOK_S)
            else:
                after = found

    async def some(self, after: int) -> int | None:
        """Make the metadata of the next objects; return the last of them, None for none."""
        lacking = dict(await self._database.read(object_texts.missing(after, EDITION, TOGETHER)))
        wanted = {number: syntax for number, syntax in lacking.items() if number not in self._bad}
        if not lacking:
            return None
        await self._quiet()
        loop = asyncio.get_running_loop()
        began = loop.time()
        made = await self._made(wanted, self._ahead)
        self._bad |= wanted.keys() - made.keys()
        await self._database.write(object_texts.keep(made, EDITION), urgent=False)
        await asyncio.sleep((loop.time() - began) * REST)
        return max(lacking)

    async def _quiet(self) -> None:
        """Wait until the journal has little to do, but not for ever."""
        for _ in range(int(LONGEST_WAIT_S / BUSY_S)):
            before = self._database.jobs_committed
            await asyncio.sleep(BUSY_S)
            if self._database.jobs_committed - before <= BUSY_JOBS:
                return


def _note(kept: "asyncio.Future[None]") -> None:
    """Say so if metadata was not kept; it will be made again."""
    if not kept.cancelled() and (error := kept.exception()) is not None:
        log.warning("metadata not kept", error=str(error))
