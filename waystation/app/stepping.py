"""The steps of rules in a running node: tables, keys and profiles, kept in step with the file.

Contract: `use` puts a configuration in force; recipes are in the journal before anything is
planned by them.  Whatever fails in here holds objects and never stops the node.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waystation.app import wiring_steps
from waystation.app.settings import Settings
from waystation.app.wiring_steps import Box
from waystation.blobs.folder import BlobFolder
from waystation.codecs.pool import CodecPool
from waystation.db.engine import Database
from waystation.destinations.base import Cargo
from waystation.dicom.head import Head
from waystation.flows.rejecting import Rejecting
from waystation.flows.route import Routing
from waystation.flows.tables import Tables
from waystation.flows.treat import Treatments
from waystation.flows.treat_again import AgainBelt
from waystation.flows.treating import Making
from waystation.journal.treatments import keep_recipes
from waystation.model.arrival import Arrival
from waystation.transforms.steps import Deidentify
from waystation.transforms.validate import REJECT


@dataclass(frozen=True, slots=True, kw_only=True)
class StepParts:
    """What steps need of the node.  clock: Unix seconds.  wake: told of a destination."""

    database: Database
    blobs: BlobFolder
    workers: Executor
    cargo: Cargo
    codecs: CodecPool
    clock: Callable[[], float]
    data: Path
    wake: Callable[[str], None]
    routing: Callable[[], Routing]


class Stepping:
    """Of one node.  deidentifiers: profiles of a configuration, ready to be used."""

    def __init__(
        self,
        parts: StepParts,
        deidentifiers: Callable[[Settings], Mapping[str, Deidentify]] = lambda _settings: {},
    ) -> None:
        self._parts = parts
        self._deidentifiers = deidentifiers
        self.deidentifiers: Mapping[str, Deidentify] = {}
        self.tables = Tables(parts.workers, parts.clock, lambda: None)
        self.making = Making(
            parts.database, parts.blobs, parts.workers, parts.clock, codecs=parts.codecs
        )
        self.treatments = Treatments(
            parts.database, parts.cargo, parts.workers, self.making, parts.clock
        )
        self._again = AgainBelt(parts.database, parts.clock, parts.wake)
        self.treatments.waits = self._again.told
        self._rejecting = Rejecting(self.treatments, parts.routing)

    async def use(self, settings: Settings) -> None:
        """Put a configuration in force."""
        await self._parts.database.write(keep_recipes(wiring_steps.recipes(settings)))
        files = wiring_steps.table_files(settings.lookup)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._parts.workers, self.tables.use, files)
        self.making.system = settings.node.name
        self.making.zone = self._parts.routing().zone
        believed, trusted = wiring_steps.believed(settings.peer)
        self.making.believed, self.making.trusted = believed, trusted
        self.deidentifiers = self._deidentifiers(settings)
        self.treatments.toolbox = Box(
            validate=settings.validate_,
            tables=self.tables.table,
            data=self._parts.data,
            deidentifiers=self.deidentifiers,
            believed=repr((sorted(believed), sorted(trusted))),
        )
        used = {name for rule in settings.rule if rule.enabled for name in rule.validate_}
        self._rejecting.active = any(
            REJECT in (table.on_mismatch, table.on_unknown)
            for name, table in settings.validate_.items()
            if name in used
        )

    @property
    def rejects(self) -> Callable[[Head, Arrival], Awaitable[str]]:
        """What validation refuses before the answer."""
        return self._rejecting

    def belts(self) -> dict[str, Coroutine[Any, Any, None]]:
        """Return what runs as long as the node does."""
        return {"tables": self.tables.run(), "again": self._again.run()}
