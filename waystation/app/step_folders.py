"""The worklist folders of a node, hung onto it (`Annex`): watched as the settings in force say."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from waystation.app.node import Node
from waystation.app.settings import Settings
from waystation.app.settings_hl7 import FolderBridge
from waystation.app.wiring_worklist import named_area
from waystation.app.worklisting import Worklisting
from waystation.flows.desk import Services
from waystation.flows.rounds import keep_all_going
from waystation.flows.step_folder import FolderTerms, StepFolder
from waystation.index.step_pages import StepFilter
from waystation.index.step_search import in_step
from waystation.matching.entry import entry, read_entry
from waystation.matching.match import Matcher
from waystation.model.query import WORKLIST, Query
from waystation.model.step import LISTED, Step
from waystation.timing.incident import Finding

PAGE = 500
ROOT = "worklist"


class StepFolders:
    """An annex.  folders: by their name in the settings."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._changed = asyncio.Event()
        self.folders: dict[str, StepFolder] = {}

    @property
    def services(self) -> Services:
        """Nothing over associations."""
        return {}

    async def start(self) -> None:
        """Make the folders."""
        self._make(self._node.settings)
        self._node.watching.looks.append(self.findings)

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the folders."""
        for folder in self.folders.values():
            yield from folder.findings()

    def belts(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """Return its belts, not yet running, by name."""
        return {
            "worklist folders": keep_all_going(
                lambda: (one.run() for one in self.folders.values()), self._changed
            )
        }

    def check(self, settings: Settings) -> None:
        """Settings that were read can be put in force."""

    async def change(self, settings: Settings) -> None:
        """Go over to the folders of another configuration."""
        self._make(settings)
        self._changed.set()

    async def stop(self) -> None:
        """Nothing is left behind: each file is a transaction of its own."""

    def _make(self, settings: Settings) -> None:
        terms = folder_terms(settings) if settings.worklist.enabled else []
        steps = self._node.annexes.of(Worklisting).steps
        node = self._node
        self.folders = {
            one.name: StepFolder(
                self._with_list(one, settings),
                steps,
                node.database,
                node.disk,
                lambda: node.clock(),
            )
            for one in terms
        }

    def _with_list(self, terms: FolderTerms, settings: Settings) -> FolderTerms:
        async def listed() -> Sequence[Step]:
            return await self._listed(terms.area, settings)

        return replace(terms, listed=listed)

    async def _listed(self, name: str, settings: Settings) -> list[Step]:
        """Return what an area shows."""
        area = named_area(settings, name)
        if area is None:
            return []
        matcher = Matcher(Query(level=WORKLIST, keys=in_step(area.scope.when)))
        steps = self._node.annexes.of(Worklisting).steps
        found: list[Step] = []
        after: tuple[str, int] | None = None
        while True:
            page = await steps.search(
                StepFilter(
                    area=name, states=tuple(LISTED), incomplete=False, limit=PAGE, after=after
                )
            )
            found += [one for one in page if _matches(matcher, one)]
            if len(page) < PAGE:
                return found
            after = (page[-1].start, page[-1].id)


def _matches(matcher: Matcher, step: Step) -> bool:
    return matcher.matches(entry(read_entry(step.data), step.state))


def folder_terms(settings: Settings) -> list[FolderTerms]:
    """Return what is set for each folder."""
    table = settings.worklist
    named = [(f"{ROOT}.area.{name}", name, one.folder) for name, one in table.area.items()]
    found = [(ROOT, "", table.folder), *named]
    return [_terms(settings, name, area, one) for name, area, one in found if one is not None]


def _terms(settings: Settings, name: str, area: str, bridge: FolderBridge) -> FolderTerms:
    def areas(inside: str) -> str | None:
        for known, one in settings.worklist.area.items():
            if inside == known or inside in one.ae_title:
                return known
        own = {settings.dicom.ae_title, *settings.dicom.aliases}
        return area if inside in own and not settings.worklist.area else None

    split = settings.worklist.split_steps
    if area and (own := settings.worklist.area[area].split_steps) is not None:
        split = own
    return FolderTerms(
        name=name,
        path=bridge.path,
        mode=bridge.mode,
        every_s=bridge.every,
        area=area,
        areas=areas if not area else lambda _inside: None,
        split_steps=split,
    )
