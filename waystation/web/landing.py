"""A multipart answer whose objects are still coming from a PACS (W-14, W-90, W-109).

Contract: the status is sent when the first object can be sent; each part leaves as soon as its
object is sealed, in the order in which they land; while one is sent the next is waited for.  A body
that ends well holds every object that was to be had; otherwise the connection breaks.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Final

from starlette.responses import Response

from waystation.dicomweb import multipart
from waystation.dicomweb.accept import DICOM
from waystation.flows.serving import Ready
from waystation.model.delivery import Delivery
from waystation.web import bodies
from waystation.web.bodies import Part
from waystation.web.sending import PRIVATE

# While one object is sent, the next is read if it is no bigger.
AHEAD_BYTES: Final = 2 << 20
Read = Callable[[Delivery], Awaitable[Ready]]


def landing(
    first: Ready, rest: AsyncIterator[Delivery], read: Read, part: Callable[[Ready], Part]
) -> Response:
    """Return the answer.  read: reads an object.  part: makes a part of one that was read."""
    token = bodies.boundary()
    headers = {"content-type": multipart.related(DICOM, token), "cache-control": PRIVATE}
    body = bodies.joined(token, _parts(first, rest, read, part))
    return bodies.Streamed(body, headers=headers)


async def _parts(
    first: Ready, rest: AsyncIterator[Delivery], read: Read, part: Callable[[Ready], Part]
) -> AsyncGenerator[Part, None]:
    now: Ready | None = first
    ahead: asyncio.Task[Ready | Delivery | None] | None = None
    try:
        while now is not None:
            ahead = asyncio.create_task(_next(rest, read))
            sent, now = now, None
            yield part(sent)
            found = await ahead
            now = await read(found) if isinstance(found, Delivery) else found
    finally:
        if now is not None:
            now.drop()
        if ahead is not None:
            await _forget(ahead)


async def _next(rest: AsyncIterator[Delivery], read: Read) -> Ready | Delivery | None:
    """Return the next object, read if it is small; None behind the last one."""
    found = await anext(rest, None)
    if found is None or found.size_bytes > AHEAD_BYTES:
        return found
    return await read(found)


async def _forget(ahead: "asyncio.Task[Ready | Delivery | None]") -> None:
    """Drop what nobody waits for any more."""
    if ahead.done():
        left = None if ahead.cancelled() or ahead.exception() else ahead.result()
        if isinstance(left, Ready):
            left.drop()
        return
    ahead.cancel()
    await asyncio.gather(ahead, return_exceptions=True)
