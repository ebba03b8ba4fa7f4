"""Bodies that are sent while they are read: multipart or single, whole or a range of them.

Contract (W-14 to W-16, W-18, W-74, W-75, W-85): pieces go out as fast as the reader takes them and
no faster.  The length is announced where it is known.  A failure while sending breaks the
connection: nothing that ends well was ever cut.  What a body holds is let go of when it ends,
however it ends.
"""

import hashlib
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, cast

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from waystation.dicomweb import multipart
from waystation.web.asked import Asked, Refusal
from waystation.web.sending import PRIVATE, is_unchanged, unchanged

PIECE: Final = 1 << 20
Pieces = AsyncGenerator[bytes, None]
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


class Streamed(StreamingResponse):
    """A response whose body is closed at its end, whoever caused it.

    A body that is known to be small is read before it is sent: head and body leave together.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        if int(self.headers.get("content-length", PIECE + 1)) > PIECE:
            await super().__call__(scope, receive, send)
            return
        head = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        body = cast(Pieces, self.body_iterator)
        try:
            async with aclosing(body):
                whole = b"".join([piece async for piece in body])
        except Exception:
            # The caller learns of it as of any failure while sending: the connection breaks.
            await send(head)
            raise
        await send(head)
        await send({"type": "http.response.body", "body": whole, "more_body": False})

    async def stream_response(self, send: Send) -> None:
        """Send head and body."""
        async with aclosing(self.body_iterator):  # type: ignore[type-var]
            await super().stream_response(send)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One body, or part of one.

    media: its type, without ``transfer-syntax``.  syntax: "" for none.  size: in bytes, None if
    unknown.  pieces: gives its bytes, once.
    """

    media: str
    syntax: str
    location: str
    size: int | None
    pieces: Callable[[], Pieces]

    @property
    def content_type(self) -> str:
        """The type with its syntax."""
        return f"{self.media}; transfer-syntax={self.syntax}" if self.syntax else self.media


def boundary() -> str:
    """Return a boundary that no object can contain but by chance."""
    return secrets.token_hex(16)


def etag_of(parts: Iterable[str | bytes], *, weak: bool = True) -> str:
    """Return the entity tag of what these name."""
    digest = hashlib.sha256()
    for one in parts:
        digest.update(one if isinstance(one, bytes) else one.encode())
        digest.update(b"\0")
    return ("W/" if weak else "") + f'"{digest.hexdigest()[:32]}"'


def not_modified(asked: Asked, etag: str) -> Response | None:
    """Return 304 if the caller has it already."""
    return unchanged(etag) if is_unchanged(asked.headers, etag) else None


def fields(etag: str, content_type: str, size: int | None = None) -> dict[str, str]:
    """Return the header fields of a body."""
    found = {"etag": etag, "cache-control": PRIVATE, "content-type": content_type}
    return found if size is None else {**found, "content-length": str(size)}


async def sliced(pieces: Pieces) -> Pieces:
    """Yield pieces of bounded size, so that no more than that waits for the reader."""
    async with aclosing(pieces):
        async for piece in pieces:
            if len(piece) <= PIECE:
                yield piece
                continue
            view = memoryview(piece)
            for at in range(0, len(view), PIECE):
                yield bytes(view[at : at + PIECE])


async def joined(token: str, parts: AsyncIterator[Part]) -> Pieces:
    """Yield a multipart body; what is small leaves together with what follows in its part."""
    async for part in parts:
        held = [multipart.part_head(token, part.media, part.syntax, part.location, part.size)]
        size = len(held[0])
        async with aclosing(sliced(part.pieces())) as pieces:
            async for piece in pieces:
                if size + len(piece) > PIECE:
                    yield b"".join(held)
                    held, size = [], 0
                held.append(piece)
                size += len(piece)
        yield b"".join([*held, multipart.CRLF])
    yield multipart.end(token)


def length_of(token: str, parts: Iterable[Part]) -> int | None:
    """Return the length of a multipart body, None if that of a part is unknown."""
    total = len(multipart.end(token))
    for part in parts:
        if part.size is None:
            return None
        head = multipart.part_head(token, part.media, part.syntax, part.location, part.size)
        total += len(head) + part.size + len(multipart.CRLF)
    return total


async def listed(parts: Iterable[Part]) -> AsyncGenerator[Part, None]:
    """Yield parts that are known already."""
    for part in parts:
        yield part


def several(media: str, parts: list[Part], etag: str) -> Response:
    """Return a multipart answer."""
    token = boundary()
    headers = fields(etag, multipart.related(media, token), length_of(token, parts))
    return Streamed(joined(token, listed(parts)), headers=headers)


def single(asked: Asked, part: Part, etag: str, more: Mapping[str, str] | None = None) -> Response:
    """Return one body, or the range of it that was asked for."""
    headers = fields(etag, part.content_type, part.size) | dict(more or {})
    if part.size is None:
        return Streamed(sliced(part.pieces()), headers=headers)
    headers["accept-ranges"] = "bytes"
    span = _span(asked, part.size, etag)
    if span is None:
        return Streamed(sliced(part.pieces()), headers=headers)
    first, last = span
    headers["content-range"] = f"bytes {first}-{last}/{part.size}"
    headers["content-length"] = str(last - first + 1)
    return Streamed(sliced(_between(part.pieces(), first, last + 1)), 206, headers=headers)


def at_hand(asked: Asked, media: str, data: bytes, etag: str) -> Response:
    """Return a body that is in memory, or the range of it that was asked for."""
    if "range" in asked.headers:

        async def pieces() -> Pieces:
            yield data

        part = Part(media=media, syntax="", location="", size=len(data), pieces=pieces)
        return single(asked, part, etag)
    return Response(data, headers=fields(etag, media, len(data)) | {"accept-ranges": "bytes"})


def _span(asked: Asked, size: int, etag: str) -> tuple[int, int] | None:
    """Return first and last byte of the one range that is asked for, None for all of it."""
    match = _RANGE.fullmatch(asked.headers.get("range", "").strip())
    only_if = asked.headers.get("if-range")
    if match is None or (only_if is not None and only_if != etag):
        return None
    first, last = match.groups()
    if first:
        span = int(first), min(int(last), size - 1) if last else size - 1
    elif last:
        span = max(0, size - int(last)), size - 1
    else:
        return None
    if last and first and int(last) < int(first):
        return None
    if span[0] > span[1]:
        raise Refusal(416, "There are no such bytes", headers={"Content-Range": f"bytes */{size}"})
    return span


async def _between(pieces: Pieces, first: int, stop: int) -> Pieces:
    at = 0
    async with aclosing(pieces):
        async for piece in pieces:
            if at >= stop:
                return
            part = piece[max(0, first - at) : stop - at]
            at += len(piece)
            if part:
                yield part
