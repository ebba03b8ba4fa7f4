"""Request bodies that came compressed: gzip for what is stored, nothing for anything else (L25).

Contract: `receiver` gives what reads a body as it was before it was compressed, piece by piece and
within L12: what grows too much is 413, what does not end as gzip ends is 400, any other coding 415.
"""

import asyncio
import zlib
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from waystation.dicom.limits import DEFAULT_LIMITS
from waystation.web.asked import Refusal

GZIP: Final = 31
PIECE: Final = 1 << 20
NOT_UNDERSTOOD: Final = "The request is not understood"


def receiver(headers: Headers, receive: Receive, *, gzip: bool) -> Receive:
    """Return what reads the body; gzip: whether that coding is taken.  Raises `Refusal` 415."""
    coding = headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        return receive
    if gzip and coding in ("gzip", "x-gzip"):
        return Inflated(receive)
    raise Refusal(
        415,
        "The body is coded in a way that is not taken here",
        "Send it as gzip, or as it is" if gzip else "Send it as it is",
        headers={"Accept-Encoding": "gzip, identity" if gzip else "identity"},
    )


class Inflated:
    """A body that is gzip, read as what is in it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._unpacker = zlib.decompressobj(GZIP)
        self._waiting = b""
        self._more = True
        self._taken = self._made = 0

    async def __call__(self) -> Message:
        """Return the next piece, of at most `PIECE` bytes."""
        while True:
            if not self._waiting and self._more:
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._waiting = message.get("body", b"")
                self._more = message.get("more_body", False)
                self._taken += len(self._waiting)
            data = await asyncio.to_thread(self._inflate)
            if self._unpacker.eof and (self._waiting or self._unpacker.unused_data):
                raise Refusal(400, NOT_UNDERSTOOD, "Something follows the gzip in the body")
            over = not self._waiting and not self._more and len(data) < PIECE
            if over and not self._unpacker.eof:
                raise Refusal(400, NOT_UNDERSTOOD, "The gzip in the body is cut off")
            if data or over:
                return {"type": "http.request", "body": data, "more_body": not over}

    def _inflate(self) -> bytes:
        try:
            data = self._unpacker.decompress(self._waiting, PIECE)
        except zlib.error:
            raise Refusal(400, NOT_UNDERSTOOD, "The body is no gzip") from None
        self._waiting = self._unpacker.unconsumed_tail
        self._made += len(data)
        limits = DEFAULT_LIMITS
        too_wide = self._made > max(limits.inflate_grace, limits.inflate_ratio * self._taken)
        if too_wide or self._made > limits.inflated_bytes:
            raise Refusal(413, "The body is too large", "It grows too much when it is unpacked")
        return data
