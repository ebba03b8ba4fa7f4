"""Settings and node → where DICOMweb finds what is not in the archive.  Nothing is started here."""

from collections.abc import Callable

from waystation.app.node import Node
from waystation.app.uniting import Uniting
from waystation.flows.fetch import Fetches
from waystation.web.brokered import Broker, Origin
from waystation.web.dicomweb import ARCHIVE


def brokered(node: Node) -> Broker | None:
    """Return what DICOMweb retrieves from besides the archive, None on a node without PACS."""
    annex = node.annexes.find(Uniting)
    if annex is None:
        return None

    def origin(source: str) -> Origin | None:
        upstreams = annex.upstreams
        known = upstreams.federated if not source else upstreams.get(source)
        return annex.holders if known and source != ARCHIVE else None

    return Broker(
        origin=origin,
        partial_status=lambda: node.settings.web.partial_status,
        longest_s=lambda: node.settings.web.retry_after_max,
    )


def fetches(node: Node) -> Callable[[], Fetches]:
    """Return what the API shows and commands."""
    annex = node.annexes.of(Uniting)
    return lambda: annex.fetches
