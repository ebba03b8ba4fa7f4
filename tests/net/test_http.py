"""What the HTTP client does, and above all what it does not."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.net.http_sink import CUT, NOISE, SILENT, Answer, serving
from waystation.model.errors import ConfigError, LostError, UnreachableError
from waystation.model.peer import TlsFiles
from waystation.net import http
from waystation.net.http import HttpClient, HttpSettings, HttpWaits, may_be_meant
from waystation.net.tls import server_context

QUICK = HttpWaits(connect_s=1.0, progress_s=1.0, response_s=0.3)


def client(**settings: Any) -> HttpClient:
    return HttpClient(HttpSettings(**{"waits": QUICK, **settings}))


async def test_a_request_and_its_answer() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async with serving(lambda _: Answer(status=418, body=b"tea", headers={"Retry-After": "5"})) as (
        sink
    ):
        caller = client(headers=(("X-Site", "north"),))
        reply = await caller.request(
            "PUT", f"{sink.url}/a/b", headers={"Content-Length": "7"}, body=pieces()
        )
        assert (reply.status, reply.body, reply.retry_after) == (418, b"tea", "5")
        (request,) = sink.requests
        assert (request.method, request.target, request.body) == ("PUT", "/a/b", b"one two")
        assert request.headers["x-site"] == "north"
        assert request.headers["content-length"] == "7"
        assert "transfer-encoding" not in request.headers
        assert request.headers["user-agent"].startswith("waystation/")
        await caller.close()


@pytest.mark.req("S-63")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(status: int) -> None:
    async with serving() as other:
        elsewhere = {"Location": f"{other.url}/take-the-password"}
        async with serving(lambda _: Answer(status=status, headers=elsewhere)) as sink:
            caller = client()
            reply = await caller.request("POST", sink.url, headers={"Authorization": "Basic x"})
            assert reply.status == status
            await caller.close()
        assert other.requests == []
        assert other.connections == 0


@pytest.mark.req("S-63")
async def test_what_the_environment_says_about_proxies_and_passwords_does_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    async with serving() as proxy, serving(lambda _: Answer()) as sink:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
        caller = client()
        assert (await caller.request("GET", sink.url)).status == 200
        await caller.close()
        assert proxy.connections == 0
        assert "authorization" not in sink.requests[0].headers


@pytest.mark.req("S-63")
async def test_a_configured_proxy_is_used() -> None:
    async with serving(lambda _: Answer(status=204)) as proxy:
        caller = client(proxy=proxy.url)
        reply = await caller.request("GET", "http://pacs.example/dicom-web")
        assert reply.status == 204
        assert proxy.requests[0].target == "http://pacs.example/dicom-web"
        await caller.close()


async def test_cookies_are_forgotten() -> None:
    async with serving(lambda _: Answer(headers={"Set-Cookie": "session=1; Path=/"})) as sink:
        caller = client()
        for _ in range(2):
            await caller.request("GET", sink.url)
        assert sink.connections == 1
        assert all("cookie" not in request.headers for request in sink.requests)
        await caller.close()


@pytest.mark.req("L19", "O4")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (SILENT, "no answer in time"),
        (CUT, "the connection ended without an answer that is HTTP"),
        (NOISE, "the connection ended without an answer that is HTTP"),
    ],
)
async def test_no_answer_is_a_lost_request_and_its_words_are_ours(answer: str, words: str) -> None:
    async with serving(lambda _: answer) as sink:
        caller = client()
        with pytest.raises(LostError) as caught:
            await caller.request("POST", f"{sink.url}/s?PatientID=42", body=b"patient^name")
        assert str(caught.value) == f"127.0.0.1:{sink.port}: {words}"
        await caller.close()


@pytest.mark.req("L19")
async def test_a_server_that_takes_nothing_more_is_given_up() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1 << 20)

    writers: list[asyncio.StreamWriter] = []

    async def deaf(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.transport.pause_reading()  # type: ignore[attr-defined]

    server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1024)
    port = server.sockets[0].getsockname()[1]
    caller = client(waits=HttpWaits(connect_s=1.0, progress_s=0.3, response_s=0.3))
    with pytest.raises(LostError, match="takes no more"):
        await caller.request("POST", f"http://127.0.0.1:{port}", body=endless())
    await caller.close()
    writers[0].transport.abort()
    server.close()
    await asyncio.sleep(0.01)


@pytest.mark.req("O3")
async def test_nobody_there_is_unreachable() -> None:
    async with serving() as sink:
        url = sink.url
    caller = client()
    with pytest.raises(UnreachableError) as caught:
        await caller.request("GET", url)
    assert caught.value.layer == "connect"
    assert not caught.value.permanent
    await caller.close()


@pytest.mark.req("S-63")
@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("192.168.0.4", True),
        ("8.8.8.8", True),
        ("fd00::5", True),
        ("127.0.0.1", False),
        ("127.9.9.9", False),
        ("::1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("100.100.100.200", False),
        ("fd00:ec2::254", False),
        ("224.0.0.1", False),
    ],
)
def test_where_a_name_may_lead(address: str, allowed: bool) -> None:
    assert may_be_meant(address) is allowed


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def found(*_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(2, 1, 6, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found, raising=False)


@pytest.mark.req("S-63")
async def test_a_name_that_leads_to_this_machine_is_refused_for_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving() as sink:
        resolving(monkeypatch, "127.0.0.1", "169.254.169.254")
        caller = client()
        with pytest.raises(UnreachableError) as caught:
            await caller.request("GET", f"http://pacs.example:{sink.port}")
        assert caught.value.permanent
        assert sink.connections == 0
        await caller.close()


@pytest.mark.req("S-63")
async def test_the_address_that_was_looked_at_is_the_one_that_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(lambda _: Answer()) as sink:
        monkeypatch.setattr(http, "may_be_meant", lambda address: address != "127.0.0.2")
        resolving(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1")
        caller = client()
        url = f"http://pacs.example:{sink.port}/x"
        assert (await caller.request("GET", url)).status == 200
        assert sink.requests[0].headers["host"] == f"pacs.example:{sink.port}"
        await caller.close()


@pytest.fixture
def certified(tmp_path: Path) -> tuple[Path, TlsFiles]:
    """Return the CA of a server, and the server's files for the name pacs.example."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("pacs.example")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(issued.cert_chain_pems[0].bytes())
    key.write_bytes(issued.private_key_pem.bytes())
    files = TlsFiles(certificate=str(chain), key=str(key), client_auth="off")
    return tmp_path / "ca.pem", files


async def test_a_certificate_is_checked_against_the_name_not_the_address(
    monkeypatch: pytest.MonkeyPatch, certified: tuple[Path, TlsFiles]
) -> None:
    ca, files = certified
    monkeypatch.setattr(http, "may_be_meant", lambda _: True)
    async with serving(lambda _: Answer(), tls=server_context(files)) as sink:
        resolving(monkeypatch, "127.0.0.1")
        caller = client(tls=TlsFiles(ca=str(ca)))
        reply = await caller.request("GET", f"https://pacs.example:{sink.port}")
        assert reply.status == 200
        await caller.close()
        named = client(tls=TlsFiles(ca=str(ca), server_name="pacs.example"))
        assert (await named.request("GET", sink.url)).status == 200
        await named.close()


@pytest.mark.req("O7")
@pytest.mark.parametrize("trusted", [True, False])
async def test_a_wrong_certificate_blocks(certified: tuple[Path, TlsFiles], trusted: bool) -> None:
    ca, files = certified
    async with serving(lambda _: Answer(), tls=server_context(files)) as sink:
        caller = client(tls=TlsFiles(ca=str(ca)) if trusted else None)
        with pytest.raises(UnreachableError) as caught:
            await caller.request("GET", sink.url)
        assert caught.value.layer == "tls"
        assert caught.value.permanent
        await caller.close()


async def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    caller = client(tls=TlsFiles(ca=str(tmp_path / "none.pem")))
    with pytest.raises(ConfigError, match=r"none\.pem"):
        await caller.request("GET", "https://127.0.0.1:1")


@pytest.mark.req("L33")
async def test_an_answer_that_is_compressed_or_too_long_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "MOST_ANSWER", 1000)
    bomb = Answer(body=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})
    answers = [Answer(body=bytes(1001)), bomb]
    async with serving(lambda _: answers.pop()) as sink:
        caller = client()
        for _ in range(2):
            reply = await caller.request("GET", sink.url)
            assert (reply.status, reply.body) == (200, None)
        await caller.close()


@pytest.mark.req("S-68")
async def test_no_address_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(lambda _: Answer()) as sink:
        caller = client()
        await caller.request("GET", f"{sink.url}/hook/sesame?token=open")
        await caller.close()
    assert "sesame" not in caplog.text
    assert "open" not in caplog.text


def test_secrets_do_not_show_in_a_repr() -> None:
    settings = HttpSettings(headers=(("X-Api-Key", "sesame"),), proxy="http://u:sesame@p")
    assert "sesame" not in repr(settings)
