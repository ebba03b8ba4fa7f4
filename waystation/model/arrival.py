"""An arrival: the fact that one object was received once.  Immutable."""

from dataclasses import dataclass

from waystation.model.instance import Instance
from waystation.model.values import value


@value
class Source:
    """How an object came in: the association facts that rules may ask about.

    fetched_from: name of the PACS that we asked for it, "" for what was sent to us (W-110).
    """

    peer: str  # name of the [peer.NAME] table, "" where anybody may call
    calling_ae: str
    called_ae: str
    address: str
    way_in: str = "dimse"
    tls: bool = False
    fetched_from: str = ""


@value
class Arrival:
    """One object received once.

    id: of our own making, time-ordered, 63 bits; shown as hexadecimal.
    blob: name of the file that holds the bytes, or "" if they ride in the journal.
    size_bytes, sha256: of the data set as it came over the wire (file meta not counted).
    received_at: Unix seconds.
    priority: what the sender asked for: low, normal or stat.
    """

    id: int
    received_at: float
    source: Source
    instance: Instance
    blob: str
    size_bytes: int
    sha256: str
    priority: str = "normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier arrival of the same SOP instance, for the decision about a duplicate.

    open: something of it is still waiting, being sent or held.  last_ended_at: Unix seconds.
    """

    arrival_id: int
    sha256: str
    open: bool
    last_ended_at: float
