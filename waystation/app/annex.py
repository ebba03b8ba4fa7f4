"""What hangs on a node besides moving images: the broker, the worklist, and what follows them.

Contract: the node makes every annex before anything runs, starts its belts with its own, gives its
services to callers, hands it each configuration that comes into force, and stops it before the
database closes.  An annex reaches the node by the values and parts that it was made with.
"""

from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from waystation.app.settings import Settings
from waystation.flows.desk import Services

Kind = TypeVar("Kind")


class Annex(Protocol):
    """One part."""

    @property
    def services(self) -> Services:
        """What it serves over associations, by abstract syntax."""

    async def start(self) -> None:
        """Make ready; the database is open, nothing listens yet."""

    def belts(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """Return its belts, not yet running, by name."""

    def check(self, settings: Settings) -> None:
        """Raise `ConfigError` if these settings cannot be put in force; change nothing."""

    async def change(self, settings: Settings) -> None:
        """Go over to another configuration."""

    async def stop(self) -> None:
        """End what its belts leave behind; nothing is lost."""


class Annexes:
    """All of one node; what one of them refuses is refused before any of them has changed."""

    def __init__(self, made: Iterable[Annex]) -> None:
        self._all = tuple(made)
        self.services: Services = {
            sop_class: service for one in self._all for sop_class, service in one.services.items()
        }

    def of(self, kind: type[Kind]) -> Kind:
        """Return the annex of a kind."""
        return next(one for one in self._all if isinstance(one, kind))

    def find(self, kind: type[Kind]) -> Kind | None:
        """Return the annex of a kind, None if this node has none."""
        return next((one for one in self._all if isinstance(one, kind)), None)

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
