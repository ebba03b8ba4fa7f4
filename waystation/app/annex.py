"""What hangs on a node besides moving images: the broker, the worklist, and what follows them.

Contract: the node makes every annex before anything runs, starts its belts with its own, gives its
services to callers, hands it each configuration that comes into force, and stops it before the
database closes.  An annex reaches the node by the values and parts that it was made with.
"""

from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from waystation.app.settings import Settings
from waystation.flows.desk import Services


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
