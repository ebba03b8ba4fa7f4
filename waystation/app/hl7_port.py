"""The HL7 port of a node, hung onto it (`Annex`): bound at the start, changed with the settings.

Contract: messages go to the one `Feed`, which page, API and command line use too, whether or not
the port is open.  Host, port and TLS change with a restart, everything else with a reload.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import structlog

from waystation.app import wiring_hl7
from waystation.app.node import Node
from waystation.app.settings import Settings
from waystation.app.wiring_tls import listening_tls
from waystation.app.worklisting import Worklisting
from waystation.flows.desk import Services
from waystation.flows.hl7_feed import Feed
from waystation.flows.rounds import keep_going
from waystation.journal import hl7_keeping, hl7_messages
from waystation.journal.ids import IdSource
from waystation.net.mllp import MllpListener
from waystation.net.tls import server_context

log = structlog.get_logger()
DAY_S: Final = 86_400.0
AGAIN_S: Final = 600.0


class Hl7Port:
    """An annex.  port: that is bound, 0 if none is."""

    services: Services = {}

    def __init__(self, node: Node) -> None:
        self._node = node
        self._listener: MllpListener | None = None
        self.port = 0
        self.feed: Feed

    async def start(self) -> None:
        """Bind the port.  Raises `ConfigError` or OSError."""
        node = self._node
        last = await node.database.read(hl7_messages.last_id())
        self.feed = Feed(
            node.annexes.of(Worklisting).steps,
            wiring_hl7.feed_terms(node.settings),
            IdSource(last).next,
            lambda: node.clock(),
            node.router.routing.zone,
        )
        table = wiring_hl7.hl7_of(node.settings)
        if table is None:
            return
        listener = MllpListener(
            wiring_hl7.port_settings(table),
            self.feed.take,
            self.feed.refuse,
            wiring_hl7.admission(node.settings),
        )
        files = listening_tls(table.tls)
        context = server_context(files) if files else None
        self.port = await listener.start(table.host, table.port, context)
        self._listener = listener
        log.info("hl7 port open", host=table.host, port=self.port, tls=context is not None)

    def belts(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """Return its belts, not yet running, by name."""
        return {
            "hl7 messages": keep_going(
                "hl7 messages",
                self._forget_old,
                asyncio.Event(),
                lambda: self._node.clock(),
                AGAIN_S,
            )
        }

    def check(self, settings: Settings) -> None:
        """Raise `ConfigError` if a table of the map cannot be read."""
        wiring_hl7.feed_terms(settings)

    async def change(self, settings: Settings) -> None:
        """Read messages by other settings."""
        self.feed.terms = wiring_hl7.feed_terms(settings)
        if self._listener is not None and (table := wiring_hl7.hl7_of(settings)) is not None:
            self._listener.settings = wiring_hl7.port_settings(table)
            self._listener.admit = wiring_hl7.admission(settings)

    async def stop(self) -> None:
        """Let messages under way have their answer."""
        if self._listener is not None:
            await self._listener.stop()

    async def _forget_old(self) -> float:
        """Drop messages that were kept long enough, once a day."""
        table = self._node.settings.worklist.hl7
        if table is not None:
            before = self._node.clock() - table.keep
            await self._node.database.write(hl7_keeping.forget(before), urgent=False)
        return DAY_S
