"""Settings and node → where DICOMweb finds what is not in the archive.  Nothing is started here."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from waystation.app.brokerage import Brokerage
from waystation.app.node import Node
from waystation.app.upstreaming import Upstreaming
from waystation.flows.fetch import Fetches, Path
from waystation.flows.holders import Holders
from waystation.index.deletion import was_here
from waystation.journal import shelved
from waystation.model.delivery import Delivery
from waystation.web.brokered import Broker, Origin
from waystation.web.dicomweb import ARCHIVE

PLURALS = (("study", "studies"), ("series", "series"), ("instance", "instances"))


@dataclass(frozen=True, slots=True)
class _Sources:
    """Which of them a source is."""

    upstreaming: Upstreaming
    holders: Holders

    def origin(self, source: str) -> Origin | None:
        """Return where objects of a source come from, None for the archive alone."""
        upstreams = self.upstreaming.upstreams
        if source == ARCHIVE or (not source and not upstreams.federated):
            return None
        return self.holders if not source or upstreams.get(source) is not None else None


def archived(node: Node) -> Callable[[Path], Awaitable[Sequence[Delivery]]]:
    """Return what reads the objects of the archive at a path."""

    async def read(path: Path) -> Sequence[Delivery]:
        wanted = {plural: (path[name],) for name, plural in PLURALS if name in path}
        return await node.database.read(shelved.objects(**wanted))

    return read


def holders(node: Node) -> Holders | None:
    """Return the archive and all PACS as one, None on a node without annexes."""
    upstreaming, brokerage = node.annexes.find(Upstreaming), node.annexes.find(Brokerage)
    if upstreaming is None or brokerage is None:
        return None
    return Holders(
        brokerage.broker,
        lambda: upstreaming.upstreams,
        archived(node),
        lambda path: node.database.read(was_here(path)),
    )


def brokered(node: Node) -> Broker | None:
    """Return what DICOMweb retrieves from besides the archive."""
    upstreaming, together = node.annexes.find(Upstreaming), holders(node)
    if upstreaming is None or together is None:
        return None
    return Broker(
        origin=_Sources(upstreaming, together).origin,
        partial_status=lambda: node.settings.web.partial_status,
        longest_s=lambda: node.settings.web.retry_after_max,
    )


def fetches(node: Node) -> Callable[[], Fetches]:
    """Return what the API shows and commands."""
    found = node.annexes.of(Brokerage).broker
    return lambda: found
