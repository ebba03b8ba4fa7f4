"""An object in the syntax that the receiver has accepted.

Contract (R-62, R-63): between uncompressed syntaxes the bytes are written anew on their way, with
only the head in memory; everything else is the business of a codec child.  A `Recoded` knows its
digest and its changes once its payload was read to the end.  Raises `UnfitError`, `DatasetError`
or `CodecError` if this object cannot be had so, `WorkroomError` if we are short of something,
and whatever reading the object raises; the same out of the pieces while they are read.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from waystation.codecs.errors import CodecError, WorkroomError
from waystation.codecs.pool import CodecPool, Converted
from waystation.destinations.base import WHOLE_BYTES, Pieces
from waystation.dicom.errors import DatasetError
from waystation.dicom.uids import name_of
from waystation.model.delivery import Delivery
from waystation.transforms.errors import UnfitError
from waystation.transforms.stream import PLAIN, Recoder, recoded

# What the event loop does itself: anything longer would hold up other associations.
AT_ONCE_BYTES = 128 << 10
UNFIT = (UnfitError, DatasetError, CodecError)

__all__ = ["UNFIT", "Recoded", "WorkroomError", "recode"]


class Recoded:
    """What is sent instead of the stored bytes."""

    def __init__(self, delivery: Delivery, syntax: str) -> None:
        self.syntax = syntax
        self.payload: bytes | Pieces = b""
        self._stored = delivery.transfer_syntax_uid
        self._changes: tuple[str, ...] = ()
        self._digest = hashlib.sha256()
        self._converted: Converted | None = None

    @property
    def sha256(self) -> str:
        """The digest of what was sent."""
        return self._converted.sha256 if self._converted else self._digest.hexdigest()

    @property
    def size_bytes(self) -> int | None:
        """The size of what is sent, None as long as nobody knows."""
        if isinstance(self.payload, bytes):
            return len(self.payload)
        return self._converted.size_bytes if self._converted else None

    @property
    def detail(self) -> str:
        """What was changed, in words (R-63)."""
        text = f"{name_of(self._stored)} sent as {name_of(self.syntax)}"
        return f"{text}: {', '.join(self._changes)}" if self._changes else text

    def drop(self) -> None:
        """Let go of what is not needed any more."""
        if self._converted is not None:
            self._converted.drop()

    async def write(self, payload: bytes | Pieces) -> None:
        """Set the payload: another uncompressed syntax."""
        if isinstance(payload, bytes):
            if len(payload) <= AT_ONCE_BYTES:
                self.payload = recoded(payload, self._stored, self.syntax)
            else:
                self.payload = await asyncio.to_thread(recoded, payload, self._stored, self.syntax)
            self._digest.update(self.payload)
            return
        stream = self._stream(payload)
        # Nothing is sent before the head is written: that is where objects turn out to be unfit.
        first = await anext(stream, b"")
        self.payload = Pieces(_after(first, stream))

    async def _stream(self, payload: Pieces) -> AsyncGenerator[bytes, None]:
        recoder = Recoder(self._stored, self.syntax)
        async with aclosing(payload.pieces) as pieces:
            async for piece in pieces:
                for made in await asyncio.to_thread(list, recoder.feed(piece)):
                    self._digest.update(made)
                    yield made
        for made in await asyncio.to_thread(list, recoder.finish()):
            self._digest.update(made)
            yield made

    async def convert(self, payload: bytes | Pieces, sha256: str, pool: CodecPool) -> None:
        """Set the payload: other pixels."""
        has, wanted = self._stored, self.syntax
        if isinstance(payload, bytes):
            made = await pool.convert(payload, digest=sha256, has=has, wanted=wanted)
        else:
            async with aclosing(payload.pieces) as pieces:
                made = await pool.convert(pieces, digest=sha256, has=has, wanted=wanted)
        self._converted, self._changes = made, made.changes
        if made.size_bytes <= WHOLE_BYTES:
            self.payload = await made.whole()
            made.drop()
        else:
            self.payload = Pieces(made.pieces())


async def _after(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


async def recode(
    delivery: Delivery, payload: bytes | Pieces, syntax: str, pool: CodecPool | None
) -> Recoded:
    """Return the object in ``syntax``."""
    made = Recoded(delivery, syntax)
    whole = False
    try:
        if delivery.transfer_syntax_uid in PLAIN and syntax in PLAIN:
            await made.write(payload)
        elif pool is None:
            raise CodecError("pixels are not converted here")
        else:
            await made.convert(payload, delivery.sha256, pool)
        whole = True
    finally:
        if not whole:
            made.drop()
    return made
