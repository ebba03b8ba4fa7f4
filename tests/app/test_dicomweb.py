"""DICOMweb of a node: its settings, and what a broken answer looks like on the wire."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
from pydantic import ValidationError
from starlette.responses import Response, StreamingResponse

from tests.web.standin import StandIn
from waystation.app.server import WebServer
from waystation.app.settings_dicomweb import DicomwebSettings
from waystation.app.wiring_dicomweb import terms
from waystation.dicomweb.accept import DICOM_JSON
from waystation.web.asked import Asked
from waystation.web.dicomweb import DicomWeb, Resource
from waystation.web.site import site
from waystation.web.terms import Terms


@pytest.mark.req("W-1", "W-136", "W-137")
def test_settings_say_what_the_frame_goes_by() -> None:
    found = terms(
        DicomwebSettings(
            dicomweb="/d",
            aliases=("/q", "/d"),
            public_url="https://pacs.example.org/x/",
            trusted_proxies=("10.0.0.7",),
            cors_origins=("https://viewer.example.org",),
            anonymous="read",
        )
    )
    assert found == Terms(
        roots=("/d", "/q"),
        public_url="https://pacs.example.org/x",
        proxies=(ip_network("10.0.0.7/32"),),
        origins=("https://viewer.example.org",),
        open=True,
        rate=1000,
    )


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("dicomweb", "dicom", "starts with a slash"),
        ("dicomweb", "/api/dicom", "taken"),
        ("aliases", ["/x/"], "ends without one"),
        ("aliases", "/x", "expected a list"),
        ("public_url", "pacs.example.org", "the URL that callers use"),
        ("public_url", "ftp://pacs", "the URL that callers use"),
        ("trusted_proxies", ["proxy"], "no address or network"),
        ("cors_origins", ["https://a.org/x"], "scheme and host"),
        ("anonymous", "all", "none"),
        ("max_results", 20_000, "10000"),
    ],
)
def test_a_key_that_cannot_be_meant_is_a_fault(key: str, value: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DicomwebSettings.model_validate({key: value})


async def breaking(_asked: Asked) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"["
        raise OSError("the disk has gone")

    return StreamingResponse(pieces(), media_type=DICOM_JSON)


@pytest.mark.req("W-16", "WT-8")
@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_a_failure_after_the_status_line_breaks_the_connection(coding: str) -> None:
    resource = Resource(method="GET", template="/studies", handler=breaking, summary="breaks")
    server = WebServer()
    port = await server.start(site(StandIn(), DicomWeb(Terms, [resource])), "127.0.0.1", 0)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Accept-Encoding: {coding}\r\n\r\n".encode()
        )
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        await writer.wait_closed()
    finally:
        await server.stop()
    assert answer.startswith(b"HTTP/1.1 200") or answer == b""
    assert not answer.endswith(b"0\r\n\r\n")
    assert b"disk" not in answer
