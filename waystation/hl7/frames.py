"""Messages out of a stream: the minimal lower layer protocol (MLLP release 1).

Contract: feed any bytes in any pieces; `Frames.next` gives each whole message, without its frame.
What stands between frames is skipped.  A message longer than ``largest`` raises `Hl7Error` before
more of it is held; the connection is of no use any more then.

Layout: 0B, the message, 1C 0D.
"""

from typing import Final

from waystation.hl7.errors import Hl7Error
from waystation.hl7.message import LARGEST

BEGIN: Final = b"\x0b"
END: Final = b"\x1c\x0d"


def framed(message: bytes) -> bytes:
    """Return the message in its frame."""
    return BEGIN + message + END


class Frames:
    """The messages of one connection."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._bytes = bytearray()
        self._seen = 0

    @property
    def is_open(self) -> bool:
        """True while a message has begun and not ended."""
        return bool(self._bytes)

    @property
    def begun(self) -> bytes:
        """Return what there is of the message that has begun, without its frame."""
        return bytes(self._bytes[1:4097])

    def feed(self, data: bytes) -> None:
        """Take bytes; what lies outside a frame is forgotten."""
        if not self._bytes:
            start = data.find(BEGIN)
            if start < 0:
                return
            data = data[start:]
        self._bytes += data

    def next(self) -> bytes | None:
        """Return one whole message, None for "need more".  Raises `Hl7Error` if it is too long."""
        end = self._bytes.find(END, max(self._seen - 1, 0))
        if (len(self._bytes) if end < 0 else end) > self._largest + 1:
            text = f"more than {self._largest} bytes"
            raise Hl7Error("", text, rejected=True)
        if end < 0:
            self._seen = len(self._bytes)
            return None
        message = bytes(self._bytes[1:end])
        start = self._bytes.find(BEGIN, end + len(END))
        del self._bytes[: start if start >= 0 else len(self._bytes)]
        self._seen = 0
        return message
