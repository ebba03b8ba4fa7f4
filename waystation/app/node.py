"""A running node: parts built from settings, started and stopped in order, reloaded whole.

Contract: `start` returns when every listener is bound.  `reload` either swaps everything or
changes nothing (R-2).  `stop` loses nothing: refuse, let running objects end, last commit (S-73).
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from waystation.app import wiring, wiring_completeness, wiring_deidentify, wiring_group
from waystation.app.annex import Annex, Annexes
from waystation.app.archiving import Archivist
from waystation.app.lanes import GRACE_S, LaneParts, Lanes
from waystation.app.query_retrieve import QueryParts, QueryRetrieve
from waystation.app.recovery import DataLock, open_database, read_intake, recover
from waystation.app.settings import Settings
from waystation.app.settings_fixed import need_restart
from waystation.app.stepping import StepParts, Stepping
from waystation.app.watching import Watched, Watching
from waystation.app.wiring_schedule import Windows
from waystation.app.wiring_tls import listening_tls
from waystation.blobs.folder import BlobFolder
from waystation.codecs.pool import CodecPool
from waystation.flows.admitting import Keeping
from waystation.flows.alike import Likeness
from waystation.flows.allocating import Numbers
from waystation.flows.cargo import JournalCargo
from waystation.flows.claims import Claims
from waystation.flows.clockwatch import ClockWatch
from waystation.flows.conditions import Sights
from waystation.flows.contexts import ContextBelt
from waystation.flows.deliver import LaneBelt
from waystation.flows.gather import GatherBelt, GatherTerms
from waystation.flows.groups import GroupBelt
from waystation.flows.heads import HeadReader
from waystation.flows.metadata import MetadataBelt
from waystation.flows.receive import Reception
from waystation.flows.recent import Recent
from waystation.flows.route import Acknowledged, Router, Routing
from waystation.flows.screening import Screening
from waystation.flows.sweep import Sweep
from waystation.journal import arrivals, configs, recovery
from waystation.journal.ids import IdSource
from waystation.journal.intake import IntakeLog
from waystation.net.gate import Gate
from waystation.net.listener import Guest, Listener
from waystation.net.tls import server_context

log = structlog.get_logger()
DISK_THREADS = 8
SETTLE_S = 1.0


class Node:
    """Everything that runs in one process.

    text: that the settings were read from.  makers: of its annexes.
    """

    def __init__(
        self, settings: Settings, text: str = "", makers: Sequence[Callable[["Node"], Annex]] = ()
    ) -> None:
        self.settings = settings
        self.text = text
        self._makers = makers
        self.data = Path(settings.node.data)
        self.clock: Callable[[], float] = time.time
        self.windows = Windows(settings.schedule, now=self.clock())
        self.disk = ThreadPoolExecutor(DISK_THREADS, thread_name_prefix="disk")
        self.watching = Watching()
        self.claims = Claims()
        self.config_problem = ""
        self.dicom_port = 0
        self.draining = False
        self.started_at = time.time()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Recover, start the belts, bind the DICOM listener.

        Raises `StorageError` (folder in use, journal damaged), `ConfigError`, or OSError.
        """
        routing = wiring.routing(self.settings, self.windows.named)
        self.lock = DataLock(self.data)
        self.database = open_database(self.data)
        self.blobs = BlobFolder(self.data / "blobs")
        self.intake = IntakeLog(self.data / "intake")
        revision = await self.database.write(configs.take_up(self.text, self.clock()))
        left = await read_intake(self.intake, self.database, self.blobs)
        last = await self.database.read(arrivals.last_id())
        self.ids = IdSource(max([last, *(item.arrival.id for item in left)]))
        self._make_belts(replace(routing, revision=revision))
        self.queries = self._make_queries()
        await self.archivist.corrections.load()
        self.annexes = Annexes(make(self) for make in self._makers)
        await self.stepping.use(self.settings)
        await self.annexes.start()
        self._start_belt("route", self.router.run())
        for item in left:
            self.router.arrived(item)
        await self.router.settled()
        self.intake.start()
        found = await recover(self.database, self.blobs)
        self.sweep.look()
        self.blobs.start()
        for arrival in found.unplanned:
            self.router.arrived(Acknowledged(arrival=arrival, known=True))
        await self.lanes.build(self.settings, self.windows, routing.ruleset)
        await self.gathers.start()
        clockwatch = ClockWatch(self.database, lambda: self.clock(), self.lanes.wake_all)
        for name, belt in (
            ("clock", clockwatch.run()),
            ("contexts", self.contexts.run()),
            ("gather", self.gathers.run()),
            ("groups", self.groups.run()),
            ("metadata", self.metadata.run()),
            ("retention", self.archivist.retention.run()),
            ("sweep", self.sweep.run()),
            ("volume", self.sweep.watch_volume()),
            *self.queries.belts().items(),
            *self.stepping.belts().items(),
            *(await self._watch()).items(),
            *self.annexes.belts().items(),
        ):
            self._start_belt(name, belt)
        await self._listen()

    def _make_belts(self, routing: Routing) -> None:
        """Make everything that moves images; nothing of it runs yet."""
        self.recent = Recent()
        cargo = JournalCargo(self.database, self.blobs, self.disk, self.recent)
        heads = HeadReader(self.database, self.blobs, self.disk)
        self.metadata = MetadataBelt(
            self.database, self.blobs, self.disk, lambda: self.settings.web.enabled
        )
        self.codecs = CodecPool(self.data / "codecs")
        self.archivist = Archivist(
            self.database,
            self.blobs,
            self.disk,
            self.ids,
            lambda: self.clock(),
            lambda: self.settings,
            lambda: self.belts,
            lambda way: self.contexts.equip(way),
        )
        self.contexts = ContextBelt(self.database, self.codecs, lambda: self.belts, self.clock)
        self.gathers = self._make_gathers(routing)
        self.router = Router(
            routing,
            self.database,
            self.ids,
            self.clock,
            self._wake_lane,
            heads.head_of,
            self.intake,
            self.gathers.joined,
            self.contexts.planned,
            self.watching,
            Likeness(self.database, cargo, self.codecs).of,
            self.archivist.archiving(),
        )
        self.groups = GroupBelt(
            wiring_group.groups(self.settings, self.windows),
            self.database,
            self.ids,
            self.clock,
            lambda: self.belts,
            self._wake_lane,
            self.watching.switched,
        )
        self.stepping = self._make_steps(cargo)
        parts = LaneParts(
            database=self.database,
            intake=self.intake,
            cargo=cargo,
            clock=lambda: self.clock(),
            screening=Screening(self.database, heads.head_of, lambda: self.router.routing),
            equip=self.archivist.equip,
            witness=self.watching,
            treatments=self.stepping.treatments,
        )
        self.lanes = Lanes(parts, self.data)
        self.lanes.told += [self.groups.changed, self.watching.lane_changed]
        self.sweep = Sweep(
            wiring.sweep_settings(self.settings), self.database, self.blobs, self.disk, self.clock
        )

    def _make_gathers(self, routing: Routing) -> GatherBelt:
        return GatherBelt(
            self.database,
            self.ids,
            self.clock,
            self._gather_terms(routing),
            lambda target: self.router.placed(target),
            lambda peer: self.router.routing.ruleset.otherwise_for(peer),
            self._wake_lane,
            self.watching.gathered,
        )

    def _make_queries(self) -> QueryRetrieve:
        return QueryRetrieve(
            QueryParts(
                corrections=self.archivist.corrections,
                settings=lambda: self.settings,
                database=self.database,
                blobs=self.blobs,
                disk=self.disk,
                ids=self.ids,
                clock=lambda: self.clock(),
                recent=self.recent,
                codecs=self.codecs,
                settled=self.router.settled,
                complete=self.gathers.complete,
                zone=lambda: self.router.routing.zone,
                wake=lambda destination: self._wake_lane(destination, None),
            )
        )

    def _make_steps(self, cargo: JournalCargo) -> Stepping:
        return Stepping(
            StepParts(
                database=self.database,
                blobs=self.blobs,
                workers=self.disk,
                cargo=cargo,
                codecs=self.codecs,
                clock=lambda: self.clock(),
                data=self.data,
                wake=lambda destination: self._wake_lane(destination, None),
                routing=lambda: self.router.routing,
            ),
            lambda settings: wiring_deidentify.deidentifiers(
                settings, lambda who: Numbers(self.database, who, self.clock)
            ),
        )

    async def _watch(self) -> dict[str, Coroutine[Any, Any, None]]:
        sights = Sights(
            belts=lambda: self.belts,
            groups=lambda: wiring_group.groups(self.settings, self.windows),
            schedules=lambda at: self.windows.problems(at),
            config_problem=lambda: self.config_problem,
            spool=lambda: self.sweep.stopped_why,
            unaccounted=lambda: self.sweep.unaccounted,
            tables=lambda: self.stepping.tables.problems,
        )
        watched = Watched(
            database=self.database,
            ids=self.ids,
            clock=lambda: self.clock(),
            sights=sights,
            names_of=HeadReader(self.database, self.blobs, self.disk).names_of,
        )
        return await self.watching.start(watched, self.settings, self.windows)

    def _start_belt(self, name: str, belt: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(belt, name=name))

    async def _listen(self) -> None:
        table = self.settings.dicom
        self.listener = Listener(
            Gate(wiring.gate_settings(self.settings)),
            wiring.listener_settings(self.settings),
            self._reception,
            self._no_room,
            self.watching.turned_away,
        )
        files = listening_tls(self.settings.dicom.tls)
        context = server_context(files) if files else None
        self.dicom_port = await self.listener.start(
            table.host, table.port, context, table.timeouts.handshake
        )

    def _reception(self, guest: Guest) -> Reception:
        return Reception(guest, self.keeping())

    def keeping(self) -> Keeping:
        """Return what receiving needs of this node."""
        return Keeping(
            database=self.database,
            intake=self.intake,
            blobs=self.blobs,
            disk=self.disk,
            recent=self.recent,
            ids=self.ids,
            clock=self.clock,
            refuses=self.router.refuses,
            rejects=self.stepping.rejects,
            one_version=lambda: self.settings.duplicates.different == "refuse",
            full=lambda: self.sweep.nothing_more_why,
            arrived=self._arrived,
            room=self.router.room,
            settled=self.router.settled,
            witness=self.watching,
            ended=self.gathers.ended,
            services={**self.queries.services, **self.annexes.services},
            claims=self.claims,
            bounds=wiring.bounds(self.settings),
        )

    def _arrived(self, item: Acknowledged) -> None:
        self.sweep.received(item.arrival.size_bytes)
        self.router.arrived(item)

    def _gather_terms(self, routing: Routing) -> Callable[[str, str], GatherTerms]:
        return wiring_completeness.terms_of(
            self.settings.completeness,
            routing.ruleset,
            routing.zone,
            routing.windows,
            self.clock,
        )

    def _no_room(self) -> str:
        return "draining" if self.draining else self.sweep.stopped_why

    def _wake_lane(self, destination: str, study_uid: str | None, stat: bool = True) -> None:
        belt = self.belts.get(destination)
        if belt is not None:
            belt.wake(study_uid, stat=stat)
        elif study_uid is not None and destination in self.settings.group:
            self.groups.wake(destination, study_uid)

    @property
    def belts(self) -> dict[str, LaneBelt]:
        """The lanes by destination."""
        return self.lanes.belts

    async def pause_lane(self, name: str, author: str) -> None:
        """Stop a lane until somebody resumes it; survives a restart."""
        await self.lanes.pause(name, author)

    async def resume_lane(self, name: str) -> None:
        """Let a paused lane go on."""
        await self.lanes.resume(name)

    # reload

    async def reload(self, settings: Settings, text: str = "") -> list[str]:
        """Put new settings in force; return the names of settings that need a restart.

        Raises `ConfigError` before anything has changed.
        """
        windows = Windows(settings.schedule, now=self.clock())
        routing = wiring.routing(settings, windows.named)
        gate = Gate(wiring.gate_settings(settings))
        for name, table in settings.destination.items():
            wiring.check_destination(name, table, settings.dicom.ae_title, self.data)
        self.watching.check(settings)
        self.annexes.check(settings)
        revision = await self.database.write(configs.take_up(text, self.clock()))
        await self.stepping.use(settings)
        before, self.settings, self.text = self.settings, settings, text
        self.windows = windows
        self.router.routing = replace(routing, revision=revision)
        self.listener.gate = gate
        self.gathers.change(self._gather_terms(routing))
        self.sweep.settings = wiring.sweep_settings(settings)
        # Nobody chooses between the lanes of two configurations.
        self.groups.change({})
        await self.lanes.change(settings, windows, routing.ruleset)
        self.groups.change(wiring_group.groups(settings, windows))
        self.archivist.change(settings)
        self.watching.change(settings, windows)
        await self.annexes.change(settings)
        return need_restart(before, settings)

    # end

    async def stop(self) -> None:
        """Drain and end; nothing is lost."""
        self.draining = True
        await asyncio.gather(self.listener.drain(GRACE_S), self.lanes.drop_all())
        try:
            async with asyncio.timeout(SETTLE_S):
                await self.router.settled()
        except TimeoutError:
            log.info("unplanned arrivals are left for the next start", n=self.router.waiting)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.watching.stop()
        await self.annexes.stop()
        await self.codecs.close()
        self.disk.shutdown(wait=True)
        self.intake.close()
        self.blobs.stop()
        await self.database.write(recovery.set_mark("checked_at", str(time.time())))
        self.database.close()
        (self.data / "node.json").unlink(missing_ok=True)
        self.lock.release()
