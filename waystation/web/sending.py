"""How a DICOMweb answer goes out: its header fields, HEAD, gzip (W-13, W-15, W-17, W-18).

Contract: `reply` sends one response.  gzip only for JSON and XML, if the caller takes it; then the
length is not announced unless it is known.  What a body raises goes up unchanged, so that the
connection breaks (W-16).  Entity tags are compared weakly.
"""

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from waystation.web.problems import HEADERS

SMALLEST: Final = 1400
IN_THREAD: Final = 128 * 1024
GZIP_WINDOW: Final = 31
LEVEL: Final = 1
# Pieces from this size on leave at once.
WORTH: Final = 512
COMPRESSED: Final = (
    "application/dicom+json",
    "application/json",
    'multipart/related; type="application/dicom+xml"',
    "application/vnd.sun.wadl+xml",
)


async def reply(
    response: Response,
    warnings: Sequence[str],
    shown: Mapping[str, str],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Send ``response``.  shown: header fields of CORS."""
    headers = response.headers
    for text in warnings:
        headers.append("warning", text)
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    for name, value in shown.items():
        if name == "vary":
            headers.add_vary_header(value)
        else:
            headers[name] = value
    if scope["method"] == "HEAD":
        await _head(response, send)
        return
    if _can_shrink(headers) and takes_gzip(Headers(scope=scope)):
        send = _Gzip(headers, send)
    await response(scope, receive, send)


async def _head(response: Response, send: Send) -> None:
    """Send the header fields alone."""
    body: Any = getattr(response, "body_iterator", None)
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": response.raw_headers,
        }
    )
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _can_shrink(headers: MutableHeaders) -> bool:
    kind = headers.get("content-type", "")
    if not kind.startswith(COMPRESSED) or "content-encoding" in headers:
        return False
    headers.add_vary_header("Accept-Encoding")
    length = headers.get("content-length")
    return length is None or int(length) >= SMALLEST


def takes_gzip(headers: Headers) -> bool:
    """Tell whether the caller takes gzip."""
    for part in ",".join(headers.getlist("accept-encoding")).split(","):
        name, _, params = part.strip().partition(";")
        if name.strip().lower() in ("gzip", "x-gzip"):
            return params.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


class _Gzip:
    """Compresses what is sent."""

    def __init__(self, headers: MutableHeaders, send: Send) -> None:
        self._headers = headers
        self._send = send
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP_WINDOW)
        self._start: Message = {}

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if len(body) > IN_THREAD:
            packed = await asyncio.to_thread(self._pack, body, more)
        else:
            packed = self._pack(body, more)
        if self._start:
            start, self._start = self._start, {}
            headers = MutableHeaders(raw=list(start["headers"]))
            headers["content-encoding"] = "gzip"
            if more:
                del headers["content-length"]
            else:
                headers["content-length"] = str(len(packed))
            await self._send({**start, "headers": headers.raw})
        if packed or not more:
            await self._send({"type": "http.response.body", "body": packed, "more_body": more})

    def _pack(self, body: bytes, more: bool) -> bytes:
        packed = self._packer.compress(body)
        if not more:
            return packed + self._packer.flush()
        # What has come must not wait in here for what is still to come.
        return packed + self._packer.flush(zlib.Z_SYNC_FLUSH) if len(body) >= WORTH else packed


def is_unchanged(headers: Headers, etag: str) -> bool:
    """Tell whether the caller has this representation already (If-None-Match)."""
    asked = headers.get("if-none-match")
    if asked is None:
        return False
    known = {one.strip().removeprefix("W/") for one in asked.split(",")}
    return "*" in known or etag.removeprefix("W/") in known


def unchanged(etag: str) -> Response:
    """Return the answer to a caller that has it already."""
    return Response(status_code=304, headers={"etag": etag, "cache-control": PRIVATE})


PRIVATE: Final = "private, no-cache"
