"""The archive and all PACS as one source, hung onto the node (`Annex`): for DICOMweb and for DIMSE.

Contract: `holders` is what retrievals that name no source go through (W-131).
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from waystation.app.brokerage import Brokerage
from waystation.app.node import Node
from waystation.app.settings import Settings
from waystation.app.upstreaming import Upstreaming
from waystation.flows.desk import Services
from waystation.flows.fetch import Fetches, Path
from waystation.flows.holders import Holders
from waystation.flows.upstreams import Upstreams
from waystation.index.deletion import was_here
from waystation.journal import shelved
from waystation.model.delivery import Delivery

PLURALS = (("study", "studies"), ("series", "series"), ("instance", "instances"))


def archived(node: Node) -> Callable[[Path], Awaitable[Sequence[Delivery]]]:
    """Return what reads the objects of the archive at a path."""

    async def read(path: Path) -> Sequence[Delivery]:
        wanted = {plural: (path[name],) for name, plural in PLURALS if name in path}
        return await node.database.read(shelved.objects(**wanted))

    return read


class Uniting:
    """An annex.  holders: there from the start on."""

    holders: Holders

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def upstreams(self) -> Upstreams:
        """The PACS of the configuration in force."""
        return self._node.annexes.of(Upstreaming).upstreams

    @property
    def fetches(self) -> Fetches:
        """What is fetched from them."""
        return self._node.annexes.of(Brokerage).broker

    @property
    def services(self) -> Services:
        """What it serves of its own: nothing."""
        return {}

    async def start(self) -> None:
        """Put together what the annexes before have."""
        node = self._node
        self.holders = Holders(
            node.annexes.of(Brokerage).broker,
            lambda: self.upstreams,
            archived(node),
            lambda path: node.database.read(was_here(path)),
        )
        node.queries.lender = self.holders

    def belts(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """It has none."""
        return {}

    def check(self, settings: Settings) -> None:
        """Nothing can be wrong."""

    async def change(self, settings: Settings) -> None:
        """Everything is looked up at each request."""

    async def stop(self) -> None:
        """Nothing is left."""
