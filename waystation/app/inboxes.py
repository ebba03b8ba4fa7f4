"""The folders that a node takes files from, hung onto it (`Annex`)."""

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from waystation.app.node import Node
from waystation.app.settings import Settings
from waystation.flows.desk import Services
from waystation.flows.inbox import Inbox, InboxTerms
from waystation.flows.rounds import keep_all_going


class Inboxes:
    """An annex.  inboxes: by name, as the settings in force say."""

    services: Services = {}

    def __init__(self, node: Node) -> None:
        self._node = node
        self._changed = asyncio.Event()
        self.inboxes = self._made(node.settings)

    async def start(self) -> None:
        """Nothing has to be ready but the node."""

    def belts(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """Return its belts, not yet running, by name."""
        return {
            "inboxes": keep_all_going(
                lambda: (one.run() for one in self.inboxes.values()), self._changed
            )
        }

    def check(self, settings: Settings) -> None:
        """Settings that were read can be put in force."""

    async def change(self, settings: Settings) -> None:
        """Go over to the folders of another configuration."""
        self.inboxes = self._made(settings)
        self._changed.set()

    async def stop(self) -> None:
        """Nothing is left behind: a file leaves its place after its object is kept."""

    def _made(self, settings: Settings) -> dict[str, Inbox]:
        node = self._node
        return {
            name: Inbox(
                InboxTerms(
                    name=name,
                    folder=Path(table.path),
                    keep=table.after == "keep",
                    settle_s=table.settle,
                    calling_ae=table.calling_ae or "",
                ),
                node.keeping,
                node.disk,
            )
            for name, table in settings.inbox.items()
        }
