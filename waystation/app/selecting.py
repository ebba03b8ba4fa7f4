"""``--where``: what an expression is true of, asked of stored objects (R-59, R-78, R-79).

Contract: the language is that of ``if`` in a rule, over the head of the object and the facts of
its arrival.  An object whose head cannot be read, or on which the expression fails, is not meant.
"""

from collections.abc import Callable, Sequence
from typing import Any

from waystation.app.explaining import heads_of
from waystation.app.settings import Settings
from waystation.blobs.reading import BlobReader
from waystation.db.engine import Job
from waystation.dicom.head import Head
from waystation.flows.route import Routing
from waystation.journal import studies
from waystation.model.arrival import Arrival
from waystation.model.errors import WaystationError
from waystation.rules.conditions import Condition, Look
from waystation.rules.expression import expression
from waystation.rules.known import Known

Read = Callable[[Job[Any]], Any]


def condition_of(text: str, settings: Settings | None) -> Condition:
    """Return the compiled expression; raise `ConfigError` that says what to write instead."""
    schedules = settings.schedule if settings is not None else ()
    return expression(text, "--where", Known(schedules=schedules), "")


def holds(asked: Condition, routing: Routing, arrival: Arrival, head: Head) -> bool:
    """Tell whether the expression is true of an object."""
    try:
        return asked.holds(Look(head, routing.facts(arrival)))
    except (WaystationError, ValueError):
        return False


def passing(
    read: Read, blobs: BlobReader, asked: Condition, routing: Routing, ids: Sequence[int]
) -> set[int]:
    """Return those of the arrivals ``ids`` that are meant; blocks on the disk."""
    if not ids:
        return set()
    arrivals = read(studies.by_ids(ids))
    return {
        arrival.id
        for arrival, head in heads_of(read, blobs, arrivals)
        if head is not None and holds(asked, routing, arrival, head)
    }
