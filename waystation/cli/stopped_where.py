"""``queue list --where`` with the node stopped: the expression asked of its journal.

Contract: gives the pages that the API gives; changes nothing.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from waystation.app.explaining_here import place_of
from waystation.app.past_rules import routing_of
from waystation.app.selecting import condition_of, passing
from waystation.app.settings import Settings
from waystation.blobs.reading import BlobReader
from waystation.cli.journal import StoppedJournal
from waystation.journal import queue
from waystation.journal.entries import Chosen
from waystation.web import shapes

PIECE = 1000


def page_where(
    journal: StoppedJournal, what: str, chosen: Chosen, where: str, config: Path | None
) -> dict[str, Any]:
    """Return a page of ``deliveries`` or ``arrivals`` that the expression is true of."""
    place = place_of(config, time.time())
    condition = condition_of(where, place.settings)
    routing = place.routing or routing_of(Settings(), time.time())
    blobs = BlobReader(journal.data / "blobs")
    listing, arrival_of, shaped = KINDS[what]
    found: list[Any] = []
    pages = replace(chosen, limit=PIECE)
    while len(found) < chosen.limit and (page := journal.read(listing(pages))):
        ids = sorted({arrival_of(one) for one in page})
        meant = passing(journal.read, blobs, condition, routing, ids)
        found += [one for one in page if arrival_of(one) in meant]
        pages = replace(pages, after=page[-1].id)
    told: dict[str, Any] = shaped(found[: chosen.limit], chosen.limit).model_dump(mode="json")
    return told


Listing = Callable[[Chosen], Any]
KINDS: dict[str, tuple[Listing, Callable[[Any], int], Callable[[Sequence[Any], int], Any]]] = {
    "deliveries": (queue.deliveries, lambda one: int(one.arrival), shapes.deliveries),
    "arrivals": (queue.held_arrivals, lambda one: int(one.id), shapes.arrivals),
}
