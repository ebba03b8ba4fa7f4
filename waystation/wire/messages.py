"""Messages out of PDV fragments, and fragments out of messages (PS3.8 annex E, PS3.7 6.3).

Contract: `MessageReader` is told of every PDV when its header is there (`begin`) and gets its
bytes in whatever pieces they come (`part`).  A command set is collected, a data set passes
through as views, uncopied.  Messages never interleave: command first, all of it, then the data
set its Command Data Set Type announced, all on one accepted context.  What breaks this order is a
`PeerError`; so are limits L4 (empty fragments), L7 and L8, on sight of the PDV header.
"""

from collections.abc import Container

from waystation.model.errors import PeerError
from waystation.wire.command_codec import decode
from waystation.wire.events import DataCame, Event, MessageBegun
from waystation.wire.limits import Limits
from waystation.wire.pdus import COMMAND_FRAGMENT, LAST_FRAGMENT, P_DATA_HEADER, P_DATA_TF

NOTHING = memoryview(b"")
_NO_CONTEXT = -1  # 0 is no legal id, but a peer can send it


class MessageReader:
    """Assembles what the peer sends.  ``contexts``: those that were accepted, by id."""

    def __init__(self, limits: Limits) -> None:
        self.contexts: Container[int] = ()
        self._limits = limits
        self._context_id = _NO_CONTEXT  # of the message under way
        self._data_due = False  # its command is complete, its data set is not
        self._command = bytearray()
        self._size = 0
        self._empty = 0
        self._is_command = False
        self._last = False

    def begin(self, context_id: int, control: int, length: int) -> None:
        """A PDV of ``length`` bytes starts; bits 2 to 7 of ``control`` are not tested (E.2)."""
        self._is_command = is_command = control & COMMAND_FRAGMENT != 0
        self._last = control & LAST_FRAGMENT != 0
        if context_id != self._context_id:
            self._open(context_id)
        if is_command is self._data_due:
            kind = "command" if is_command else "data set"
            raise PeerError(f"{kind} fragment out of order", abort_reason=2)
        if length:
            self._empty = 0
        else:
            self._empty += 1
            if self._empty > self._limits.empty_fragments:
                raise PeerError("too many empty fragments in a row", abort_reason=6)
        if is_command:
            if len(self._command) + length > self._limits.command_bytes:
                raise PeerError("command set over its limit", abort_source=0)
        else:
            self._size += length
            if self._size > self._limits.max_object:
                raise PeerError(
                    f"data set of more than {self._limits.max_object} bytes", abort_source=0
                )

    def _open(self, context_id: int) -> None:
        if self._context_id != _NO_CONTEXT:
            raise PeerError("a message starts inside another one", abort_reason=2)
        if context_id not in self.contexts:
            raise PeerError(f"context {context_id} was not accepted", abort_reason=6)
        self._context_id = context_id

    def part(self, data: memoryview, ends: bool, events: list[Event]) -> None:
        """Take the next bytes of the PDV; ``ends``: they are its last."""
        if not self._is_command:
            last = ends and self._last
            if last:
                context_id, self._context_id = self._context_id, _NO_CONTEXT
                self._data_due = False
                events.append(DataCame(context_id, data, True))
            elif data:
                events.append(DataCame(self._context_id, data, False))
        elif ends and self._last:
            self._finish_command(data, events)
        else:
            self._command += data

    def _finish_command(self, data: memoryview, events: list[Event]) -> None:
        whole = bytes(self._command) + data if self._command else bytes(data)
        self._command.clear()
        command = decode(whole, self._limits)
        events.append(MessageBegun(self._context_id, command, command.has_data))
        if command.has_data:
            self._data_due = True
            self._size = 0
        else:
            self._context_id = _NO_CONTEXT


def fragments(
    context_id: int, data: bytes | memoryview, *, command: bool, last: bool, room: int
) -> list[bytes | memoryview]:
    """Return P-DATA-TF PDUs of one PDV each, as ``[header, view, header, view ...]``.

    room: bytes of data that fit in one PDU.  ``last``: the message part ends with this data.
    """
    flag = COMMAND_FRAGMENT if command else 0
    final = flag | LAST_FRAGMENT if last else flag
    size = len(data)
    if size <= room:
        head = P_DATA_HEADER.pack(P_DATA_TF, size + 6, size + 2, context_id, final)
        return [head, data] if size else [head]
    view = memoryview(data)
    head = P_DATA_HEADER.pack(P_DATA_TF, room + 6, room + 2, context_id, flag)
    pieces: list[bytes | memoryview] = []
    tail = (size - 1) // room * room
    for start in range(0, tail, room):
        pieces.append(head)
        pieces.append(view[start : start + room])
    rest = size - tail
    pieces.append(P_DATA_HEADER.pack(P_DATA_TF, rest + 6, rest + 2, context_id, final))
    pieces.append(view[tail:])
    return pieces
