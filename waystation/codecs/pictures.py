"""Pictures out of what was drawn: each behind its length (8 bytes, big endian).

Contract: ``Made`` is what a codec child wrote into a file, or what was drawn in memory.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from waystation.codecs.errors import WorkroomError
from waystation.codecs.pool import Converted
from waystation.transforms.render_job import Drawn

LENGTH_BYTES = 8


class Held:
    """Pictures in memory, written as a child writes them."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def whole(self) -> bytes:
        """Return all of it."""
        return self._data

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield it."""
        yield self._data

    def drop(self) -> None:
        """Let go of it."""
        self._data = b""


Made = Converted | Held


def drawn(made: Converted) -> Drawn:
    """Return what a child says about the pictures that it made."""
    return Drawn(*map(int, made.changes))


async def only_picture(made: Made) -> bytes:
    """Return the first picture, read at once; raises `WorkroomError`."""
    data = await made.whole()
    end = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "big")
    if not LENGTH_BYTES <= end <= len(data):
        raise WorkroomError("converting: a picture is cut off")
    return data[LENGTH_BYTES:end]


async def pictures(made: Made) -> AsyncGenerator[bytes, None]:
    """Yield the pictures one by one; raises `WorkroomError`."""
    held = bytearray()
    async with aclosing(made.pieces()) as pieces:
        async for piece in pieces:
            held += piece
            while (whole := _first(held)) is not None:
                yield whole
    if held:
        raise WorkroomError("converting: a picture is cut off")


def _first(held: bytearray) -> bytes | None:
    """Take the first picture out of what is held, None if it is not all there."""
    end = LENGTH_BYTES + int.from_bytes(held[:LENGTH_BYTES], "big")
    if len(held) < LENGTH_BYTES or len(held) < end:
        return None
    whole = bytes(held[LENGTH_BYTES:end])
    del held[:end]
    return whole
