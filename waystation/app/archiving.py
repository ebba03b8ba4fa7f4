"""The archive of a node: what it takes at once, and what its ways out need.

Contract: what a rule sends to an archive that is open is filed in the transaction of its plan
(T-29); while a person, a window or a limit keeps that way shut, it waits for its lane.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor

import structlog

from waystation.app.settings import Settings
from waystation.app.settings_archive import ArchiveDestination as ArchiveTable
from waystation.app.wiring_archive import retention_rules
from waystation.app.wiring_lane import always
from waystation.blobs.folder import BlobFolder
from waystation.db.engine import Database
from waystation.destinations.archive import ArchiveDestination
from waystation.destinations.base import Destination
from waystation.dicom.charsets import DEFAULT_GUESSES
from waystation.dicom.head import Head
from waystation.dicom.tags import keyword_of
from waystation.flows.adopting import Archiving
from waystation.flows.correcting import Corrections
from waystation.flows.deliver import LaneBelt
from waystation.flows.heads import head_from
from waystation.flows.retention import RetentionBelt
from waystation.index.archive import Archive
from waystation.index.correcting import Correcting, Order
from waystation.index.deletion import Deleted, Deletion, damaged
from waystation.index.filing import file_all
from waystation.index.pages import ImageRow
from waystation.journal import gathers, heads
from waystation.journal.heads import HeadSource
from waystation.journal.ids import IdSource
from waystation.model.errors import StorageError
from waystation.timing.lane import Health

log = structlog.get_logger()
_Shown = Callable[[str, Head | None], Head | None]


class Archivist:
    """Of one node.

    archive: what can be asked of it.  file: files arrivals in a transaction.
    settings, belts: those in force.  others: equips the ways out that are no archive.
    clock: Unix seconds.
    """

    def __init__(
        self,
        database: Database,
        blobs: BlobFolder,
        disk: Executor,
        ids: IdSource,
        clock: Callable[[], float],
        settings: Callable[[], Settings],
        belts: Callable[[], Mapping[str, LaneBelt]],
        others: Callable[[Destination], Awaitable[None]],
    ) -> None:
        self.file = file_all(ids.next)
        self._database = database
        self._blobs = blobs
        self._disk = disk
        self._ids = ids
        self._settings = settings
        self._belts = belts
        self._others = others
        self.corrections = Corrections(database, lambda: settings().node.name)
        self.correcting = Correcting(
            database, self.heads, ids.next, lambda: clock(), self.corrections.put
        )
        self.archive = Archive(database, self._shown)
        self.deletion = Deletion(
            database, self.heads, ids.next, lambda: clock(), left=gathers.leave
        )
        self.retention = RetentionBelt(
            retention_rules(settings()), database, ids, lambda: clock(), self._gone
        )

    def archiving(self) -> Archiving:
        """Return how the archive takes objects at once."""
        return Archiving(takes=self.takes, file=self.file, guesses=self._guesses)

    def _guesses(self, peer: str) -> Sequence[str]:
        known = self._settings().peer.get(peer)
        return DEFAULT_GUESSES if known is None else known.charset_guess

    def change(self, settings: Settings) -> None:
        """Go over to another configuration."""
        self.retention.change(retention_rules(settings))

    def takes(self, name: str) -> bool:
        """Return whether a destination is an archive that takes what comes at once."""
        table = self._settings().destination.get(name)
        if not isinstance(table, ArchiveTable) or table.limits is not None:
            return False
        belt = self._belts().get(name)
        paused = belt is not None and belt.lane.health(belt.now()) is Health.PAUSED
        return always(table.window) and not paused

    async def delete(self, path: Mapping[str, str], author: str) -> Deleted:
        """Delete what a path leads to (W-99); raises `StorageError` as `Deletion` does."""
        done = await self.deletion.delete(path, author)
        if done.gone:
            self._gone(path["study"])
        return done

    async def dismiss(
        self, arrivals: Sequence[int], author: str, why: str
    ) -> tuple[int, frozenset[int]]:
        """Take out what a person gives up of some held arrivals: the damaged.

        Returns how many went, and those that must stay held, so that they can be given up again.
        """
        n_gone, stuck = 0, frozenset[int]()
        for study, some in (await self._database.read(damaged(arrivals))).items():
            try:
                done = await self.deletion.dismiss(study, some, author, why)
            except StorageError as error:
                log.error("damaged objects stay in the index", study=study, why=str(error))
                stuck |= some
                continue
            n_gone += done.objects
            if done.gone:
                self._gone(study)
        return n_gone, stuck

    def _gone(self, study: str) -> None:
        """Nothing is left of a study, nor of what was corrected of it."""
        self.corrections.put(study, None)

    async def _shown(self, rows: Sequence[ImageRow]) -> list[Head | None]:
        return await self._heads(rows, self.corrections.shown)

    async def correct(self, order: Order) -> str:
        """Correct a study, or undo that where no values are given; return why not, "" if done.

        Raises `StorageError` if it cannot be done now.
        """
        correcting = self.correcting
        why = await (correcting.correct(order) if order.values else correcting.undo(order))
        if not why:
            log.info(
                "study corrected" if order.values else "correction undone",
                study=order.study,
                elements=[keyword_of(tag) for tag in sorted(order.values)],
                by=order.author,
                because=order.because,
            )
        return why

    async def heads(self, rows: Sequence[ImageRow]) -> list[Head | None]:
        """Return the heads of objects, None for what cannot be read."""
        return await self._heads(rows, lambda _study, head: head)

    async def _heads(self, rows: Sequence[ImageRow], shown: _Shown) -> list[Head | None]:
        """Return heads as ``shown`` shows them, all of it in a disk thread."""
        sources = await self._database.read(heads.sources([row.arrival_id for row in rows]))
        by_id = {source.arrival: source for source in sources}

        def read() -> list[Head | None]:
            wanted = ((row.study_uid, by_id.get(row.arrival_id)) for row in rows)
            return [
                shown(uid, None if source is None else self._head(source)) for uid, source in wanted
            ]

        return await asyncio.get_running_loop().run_in_executor(self._disk, read)

    def _head(self, source: HeadSource) -> Head | None:
        try:
            return head_from(source, self._blobs)
        except StorageError as error:
            log.error("head not read", arrival=f"{source.arrival:x}", error=str(error))
            return None

    async def equip(self, destination: Destination) -> None:
        """Give a new way out what it needs of the node."""
        if isinstance(destination, ArchiveDestination):
            destination.join(self._database, self._ids.next, self._guesses)
        else:
            await self._others(destination)
