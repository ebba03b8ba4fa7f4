"""The facts of an arrival that a condition may ask about beside the head of the object."""

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from waystation.model.arrival import Arrival
from waystation.model.values import value


class Window(Protocol):
    """A schedule, as far as a condition may ask it."""

    def is_open(self, at: float) -> bool:
        """Return whether it is open at ``at`` (Unix seconds)."""


@value
class Facts:
    """The arrival as rules see it.

    received_at: Unix seconds.  zone: the node's own time zone, for weekday, hour and dates.
    windows: the schedules by name, for ``open``.
    """

    received_at: float
    zone: tzinfo = UTC
    calling_ae: str = ""
    called_ae: str = ""
    peer: str = ""
    address: str = ""
    way_in: str = "dimse"
    tls: bool = False
    transfer_syntax: str = ""
    size_bytes: int = 0
    priority: str = "normal"
    windows: Mapping[str, Window] = field(default_factory=dict)

    def local(self) -> datetime:
        """Return the moment of arrival on the node's own clock and calendar."""
        return datetime.fromtimestamp(self.received_at, self.zone)


def facts_of(arrival: Arrival, *, zone: tzinfo, windows: Mapping[str, Window]) -> Facts:
    """Return the facts of an object that came in."""
    source = arrival.source
    return Facts(
        received_at=arrival.received_at,
        zone=zone,
        calling_ae=source.calling_ae,
        called_ae=source.called_ae,
        peer=source.peer,
        address=source.address,
        way_in=source.way_in,
        tls=source.tls,
        transfer_syntax=arrival.instance.transfer_syntax_uid,
        size_bytes=arrival.size_bytes,
        priority=arrival.priority,
        windows=windows,
    )
