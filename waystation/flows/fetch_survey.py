"""What a PACS says that there is of one study: does it exist, and what does it list (W-104, W-108).

Contract: each question is asked once, whoever wants to know; listing runs beside the transfer and
delays nothing.  `exists` raises `UpstreamFailed`; what cannot be listed leaves `Survey.blind` and
is judged by counts.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import structlog

from waystation.dicom import tags
from waystation.dicom.head import Head
from waystation.flows.fetch_find import ask, number
from waystation.flows.fetch_manifest import IMAGE, SERIES, STUDY, WHOLE, Aim, Manifest
from waystation.flows.get_contexts import by_modality, common
from waystation.flows.upstream import Upstream
from waystation.model.upstream import UpstreamFailed

log = structlog.get_logger()
SOP_CLASSES_IN_STUDY = 0x00080062
MODALITIES_IN_STUDY = 0x00080061
ASKED = {
    STUDY: (
        SOP_CLASSES_IN_STUDY,
        MODALITIES_IN_STUDY,
        tags.NUMBER_OF_STUDY_RELATED_INSTANCES,
        tags.PATIENT_ID,
    ),
    SERIES: (tags.MODALITY, tags.NUMBER_OF_SERIES_RELATED_INSTANCES),
    IMAGE: (tags.SOP_CLASS_UID,),
}


class Survey:
    """Of one study of one PACS.

    news: called when something new is known.
    blind: aims whose instances the PACS does not list.
    """

    def __init__(self, upstream: Upstream, study: str, news: Callable[[], None]) -> None:
        self.manifest = Manifest()
        self.blind: set[Aim] = set()
        self._upstream = upstream
        self._study = study
        self._news = news
        self._tasks: dict[Aim, asyncio.Task[None]] = {}
        self._classes: list[str] = []
        self._modalities: list[str] = []

    async def exists(self, aim: Aim) -> int | None:
        """Return how many instances the PACS counts, None if it does not say; -1: none is there.

        One C-FIND at the level of the aim (W-104).
        """
        level = aim.level
        if level == IMAGE and self._upstream.terms.has("no_image_find"):
            level = SERIES if aim.series else STUDY
        heads = await ask(self._upstream, level, self._keys(aim, level), ASKED[level])
        if not heads:
            return -1
        head = heads[0]
        if level == STUDY:
            self._classes = _texts(head, "SOPClassesInStudy")
            self._modalities = _texts(head, "ModalitiesInStudy")
            self._upstream.remember(self._study, head.text(tags.PATIENT_ID))
            self.manifest.n = number(head, tags.NUMBER_OF_STUDY_RELATED_INSTANCES)
            return self.manifest.n if level == aim.level else None
        if level == SERIES:
            self._modalities = [head.text(tags.MODALITY)]
            n = number(head, tags.NUMBER_OF_SERIES_RELATED_INSTANCES)
            if n is not None:
                self.manifest.counts[aim.series] = n
            return n if level == aim.level else None
        self._classes = [head.text(tags.SOP_CLASS_UID)]
        return 1

    def _keys(self, aim: Aim, level: str) -> dict[int, str]:
        keys = {tags.STUDY_INSTANCE_UID: self._study}
        if aim.series and level != STUDY:
            keys[tags.SERIES_INSTANCE_UID] = aim.series
        if level == IMAGE:
            keys[tags.SOP_INSTANCE_UID] = aim.instance
        return keys

    def classes(self, aims: Iterable[Aim]) -> list[str]:
        """Return what a C-GET has to propose for some aims (W-107)."""
        listed = [name for aim in aims for name in self.manifest.classes(aim)]
        if listed and all(self.manifest.known(aim) for aim in aims):
            return list(dict.fromkeys(listed))
        told = [name for name in (*self._classes, *listed) if name]
        return list(dict.fromkeys(told)) or by_modality(filter(None, self._modalities)) or common()

    # what is listed

    def begin(self, aim: Aim) -> None:
        """Begin to list what belongs to an aim, unless that was done or is known."""
        if self.manifest.known(aim) or aim in self._tasks or aim.instance:
            return
        if self._upstream.terms.has("no_image_find"):
            self.blind.add(aim)
            return
        work = self._list_series(aim.series) if aim.series else self._list_study()
        self._tasks[aim] = asyncio.create_task(self._guarded(aim, work))

    async def _guarded(self, aim: Aim, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except UpstreamFailed as error:
            log.info("manifest not had", source=self._upstream.name, why=error.text)
            self.blind.add(aim)
        except Exception:
            log.exception("listing failed", source=self._upstream.name)
            self.blind.add(aim)
        self._news()

    async def _list_study(self) -> None:
        keys = {tags.STUDY_INSTANCE_UID: self._study}
        heads = await ask(self._upstream, SERIES, keys, ASKED[SERIES])
        self.manifest.series = {
            head.text(tags.SERIES_INSTANCE_UID): number(
                head, tags.NUMBER_OF_SERIES_RELATED_INSTANCES
            )
            for head in heads
        }
        self._news()
        for series in list(self.manifest.series):
            if series in self.manifest.listed:
                continue
            # Somebody may have wanted this one, and had it listed, before.
            other = self._tasks.get(Aim(series))
            if other is not None:
                await asyncio.wait([other])
            if series not in self.manifest.listed:
                await self._list_series(series)

    async def _list_series(self, series: str) -> None:
        keys = {tags.STUDY_INSTANCE_UID: self._study, tags.SERIES_INSTANCE_UID: series}
        heads = await ask(self._upstream, IMAGE, keys, ASKED[IMAGE])
        found = {head.text(tags.SOP_INSTANCE_UID): head.text(tags.SOP_CLASS_UID) for head in heads}
        found.pop("", None)
        if not found:
            # It is there and nothing of it is listed: that proves nothing about completeness.
            raise UpstreamFailed(self._upstream.name, 502, "lists no instance of a series")
        self.manifest.put(series, found)
        self._news()

    @property
    def listing(self) -> bool:
        """Whether something is being listed."""
        return any(not task.done() for task in self._tasks.values())

    async def listed(self, aims: Iterable[Aim] | None = None) -> None:
        """Wait until what was begun (for some aims) is listed, or known not to be."""
        wanted = list(self._tasks) if aims is None else [aim for aim in aims if aim in self._tasks]
        tasks = [self._tasks[aim] for aim in wanted]
        if tasks:
            await asyncio.wait(tasks)

    def again(self, aims: Iterable[Aim]) -> None:
        """List once more what could not be listed, or may have changed."""
        for aim in aims:
            task = self._tasks.get(aim)
            if task is not None and task.done() and aim in self.blind:
                self.blind.discard(aim)
                del self._tasks[aim]
            self.begin(aim)

    def doubt(self, aim: Aim) -> None:
        """What is known of an aim may be old: it will be listed anew."""
        if aim == WHOLE:
            self.manifest.series = None
            self.manifest.listed.clear()
        else:
            self.manifest.listed.discard(aim.series)

    async def stop(self) -> None:
        """End what is being listed."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


def _texts(head: Head, keyword: str) -> list[str]:
    return [str(value) for value in head.values(keyword) or []]
