"""PDUs out of whatever pieces the network delivers; P-DATA passes through unbuffered.

Contract: `feed` any bytes in any pieces.  Kept between calls are at most one header of six bytes
or the body of one association PDU, as far as it has come; nothing is allocated by a declared
length.  The fragments of a P-DATA-TF go to the `MessageReader` as views into the caller's buffer
while the PDU is still arriving.

The owner decides what a PDU means: `Owner.pdu_opened` on sight of its header, `Owner.pdu_came`
when its body is there, `Owner.fault` for everything that breaks the rules.  After a fault inside
a P-DATA-TF the rest of that PDU is skipped; once a header makes no sense, nothing more is read.

Layout: PDU header and PDV header both have six bytes (PS3.8 9.3.1, 9.3.5.1).
"""

from enum import Enum
from typing import Protocol

from waystation.model.errors import PeerError
from waystation.wire.events import Event
from waystation.wire.limits import Limits
from waystation.wire.messages import NOTHING, MessageReader
from waystation.wire.pdus import HEADER, PDV_HEADER

_HEADER_SIZE = 6


class Handling(Enum):
    """What to do with the body of a PDU whose header has come."""

    STREAM = "stream"
    COLLECT = "collect"
    SKIP = "skip"


class Owner(Protocol):
    """Whoever gives the PDUs their meaning."""

    def pdu_opened(self, kind: int, length: int, events: list[Event]) -> Handling: ...

    def pdu_came(self, kind: int, body: bytes, events: list[Event]) -> None: ...

    def fault(self, error: PeerError, events: list[Event]) -> None: ...


class PduStream:
    """Cuts a byte stream into PDUs.  ``stopped``: what follows is not looked at any more."""

    def __init__(self, owner: Owner, messages: MessageReader, limits: Limits) -> None:
        self.stopped = False
        self._owner = owner
        self._messages = messages
        self._pdvs_allowed = limits.pdvs_per_pdu
        self._header = bytearray()  # the part of a header that has come
        self._pdu_left = 0  # bytes of this P-DATA-TF behind the current PDV
        self._fragment_left = 0  # bytes of the current PDV
        self._pdvs = 0
        self._skip = 0
        self._body_kind = 0
        self._body_left = 0
        self._body = bytearray()

    def feed(self, data: bytes | memoryview, events: list[Event]) -> None:
        """Take the next bytes; what they mean is appended to ``events``.

        ``position`` is moved before anything can raise, so that reading goes on behind a fault.
        """
        view = memoryview(data)
        position = 0
        end = len(view)
        while position < end and not self.stopped:
            try:
                while position < end and not self.stopped:
                    start = position
                    left = self._fragment_left
                    if left:
                        position = min(start + left, end)
                        self._fragment_left = left = left - (position - start)
                        self._messages.part(view[start:position], not left, events)
                    elif self._skip:
                        position = min(start + self._skip, end)
                        self._skip -= position - start
                    elif self._body_left:
                        position = min(start + self._body_left, end)
                        self._collect(view[start:position], events)
                    elif self._header or end - start < _HEADER_SIZE:
                        position = min(start + _HEADER_SIZE - len(self._header), end)
                        self._complete(view[start:position], events)
                    else:
                        position = start + _HEADER_SIZE
                        self._open(view, start, events)
            except PeerError as error:
                self.skip_pdu()
                self._owner.fault(error, events)

    def stop(self) -> None:
        """Look at nothing more: the transport is to be closed, or the frames make no sense."""
        self.stopped = True
        self._body.clear()

    def skip_pdu(self) -> None:
        """Pass over the rest of the P-DATA-TF under way, if there is one."""
        if self._pdu_left:
            # What stands here is the beginning of a PDV header, counted in the PDU.
            self._pdu_left -= len(self._header)
            self._header.clear()
        self._skip += self._pdu_left + self._fragment_left
        self._pdu_left = self._fragment_left = 0

    def _complete(self, piece: memoryview, events: list[Event]) -> None:
        """Put a header together that came in pieces."""
        self._header += piece
        if len(self._header) == _HEADER_SIZE:
            header = bytes(self._header)
            self._header.clear()
            self._open(header, 0, events)

    def _open(self, header: bytes | memoryview, position: int, events: list[Event]) -> None:
        if self._pdu_left:
            length, context_id, control = PDV_HEADER.unpack_from(header, position)
            self._open_pdv(length, context_id, control, events)
        else:
            kind, length = HEADER.unpack_from(header, position)
            self._open_pdu(kind, length, events)

    def _open_pdv(self, length: int, context_id: int, control: int, events: list[Event]) -> None:
        self._pdu_left -= _HEADER_SIZE
        size = length - 2
        if size < 0 or size > self._pdu_left:
            raise PeerError(f"PDV of {length} bytes does not fit its PDU", abort_reason=6)
        rest = self._pdu_left - size
        if 0 < rest < _HEADER_SIZE:
            raise PeerError("bytes behind the last PDV of a PDU", abort_reason=6)
        self._pdvs += 1
        if self._pdvs > self._pdvs_allowed:
            raise PeerError(f"more than {self._pdvs_allowed} PDVs in a PDU", abort_reason=6)
        self._pdu_left = rest
        self._fragment_left = size
        self._messages.begin(context_id, control, size)
        if not size:
            self._messages.part(NOTHING, True, events)

    def _open_pdu(self, kind: int, length: int, events: list[Event]) -> None:
        handling = self._owner.pdu_opened(kind, length, events)
        if self.stopped:
            return
        if handling is Handling.STREAM:
            self._pdu_left = length
            self._pdvs = 0
            if length < _HEADER_SIZE:
                raise PeerError("a P-DATA-TF without a whole PDV", abort_reason=6)
        elif handling is Handling.SKIP:
            self._skip = length
        elif length:
            self._body_kind = kind
            self._body_left = length
        else:
            self._owner.pdu_came(kind, b"", events)

    def _collect(self, piece: memoryview, events: list[Event]) -> None:
        """Put the body of an association PDU together."""
        self._body += piece
        self._body_left -= len(piece)
        if not self._body_left:
            body = bytes(self._body)
            self._body.clear()
            self._owner.pdu_came(self._body_kind, body, events)
