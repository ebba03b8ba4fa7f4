"""The lanes of a node: one for every destination, kept in step with the configuration.

Contract: `build` starts them, `change` goes over to another configuration without touching what
stays the same, `drop_all` ends them.  What waits for a destination that is gone is held by name,
and let go when it is back (R-3).  A pause survives restarts (R-59).
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from waystation.app import wiring
from waystation.app.settings import Settings
from waystation.app.wiring_lane import lane_settings, same_way
from waystation.app.wiring_schedule import Windows
from waystation.app.wiring_ways import HOOKS
from waystation.db.engine import Database
from waystation.destinations.base import Cargo, Destination
from waystation.flows.deliver import LaneBelt
from waystation.flows.lane_settings import NO_FILTER, LaneSettings
from waystation.flows.metering import Meters
from waystation.flows.screening import Screening
from waystation.flows.treat import Treatments
from waystation.flows.witness import Witness
from waystation.journal import deliveries, recovery
from waystation.journal.groups import leave
from waystation.journal.intake import IntakeLog
from waystation.journal.recovery import PAUSED
from waystation.model.delivery import HoldReason
from waystation.rules.read import RuleSet
from waystation.timing.retry import clamp_due

log = structlog.get_logger()
GRACE_S = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneParts:
    """What lanes share.  equip: gives a new way out what it needs of the node.

    clock: Unix seconds.
    """

    database: Database
    intake: IntakeLog
    cargo: Cargo
    clock: Callable[[], float]
    screening: Screening
    equip: Callable[[Destination], Awaitable[None]]
    witness: Witness
    treatments: Treatments | None = None


class Lanes:
    """Of one node.

    belts, tasks: by destination.  told: called with the name of a lane whose health is another.
    """

    def __init__(self, parts: LaneParts, data: Path) -> None:
        self.belts: dict[str, LaneBelt] = {}
        self.told: list[Callable[[str], None]] = []
        self.meters = Meters(parts.clock)
        self._parts = parts
        self._data = data
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._settings: Settings
        self._windows: Windows
        self._ruleset: RuleSet

    def _use(self, settings: Settings, windows: Windows, ruleset: RuleSet) -> None:
        self._settings, self._windows, self._ruleset = settings, windows, ruleset

    async def build(self, settings: Settings, windows: Windows, ruleset: RuleSet) -> None:
        """Start a lane for every destination, and hold what waits for one that is gone."""
        self._use(settings, windows, ruleset)
        # Files that programs were given when the node was killed: they may show patients.
        await asyncio.to_thread(shutil.rmtree, self._data / HOOKS, ignore_errors=True)
        for name in settings.destination:
            await self._add(name)
        await self._hold_strays()

    async def change(self, settings: Settings, windows: Windows, ruleset: RuleSet) -> None:
        """Go over to another configuration."""
        before = self._settings
        self._use(settings, windows, ruleset)
        renamed = settings.dicom.ae_title != before.dicom.ae_title
        for name in list(self.belts):
            same = same_way(before.destination.get(name), settings.destination.get(name))
            if renamed or not same:
                await self._drop(name)
        for name, belt in self.belts.items():
            # A schedule by name, or its calendar, may have changed although the table did not.
            belt.change(self._pace_of(name))
        for name in settings.destination:
            if name not in self.belts:
                await self._add(name)
        await self._hold_strays()

    async def _add(self, name: str) -> None:
        parts = self._parts
        table = self._settings.destination[name]
        await parts.database.write(deliveries.release_gone(name, parts.clock()))
        latest = clamp_due(self._pace_of(name).policy, float("inf"), parts.clock())
        await parts.database.write(deliveries.clamp(name, latest))
        paused_by = await parts.database.read(recovery.mark(PAUSED + name))
        way = wiring.destination(name, table, self._settings.dicom.ae_title, self._data)
        await parts.equip(way)
        belt = LaneBelt(
            way,
            self._pace_of(name),
            parts.database,
            parts.intake,
            parts.cargo,
            parts.clock,
            parts.witness,
            paused_by=paused_by or "",
            meters=self.meters,
            screen=parts.screening,
            treatments=parts.treatments,
            changed=self._changed,
        )
        self.belts[name] = belt
        self.tasks[name] = asyncio.create_task(belt.run(), name=f"lane {name}")

    def _pace_of(self, name: str) -> LaneSettings:
        asked = self._ruleset.filters.get(name, NO_FILTER)
        return lane_settings(self._settings, name, self._windows, asked)

    def wake_all(self) -> None:
        """Let every lane look again."""
        for belt in self.belts.values():
            belt.wake()

    def _changed(self, name: str) -> None:
        """Tell whoever wants to know that a lane went down, was blocked or paused, or flows."""
        for told in self.told:
            told(name)

    async def _drop(self, name: str) -> None:
        belt = self.belts.pop(name)
        task = self.tasks.pop(name)
        await belt.stop(GRACE_S)
        await task

    async def drop_all(self) -> None:
        """End all lanes; objects that are being sent may finish."""
        await asyncio.gather(*(self._drop(name) for name in list(self.belts)))

    async def _hold_strays(self) -> None:
        parts, groups = self._parts, self._settings.group
        for name in groups:
            await parts.database.write(deliveries.release_gone(name, parts.clock()))
        for name in await parts.database.read(deliveries.waiting_destinations()):
            if name in self.belts or name in groups:
                continue
            if groups:
                await parts.database.write(leave(name, groups))
            why = f'no destination "{name}" any more'
            n = await parts.database.write(
                deliveries.hold_all(name, HoldReason.DESTINATION_GONE, why)
            )
            if n:
                log.warning("deliveries held", to=name, n=n, reason="destination-gone")

    async def pause(self, name: str, author: str) -> None:
        """Stop a lane until somebody resumes it; survives a restart."""
        await self._parts.database.write(recovery.set_mark(PAUSED + name, author))
        self.belts[name].pause(author)

    async def resume(self, name: str) -> None:
        """Let a paused lane go on."""
        await self._parts.database.write(recovery.set_mark(PAUSED + name, ""))
        self.belts[name].resume()
