"""A DICOM client down to the bytes: for what no decent peer would send, and for exact timing.

Contract: nothing is checked and nothing is hidden.  `associate` and `store` are well-formed;
`send` writes whatever it is given; `read_pdu` returns the next PDU or None at the end of the
stream.  Layouts: PS3.8 section 9.3, PS3.7 annex E.
"""

import contextlib
import socket
import struct
from collections.abc import Sequence

from tests.objects.elements import IMPLEMENTATION, IMPLICIT_LITTLE, element
from tests.objects.files import Stored
from tests.peers.program import HOST

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
C_STORE_RQ, C_ECHO_RQ = 0x0001, 0x0030
NO_DATA_SET, DATA_SET = 0x0101, 0x0000
COMMAND, LAST = 1, 2


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxI", kind, len(body)) + body


def context_item(number: int, abstract: str, syntaxes: Sequence[str]) -> bytes:
    """Return one presentation context as proposed (PS3.8 table 9-13)."""
    inner = item(0x30, abstract.encode()) + b"".join(item(0x40, s.encode()) for s in syntaxes)
    return item(0x20, struct.pack(">B3x", number) + inner)


def associate_request(
    contexts: Sequence[tuple[str, Sequence[str]]],
    *,
    called: str = "WAYSTATION",
    calling: str = "RAW",
    maximum_pdu: int = 16_384,
    application_context: str = APPLICATION_CONTEXT,
    version: int = 1,
) -> bytes:
    """Return an A-ASSOCIATE-RQ PDU proposing ``contexts`` under ids 1, 3, 5 ..."""
    user = item(0x51, struct.pack(">I", maximum_pdu)) + item(0x52, IMPLEMENTATION.encode())
    body = struct.pack(
        ">H2x16s16s32x", version, called.encode().ljust(16), calling.encode().ljust(16)
    )
    body += item(0x10, application_context.encode())
    for position, (abstract, syntaxes) in enumerate(contexts):
        body += context_item(2 * position + 1, abstract, syntaxes)
    return pdu(ASSOCIATE_RQ, body + item(0x50, user))


def command_set(*elements: bytes) -> bytes:
    """Return a command set: group length and ``elements``, implicit little endian."""
    body = b"".join(elements)
    return element(0x00000000, "UL", len(body), implicit=True) + body


def store_command(sop_class: str, sop_instance: str, message_id: int = 1) -> bytes:
    """Return the command set of a C-STORE-RQ (PS3.7 table 9.3-1)."""
    return command_set(
        element(0x00000002, "UI", sop_class, implicit=True),
        element(0x00000100, "US", C_STORE_RQ, implicit=True),
        element(0x00000110, "US", message_id, implicit=True),
        element(0x00000700, "US", 0, implicit=True),
        element(0x00000800, "US", DATA_SET, implicit=True),
        element(0x00001000, "UI", sop_instance, implicit=True),
    )


def echo_command(message_id: int = 1) -> bytes:
    """Return the command set of a C-ECHO-RQ (PS3.7 table 9.3-12)."""
    return command_set(
        element(0x00000002, "UI", VERIFICATION, implicit=True),
        element(0x00000100, "US", C_ECHO_RQ, implicit=True),
        element(0x00000110, "US", message_id, implicit=True),
        element(0x00000800, "US", NO_DATA_SET, implicit=True),
    )


def data_pdus(context: int, flags: int, body: bytes, largest: int = 16_384) -> bytes:
    """Return P-DATA-TF PDUs with one PDV each; ``flags`` is that of the last one."""
    room = largest - 6
    out = bytearray()
    for start in range(0, max(len(body), 1), room):
        part = body[start : start + room]
        last = flags if start + room >= len(body) else flags & ~LAST
        out += pdu(DATA, struct.pack(">IBB", len(part) + 2, context, last) + part)
    return bytes(out)


def command_value(message: bytes, tag: int) -> bytes | None:
    """Return the value of ``tag`` in a command set, None if it is not there."""
    position = 0
    while position + 8 <= len(message):
        group, number, length = struct.unpack_from("<HHI", message, position)
        if group << 16 | number == tag:
            return message[position + 8 : position + 8 + length]
        position += 8 + length
    return None


class RawClient:
    """One TCP connection and what came back on it.

    source: the address to call from; every address of 127.0.0.0/8 is this machine.
    """

    def __init__(self, port: int, *, source: str = HOST, timeout_s: float = 20.0) -> None:
        self._socket = socket.create_connection(
            (HOST, port), timeout=timeout_s, source_address=(source, 0)
        )
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")
        self.largest = 16_384

    def send(self, content: bytes) -> None:
        self._socket.sendall(content)

    def read_pdu(self) -> tuple[int, bytes] | None:
        """Return type and body of the next PDU; None once the other side has closed."""
        try:
            head = self._stream.read(6)
            if len(head) < 6:
                return None
            kind, length = struct.unpack(">BxI", head)
            return kind, self._stream.read(length)
        except ConnectionResetError:
            return None

    def associate(
        self,
        contexts: Sequence[tuple[str, Sequence[str]]] = ((VERIFICATION, (IMPLICIT_LITTLE,)),),
        *,
        called: str = "WAYSTATION",
        calling: str = "RAW",
    ) -> tuple[int, bytes] | None:
        """Ask for an association and return the answering PDU."""
        self.send(associate_request(contexts, called=called, calling=calling))
        answer = self.read_pdu()
        if answer is not None and answer[0] == ASSOCIATE_AC:
            at = answer[1].find(b"\x51\x00\x00\x04")
            offered: int = struct.unpack_from(">I", answer[1], at + 4)[0] if at >= 0 else 0
            self.largest = min(offered or 131_072, 131_072)
        return answer

    def read_message(self) -> bytes | None:
        """Return the next command set, None if something else came."""
        message = b""
        while True:
            answer = self.read_pdu()
            if answer is None or answer[0] != DATA:
                return None
            message += answer[1][6:]
            if answer[1][5] & LAST:
                return message

    def status(self) -> int | None:
        """Return the status of the next response (0000,0900), None if there is none."""
        message = self.read_message()
        value = command_value(message, 0x00000900) if message is not None else None
        return None if value is None else int(struct.unpack("<H", value)[0])

    def echo(self, context: int = 1) -> int | None:
        self.send(data_pdus(context, COMMAND | LAST, echo_command()))
        return self.status()

    def store_request(self, stored: Stored, *, context: int = 1, message_id: int = 1) -> bytes:
        """Return the whole request as it would be sent; UIDs of the command are ``stored``'s."""
        command = store_command(stored.sop_class, stored.sop_instance, message_id)
        return data_pdus(context, COMMAND | LAST, command) + data_pdus(
            context, LAST, stored.data_set, self.largest
        )

    def store(self, stored: Stored, *, context: int = 1, message_id: int = 1) -> int | None:
        """Send one object and return the status of the response."""
        self.send(self.store_request(stored, context=context, message_id=message_id))
        return self.status()

    def release(self) -> None:
        with contextlib.suppress(OSError):
            self.send(pdu(RELEASE_RQ, bytes(4)))
            self.read_pdu()
        self.close()

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> "RawClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
