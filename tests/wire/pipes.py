"""Two associations back to back, and raw PDUs for whoever wants to break the rules."""

from collections.abc import Iterable, Sequence
from struct import pack
from typing import Any

from waystation.wire.association import Association
from waystation.wire.commands import C_STORE_RQ, Command
from waystation.wire.events import Aborted, AssociateAsked, DataCame, Event, MessageBegun
from waystation.wire.items import AssociateRequest, ProposedContext
from waystation.wire.limits import DEFAULT_LIMITS, Limits
from waystation.wire.negotiate import AcceptPolicy, answer
from waystation.wire.pdus import encode_request

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"

REQUEST = AssociateRequest(
    called_ae="WAYSTATION",
    calling_ae="CT1",
    contexts=(ProposedContext(1, CT, (EXPLICIT, IMPLICIT)), ProposedContext(3, MR, (IMPLICIT,))),
)
STORE = Command(field=C_STORE_RQ, message_id=7, sop_class_uid=CT, sop_instance_uid="1.2.3.4")


def output(association: Association) -> bytes:
    """All that the association wants written."""
    return b"".join(association.take_output())


def asked(limits: Limits = DEFAULT_LIMITS, request: AssociateRequest = REQUEST) -> Association:
    """An acceptor in Sta3."""
    acceptor = Association.accepting(limits)
    (event,) = acceptor.receive(encode_request(request))
    assert isinstance(event, AssociateAsked)
    return acceptor


def established(
    limits: Limits = DEFAULT_LIMITS, request: AssociateRequest = REQUEST, max_pdu: int | None = None
) -> tuple[Association, Association]:
    """A requestor and an acceptor in Sta6."""
    requestor = Association.requesting(request, limits)
    requestor.begin()
    acceptor = Association.accepting(limits)
    (event,) = acceptor.receive(output(requestor))
    assert isinstance(event, AssociateAsked)
    negotiated = answer(AcceptPolicy(), event.request)
    acceptor.accept(negotiated.results, max_pdu=max_pdu, roles=negotiated.roles)
    requestor.receive(output(acceptor))
    assert requestor.established
    assert acceptor.established
    return requestor, acceptor


def chunks(stream: bytes, sizes: Iterable[int]) -> Iterable[bytes]:
    """Cut ``stream``; the last size serves for the rest."""
    position = 0
    size = len(stream) or 1
    for size in sizes:
        if position >= len(stream):
            return
        yield stream[position : position + size]
        position += size
    while position < len(stream):
        yield stream[position : position + size]
        position += size


def told(association: Association, pieces: Iterable[bytes]) -> list[Event]:
    """Feed pieces; return the events with the views copied and joined per message."""
    events: list[Event] = []
    joined = b""
    for piece in pieces:
        for event in association.receive(piece):
            if isinstance(event, DataCame):
                joined += event.data
                if event.last:
                    events.append(DataCame(event.context_id, memoryview(joined), True))
                    joined = b""
            else:
                if joined:
                    events.append(DataCame(0, memoryview(joined), False))
                    joined = b""
                events.append(event)
    if joined:
        events.append(DataCame(0, memoryview(joined), False))
    return events


def messages(events: Sequence[Event]) -> list[tuple[int, Command, bytes | None]]:
    """Return (context, command, data) of each whole message in joined events."""
    whole: list[tuple[int, Command, bytes | None]] = []
    for number, event in enumerate(events):
        if isinstance(event, MessageBegun):
            data = None
            if event.has_data:
                following = events[number + 1]
                assert isinstance(following, DataCame)
                assert following.last
                data = bytes(following.data)
            whole.append((event.context_id, event.command, data))
    return whole


def pdu(kind: int, body: bytes) -> bytes:
    return pack(">BxI", kind, len(body)) + body


def pdv(data: bytes, *, command: bool = False, last: bool = True, context_id: int = 1) -> bytes:
    return pack(">IBB", len(data) + 2, context_id, command | last << 1) + data


def abort_of(association: Association) -> tuple[int, int]:
    """Source and reason of the one A-ABORT that waits for being written."""
    written = output(association)
    assert len(written) == 10
    assert written[:6] == b"\x07\0\0\0\0\x04"
    return written[8], written[9]


def fault(events: list[Event], association: Association) -> tuple[int, int]:
    """The one fault reported, which must be the one that was sent."""
    last = events[-1]
    assert isinstance(last, Aborted)
    assert last.by == "us"
    assert last.problem
    pair = abort_of(association)
    assert pair == (last.source, last.reason)
    assert association.ended
    return pair


def request_pdu(**changes: Any) -> bytes:
    fields: dict[str, Any] = {"called_ae": "WAYSTATION", "calling_ae": "CT1"}
    return encode_request(AssociateRequest(**(fields | changes)))
