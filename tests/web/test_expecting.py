"""A caller that asks before it sends a large body (RFC 9110 section 10.1.1)."""

import asyncio

import pytest

from tests.flows.conftest import rig
from tests.flows.rig import TINY, Rig
from tests.objects.samples import as_file
from tests.web.living import Living
from tests.web.standin import StandIn
from tests.web.test_store import KIND, body
from waystation.app.server import WebServer
from waystation.web.site import site

__all__ = ("rig",)


@pytest.mark.req("W-94")
async def test_only_who_may_store_this_is_told_to_go_on(rig: Rig) -> None:
    await rig.start("")
    web = Living(rig)
    server = WebServer()
    port = await server.start(site(StandIn(), web.frame), "127.0.0.1", 0)
    content = body(as_file(TINY))

    async def asked(kind: str, host: str) -> tuple[bytes, bytes]:
        """Return the first line that comes, and the one that comes after the body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (
            f"POST /dicom-web/studies HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(content)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode())
        first = await reader.readline()
        last = b""
        if first.startswith(b"HTTP/1.1 100"):
            await reader.readline()
            writer.write(content)
            last = await reader.readline()
        writer.close()
        return first, last

    try:
        own = f"127.0.0.1:{port}"
        first, _ = await asked("text/plain", own)
        assert first.startswith(b"HTTP/1.1 415")
        first, _ = await asked(KIND, "elsewhere.example.org")
        assert first.startswith(b"HTTP/1.1 400")
        first, last = await asked(KIND, own)
        assert first.startswith(b"HTTP/1.1 100")
        assert last.startswith(b"HTTP/1.1 200")
    finally:
        await server.stop()
