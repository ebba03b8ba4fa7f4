"""The folders that a node takes files from, hung onto it (`Annex`)."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

from waystation.app.node import Node
from waystation.app.settings import Settings
from waystation.flows.desk import Services
from waystation.flows.inbox import Inbox, InboxTerms
from waystation.flows.rounds import keep_all_going
from waystation.timing.incident import Finding


class Inboxes:
    """An annex.  inboxes: by name, as the settings in force say."""

    services: Services = {}

    def __init__(self, node: Node) -> None:
        self._node = node
        self._changed = asyncio.Event()
        self.inboxes = self._made(node.settings)

    async def start(self) -> None:
        """Let what is wrong with a folder be told."""
        self._node.watching.looks.append(self.findings)

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the folders."""
        for inbox in self.inboxes.values():
            yield from inbox.findings()

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
        made = self._made(settings)
        if {name: one.terms for name, one in made.items()} == {
            name: one.terms for name, one in self.inboxes.items()
        }:
            return
        # One that stays knows what it has taken.
        for name, one in self.inboxes.items():
            if name in made and made[name].terms == one.terms:
                made[name] = one
        self.inboxes = made
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
