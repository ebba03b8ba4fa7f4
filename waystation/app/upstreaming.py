"""The PACS behind the broker, hung onto the node (`Annex`): asked, probed, changed on reload.

Contract: `upstreams` and `federation` are what everything that asks a PACS goes through.
"""

from collections.abc import Coroutine, Mapping, Sequence
from datetime import tzinfo
from typing import Any

import structlog

from waystation.app.node import Node
from waystation.app.settings import Settings
from waystation.app.wiring_pacs import upstream_terms
from waystation.app.wiring_tls import call_tls
from waystation.flows.auditing import Trail
from waystation.flows.desk import Services
from waystation.flows.federate import Federation
from waystation.flows.upstreams import Upstreams
from waystation.index.search import Search
from waystation.journal.audit import Event
from waystation.model.errors import ConfigError
from waystation.model.query import Query
from waystation.net.tls import client_context
from waystation.web.metrics_pacs import PacsFigures

log = structlog.get_logger()


class Upstreaming:
    """An annex.  trail: where it is written down that sources disagree, once there is one."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.upstreams = Upstreams(upstream_terms(node.settings))
        self.federation = Federation(self.upstreams, self._search, self._zone, self._differ)
        node.queries.federation = self.federation
        self.trail: Trail | None = None

    def _search(self, query: Query) -> Search:
        return self._node.archivist.archive.search(query, home=self._zone())

    def _zone(self) -> tzinfo | None:
        return self._node.router.routing.zone

    def _differ(self, study_uid: str, sources: Sequence[str]) -> None:
        """Say that a study is several patients' (W-127)."""
        log.warning("patients differ", study_uid=study_uid, sources=", ".join(sources))
        if self.trail is not None:
            about = (study_uid, *sources)
            named = {"study": study_uid, "differs_at": list(sources)}
            self.trail.looked(Event.PATIENT, "broker", about, **named)

    @property
    def services(self) -> Services:
        """What it serves of its own: nothing."""
        return {}

    async def start(self) -> None:
        """Nothing has to be made ready."""

    def belts(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """Return its belts, not yet running, by name."""
        return {"upstreams": self.upstreams.run()}

    def check(self, settings: Settings) -> None:
        """Raise `ConfigError` if a PACS cannot be called as these settings say."""
        for name, table in settings.pacs.items():
            try:
                if files := call_tls(table.tls):
                    client_context(files)
            except (OSError, LookupError) as error:
                raise ConfigError(f"pacs.{name}.tls", f"not usable: {error}") from error

    async def change(self, settings: Settings) -> None:
        """Go over to other PACS and terms."""
        self.upstreams.change(upstream_terms(settings))

    async def stop(self) -> None:
        """End the associations."""
        await self.upstreams.close()


def pacs_figures(node: Node) -> list[PacsFigures]:
    """Return how the PACS of a node are, and how searches there ended."""
    annex = node.annexes.find(Upstreaming)
    return [
        PacsFigures(
            name=one.name,
            down=one.down is not None,
            in_use=one.in_use,
            idle=one.idle,
            ended=dict(one.ended),
            search_s=one.search_s,
        )
        for one in (annex.upstreams if annex is not None else ())
    ]
