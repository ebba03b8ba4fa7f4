"""Peers that query and retrieve: where C-MOVE could not reach them.

Contract: yields problems and warnings; changes nothing.
"""

from collections.abc import Iterator

from waystation.app.faults import Problem
from waystation.app.lines import Path
from waystation.app.parts import Parts

NOWHERE = (
    "may ask for C-MOVE, but nothing can be sent to it: add store_at = { host = ..., port = ... }"
)


def querying(parts: Parts) -> Iterator[Problem]:
    """Yield what stands in the way of retrieval (T-42)."""
    for name, peer in parts.peers.items():
        at: Path = ("peer", name)
        if peer is None:
            continue
        if peer.store_at is None and peer.rights and "move" in peer.rights:
            yield Problem(path=(*at, "rights"), text=NOWHERE, warning=True)
        if peer.store_at is not None and any(letter in peer.ae_title for letter in "*?"):
            text = "needs an ae_title without wildcards: C-MOVE names its destination by it"
            yield Problem(path=(*at, "store_at"), text=text)
