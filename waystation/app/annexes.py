"""The annexes of a node, taken together.

Contract: they start, change and stop in the order of `MAKERS`; what one of them refuses is refused
before any of them has changed.
"""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from waystation.app.annex import Annex
from waystation.app.settings import Settings
from waystation.flows.desk import Services

if TYPE_CHECKING:
    from waystation.app.node import Node

MAKERS: "tuple[Callable[[Node], Annex], ...]" = ()
Kind = TypeVar("Kind")


class Annexes:
    """All of one node."""

    def __init__(self, node: "Node") -> None:
        self._all = [make(node) for make in MAKERS]
        self.services: Services = {
            sop_class: service for one in self._all for sop_class, service in one.services.items()
        }

    def of(self, kind: type[Kind]) -> Kind:
        """Return the annex of a kind."""
        return next(one for one in self._all if isinstance(one, kind))

    async def start(self) -> None:
        """Make all ready."""
        for one in self._all:
            await one.start()

    def belts(self) -> dict[str, Coroutine[Any, Any, None]]:
        """Return the belts of all, not yet running, by name."""
        return {name: belt for one in self._all for name, belt in one.belts().items()}

    def check(self, settings: Settings) -> None:
        """Raise `ConfigError` if one of them cannot go over to these settings."""
        for one in self._all:
            one.check(settings)

    async def change(self, settings: Settings) -> None:
        """Go over to another configuration."""
        for one in self._all:
            await one.change(settings)

    async def stop(self) -> None:
        """End what their belts leave behind."""
        for one in self._all:
            await one.stop()
