"""What a caller shows us goes no further, and what a body points at is not looked up (W-138)."""

import asyncio
import json
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import trustme

from tests.app.test_server import GET, OK, answering
from tests.flows import broker_rig
from tests.flows.broker_rig import BrokerRig
from tests.flows.conftest import rig
from tests.flows.rig import Rig
from tests.flows.scripted_pacs import ScriptedPacs, running
from tests.index.conftest import shelf
from tests.index.making import Shelf
from tests.objects.samples import study as objects
from tests.web.living import DICOM_PARTS, Living, path_of
from tests.web.sources import Site, stack, studies, study
from tests.web.test_store_metadata import JSON, XML, body, post, ui
from waystation.app.server import WebServer
from waystation.app.uniting import Uniting
from waystation.dicomweb.stow import read_answer
from waystation.dicomweb.xml_model import to_xml
from waystation.model.peer import TlsFiles
from waystation.net.tls import server_context

__all__ = ("rig", "shelf", "stack")

pytestmark = pytest.mark.req("W-138")
SECRET = "bmVidWNoYWRuZXp6YXI"
SHOWN: dict[str, Any] = {
    "authorization": f"Bearer {SECRET}",
    "cookie": f"login={SECRET}",
    "proxy_authorization": f"Basic {SECRET}",
    "x_api_key": SECRET,
}


@asynccontextmanager
async def overheard(port: int) -> AsyncIterator[tuple[int, bytearray]]:
    """Stand before a port; yield ours, and what was said to it."""
    heard = bytearray()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, onward = await asyncio.open_connection("127.0.0.1", port)

        async def back() -> None:
            while data := await there.read(65536):
                writer.write(data)
            writer.close()

        task = asyncio.create_task(back())
        while data := await reader.read(65536):
            heard.extend(data)
            onward.write(data)
        onward.close()
        await task

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()


async def test_a_search_of_a_pacs_tells_it_nothing_of_who_asks(
    stack: AsyncExitStack, shelf: Shelf, tmp_path: Path
) -> None:
    old = await stack.enter_async_context(
        running(ScriptedPacs(studies(study("1.1", "P", "20200101"))))
    )
    old.port, heard = await stack.enter_async_context(overheard(old.port))
    site = Site(shelf, tmp_path, old)
    stack.push_async_callback(site.client.aclose)
    stack.push_async_callback(site.upstreams.close)
    answer = await site.ask(
        "/sources/old/studies", **{name.replace("_", "-"): text for name, text in SHOWN.items()}
    )
    assert [row["0020000D"]["Value"] for row in answer.json()] == [["1.1"]]
    assert b"BROKER" in heard
    assert SECRET.encode() not in heard


async def test_a_retrieve_from_a_pacs_tells_it_nothing_of_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_rig, "MAKERS", (*broker_rig.MAKERS, Uniting))
    made = BrokerRig(tmp_path)
    sent = objects(2, seed="no further")
    try:
        await made.pacs.start()
        made.pacs.load(*sent)
        async with overheard(made.pacs.port) as (port, heard):
            made.pacs.port, own = port, made.pacs.port
            await made.start()
            made.pacs.port = own
            web = Living(cast("Rig", made))
            path = "/sources/old" + path_of(sent[0], "study")
            parts = await web.ask(path, accept=DICOM_PARTS, **SHOWN)
            assert parts.status_code == 200, parts.text
            assert b"BROKER" in heard
            assert SECRET.encode() not in heard
            await made.stop()
    finally:
        await made.close()


@pytest.mark.parametrize("media", [JSON, XML])
async def test_bulk_data_from_outside_is_not_looked_up(rig: Rig, media: str) -> None:
    knocked: list[bytes] = []

    async def knock(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocked.append(await reader.read(100))
        writer.close()

    await rig.start()
    web = Living(rig)
    server = await asyncio.start_server(knock, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    (tmp := rig.folder / "secret.bin").write_bytes(b"secret")
    uris = [f"http://127.0.0.1:{port}/1", f"file://{tmp}", str(tmp), "//127.0.0.1/x", "../x"]
    for number, uri in enumerate(uris):
        one = {
            "00080016": ui("1.2.840.10008.5.1.4.1.1.104.1"),
            "00080018": ui(f"1.2.5.{number}"),
            "0020000D": ui("1.2.3"),
            "0020000E": ui("1.2.4"),
            "00420011": {"vr": "OB", "BulkDataURI": uri},
        }
        text = json.dumps([one]).encode() if media == JSON else to_xml(one)
        answer = await post(web, body([text], media, []), media)
        told = read_answer(answer.content)
        assert (answer.status_code, told and told.failed) == (409, {f"1.2.5.{number}": 0xC010})
    assert knocked == []
    server.close()


async def test_tls_is_spoken_in_the_process_from_1_2_on(tmp_path: Path) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    made.private_key_pem.write_to_path(key)
    web = WebServer()
    files = TlsFiles(certificate=str(certificate), key=str(key), client_auth="off")
    port = await web.start(answering, "127.0.0.1", 0, server_context(files))
    try:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            assert (await exchange(port, authority, version)).startswith(OK)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await exchange(port, authority, ssl.TLSVersion.TLSv1_1)
    finally:
        await web.stop()


async def exchange(port: int, authority: trustme.CA, version: ssl.TLSVersion) -> bytes:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(GET)
    answer = await reader.read()
    writer.close()
    return answer
